#include "common/wire/convert.h"

namespace p2pbank {

OperationId from_wire(const wire::OperationId& id) {
    // Ed25519. What is longer is no signature, and would be kept.
    constexpr size_t kWordBytes = 64;
    return OperationId{id.initiator(), id.epoch(), id.counter(),
                       id.word().size() > kWordBytes ? std::string() : id.word()};
}

void to_wire(const OperationId& id, wire::OperationId* out) {
    out->set_initiator(id.initiator);
    out->set_epoch(id.epoch);
    out->set_counter(id.counter);
    out->set_word(id.word);
}

void to_wire(const IntervalSet& set, WireLabels* out) {
    to_wire(set, 0, set.intervals().size(), out);
}

void to_wire(const IntervalSet& set, size_t begin, size_t count, WireLabels* out) {
    out->Clear();
    uint64_t before = 0;
    const auto& intervals = set.intervals();
    for (size_t i = begin; i < intervals.size() && i - begin < count; ++i) {
        out->Add(intervals[i].first - before);
        out->Add(intervals[i].last - intervals[i].first);
        before = intervals[i].last;
    }
}

std::optional<IntervalSet> from_wire(const WireLabels& labels) {
    if (labels.size() % 2 != 0) return std::nullopt;
    IntervalSet set;
    uint64_t before = 0;
    for (int i = 0; i < labels.size(); i += 2) {
        const uint64_t gap = labels[i];
        const uint64_t length = labels[i + 1];
        if (gap == 0 || gap > kMaxLabel || length > kMaxLabel) return std::nullopt;
        const uint64_t first = before + gap;
        const uint64_t last = first + length;
        if (last > kMaxLabel) return std::nullopt;
        set.add(first, last, [](uint64_t, uint64_t) {});
        before = last;
    }
    return set;
}

}  // namespace p2pbank
