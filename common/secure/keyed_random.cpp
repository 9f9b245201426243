#include "common/secure/keyed_random.h"

#include <algorithm>
#include <cstring>

#include <sodium.h>

#include "common/base/check.h"

namespace p2pbank {
namespace {

// Each key is used for one block only, so that the nonce may stay the same.
constexpr unsigned char kNonce[crypto_stream_chacha20_NONCEBYTES] = {};
constexpr size_t kBlockBytes = 512;
static_assert(sizeof(KeyBytes) == crypto_stream_chacha20_KEYBYTES);

}  // namespace

KeyedRandom::~KeyedRandom() {
    sodium_memzero(key_.data(), key_.size());
}

void KeyedRandom::fill(std::span<unsigned char> out) {
    std::array<unsigned char, kBlockBytes> block;
    while (!out.empty()) {
        crypto_stream_chacha20(block.data(), block.size(), kNonce, key_.data());
        std::memcpy(key_.data(), block.data(), key_.size());
        const size_t taken = std::min(out.size(), block.size() - key_.size());
        std::memcpy(out.data(), block.data() + key_.size(), taken);
        out = out.subspan(taken);
    }
    sodium_memzero(block.data(), block.size());
}

uint64_t KeyedRandom::next64() {
    std::array<unsigned char, 8> bytes;
    fill(bytes);
    uint64_t value = 0;
    for (const unsigned char byte : bytes) value = value << 8U | byte;
    sodium_memzero(bytes.data(), bytes.size());
    return value;
}

uint64_t KeyedRandom::below(uint64_t bound) {
    P2PBANK_CHECK(bound > 0);
    // Reject the incomplete last stretch of the range, so that every value is equally likely.
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = next64();
    while (value >= limit) value = next64();
    return value % bound;
}

KeyBytes KeyedRandom::key() {
    KeyBytes bytes;
    fill(bytes);
    return bytes;
}

}  // namespace p2pbank
