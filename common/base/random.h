// Seeded randomness. Every random choice in a node comes from one of these, so that a simulated run
// with the same seed is the same run.
#pragma once

#include <cstdint>
#include <random>

#include "common/base/check.h"

namespace p2pbank {

class Random {
  public:
    explicit Random(uint64_t seed) : engine_(seed) {}

    uint64_t next() { return engine_(); }

    // Uniform in [0, bound). Requires bound > 0.
    uint64_t below(uint64_t bound) {
        P2PBANK_CHECK(bound > 0);
        // Reject the incomplete last stretch of the range, so that every value is equally likely.
        const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
        uint64_t value = next();
        while (value >= limit) value = next();
        return value % bound;
    }

    // True once in `of` times on average. Requires of > 0.
    bool one_in(uint64_t of) { return below(of) == 0; }

    // Uniform in [0, 1). Never used for money.
    double fraction() { return fraction_of(next()); }
    static double fraction_of(uint64_t drawn) {
        return static_cast<double>(drawn >> 11) * 0x1.0p-53;
    }

  private:
    std::mt19937_64 engine_;  // its sequence is fixed by the C++ standard
};

}  // namespace p2pbank
