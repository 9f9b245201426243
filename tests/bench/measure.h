// What the programs of this folder share: a clock, what to do on an error, and how figures are
// printed. For tests/bench only; nothing here is used by the bank or a customer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace p2pbank::bench {

inline constexpr size_t kMessageBytes = 64;  // of a datagram
inline constexpr size_t kRecordBytes = 128;  // appended and synced

inline uint64_t now_ns() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::nanoseconds(since).count());
}

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::_Exit(2);
}

template <class Value>
Value check(Value value, const char* what) {
    if (value < 0) die(what);
    return value;
}

// Takes times one by one; says how many there were in a second and how long the one in the middle
// took.
class Times {
  public:
    void start() { started_ = now_ns(); }
    void add(uint64_t ns) { times_.push_back(ns); }
    size_t count() const { return times_.size(); }
    uint64_t elapsed_ns() const { return now_ns() - started_; }

    // As one JSON object.
    std::string json(uint64_t each_stands_for = 1) {
        const double seconds = static_cast<double>(now_ns() - started_) / 1e9;
        const double count = static_cast<double>(times_.size() * each_stands_for);
        std::sort(times_.begin(), times_.end());
        const uint64_t middle = times_.empty() ? 0 : times_[times_.size() / 2];
        char text[128];
        std::snprintf(text, sizeof text,
                      "{\"count\": %.0f, \"per_second\": %.1f, \"p50_us\": %.2f}", count,
                      count / seconds, static_cast<double>(middle) / 1e3);
        return text;
    }
    void print(uint64_t each_stands_for = 1) { std::puts(json(each_stands_for).c_str()); }

  private:
    uint64_t started_ = 0;
    std::vector<uint64_t> times_;
};

}  // namespace p2pbank::bench
