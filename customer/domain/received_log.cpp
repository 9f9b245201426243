#include "customer/domain/received_log.h"

#include <algorithm>

namespace p2pbank::customer {
namespace {

// One above its last label.
uint64_t end_of(const ReceivedLog::Runs::value_type& run) {
    return run.first + run.second.size();
}

}  // namespace

void ReceivedLog::add(Label label, Money amount) {
    const uint64_t number = label.value();
    auto next = runs_.end();
    // The common case: the next label of a stream.
    if (!runs_.empty() && number < runs_.rbegin()->first) next = runs_.upper_bound(number);
    if (next != runs_.begin()) {
        auto& run = *std::prev(next);
        if (end_of(run) == number) {
            run.second.push_back(amount.cents());
            return;
        }
    }
    runs_.emplace_hint(next, number, std::vector<int64_t>{amount.cents()});
}

std::optional<Money> ReceivedLog::amount(Label label) const {
    const auto next = runs_.upper_bound(label.value());
    if (next == runs_.begin()) return std::nullopt;
    const auto& run = *std::prev(next);
    if (label.value() >= end_of(run)) return std::nullopt;
    return Money::from_cents(run.second[label.value() - run.first]);
}

void ReceivedLog::drop(const IntervalSet& covered) {
    Runs kept;
    for (auto& run : runs_) {
        const uint64_t end = end_of(run);
        uint64_t from = run.first;  // the lowest label of the run that is not looked at yet
        const auto& intervals = covered.intervals();
        auto at = std::lower_bound(intervals.begin(), intervals.end(), from,
                                   [](const IntervalSet::Interval& interval, uint64_t label) {
                                       return interval.last < label;
                                   });
        const auto keep = [&](uint64_t until) {
            if (from >= until) return;
            const auto begin = run.second.begin();
            kept.emplace_hint(
                kept.end(), from,
                std::vector<int64_t>(begin + static_cast<std::ptrdiff_t>(from - run.first),
                                     begin + static_cast<std::ptrdiff_t>(until - run.first)));
        };
        for (; at != intervals.end() && at->first < end; ++at) {
            keep(at->first);
            from = at->last + 1;
        }
        if (from == run.first) {
            kept.emplace_hint(kept.end(), run.first, std::move(run.second));
        } else {
            keep(end);
        }
    }
    runs_ = std::move(kept);
}

uint64_t ReceivedLog::count() const {
    uint64_t count = 0;
    for (const auto& run : runs_) count += run.second.size();
    return count;
}

}  // namespace p2pbank::customer
