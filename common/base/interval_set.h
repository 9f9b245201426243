// A set of labels kept as disjoint, non-adjacent closed intervals in rising order: {1-7, 9, 12-40}.
// What a customer received on a channel is nearly always one interval; each gap is one lost
// transfer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace p2pbank {

class IntervalSet {
  public:
    struct Interval {
        uint64_t first = 0;
        uint64_t last = 0;
        friend bool operator==(const Interval&, const Interval&) = default;
    };

    bool contains(Label label) const;
    // Every label of `other` is in this set.
    bool contains_all(const IntervalSet& other) const;

    // True if the label was not in the set before.
    bool add(Label label) {
        return add(label.value(), label.value(), [](uint64_t, uint64_t) {});
    }

    // Adds first..last, and calls fresh(a, b) for each maximal stretch that was not in the set
    // before, in rising order. True if there was one. Requires 1 <= first <= last.
    template <class Fresh>
    bool add(uint64_t first, uint64_t last, Fresh&& fresh);

    // Removes every label above `last`.
    void remove_above(Label last);

    Label highest() const { return Label(intervals_.empty() ? 0 : intervals_.back().last); }
    uint64_t count() const;
    bool empty() const { return intervals_.empty(); }
    void clear() { intervals_.clear(); }
    const std::vector<Interval>& intervals() const { return intervals_; }

    friend bool operator==(const IntervalSet&, const IntervalSet&) = default;

  private:
    // The first interval that ends at or after `value`.
    size_t first_ending_from(uint64_t value) const;
    std::vector<Interval> intervals_;
};

// "1-7 9 12-40"; "none" when empty.
std::string to_string(const IntervalSet& set);

template <class Fresh>
bool IntervalSet::add(uint64_t first, uint64_t last, Fresh&& fresh) {
    // The common case: the next label of a stream without gaps.
    if (!intervals_.empty() && first == intervals_.back().last + 1) {
        intervals_.back().last = last;
        fresh(first, last);
        return true;
    }
    size_t at = first_ending_from(first == 0 ? 0 : first - 1);  // may touch from the left
    Interval joined{first, last};
    uint64_t uncovered = first;  // the lowest label not yet known to be old
    bool any = false;
    bool rest = true;  // labels from `uncovered` on may be fresh
    size_t end = at;
    while (end < intervals_.size() &&
           (intervals_[end].first <= last || intervals_[end].first - 1 <= last)) {
        const Interval old = intervals_[end];
        if (uncovered < old.first && uncovered <= last) {
            const uint64_t until = old.first - 1 < last ? old.first - 1 : last;
            fresh(uncovered, until);
            any = true;
        }
        if (old.last >= last) {
            rest = false;  // also keeps the next line from going beyond the highest number
        } else if (old.last >= uncovered) {
            uncovered = old.last + 1;
        }
        if (old.first < joined.first) joined.first = old.first;
        if (old.last > joined.last) joined.last = old.last;
        ++end;
    }
    if (rest && uncovered <= last) {
        fresh(uncovered, last);
        any = true;
    }
    if (at == end) {
        intervals_.insert(intervals_.begin() + static_cast<std::ptrdiff_t>(at), joined);
    } else {
        intervals_[at] = joined;
        intervals_.erase(intervals_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                         intervals_.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return any;
}

}  // namespace p2pbank
