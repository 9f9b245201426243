// What a checkpoint or rollback costs, as formulas. docs/scale.md derives them.
//
// P is the number of participants, E of the edges of the operation: pairs of a participant and
// somebody whom it asks. n is the number of customers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "simulator/scale/cost.h"
#include "simulator/scale/koo_toueg.h"
#include "simulator/scale/pattern.h"

namespace p2pbank::simulator::scale {

// Koo and Toueg 1987, sections 3.2 and 4.2: a request, a reply and a decision along each edge.
uint64_t paper_messages(uint64_t edges);

// Of docs/protocol.md, without repetitions: a checkpoint has 2E + 5P of them, a rollback
// 2E + 3P + 2. Requires that everybody has delivered everything, so that nobody only holds back.
Messages operation_messages(OperationType type, uint64_t participants, uint64_t edges);

// EpochNotices that follow a rollback, each answered by one EpochConfirm: P (n - 1).
uint64_t announcements(uint64_t participants, uint64_t customers);

struct Extent {
    uint64_t participants;
    uint64_t edges;

    friend bool operator==(const Extent&, const Extent&) = default;
};
// Of an operation when the last `transfers` transfers of the pattern are the only ones since the
// checkpoint before it. Nothing for the patterns that are drawn.
std::optional<Extent> extent(Pattern pattern, OperationType type, uint32_t initiator,
                             uint64_t customers, uint64_t transfers);

// Of the random pattern with `mean` transfers for each customer since the last checkpoint, as n
// grows: the share of customers that everything leads to. The largest x with x = 1 - exp(-mean x),
// which is 0 up to a mean of 1 (Erdos and Renyi 1960; Karp 1990 for directed graphs).
double giant_share(double mean);
// Expected participants: x^2 n above a mean of 1, and 1 / (1 - mean) below it. Infinite at 1.
double expected_participants(double mean, uint64_t customers);

// Chandy and Lamport 1985, section 3: a marker on each channel. Everybody may pay everybody.
uint64_t markers(uint64_t customers);
// Without FIFO channels: that a marker, sent `gap` after a transfer on the same channel, arrives
// before it. In [0, 1/2).
double overtaking(Duration gap, const Delays& delays = {});

}  // namespace p2pbank::simulator::scale
