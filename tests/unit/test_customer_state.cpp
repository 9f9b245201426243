#include <doctest/doctest.h>

#include "common/wire/convert.h"
#include "customer/state.h"

using namespace p2pbank;
using namespace p2pbank::customer;
using Record = State::Record;

namespace {

const OperationId kOperation{"bob", 1, 1};

// Alice with 100.00 in a cohort with bob and carol.
struct Alice {
    State state;

    void apply(const Record& record) { REQUIRE(state.apply(record).ok()); }
    bool refuses(const Record& record) { return !state.apply(record).ok(); }

    Alice() {
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

std::string digest(const State& state) {
    Record record;
    state.snapshot(record);
    return record.SerializeAsString();
}

}  // namespace

TEST_CASE("customer state: a transfer debits, takes the next label and is logged") {
    Alice alice;
    alice.apply(Alice::sent("bob", 1, 700));
    CHECK(alice.balance() == Money::from_cents(9'300));
    CHECK(alice.bob().sent_log.size() == 1);
    CHECK(alice.refuses(Alice::sent("bob", 3, 700)));
    CHECK(alice.state.adds_up());
}

TEST_CASE("customer state: a label is credited once") {
    Alice alice;
    alice.apply(Alice::received("bob", 2, 500));
    CHECK(alice.balance() == Money::from_cents(10'500));
    CHECK(alice.refuses(Alice::received("bob", 2, 500)));
    alice.apply(Alice::received("bob", 1, 100));
    CHECK(alice.balance() == Money::from_cents(10'600));
}

TEST_CASE("customer state: more than the balance cannot leave") {
    Alice alice;
    CHECK(alice.refuses(Alice::sent("bob", 1, 10'001)));
    Record record;
    record.mutable_cash()->set_amount(-10'001);
    CHECK(alice.refuses(record));
}

TEST_CASE("customer state: the first label sent stays the first while more are sent") {
    Alice alice;
    CHECK_FALSE(alice.state.first_label_sent(alice.bob()).has_value());
    alice.apply(Alice::sent("bob", 1, 100));
    alice.apply(Alice::sent("bob", 2, 100));
    alice.apply(Alice::sent("bob", 3, 100));
    CHECK(alice.state.first_label_sent(alice.bob()) == Label(1));
    alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
    alice.permanent(kOperation);
    CHECK_FALSE(alice.state.first_label_sent(alice.bob()).has_value());
    alice.apply(Alice::sent("bob", 4, 100));
    CHECK(alice.state.first_label_sent(alice.bob()) == Label(4));
}

TEST_CASE("customer state: what comes in while tentative belongs to the next interval") {
    Alice alice;
    alice.apply(Alice::received("bob", 1, 100));
    alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
    alice.apply(Alice::received("bob", 2, 200));
    alice.permanent(kOperation);
    CHECK(alice.state.permanent.totals.balance == Money::from_cents(10'100));
    CHECK(alice.balance() == Money::from_cents(10'300));
    CHECK(alice.state.received_since_checkpoint(alice.bob()));
}

TEST_CASE("customer state: what comes in while tentative is kept when it is undone") {
    Alice alice;
    alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
    alice.apply(Alice::received("bob", 1, 200));
    Record record;
    to_wire(kOperation, record.mutable_undone()->mutable_operation());
    alice.apply(record);
    CHECK(alice.balance() == Money::from_cents(10'200));
    CHECK(alice.state.permanent.totals.balance == Money::from_cents(10'000));
    CHECK(alice.state.is_refused(kOperation));
}

TEST_CASE("customer state: a rollback brings back what was lost, and forgets what came later") {
    Alice alice;
    alice.apply(Alice::sent("bob", 1, 100, true));
    alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
    alice.permanent(kOperation);
    alice.apply(Alice::sent("bob", 2, 50));
    alice.apply(Alice::sent("carol", 1, 50, true));
    alice.roll_back({"alice", 1, 1}, 2);
    CHECK(alice.balance() == Money::from_cents(9'900));
    CHECK(alice.state.epoch == Epoch(2));
    REQUIRE(alice.bob().sent_log.size() == 1);  // covered by the checkpoint: it is sent now
    CHECK_FALSE(alice.bob().sent_log[0].lost);
    CHECK(alice.state.find_peer("carol")->sent_log.empty());
    CHECK(alice.state.adds_up());
}

TEST_CASE("customer state: a commit raises the epochs of all that asked, an abort none") {
    Alice alice;
    Record record;
    auto* held = record.mutable_held_back();
    to_wire(kOperation, held->mutable_operation());
    held->set_peer("bob");
    held->set_next_epoch(5);
    alice.apply(record);
    Alice other = alice;
    record.Clear();
    to_wire(kOperation, record.mutable_released()->mutable_operation());
    alice.apply(record);
    CHECK(alice.bob().known_epoch == Epoch(1));
    CHECK(alice.state.held_back.empty());
    CHECK(alice.state.is_refused(kOperation));
    record.mutable_released()->set_commit(true);
    other.apply(record);
    CHECK(other.bob().known_epoch == Epoch(5));
    CHECK(other.state.is_refused(kOperation));  // a late request must not begin it again
}

TEST_CASE("customer state: restarted in checkpoint mode it stands at its permanent checkpoint") {
    Alice alice;
    alice.apply(Alice::received("bob", 1, 300));
    Record record;
    record.mutable_started()->set_boots(2);
    record.mutable_started()->set_epoch(2);
    record.mutable_started()->set_mode(customer_records::STABLE_CHECKPOINT);
    record.mutable_started()->set_restored(true);
    alice.apply(record);
    CHECK(alice.balance() == Money::from_cents(10'000));
    CHECK(alice.state.recovering);
    CHECK(alice.state.is_suspended());
    alice.roll_back({"alice", 2, 1}, 3);
    CHECK_FALSE(alice.state.recovering);
}

TEST_CASE("customer state: in doubt about a checkpoint it is restored when that is decided") {
    for (const bool commit : {true, false}) {
        Alice alice;
        alice.apply(Alice::received("bob", 1, 300));
        alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
        alice.apply(Alice::received("bob", 2, 40));
        Record record;
        record.mutable_started()->set_boots(2);
        record.mutable_started()->set_epoch(2);
        record.mutable_started()->set_restored(true);
        alice.apply(record);
        CHECK(alice.state.restore_due);
        if (commit) {
            alice.permanent(kOperation);
        } else {
            record.Clear();
            to_wire(kOperation, record.mutable_undone()->mutable_operation());
            alice.apply(record);
        }
        CHECK_FALSE(alice.state.restore_due);
        CHECK(alice.balance() == Money::from_cents(commit ? 10'300 : 10'000));
        CHECK(alice.state.adds_up());
    }
}

TEST_CASE("customer state: a snapshot alone gives the same state") {
    Alice alice;
    alice.apply(Alice::sent("bob", 1, 100));
    alice.apply(Alice::received("carol", 3, 100));
    alice.tentative(kOperation, wire::OPERATION_CHECKPOINT);
    alice.apply(Alice::received("carol", 1, 100));
    Record record;
    alice.state.snapshot(record);
    State copy;
    REQUIRE(copy.apply(record).ok());
    CHECK(digest(copy) == digest(alice.state));
}

TEST_CASE("customer state: a pruned entry leaves the others where they are") {
    Alice alice;
    for (uint64_t label = 1; label <= 5; ++label) {
        alice.apply(Alice::sent("bob", label, 10, label == 2));
    }
    Record record;
    record.mutable_pruned()->set_peer("bob");
    IntervalSet covered;
    for (const uint64_t label : {1U, 3U, 4U}) covered.add(Label(label));
    to_wire(covered, record.mutable_pruned()->mutable_covered());
    alice.apply(record);
    CHECK(alice.bob().sent_log.size() == 2);
    CHECK(alice.bob().entry(Label(3)) == nullptr);
    REQUIRE(alice.bob().entry(Label(5)) != nullptr);
    CHECK(alice.bob().entry(Label(5))->label == Label(5));
}
