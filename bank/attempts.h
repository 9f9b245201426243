// Failed attempts and how long the next has to wait, for each of a bounded number of keys (the one
// that was not tried for longest is forgotten first); and a limit on how often something is done
// in a minute. In memory only. Used by bank/sign_in.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace p2pbank::bank {

class Attempts {
  public:
    // Begins an attempt, which counts as failed until forgive(). Nothing if it may be made;
    // otherwise how long to wait, and nothing is counted.
    std::optional<Duration> begin(TimePoint now, std::string_view key);
    // It succeeded.
    void forgive(std::string_view key);

  private:
    struct Failures {
        uint32_t count = 0;
        TimePoint again_at{};
        std::list<std::string>::iterator age;
    };
    std::map<std::string, Failures, std::less<>> failures_;
    std::list<std::string> order_;  // oldest first
};

class RateLimit {
  public:
    explicit RateLimit(uint32_t most_a_minute) : most_(most_a_minute) {}

    // Whether one more is allowed now.
    bool allow(TimePoint now);
    // How many were not, since this was asked last.
    uint64_t take_left_out();

  private:
    uint32_t most_;
    uint32_t used_ = 0;
    TimePoint minute_{};
    uint64_t left_out_ = 0;
};

// The same by key, and for all together. When there are too many keys they are forgotten.
class RateLimits {
  public:
    RateLimits(uint32_t most_of_one, uint32_t most_of_all)
        : most_of_one_(most_of_one), all_(most_of_all) {}

    bool allow(TimePoint now, std::string_view key);
    uint64_t take_left_out();

  private:
    uint32_t most_of_one_;
    RateLimit all_;
    std::map<std::string, RateLimit, std::less<>> by_key_;
    uint64_t left_out_ = 0;
};

}  // namespace p2pbank::bank
