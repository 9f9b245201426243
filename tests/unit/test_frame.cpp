#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/stable/frame.h"

using namespace p2pbank;

namespace {

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

std::string encode(uint64_t offset, uint64_t sequence, const std::vector<std::string>& records) {
    return frame::encode(offset, sequence, records);
}

}  // namespace

TEST_CASE("frame: the bytes are those of docs/storage.md") {
    CHECK(hex(frame::file_header()) == "503250424a524e310100000083786063");
    CHECK(hex(encode(16, 1, {"abc", ""})) ==
          "504a52460b0000000100000000000000000000000f7b41af5573706e"
          "0300000061626300000000ff");
}

TEST_CASE("frame: no sector of a frame is zero or nearly zero, whatever the records") {
    Random random(1);
    for (int i = 0; i < 3'000; ++i) {
        std::string record(random.below(4'000), static_cast<char>(random.below(3)));
        for (uint64_t changes = random.below(3); changes > 0 && !record.empty(); --changes) {
            record[random.below(record.size())] = static_cast<char>(1 << random.below(8));
        }
        const uint64_t offset = 16 + 8 * random.below(200);
        const std::string bytes = encode(offset, 1 + random.below(5), {record});
        REQUIRE(bytes.size() % 8 == 0);
        int bits = 0;
        for (size_t at = 0; at < bytes.size(); ++at) {
            bits += __builtin_popcount(static_cast<unsigned char>(bytes[at]));
            if ((offset + at + 1) % 512 == 0 || at + 1 == bytes.size()) {
                REQUIRE(bits >= 2);
                bits = 0;
            }
        }
        const auto header = frame::decode_header(bytes);
        REQUIRE(header);
        CHECK(header->frame_bytes() == bytes.size());
        const auto body = std::string_view(bytes).substr(frame::kHeaderBytes);
        REQUIRE(frame::body_is_good(*header, body));
        std::string scratch;
        std::string_view payload = frame::unmask(*header, body, scratch);
        CHECK(frame::take_record(payload) == record);
        CHECK(payload.empty());
    }
}

TEST_CASE("frame: a payload that is not made of records gives none") {
    std::string_view payload = "abc";
    CHECK_FALSE(frame::take_record(payload));
    payload = std::string_view("\4\0\0\0abc", 7);
    CHECK_FALSE(frame::take_record(payload));
    payload = "\xff\xff\xff\xff";
    CHECK_FALSE(frame::take_record(payload));
}
