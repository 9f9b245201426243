// A model of the protocol of docs/protocol.md (Koo and Toueg 1987, with the bank as recorder of the
// decision) for any number of customers: who must take part, by labels; requests, votes, the
// bank's record, the decision along the edges; what has to be durable before what. Event-driven,
// with the delays of the simulated network and disks (network.h, machine.h), drawn from the seed.
//
// Left out: loss and repetition, computing time, and the limits of a cohort of 1,024 and of a
// message of 512 KiB. Deadlines are followed, and stop nothing: Cost::in_time says whether one
// would have.
//
// Time and memory are linear in the number of edges, but for a factor log(edges) of the queue.
#pragma once

#include <cstdint>

#include "simulator/scale/cost.h"
#include "simulator/scale/dependencies.h"

namespace p2pbank::simulator::scale {

// As WorldSettings and NetworkFaults have them. Uniform, in whole microseconds.
struct Delays {
    Duration least_link = microseconds(50);
    Duration most_link = microseconds(200);
    Duration least_disk = microseconds(100);
    Duration most_disk = milliseconds(1);
};

// Nothing else is under way. Changes nothing: a checkpoint becomes permanent by
// Dependencies::make_permanent.
Cost model_operation(const Dependencies& dependencies, OperationType type, uint32_t initiator,
                     uint64_t seed, const Delays& delays = {});

}  // namespace p2pbank::simulator::scale
