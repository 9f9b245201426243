// Strong types for the numbers of the protocol, so that a label cannot be passed for an epoch.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>

namespace p2pbank {

template <class Tag>
class Number {
  public:
    constexpr Number() = default;
    constexpr explicit Number(uint64_t value) : value_(value) {}
    constexpr uint64_t value() const { return value_; }
    constexpr Number next() const { return Number(value_ + 1); }
    friend constexpr auto operator<=>(Number, Number) = default;

  private:
    uint64_t value_ = 0;
};

using Label = Number<struct LabelTag>;      // of a transfer on one channel: 1, 2, 3 ...; 0 is none
using Epoch = Number<struct EpochTag>;      // a customer's incarnation: 1, 2, 3 ...; 0 is unknown
using CohortId = Number<struct CohortTag>;  // never used twice; 0 is no cohort
using CommandId = Number<struct CommandTag>;  // given by the driver, one for each command line
using JobId = Number<struct JobTag>;          // given by the node, one for each job

// One checkpoint, rollback, cohort start or cohort end. A retry has a new id. The ids of one
// initiator are ordered by (epoch, counter), and an initiator has at most one undecided.
struct OperationId {
    std::string initiator;  // a customer's name, or "bank:" and the cohort's: the bank initiates
    uint64_t epoch = 0;     // the initiator's epoch (the bank's: its count of starts)
    uint64_t counter = 0;
    // The initiator's signature, so that nobody begins one in its name (common/core/statement.h).
    // Says nothing of which operation it is: it is not compared. Empty in clear, and of the bank.
    std::string word = {};

    friend bool operator==(const OperationId& a, const OperationId& b) {
        return a.counter == b.counter && a.epoch == b.epoch && a.initiator == b.initiator;
    }
    friend std::strong_ordering operator<=>(const OperationId& a, const OperationId& b) {
        return std::tie(a.initiator, a.epoch, a.counter) <=>
               std::tie(b.initiator, b.epoch, b.counter);
    }
    bool empty() const { return initiator.empty() && epoch == 0 && counter == 0; }
};

// For people and traces: "alice/3.17", "bank:cohort-4/2.5".
inline std::string to_string(const OperationId& id) {
    return id.initiator + "/" + std::to_string(id.epoch) + "." + std::to_string(id.counter);
}

}  // namespace p2pbank
