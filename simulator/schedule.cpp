#include "simulator/schedule.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace p2pbank::simulator {

void Schedule::at(TimePoint when, Action action) {
    heap_.push_back({std::max(when, now_), sequence_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
}

bool Schedule::step() {
    if (heap_.empty()) return false;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.when;
    ++events_;
    event.action();
    return true;
}

std::optional<TimePoint> Schedule::next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().when;
}

void Schedule::idle_until(TimePoint until) {
    P2PBANK_CHECK(heap_.empty() || heap_.front().when >= until);
    now_ = std::max(now_, until);
}

}  // namespace p2pbank::simulator
