// The amounts of the transfers that were received on one channel since the permanent checkpoint, by
// label: what a statement stands for beyond its sums, and what a peer's word is compared with.
//
// Kept as runs of labels that follow each other, because that is how they come: one transfer of a
// stream takes 8 bytes and no allocation of its own. Out of order, any insertion costs O(log runs).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/interval_set.h"
#include "common/base/money.h"

namespace p2pbank::customer {

class ReceivedLog {
  public:
    // Requires a label that is not in it yet.
    void add(Label label, Money amount);
    // Nothing for a label that is not in it.
    std::optional<Money> amount(Label label) const;
    // Forgets these labels.
    void drop(const IntervalSet& covered);
    void clear() { runs_.clear(); }
    bool empty() const { return runs_.empty(); }
    uint64_t count() const;

    // By its first label: the amounts, in cents, from there on. Neighbours need not be joined.
    using Runs = std::map<uint64_t, std::vector<int64_t>>;
    const Runs& runs() const { return runs_; }

  private:
    Runs runs_;
};

}  // namespace p2pbank::customer
