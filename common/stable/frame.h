// The bytes of a journal: making, reading and judging frames, without any file. docs/storage.md
// ("Journal") has the format byte by byte and the reasons. Pure functions, called by Journal.
//
// A frame is built so that no 512-byte sector of it is all zero, or one bit away from it. The file
// is zero where a frame is about to be written; so a sector of zeros in a frame that is not whole
// means that this sector never reached the disk, and its absence means that the frame was whole
// once and has been damaged since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace p2pbank::frame {

inline constexpr size_t kSectorBytes = 512;  // what a disk writes whole or not at all
inline constexpr size_t kFileHeaderBytes = 16;
inline constexpr size_t kHeaderBytes = 28;
inline constexpr size_t kMaxPayloadBytes = 256 * 1'024 * 1'024;

struct Header {
    uint32_t payload_bytes = 0;
    uint64_t sequence = 0;  // 1, 2, 3 ... within the file
    uint32_t mask = 0;      // exclusive-or'ed over the payload, byte 0 first
    uint32_t body_crc = 0;  // of payload and padding as they are in the file

    // Payload and padding: 1 to 8 bytes, so that the frame's length is a multiple of 8.
    uint64_t body_bytes() const { return frame_bytes() - kHeaderBytes; }
    uint64_t frame_bytes() const { return (uint64_t{kHeaderBytes} + payload_bytes) / 8 * 8 + 8; }
};

std::string file_header();
// What is wrong with the first bytes of a file; nothing if they are a journal's.
std::optional<std::string> file_header_damage(std::string_view bytes);

// How many bytes a record takes in a payload.
inline uint64_t record_bytes(std::string_view record) {
    return 4 + uint64_t{record.size()};
}

// The frame that is to stand at `offset`, a multiple of 8. Requires that the records take at most
// kMaxPayloadBytes.
std::string encode(uint64_t offset, uint64_t sequence, std::span<const std::string> records);

// The header in the first kHeaderBytes of `bytes`, if there is a good one.
std::optional<Header> decode_header(std::string_view bytes);
bool body_is_good(const Header& header, std::string_view body);
// The payload as it was before masking; `scratch` holds it if it had to be changed.
std::string_view unmask(const Header& header, std::string_view body, std::string& scratch);

// Takes the first record off the payload; nothing if what is left is not a record.
std::optional<std::string_view> take_record(std::string_view& payload);

// What stands behind the last good frame.
struct Tail {
    enum class Kind { empty, torn, damaged };
    Kind kind = Kind::empty;
    size_t bytes = 0;    // up to and with the last one that is not zero
    std::string reason;  // of damage
};

// `tail` is everything from `offset`, where the frame `sequence` was expected and is not, to the
// end of the file.
Tail judge_tail(std::string_view tail, uint64_t offset, uint64_t sequence);

}  // namespace p2pbank::frame
