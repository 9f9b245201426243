// The oracles about what is bounded, and about one checkpoint at a time. Part of Oracles.
#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "simulator/oracles.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using customer::State;

void Oracles::check_limit(size_t value, size_t most, const std::string& what) const {
    if (value <= most) return;
    world_.violated("limits-hold", what + ": " + std::to_string(value) + ", and at most " +
                                       std::to_string(most) + " are allowed");
}

void Oracles::transmitted(size_t machine, size_t bytes) const {
    check_limit(bytes, limits::kMaxDatagramBytes, "bytes in a datagram of " + world_.who(machine));
}

void Oracles::check_limits(const State& state) const {
    check_limit(state.held_back.size(), limits::kMaxHoldBacks, state.name + " holds back");
    check_limit(state.refused.size(), limits::kMaxRefusedOperations, state.name + " has refused");
    check_limit(state.activity.entries.size(), limits::kMaxActivity, state.name + "'s activity");
    size_t intervals = 0;
    size_t sent = 0;
    size_t received = 0;
    for (const auto& [peer_name, peer] : state.peers) {
        const std::string channel = state.name + " -> " + peer_name;
        check_limit(peer.sent_log.size(), limits::kMaxSentLog, channel + ", the sent log");
        if (peer.sent_log.size() > limits::kTransferWindow) {
            const auto in_flight = std::count_if(
                peer.sent_log.begin(), peer.sent_log.end(),
                [](const customer::SentEntry& e) { return e.send_index != 0 && !e.acked; });
            check_limit(static_cast<size_t>(in_flight), limits::kTransferWindow,
                        channel + ", sent and not acknowledged");
        }
        intervals += peer.channel.received.intervals().size();
        sent += peer.sent_log.size();
        received += peer.received_log.count();
    }
    check_limit(sent, limits::kMaxLogged, state.name + ", the sent logs together");
    check_limit(received, limits::kMaxLogged, state.name + ", what is kept of what it received");
    check_limit(intervals, limits::kMaxReceivedIntervals,
                state.name + ", gaps in what it received");
    check_limit(state.peers.size() + 1, limits::kMaxCohort, state.name + "'s cohort");
}

void Oracles::check_limits(const bank::State& state) const {
    const bank::Business& business = state.business;
    check_limit(business.products().size(), limits::kMaxProducts, "products");
    check_limit(business.billers().size(), limits::kMaxBillers, "billers");
    for (const auto& [id, product] : business.products()) {
        check_limit(product.quantity, limits::kMaxStockHeld, "pieces of " + id);
    }
    for (const auto& entry : business.loans()) {
        check_limit(entry.second.payments.size(), limits::kMaxLoanPayments + 1,
                    "payments of a loan, with the one that ends it");
    }
    for (const auto& entry : state.cohorts) {
        check_limit(entry.second.members.size(), limits::kMaxCohort, "members of a cohort");
    }
    for (const bank::Account& account : state.accounts()) {
        check_limit(business.deals_of(account.name).pending.size(), limits::kMaxPendingDeals,
                    "pending deals of " + account.name);
        if (account.details == nullptr) continue;
        check_limit(account.details->accusations.size(), limits::kMaxAccusations,
                    "accusations of " + account.name);
    }
    std::map<std::string_view, size_t> rollbacks;
    for (const OperationId& id : state.rollbacks) {
        check_limit(++rollbacks[id.initiator], limits::kMaxRollbacksKnown,
                    "rollbacks known of " + id.initiator);
    }
}

// At most one tentative checkpoint: a new one is written only when the one before it has become
// permanent or was undone, also over restarts.
void Oracles::follow_tentative(const std::string& who, const customer_records::Record& record) {
    switch (record.kind_case()) {
        case State::Record::kTentative: {
            const OperationId id = from_wire(record.tentative().operation());
            const auto [at, fresh] = tentative_.try_emplace(who, id);
            if (!fresh && at->second != id) {
                world_.violated("one-tentative", who + " takes the tentative checkpoint of " +
                                                     to_string(id) + " while it has that of " +
                                                     to_string(at->second));
            }
            return;
        }
        case State::Record::kPermanent:
        case State::Record::kUndone:
        case State::Record::kRolledBack:
        case State::Record::kCohortStarted:
        case State::Record::kCohortEnded:
        case State::Record::kOpened:
        case State::Record::kExited:
        case State::Record::kSnapshot:
            tentative_.erase(who);
            return;
        default:
            return;
    }
}

}  // namespace p2pbank::simulator
