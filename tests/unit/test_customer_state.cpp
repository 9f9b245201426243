#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/state_helpers.h"

using namespace p2pbank;
using namespace p2pbank::customer;

TEST_CASE("customer state: a transfer debits, takes the next label and is logged") {
    AliceState alice;
    alice.apply(AliceState::sent("bob", 1, 700));
    CHECK(alice.balance() == Money::from_cents(9'300));
    CHECK(alice.bob().sent_log.size() == 1);
    CHECK(alice.refuses(AliceState::sent("bob", 3, 700)));
    CHECK(alice.state.adds_up());
}

TEST_CASE("customer state: a label is credited once") {
    AliceState alice;
    alice.apply(AliceState::received("bob", 2, 500));
    CHECK(alice.balance() == Money::from_cents(10'500));
    CHECK(alice.refuses(AliceState::received("bob", 2, 500)));
    alice.apply(AliceState::received("bob", 1, 100));
    CHECK(alice.balance() == Money::from_cents(10'600));
}

TEST_CASE("customer state: more than the balance cannot leave") {
    AliceState alice;
    CHECK(alice.refuses(AliceState::sent("bob", 1, 10'001)));
    Record record;
    record.mutable_cash()->set_amount(-10'001);
    CHECK(alice.refuses(record));
}

TEST_CASE("customer state: the first label sent stays the first while more are sent") {
    AliceState alice;
    CHECK_FALSE(alice.state.first_label_sent(alice.bob()).has_value());
    alice.apply(AliceState::sent("bob", 1, 100));
    alice.apply(AliceState::sent("bob", 2, 100));
    alice.apply(AliceState::sent("bob", 3, 100));
    CHECK(alice.state.first_label_sent(alice.bob()) == Label(1));
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.permanent(kOperationOfBob);
    CHECK_FALSE(alice.state.first_label_sent(alice.bob()).has_value());
    alice.apply(AliceState::sent("bob", 4, 100));
    CHECK(alice.state.first_label_sent(alice.bob()) == Label(4));
}

TEST_CASE("customer state: what comes in while tentative belongs to the next interval") {
    AliceState alice;
    alice.apply(AliceState::received("bob", 1, 100));
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.apply(AliceState::received("bob", 2, 200));
    alice.permanent(kOperationOfBob);
    CHECK(alice.state.permanent.totals.balance == Money::from_cents(10'100));
    CHECK(alice.balance() == Money::from_cents(10'300));
    CHECK(alice.state.received_since_checkpoint(alice.bob()));
}

TEST_CASE("customer state: what comes in while tentative is kept when it is undone") {
    AliceState alice;
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.apply(AliceState::received("bob", 1, 200));
    Record record;
    to_wire(kOperationOfBob, record.mutable_undone()->mutable_operation());
    alice.apply(record);
    CHECK(alice.balance() == Money::from_cents(10'200));
    CHECK(alice.state.permanent.totals.balance == Money::from_cents(10'000));
    CHECK(alice.state.is_refused(kOperationOfBob));
}

TEST_CASE("customer state: a rollback brings back what was lost, and forgets what came later") {
    AliceState alice;
    alice.apply(AliceState::sent("bob", 1, 100, true));
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.permanent(kOperationOfBob);
    alice.apply(AliceState::sent("bob", 2, 50));
    alice.apply(AliceState::sent("carol", 1, 50, true));
    alice.roll_back({"alice", 1, 1}, 2);
    CHECK(alice.balance() == Money::from_cents(9'900));
    CHECK(alice.state.epoch == Epoch(2));
    REQUIRE(alice.bob().sent_log.size() == 1);  // covered by the checkpoint: it is sent now
    CHECK_FALSE(alice.bob().sent_log[0].lost);
    CHECK(alice.state.find_peer("carol")->sent_log.empty());
    CHECK(alice.state.adds_up());
}

TEST_CASE("customer state: a commit raises the epochs of all that asked, an abort none") {
    AliceState alice;
    Record record;
    auto* held = record.mutable_held_back();
    to_wire(kOperationOfBob, held->mutable_operation());
    held->set_peer("bob");
    held->set_next_epoch(5);
    alice.apply(record);
    AliceState other = alice;
    record.Clear();
    to_wire(kOperationOfBob, record.mutable_released()->mutable_operation());
    alice.apply(record);
    CHECK(alice.bob().known_epoch == Epoch(1));
    CHECK(alice.state.held_back.empty());
    CHECK(alice.state.is_refused(kOperationOfBob));
    record.mutable_released()->set_commit(true);
    other.apply(record);
    CHECK(other.bob().known_epoch == Epoch(5));
    CHECK(other.state.is_refused(kOperationOfBob));  // a late request must not begin it again
}

TEST_CASE("customer state: restarted in checkpoint mode it stands at its permanent checkpoint") {
    AliceState alice;
    alice.apply(AliceState::received("bob", 1, 300));
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
        AliceState alice;
        alice.apply(AliceState::received("bob", 1, 300));
        alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
        alice.apply(AliceState::received("bob", 2, 40));
        Record record;
        record.mutable_started()->set_boots(2);
        record.mutable_started()->set_epoch(2);
        record.mutable_started()->set_restored(true);
        alice.apply(record);
        CHECK(alice.state.restore_due);
        if (commit) {
            alice.permanent(kOperationOfBob);
        } else {
            record.Clear();
            to_wire(kOperationOfBob, record.mutable_undone()->mutable_operation());
            alice.apply(record);
        }
        CHECK_FALSE(alice.state.restore_due);
        CHECK(alice.balance() == Money::from_cents(commit ? 10'300 : 10'000));
        CHECK(alice.state.adds_up());
    }
}

TEST_CASE("customer state: a snapshot alone gives the same state") {
    AliceState alice;
    alice.apply(AliceState::sent("bob", 1, 100));
    alice.apply(AliceState::received("carol", 3, 100));
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.apply(AliceState::received("carol", 1, 100));
    Record record;
    alice.state.snapshot(record);
    State copy;
    REQUIRE(copy.apply(record).ok());
    CHECK(bytes_of(copy) == bytes_of(alice.state));
}

TEST_CASE("customer state: a pruned entry leaves the others where they are") {
    AliceState alice;
    for (uint64_t label = 1; label <= 5; ++label) {
        alice.apply(AliceState::sent("bob", label, 10, label == 2));
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

TEST_CASE("customer state: what was refused is forgotten with the cohort, and the bank's oldest") {
    AliceState alice;
    const auto refuse = [&](const OperationId& id) {
        Record record;
        to_wire(id, record.mutable_refused()->mutable_operation());
        alice.apply(record);
    };
    refuse(kOperationOfBob);
    refuse({"alice", 1, 1});
    constexpr uint64_t kMany = 3 * limits::kMaxRefusedOfBank;
    // In the order of their numbers, but one comes late.
    for (uint64_t i = 3; i <= kMany; ++i) refuse({"bank:other-" + std::to_string(i), 1, i});
    refuse({"bank:late", 1, 2});
    CHECK(alice.state.refused.size() == limits::kMaxRefusedOfBank + 2);
    CHECK(alice.state.is_refused({"bank:late", 1, 2}));
    CHECK(alice.state.is_refused({"bank:other-" + std::to_string(kMany), 1, kMany}));
    CHECK_FALSE(alice.state.is_refused({"bank:other-3", 1, 3}));
    CHECK(alice.state.is_refused(kOperationOfBob));

    Record ended;
    ended.mutable_cohort_ended()->set_cohort(1);
    to_wire(alice.state.totals, ended.mutable_cohort_ended()->mutable_totals());
    alice.apply(ended);
    CHECK_FALSE(alice.state.in_cohort());
    CHECK_FALSE(alice.state.is_refused(kOperationOfBob));
    CHECK(alice.state.is_refused({"alice", 1, 1}));
    CHECK(alice.state.is_refused({"bank:other-" + std::to_string(kMany), 1, kMany}));
    CHECK(alice.state.refused.size() == limits::kMaxRefusedOfBank + 1);
}
