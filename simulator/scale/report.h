// The tables of the program `scale`: what checkpoints and rollbacks cost in cohorts of several
// sizes and patterns of payment, by formula, by the model and by the real objects; beside snapshots
// after Chandy and Lamport and uncoordinated checkpoints on the same transfers. docs/scale.md
// explains each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "simulator/scale/pattern.h"
#include "simulator/scale/tables.h"

namespace p2pbank::simulator::scale {

struct Settings {
    std::vector<size_t> customers;  // each at least 2
    std::vector<Pattern> patterns;
    size_t transfers_per_customer = 4;  // at least 2: half before the checkpoint, half after it
    uint64_t seed = 1;
    uint32_t initiator = 0;   // of all operations; below each of `customers`
    size_t real_up_to = 100;  // at most limits::kMaxCohort
};

// Calls `take` with each table as soon as it is made. Throws a Violation if the real objects do
// what they must not.
void make_report(const Settings& settings, const std::function<void(const Table&)>& take);

}  // namespace p2pbank::simulator::scale
