// BLAKE2b-256 over numbers and texts: a number as its eight bytes, the lowest first, a text behind
// its length, so that no two different sequences are hashed as the same bytes.
//
// Gathers on the stack and allocates only its result: one runs for every datagram with transfers,
// at both ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sodium.h>

namespace p2pbank {

class Digest {
  public:
    static constexpr size_t kBytes = 32;

    Digest() { crypto_generichash_init(&state_, nullptr, 0, kBytes); }

    Digest& add(uint64_t number) {
        if (used_ + 8 > gathered_.size()) flush();
        for (unsigned i = 0; i < 8; ++i) {
            gathered_[used_++] = static_cast<unsigned char>(number >> (8 * i));
        }
        return *this;
    }
    Digest& add(std::string_view text) {
        add(uint64_t(text.size()));
        while (!text.empty()) {
            if (used_ == gathered_.size()) flush();
            const size_t part = std::min(text.size(), gathered_.size() - used_);
            std::copy_n(text.begin(), part, gathered_.begin() + static_cast<std::ptrdiff_t>(used_));
            used_ += part;
            text.remove_prefix(part);
        }
        return *this;
    }
    // Once, behind everything.
    std::string result() {
        flush();
        std::string digest(kBytes, '\0');
        crypto_generichash_final(&state_, reinterpret_cast<unsigned char*>(digest.data()),
                                 digest.size());
        return digest;
    }

  private:
    void flush() {
        crypto_generichash_update(&state_, gathered_.data(), used_);
        used_ = 0;
    }

    crypto_generichash_state state_;
    std::array<unsigned char, 2'048> gathered_;
    size_t used_ = 0;
};

}  // namespace p2pbank
