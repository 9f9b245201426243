#include <doctest/doctest.h>

#include "common/stable/frame.h"
#include "tests/unit/journal_helpers.h"

using namespace p2pbank;
using namespace p2pbank::testing;

namespace {

struct Small {
    std::string file;
    std::vector<size_t> frames;  // where each begins, and where the last one ends
    Records records;
};

// A journal of one frame for each record, with `tail` bytes of zeros behind it.
Small small_journal(const Records& records, size_t tail) {
    Small small;
    small.records = records;
    small.file = frame::file_header();
    for (size_t i = 0; i < records.size(); ++i) {
        small.frames.push_back(small.file.size());
        small.file += frame::encode(small.file.size(), i + 1, {&records[i], 1});
    }
    small.frames.push_back(small.file.size());
    small.file.append(tail, '\0');
    return small;
}

Opened open_bytes(const std::string& bytes) {
    FaultyStorage storage;
    storage.set_content("j", bytes);
    auto opened = open_journal(storage);
    if (!opened.journal) {
        CHECK(storage.content("j") == bytes);  // left alone
        CHECK(opened.error.code == "damaged-journal");
        CHECK(opened.error.message.substr(0, 23) == "j is damaged at offset ");
    }
    opened.journal.reset();
    return opened;
}

// True if opening is refused.
bool is_refused(const std::string& bytes) {
    return !open_bytes(bytes).error.code.empty();
}

void check_every_flip(const Small& small) {
    REQUIRE_FALSE(is_refused(small.file));
    std::string bytes = small.file;
    size_t accepted = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
            if (!is_refused(bytes)) {
                ++accepted;
                MESSAGE("bit " << bit << " of byte " << at << " was accepted");
            }
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
        }
    }
    CHECK(accepted == 0);
}

}  // namespace

TEST_CASE("journal: every flipped bit is refused, wherever the last frame begins in its sector") {
    Random random(1);
    for (size_t filler = 404; filler <= 460; filler += 8) {
        CAPTURE(filler);
        const Small small =
            small_journal({some_record(random, filler), some_record(random, 700)}, 600);
        check_every_flip(small);
    }
}

TEST_CASE("journal: every flipped bit is refused when the records are nothing but zeros") {
    std::string one_bit(1'200, '\0');
    one_bit[700] = 1;
    for (const std::string& last :
         {std::string(1'500, '\0'), one_bit, std::string(2'000, '\xff'), std::string()}) {
        check_every_flip(small_journal({"first", last}, 300));
    }
}

TEST_CASE("journal: every flipped bit is refused in a file that holds no record") {
    check_every_flip(small_journal({}, 1'100));
}

TEST_CASE("journal: a frame that is gone while a later one is there is refused") {
    Random random(2);
    Records records;
    for (int i = 0; i < 6; ++i) records.push_back(some_record(random, 200 + random.below(900)));
    const Small small = small_journal(records, 2'000);
    for (size_t i = 0; i + 1 < records.size(); ++i) {
        CAPTURE(i);
        std::string bytes = small.file;
        bytes.replace(small.frames[i], small.frames[i + 1] - small.frames[i],
                      small.frames[i + 1] - small.frames[i], '\0');
        CHECK(is_refused(bytes));
        // A single lost sector in the middle of synced data.
        bytes = small.file;
        const size_t sector = (small.frames[i] + 511) / 512 * 512;
        if (sector + 512 <= small.frames[i + 1]) {
            bytes.replace(sector, 512, 512, '\0');
            CHECK(is_refused(bytes));
        }
    }
}

TEST_CASE("journal: frames that change places or come twice are refused") {
    const Small small = small_journal({"aaaa", "bbbb", "cccc"}, 300);
    const size_t bytes = small.frames[1] - small.frames[0];
    std::string swapped = small.file;
    swapped.replace(small.frames[0], bytes, small.file, small.frames[1], bytes);
    swapped.replace(small.frames[1], bytes, small.file, small.frames[0], bytes);
    CHECK(is_refused(swapped));
    std::string twice = small.file;
    twice.replace(small.frames[3], bytes, small.file, small.frames[2], bytes);
    CHECK(is_refused(twice));
}

TEST_CASE("journal: a file that was cut off within a frame is refused") {
    Random random(3);
    const Small small = small_journal({some_record(random, 400), some_record(random, 900)}, 0);
    for (size_t size = 0; size < small.file.size(); ++size) {
        CAPTURE(size);
        const bool at_border = size == small.frames[0] || size == small.frames[1];
        CHECK(is_refused(small.file.substr(0, size)) == !at_border);
    }
}

TEST_CASE("journal: another kind of file or another version is refused") {
    CHECK(is_refused(""));
    CHECK(is_refused("name,balance,ip_address,port1,port2,cohort,exit_state\n"));
    CHECK(is_refused(std::string(4'096, '\0')));
}

TEST_CASE("journal: the error names file, offset, reason and what to do") {
    const Small small = small_journal({"first", "second"}, 100);
    std::string bytes = small.file;
    bytes[small.frames[1] + 30] = 'X';
    CHECK(open_bytes(bytes).error.message ==
          "j is damaged at offset 56: the frame's content does not match its checksum. It has been "
          "left alone: restore it from a copy, or move it away if what it holds may be lost");
}

TEST_CASE("journal: random bytes are refused and never crash") {
    Random random(4);
    for (int i = 0; i < 5'000; ++i) {
        std::string bytes = random.one_in(2) ? frame::file_header() : "";
        const size_t count = random.below(3'000);
        const uint64_t kinds = 1 + random.below(256);
        for (size_t b = 0; b < count; ++b) bytes += static_cast<char>(random.below(kinds));
        open_bytes(bytes);
    }
}

TEST_CASE("journal: whatever is overwritten, only a prefix of the records is ever replayed") {
    Random random(5);
    for (int i = 0; i < 20'000; ++i) {
        CAPTURE(i);
        Records records;
        for (uint64_t r = random.below(5); r > 0; --r) {
            records.push_back(some_record(random, random.below(800)));
        }
        const Small small = small_journal(records, random.below(1'500));
        std::string bytes = small.file;
        for (uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
            const size_t at = random.below(bytes.size());
            const size_t count = std::min<size_t>(1 + random.below(600), bytes.size() - at);
            if (random.one_in(2)) {
                bytes.replace(at, count, count, '\0');
            } else {
                const size_t from = random.below(bytes.size() - count + 1);
                bytes.replace(at, count, bytes.substr(from, count));
            }
        }
        const auto opened = open_bytes(bytes);
        REQUIRE(opened.records.size() <= records.size());
        for (size_t r = 0; r < opened.records.size(); ++r) {
            CHECK(opened.records[r] == records[r]);
        }
    }
}
