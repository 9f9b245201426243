// Checkpoints and rollbacks of the real bank and the real customers, measured in the simulator's
// world: a virtual clock, the network's ordinary delay, no faults. The messages are taken from the
// network, the times from the customers' states.
//
// Where everything is sealed, ideal primitives (ideal_primitives.h) save much of the time, and not
// a message changes. In clear there are the same messages, without signatures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "simulator/scale/cost.h"
#include "simulator/scale/pattern.h"

namespace p2pbank::simulator::scale {

// What does not come to rest, or an invariant that breaks, is thrown as a Violation.
class RealCohort {
  public:
    enum class Wire { sealed, clear };

    // All of them in one cohort, with accounts of 1,000,000: transfers are of 1. At most
    // limits::kMaxCohort customers.
    RealCohort(size_t customers, uint64_t seed, Wire wire = Wire::sealed);
    ~RealCohort();
    RealCohort(const RealCohort&) = delete;
    RealCohort& operator=(const RealCohort&) = delete;

    // Makes the transfers, and waits until everybody has come to rest: each is delivered,
    // acknowledged and signed for.
    void transfer(std::span<const Transfer> transfers);
    // Types the command, and waits until it is answered, nobody is in the operation any more and
    // the bank has all acknowledgements.
    //
    // A rollback is followed by the announcement of epochs to everybody, for which all who have
    // never talked have to be introduced to each other: cut_off lets no introduction through, which
    // the operation does not need, and leaves a cohort that is of no more use here.
    enum class Strangers { cut_off, introduced };
    Cost measure(OperationType type, uint32_t initiator, Strangers strangers = Strangers::cut_off);
    // After a rollback with `introduced`: waits until all have come to rest. How many customers
    // have announced their epoch to how many, since it began.
    uint64_t count_announcements();

  private:
    class Counter;

    void come_to_rest();

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace p2pbank::simulator::scale
