#include "common/wire/envelope.h"

#include <zlib.h>

#include <google/protobuf/stubs/logging.h>

#include "common/base/check.h"

namespace p2pbank {
namespace {

constexpr char kMagic[4] = {'P', 'B', 1, 0};

// It would write a line to the terminal for every text that is no UTF-8: whoever sends datagrams
// could fill the terminal of everybody who gets them.
[[maybe_unused]] const bool silenced = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
}();

uint32_t checksum(const char* bytes, size_t count) {
    return static_cast<uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(bytes), static_cast<uInt>(count)));
}

}  // namespace

void seal(const wire::Datagram& datagram, std::string& out) {
    const size_t body = datagram.ByteSizeLong();
    out.resize(kEnvelopeBytes + body);
    std::copy(kMagic, kMagic + 4, out.begin());
    datagram.SerializeWithCachedSizesToArray(
        reinterpret_cast<uint8_t*>(out.data() + kEnvelopeBytes));
    const uint32_t crc = checksum(out.data() + kEnvelopeBytes, body);
    for (size_t i = 0; i < 4; ++i) out[4 + i] = static_cast<char>(crc >> (8 * i) & 255);
}

bool unseal(std::string_view bytes, wire::Datagram& datagram) {
    if (bytes.size() < kEnvelopeBytes || !std::equal(kMagic, kMagic + 4, bytes.begin())) {
        return false;
    }
    uint32_t crc = 0;
    for (size_t i = 0; i < 4; ++i) {
        crc |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[4 + i])) << (8 * i);
    }
    const std::string_view body = bytes.substr(kEnvelopeBytes);
    if (checksum(body.data(), body.size()) != crc) return false;
    return datagram.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

}  // namespace p2pbank
