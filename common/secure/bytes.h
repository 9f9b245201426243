// Bytes and numbers, and BLAKE2b, as the packets and handshakes of this folder need them. For this
// folder only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include <sodium.h>

#include "common/base/check.h"

namespace p2pbank::secure {

inline const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

inline unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

template <size_t kSize>
std::string_view text_of(const std::array<unsigned char, kSize>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Little endian. The caller sees to it that the bytes are there.
template <class Number>
Number load(std::string_view from, size_t at) {
    Number value = 0;
    for (size_t i = sizeof value; i > 0; --i) {
        value = static_cast<Number>(value << 8U) |
                static_cast<Number>(static_cast<unsigned char>(from[at + i - 1]));
    }
    return value;
}

template <class Number>
void store(char* to, Number value) {
    for (size_t i = 0; i < sizeof value; ++i) {
        to[i] = static_cast<char>(value >> (8U * i) & 255U);
    }
}

// Requires that exactly so many bytes are there from `at` on, or more.
template <size_t kSize>
void take(std::string_view from, size_t at, std::array<unsigned char, kSize>& to) {
    P2PBANK_CHECK(at + kSize <= from.size());
    std::memcpy(to.data(), from.data() + at, kSize);
}

// BLAKE2b over the pieces one after the other, with a key if it is not empty; as long as `out`.
template <size_t kSize>
void blake2b(std::array<unsigned char, kSize>& out, std::string_view key,
             std::initializer_list<std::string_view> pieces) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key.empty() ? nullptr : bytes_of(key), key.size(), out.size());
    for (const std::string_view piece : pieces) {
        crypto_generichash_update(&state, bytes_of(piece), piece.size());
    }
    crypto_generichash_final(&state, out.data(), out.size());
    sodium_memzero(&state, sizeof state);
}

template <size_t kSize>
void wipe(std::array<unsigned char, kSize>& secret) {
    sodium_memzero(secret.data(), secret.size());
}

// For secrets and what proves them: takes the same time wherever they differ.
template <size_t kSize>
bool is_same(const std::array<unsigned char, kSize>& one, const void* other) {
    return sodium_memcmp(one.data(), other, kSize) == 0;
}

}  // namespace p2pbank::secure
