#include "common/stable/frame.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <zlib.h>

#include "common/base/check.h"

namespace p2pbank::frame {
namespace {

constexpr std::string_view kFileMagic = "P2PBJRN1";
constexpr uint32_t kVersion = 1;
constexpr std::string_view kMagic = "PJRF";
constexpr char kPadding = '\xff';

// Where the fields stand in a frame's header.
constexpr size_t kLengthAt = 4;
constexpr size_t kSequenceAt = 8;
constexpr size_t kMaskAt = 16;
constexpr size_t kBodyCrcAt = 20;
constexpr size_t kHeaderCrcAt = 24;

template <class T>
void put(char* at, T value) {
    for (size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<char>(value >> (8 * i) & 0xff);
}

template <class T>
T get(std::string_view bytes, size_t at) {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
        value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << 8 * i);
    }
    return value;
}

uint32_t crc_of(std::string_view bytes) {
    return static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

bool is_zero(std::string_view bytes) {
    return bytes.empty() ||
           (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// At least two bits are set: one flipped bit neither makes it from zeros nor makes zeros of it.
bool is_marked(std::string_view bytes) {
    int bits = 0;
    for (const char c : bytes) {
        bits += std::popcount(static_cast<unsigned char>(c));
        if (bits >= 2) return true;
    }
    return false;
}

// Calls visit(piece) for each part of `bytes` that lies in one sector; stops when it says false.
// True if it never did.
template <class Visit>
bool each_piece(std::string_view bytes, uint64_t offset, Visit&& visit) {
    while (!bytes.empty()) {
        const size_t room = kSectorBytes - static_cast<size_t>(offset % kSectorBytes);
        const std::string_view piece = bytes.substr(0, room);
        if (!visit(piece)) return false;
        bytes.remove_prefix(piece.size());
        offset += piece.size();
    }
    return true;
}

void apply_mask(char* payload, size_t count, uint32_t mask) {
    char key[4];
    put(key, mask);
    for (size_t i = 0; i < count; ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
}

void write_header(char* at, const Header& header) {
    std::memcpy(at, kMagic.data(), kMagic.size());
    put(at + kLengthAt, header.payload_bytes);
    put(at + kSequenceAt, header.sequence);
    put(at + kMaskAt, header.mask);
    put(at + kBodyCrcAt, header.body_crc);
    put(at + kHeaderCrcAt, crc_of(std::string_view(at, kHeaderCrcAt)));
}

Tail damaged(size_t bytes, std::string reason) {
    return {Tail::Kind::damaged, bytes, std::move(reason)};
}

Tail judge_after_good_header(const Header& header, std::string_view tail, uint64_t offset,
                             uint64_t sequence, size_t used) {
    if (header.sequence != sequence) {
        return damaged(used, "frame " + std::to_string(header.sequence) + " stands where frame " +
                                 std::to_string(sequence) + " belongs");
    }
    if (header.frame_bytes() > tail.size()) {
        return damaged(used, "the frame goes beyond the end of the file");
    }
    if (used > header.frame_bytes()) {
        return damaged(used, "the frame's content does not match its checksum, and more follows");
    }
    const auto bytes = tail.substr(0, static_cast<size_t>(header.frame_bytes()));
    if (each_piece(bytes, offset, [](std::string_view piece) { return !is_zero(piece); })) {
        return damaged(used, "the frame's content does not match its checksum");
    }
    return {Tail::Kind::torn, used, ""};
}

// The sector with the start of the header is zero, and something is not behind it.
Tail judge_without_first_sector(std::string_view tail, uint64_t offset, uint64_t sequence,
                                size_t used) {
    const std::string stray = "bytes that are not a frame stand where the file should be empty";
    if (used > kHeaderBytes + kMaxPayloadBytes + 8) return damaged(used, stray);
    const bool plausible = each_piece(tail.substr(0, used), offset, [](std::string_view piece) {
        return is_zero(piece) || is_marked(piece);
    });
    if (!plausible) return damaged(used, stray);
    for (size_t at = 8; at < used; at += 8) {
        const auto later = decode_header(tail.substr(at));
        if (later && later->sequence >= sequence) {
            return damaged(used, "the frame is missing, and frame " +
                                     std::to_string(later->sequence) + " follows");
        }
    }
    return {Tail::Kind::torn, used, ""};
}

// The header begins in one sector and ends in the next: only the first of them was written.
bool lacks_second_sector(std::string_view tail, size_t first_piece, uint64_t sequence,
                         size_t used) {
    if (first_piece >= kHeaderBytes || tail.substr(0, kMagic.size()) != kMagic) return false;
    if (first_piece >= kMaskAt && get<uint64_t>(tail, kSequenceAt) != sequence) return false;
    Header header;
    header.payload_bytes = get<uint32_t>(tail, kLengthAt);
    if (header.payload_bytes > kMaxPayloadBytes) return false;
    const uint64_t bytes = header.frame_bytes();
    if (bytes > tail.size() || used > bytes) return false;
    const size_t end = static_cast<size_t>(std::min<uint64_t>(bytes, first_piece + kSectorBytes));
    return is_zero(tail.substr(first_piece, end - first_piece));
}

}  // namespace

std::string file_header() {
    std::string out(kFileHeaderBytes, '\0');
    std::memcpy(out.data(), kFileMagic.data(), kFileMagic.size());
    put(out.data() + 8, kVersion);
    put(out.data() + 12, crc_of(std::string_view(out).substr(0, 12)));
    return out;
}

std::optional<std::string> file_header_damage(std::string_view bytes) {
    if (bytes.size() < kFileHeaderBytes) return "the file is too short for a journal";
    if (bytes.substr(0, kFileMagic.size()) != kFileMagic) return "this is not a journal";
    if (get<uint32_t>(bytes, 12) != crc_of(bytes.substr(0, 12))) {
        return "the file's header does not match its checksum";
    }
    const auto version = get<uint32_t>(bytes, 8);
    if (version == kVersion) return std::nullopt;
    return "the journal has version " + std::to_string(version) + ", this program reads version " +
           std::to_string(kVersion);
}

std::string encode(uint64_t offset, uint64_t sequence, std::span<const std::string> records) {
    uint64_t payload_bytes = 0;
    for (const auto& record : records) payload_bytes += record_bytes(record);
    P2PBANK_CHECK(payload_bytes <= kMaxPayloadBytes && offset % 8 == 0);

    Header header;
    header.payload_bytes = static_cast<uint32_t>(payload_bytes);
    header.sequence = sequence;
    const auto total = static_cast<size_t>(header.frame_bytes());
    std::string out;
    out.reserve(total);
    out.resize(kHeaderBytes);
    for (const auto& record : records) {
        char length[4];
        put(length, static_cast<uint32_t>(record.size()));
        out.append(length, sizeof length);
        out.append(record);
    }
    out.append(total - out.size(), kPadding);

    // The first sector has the magic and the last one the padding; every other one has at least
    // 484 bytes of payload, and those are nearly zero under one mask at most. So this ends.
    for (uint32_t step = 1;; ++step) {
        header.body_crc = crc_of(std::string_view(out).substr(kHeaderBytes));
        write_header(out.data(), header);
        if (each_piece(out, offset, is_marked)) return out;
        const uint32_t mask = step * 0x9e3779b9U;  // odd, so all of them differ
        apply_mask(out.data() + kHeaderBytes, header.payload_bytes, header.mask ^ mask);
        header.mask = mask;
    }
}

std::optional<Header> decode_header(std::string_view bytes) {
    if (bytes.size() < kHeaderBytes || bytes.substr(0, kMagic.size()) != kMagic ||
        get<uint32_t>(bytes, kHeaderCrcAt) != crc_of(bytes.substr(0, kHeaderCrcAt))) {
        return std::nullopt;
    }
    Header header;
    header.payload_bytes = get<uint32_t>(bytes, kLengthAt);
    header.sequence = get<uint64_t>(bytes, kSequenceAt);
    header.mask = get<uint32_t>(bytes, kMaskAt);
    header.body_crc = get<uint32_t>(bytes, kBodyCrcAt);
    if (header.payload_bytes > kMaxPayloadBytes) return std::nullopt;
    return header;
}

bool body_is_good(const Header& header, std::string_view body) {
    return body.size() == header.body_bytes() && crc_of(body) == header.body_crc;
}

std::string_view unmask(const Header& header, std::string_view body, std::string& scratch) {
    const std::string_view payload = body.substr(0, header.payload_bytes);
    if (header.mask == 0) return payload;
    scratch = payload;
    apply_mask(scratch.data(), scratch.size(), header.mask);
    return scratch;
}

std::optional<std::string_view> take_record(std::string_view& payload) {
    if (payload.size() < 4) return std::nullopt;
    const auto bytes = get<uint32_t>(payload, 0);
    if (bytes > payload.size() - 4) return std::nullopt;
    const std::string_view record = payload.substr(4, bytes);
    payload.remove_prefix(4 + size_t{bytes});
    return record;
}

Tail judge_tail(std::string_view tail, uint64_t offset, uint64_t sequence) {
    if (is_zero(tail)) return {};
    const size_t used = tail.find_last_not_of('\0') + 1;
    if (const auto header = decode_header(tail)) {
        return judge_after_good_header(*header, tail, offset, sequence, used);
    }
    const size_t first_piece =
        std::min(kSectorBytes - static_cast<size_t>(offset % kSectorBytes), tail.size());
    if (is_zero(tail.substr(0, first_piece))) {
        return judge_without_first_sector(tail, offset, sequence, used);
    }
    if (lacks_second_sector(tail, first_piece, sequence, used)) {
        return {Tail::Kind::torn, used, ""};
    }
    return damaged(used, "the frame's header does not match its checksum");
}

}  // namespace p2pbank::frame
