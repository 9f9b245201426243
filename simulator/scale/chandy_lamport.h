// Snapshots after K. M. Chandy and L. Lamport, "Distributed Snapshots: Determining Global States of
// Distributed Systems", ACM Transactions on Computer Systems 3(1), 1985, in a cohort in which
// everybody may pay everybody: whoever hears of the snapshot for the first time records its state
// and sends a marker on each of its channels; a channel's state is what comes on it between that
// and its marker. Nobody waits for anything, and everybody takes part.
//
// Channels have to be FIFO; the network here is not. See overtaking() in closed_forms.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simulator/scale/koo_toueg.h"

namespace p2pbank::simulator::scale {

struct SnapshotCost {
    uint64_t participants = 0;
    uint64_t messages = 0;  // markers
    uint64_t bytes = 0;
    Duration duration{};  // until the last marker has arrived and the last state is durable
};

// From the distribution of what happens, not marker by marker: linear in n, where the markers are
// n (n - 1).
SnapshotCost model_snapshot(size_t customers, uint64_t seed, const Delays& delays = {});

}  // namespace p2pbank::simulator::scale
