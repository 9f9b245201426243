// Who has received from whom since when: the labels of all channels that were used, at the moment
// when every transfer has been delivered, and in each customer's permanent checkpoint. From these
// follows who has to take part in a checkpoint or rollback (Koo and Toueg 1987, sections 3.1 and
// 4.1; docs/protocol.md, Checkpoint and Rollback).
//
// Not for two threads at once. At first every permanent checkpoint is the one with which the cohort
// starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "simulator/scale/cost.h"
#include "simulator/scale/pattern.h"

namespace p2pbank::simulator::scale {

class Dependencies {
  public:
    explicit Dependencies(size_t customers)
        : out_(customers), in_(customers), reached_(customers) {}

    size_t customers() const { return out_.size(); }
    // Ordered pairs between which there was a transfer.
    size_t channels() const { return channels_.size(); }

    // It is sent and delivered.
    void transfer(Transfer transfer);
    void transfer(std::span<const Transfer> transfers);

    // Whom a participant asks: of a checkpoint, everybody from whom it has received since its
    // permanent checkpoint; of a rollback, everybody to whom it has sent since then.
    struct Child {
        uint32_t customer;
        bool takes_part;     // its labels say so; if not, it says yes and does nothing
        uint32_t transfers;  // since the permanent checkpoint of the one who asks
    };
    std::vector<Child> children(OperationType type, uint32_t parent) const;
    // Everybody who has to take part, the initiator included; rising. In time of what they ask.
    std::vector<uint32_t> participants(OperationType type, uint32_t initiator) const;
    // The edges of the operation: pairs of a participant and somebody whom it asks.
    uint64_t edges(OperationType type, std::span<const uint32_t> participants) const;

    // Transfers that are lost when all of these roll back, and have to: those that one of them has
    // sent since its permanent checkpoint. What they received from others is sent to them again.
    uint64_t undone_by(std::span<const uint32_t> participants) const;
    // What differs between a customer and its permanent checkpoint, as its settlement has it:
    // channels, and transfers sent and received.
    struct Changed {
        uint64_t channels = 0;
        uint64_t transfers = 0;
    };
    Changed changed(uint32_t customer) const;

    // The tentative checkpoints of these become permanent.
    void make_permanent(std::span<const uint32_t> participants);

  private:
    // How many transfers, which is the highest label: now, and in the permanent checkpoints.
    struct Channel {
        uint32_t from;
        uint32_t to;
        uint32_t now = 0;
        uint32_t sent = 0;      // of `from`
        uint32_t received = 0;  // of `to`
    };

    std::vector<Channel> channels_;
    std::unordered_map<uint64_t, uint32_t> index_;  // by from and to
    std::vector<std::vector<uint32_t>> out_;        // channels, by customer
    std::vector<std::vector<uint32_t>> in_;
    // Who was reached in which of the questions so far.
    mutable std::vector<uint64_t> reached_;
    mutable uint64_t questions_ = 0;
};

}  // namespace p2pbank::simulator::scale
