// An independent account of what was sent: for one direction between two customers, the amount of
// each label as its sender has it now. Read off the sender's sent log when labels appear, shortened
// when the sender goes back. The oracles compare what a receiver says it received with this.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/base/interval_set.h"

namespace p2pbank::simulator {

class Ledger {
  public:
    Label last() const { return Label(upto_.size() - 1); }
    void add(int64_t cents) { upto_.push_back(upto_.back() + cents); }
    void shorten(Label last) {
        if (last.value() + 1 < upto_.size()) upto_.resize(static_cast<size_t>(last.value()) + 1);
    }
    // Cents, of all labels.
    int64_t sum() const { return upto_.back(); }
    // Cents, of the labels in the set. Requires that it has none above last().
    int64_t sum(const IntervalSet& labels) const {
        int64_t total = 0;
        for (const auto& interval : labels.intervals()) {
            total += upto_[static_cast<size_t>(interval.last)] -
                     upto_[static_cast<size_t>(interval.first) - 1];
        }
        return total;
    }

  private:
    std::vector<int64_t> upto_{0};  // upto_[n]: the sum of labels 1 to n
};

}  // namespace p2pbank::simulator
