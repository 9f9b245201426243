// Alice's proofs of what she received from bob and carol, without a program around them.
#pragma once

#include <doctest/doctest.h>

#include "customer/proofs.h"
#include "customer/timing.h"
#include "tests/unit/proof_helpers.h"

namespace p2pbank::customer {

inline const OperationId kOperationOfAlice{"alice", 1, 1};

// Alice in a cohort with bob and carol.
struct ProofsOfAlice {
    using Record = State::Record;
    RecordedEffects effects;
    secure::Identity bob{seed_of(10)};
    secure::Identity carol{seed_of(12)};
    Context context;
    int covered = 0;  // how often more was proven
    Proofs proofs;

    explicit ProofsOfAlice(bool insecure = false)
        : context(settings(insecure)), proofs(context, [this] { ++covered; }) {
        context.now = TimePoint(seconds(1));
        context.effects = &effects;
        Record record;
        record.mutable_opened()->set_name("alice");
        record.mutable_opened()->mutable_totals()->set_opening(10'000);
        record.mutable_opened()->mutable_totals()->set_balance(10'000);
        apply(record);
        tentative({"bank:cohort", 1, 1}, wire::OPERATION_JOIN);
        record.Clear();
        auto* started = record.mutable_cohort_started();
        started->set_cohort(1);
        started->set_expires_ms(context.wall_ms() + 1'000'000);
        add_member(*started, "alice", context.identity);
        add_member(*started, "bob", bob);
        add_member(*started, "carol", carol);
        apply(record);
        proofs.rebuild();
    }
    static CustomerSettings settings(bool insecure) {
        CustomerSettings made = CustomerWorld::settings();
        made.insecure = insecure;
        return made;
    }
    static void add_member(customer_records::CohortStarted& started, const char* name,
                           const secure::Identity& identity) {
        wire::Member* member = started.add_members();
        member->set_name(name);
        member->set_epoch(1);
        member->set_channel_key(secure::to_bytes(identity.keys().channel));
        member->set_signing_key(secure::to_bytes(identity.keys().signing));
    }
    void apply(const Record& record) { REQUIRE(context.state.apply(record).ok()); }
    void tentative(const OperationId& id, wire::OperationKind kind) {
        Record record;
        to_wire(id, record.mutable_tentative()->mutable_operation());
        record.mutable_tentative()->set_kind(kind);
        apply(record);
    }
    void begin() {
        tentative(kOperationOfAlice, wire::OPERATION_CHECKPOINT);
        proofs.on_tentative();
    }
    void undo() {
        Record record;
        to_wire(kOperationOfAlice, record.mutable_undone()->mutable_operation());
        apply(record);
    }
    void commit() {
        Record record;
        to_wire(kOperationOfAlice, record.mutable_permanent()->mutable_operation());
        apply(record);
        proofs.on_permanent();
    }
    void roll_back(uint64_t epoch) {
        Record record;
        const OperationId id{"bob", 1, epoch};
        to_wire(id, record.mutable_rollback_begun()->mutable_operation());
        apply(record);
        to_wire(id, record.mutable_rolled_back()->mutable_operation());
        record.mutable_rolled_back()->set_epoch(epoch);
        apply(record);
        proofs.on_rolled_back();
    }
    Peer& peer(const std::string& name = "bob") { return *context.state.find_peer(name); }

    void credit(const wire::Transfers& message, const std::string& from = "bob") {
        Record record;
        record.mutable_received()->set_peer(from);
        for (const Transfer& transfer : read(message)) {
            if (peer(from).channel.received.contains(transfer.label)) continue;
            record.mutable_received()->add_labels(transfer.label.value());
            record.mutable_received()->add_amounts(transfer.amount.cents());
        }
        apply(record);
    }
    void arrives(wire::Transfers message, uint64_t epoch = 1, const std::string& from = "bob") {
        proofs.on_transfers(peer(from), Epoch(epoch), read(message), message);
    }
    void receive(const wire::Transfers& message, uint64_t epoch = 1,
                 const std::string& from = "bob") {
        credit(message, from);
        arrives(message, epoch, from);
    }
    void sign(const std::vector<wire::Transfers>& messages, uint64_t epoch = 1) {
        proofs.on_signed(peer(), word_of(bob, "bob", messages, epoch));
    }
    bool is_covered() { return proofs.covers(context.state.take_checkpoint()); }
    void pass(Duration time) {
        const TimePoint end = context.now + time;
        while (proofs.next_wake() && *proofs.next_wake() <= end) {
            context.now = std::max(context.now, *proofs.next_wake());
            proofs.on_timer();
        }
        context.now = end;
    }
    wire::Evidence evidence(uint64_t above = 0) {
        wire::EvidenceRequest request;
        to_wire(kOperationOfAlice, request.mutable_operation());
        request.set_peer("bob");
        request.set_above(above);
        return proofs.evidence(request);
    }
    // The labels that it proves, with the amounts that were credited.
    IntervalSet proven(const wire::Evidence& evidence) {
        IntervalSet out;
        for (const wire::SignedTransfers& item : evidence.items()) {
            CHECK(proves({"bob", "alice", CohortId(1), Epoch(item.epoch())}, item,
                         bob.keys().signing));
            for (const wire::Transfers& message : item.transfers()) {
                for (const Transfer& transfer : read(message)) out.add(transfer.label);
            }
        }
        return out;
    }
};

}  // namespace p2pbank::customer
