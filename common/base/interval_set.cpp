#include "common/base/interval_set.h"

#include <algorithm>

namespace p2pbank {

size_t IntervalSet::first_ending_from(uint64_t value) const {
    const auto at =
        std::lower_bound(intervals_.begin(), intervals_.end(), value,
                         [](const Interval& interval, uint64_t v) { return interval.last < v; });
    return static_cast<size_t>(at - intervals_.begin());
}

bool IntervalSet::contains(Label label) const {
    const size_t at = first_ending_from(label.value());
    return at < intervals_.size() && intervals_[at].first <= label.value();
}

bool IntervalSet::contains_all(const IntervalSet& other) const {
    return std::all_of(other.intervals_.begin(), other.intervals_.end(), [&](const Interval& o) {
        const size_t at = first_ending_from(o.first);
        return at < intervals_.size() && intervals_[at].first <= o.first &&
               o.last <= intervals_[at].last;
    });
}

void IntervalSet::remove_above(Label last) {
    while (!intervals_.empty() && intervals_.back().first > last.value()) intervals_.pop_back();
    if (!intervals_.empty() && intervals_.back().last > last.value()) {
        intervals_.back().last = last.value();
    }
}

uint64_t IntervalSet::count() const {
    uint64_t count = 0;
    for (const Interval& interval : intervals_) count += interval.last - interval.first + 1;
    return count;
}

std::string to_string(const IntervalSet& set) {
    if (set.empty()) return "none";
    std::string out;
    for (const auto& interval : set.intervals()) {
        if (!out.empty()) out += ' ';
        out += std::to_string(interval.first);
        if (interval.last != interval.first) out += "-" + std::to_string(interval.last);
    }
    return out;
}

}  // namespace p2pbank
