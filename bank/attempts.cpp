#include "bank/attempts.h"

#include "bank/domain/people.h"
#include "common/base/limits.h"

namespace p2pbank::bank {

std::optional<Duration> Attempts::begin(TimePoint now, std::string_view key) {
    auto found = failures_.find(key);
    if (found == failures_.end()) {
        if (failures_.size() >= limits::kMaxAttemptsKnown) {
            failures_.erase(order_.front());
            order_.pop_front();
        }
        order_.emplace_back(key);
        found = failures_.emplace(key, Failures{}).first;
        found->second.age = std::prev(order_.end());
    }
    Failures& failures = found->second;
    order_.splice(order_.end(), order_, failures.age);
    if (failures.count > 0 && now < failures.again_at) return failures.again_at - now;
    ++failures.count;
    failures.again_at = now + delay_after(failures.count);
    return std::nullopt;
}

void Attempts::forgive(std::string_view key) {
    const auto found = failures_.find(key);
    if (found == failures_.end()) return;
    order_.erase(found->second.age);
    failures_.erase(found);
}

bool RateLimit::allow(TimePoint now) {
    if (now >= minute_ + std::chrono::minutes(1)) {
        minute_ = now;
        used_ = 0;
    }
    if (used_ >= most_) {
        ++left_out_;
        return false;
    }
    ++used_;
    return true;
}

uint64_t RateLimit::take_left_out() {
    const uint64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
}

bool RateLimits::allow(TimePoint now, std::string_view key) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        if (by_key_.size() >= limits::kMaxAttemptsKnown) by_key_.clear();
        found = by_key_.emplace(key, RateLimit(most_of_one_)).first;
    }
    if (found->second.allow(now) && all_.allow(now)) return true;
    ++left_out_;
    return false;
}

uint64_t RateLimits::take_left_out() {
    const uint64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
}

}  // namespace p2pbank::bank
