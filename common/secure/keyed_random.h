// Everything unguessable in a node comes from one of these: the ids and keys of sessions,
// verification codes, tokens, the keys of sealed messages. Its seed must come from the system's own
// generator; with the same seed it gives the same bytes, so that a simulated run can be repeated.
//
// ChaCha20's keystream, with a new key before each use (fast key erasure): who reads the memory of
// the process learns nothing of what was given out before. For choices that need not be secret,
// common/base/random.h is cheaper.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace p2pbank {

using KeyBytes = std::array<unsigned char, 32>;

class KeyedRandom {
  public:
    explicit KeyedRandom(const KeyBytes& seed) : key_(seed) {}
    ~KeyedRandom();
    KeyedRandom(const KeyedRandom&) = delete;
    KeyedRandom& operator=(const KeyedRandom&) = delete;

    // Any number of bytes.
    void fill(std::span<unsigned char> out);

    uint64_t next64();
    // Uniform in [0, bound). Requires bound > 0.
    uint64_t below(uint64_t bound);
    KeyBytes key();

  private:
    KeyBytes key_;
};

}  // namespace p2pbank
