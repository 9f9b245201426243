// A customer's state, built from records, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/wire/convert.h"
#include "customer/state.h"

namespace p2pbank::customer {

using Record = State::Record;

inline const OperationId kOperationOfBob{"bob", 1, 1};

// Alice with 100.00 in a cohort with bob and carol.
struct AliceState {
    State state;

    void apply(const Record& record) { REQUIRE(state.apply(record).ok()); }
    bool refuses(const Record& record) { return !state.apply(record).ok(); }

    AliceState() {
        Record record;
        record.mutable_opening()->set_name("alice");
        record.mutable_opening()->set_opening(10'000);
        apply(record);
        Totals totals;
        totals.balance = totals.opening = Money::from_cents(10'000);
        record.mutable_opened()->set_name("alice");
        to_wire(totals, record.mutable_opened()->mutable_totals());
        apply(record);
        tentative({"bank:cohort-1", 1, 1}, wire::OPERATION_JOIN);
        auto* started = record.mutable_cohort_started();
        started->set_cohort(1);
        started->set_cohort_name("cohort-1");
        for (const char* name : {"alice", "bob", "carol"}) {
            started->add_members()->set_name(name);
            started->mutable_members()->rbegin()->set_epoch(1);
        }
        apply(record);
    }
    void tentative(const OperationId& id, wire::OperationKind kind) {
        Record record;
        to_wire(id, record.mutable_tentative()->mutable_operation());
        record.mutable_tentative()->set_kind(kind);
        apply(record);
    }
    void permanent(const OperationId& id) {
        Record record;
        to_wire(id, record.mutable_permanent()->mutable_operation());
        apply(record);
    }
    static Record sent(const char* peer, uint64_t label, int64_t cents, bool lost = false) {
        Record record;
        record.mutable_sent()->set_peer(peer);
        record.mutable_sent()->set_label(label);
        record.mutable_sent()->set_amount(cents);
        record.mutable_sent()->set_lost(lost);
        return record;
    }
    static Record received(const char* peer, uint64_t label, int64_t cents) {
        Record record;
        record.mutable_received()->set_peer(peer);
        record.mutable_received()->add_labels(label);
        record.mutable_received()->add_amounts(cents);
        return record;
    }
    void roll_back(const OperationId& id, uint64_t epoch) {
        Record record;
        to_wire(id, record.mutable_rollback_begun()->mutable_operation());
        record.mutable_rollback_begun()->set_next_epoch(epoch);
        apply(record);
        to_wire(id, record.mutable_rolled_back()->mutable_operation());
        record.mutable_rolled_back()->set_epoch(epoch);
        apply(record);
    }
    Money balance() const { return state.totals.balance; }
    Peer& bob() { return *state.find_peer("bob"); }
};

inline std::string bytes_of(const State& state) {
    Record record;
    state.snapshot(record);
    return record.SerializeAsString();
}

inline std::vector<std::pair<uint64_t, int64_t>> all_of(const ReceivedLog& log) {
    std::vector<std::pair<uint64_t, int64_t>> out;
    for (const auto& [first, amounts] : log.runs()) {
        for (size_t i = 0; i < amounts.size(); ++i) out.emplace_back(first + i, amounts[i]);
    }
    return out;
}

}  // namespace p2pbank::customer
