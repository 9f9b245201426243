#include "common/secure/sealing.h"

#include "common/secure/bytes.h"
#include "common/secure/packets.h"

namespace p2pbank::secure {
namespace {

static_assert(sizeof(KeyBytes) == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
static_assert(kTagBytes == crypto_aead_chacha20poly1305_ietf_ABYTES);
constexpr size_t kCounterAt = kHeaderBytes + sizeof(uint32_t);
static_assert(kCounterAt + sizeof(uint64_t) == kSealedHeaderBytes);

// Four zeros, then the counter as it stands in the header (Noise, 12.3).
std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> nonce_of(
    const char* header) {
    std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> nonce{};
    std::memcpy(nonce.data() + 4, header + kCounterAt, sizeof(uint64_t));
    return nonce;
}

}  // namespace

void seal_packet(const KeyBytes& key, uint32_t receiver_index, uint64_t counter,
                 std::string_view plain, std::string& packet) {
    packet.resize(kSealedOverhead + plain.size());
    packet[0] = 'P';
    packet[1] = 'B';
    packet[2] = static_cast<char>(kVersion);
    packet[3] = static_cast<char>(PacketType::sealed);
    store(packet.data() + kHeaderBytes, receiver_index);
    store(packet.data() + kCounterAt, counter);
    const auto nonce = nonce_of(packet.data());
    crypto_aead_chacha20poly1305_ietf_encrypt(
        bytes_of(packet) + kSealedHeaderBytes, nullptr, bytes_of(plain), plain.size(),
        bytes_of(packet), kSealedHeaderBytes, nullptr, nonce.data(), key.data());
}

bool open_packet(const KeyBytes& key, std::string_view packet, std::string& plain) {
    P2PBANK_CHECK(packet.size() >= kSealedOverhead);
    plain.resize(packet.size() - kSealedOverhead);
    const auto nonce = nonce_of(packet.data());
    return crypto_aead_chacha20poly1305_ietf_decrypt(
               bytes_of(plain), nullptr, nullptr, bytes_of(packet) + kSealedHeaderBytes,
               packet.size() - kSealedHeaderBytes, bytes_of(packet), kSealedHeaderBytes,
               nonce.data(), key.data()) == 0;
}

}  // namespace p2pbank::secure
