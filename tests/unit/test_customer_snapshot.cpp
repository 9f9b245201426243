// A customer's journal is replaced by a snapshot at any time: also in the middle of operations.
#include <string>

#include <doctest/doctest.h>

#include "tests/unit/state_helpers.h"

using namespace p2pbank;
using namespace p2pbank::customer;

namespace {

// The state as the next run of the program has it when the journal was replaced.
State after_snapshot(const State& state) {
    Record record;
    state.snapshot(record);
    Record read;
    REQUIRE(read.ParseFromString(record.SerializeAsString()));
    State again;
    REQUIRE(again.apply(read).ok());
    CHECK(bytes_of(again) == bytes_of(state));
    return again;
}

void asked(AliceState& alice, const std::string& asker, uint64_t next_epoch) {
    Record record;
    record.mutable_asked()->set_asker(asker);
    record.mutable_asked()->set_next_epoch(next_epoch);
    alice.apply(record);
}

}  // namespace

TEST_CASE("customer snapshot: a rollback goes on with everybody who asked for it") {
    AliceState alice;
    alice.apply(AliceState::sent("bob", 1, 10'00));
    Record record;
    to_wire(kOperationOfBob, record.mutable_rollback_begun()->mutable_operation());
    record.mutable_rollback_begun()->set_next_epoch(2);
    record.mutable_rollback_begun()->set_parent("bob");
    alice.apply(record);
    asked(alice, "bob", 2);
    asked(alice, "carol", 3);
    REQUIRE(alice.state.operation->askers.size() == 2);

    State again = after_snapshot(alice.state);
    REQUIRE(again.operation.has_value());
    CHECK(again.operation->id == kOperationOfBob);
    CHECK(again.operation->kind == wire::OPERATION_ROLLBACK);
    CHECK(again.operation->askers == alice.state.operation->askers);

    // At the end their epochs are known, whichever journal it was.
    record.Clear();
    to_wire(kOperationOfBob, record.mutable_rolled_back()->mutable_operation());
    record.mutable_rolled_back()->set_epoch(2);
    alice.apply(record);
    REQUIRE(again.apply(record).ok());
    CHECK(bytes_of(again) == bytes_of(alice.state));
    for (State* state : {&alice.state, &again}) {
        CHECK(state->totals.balance == Money::from_cents(100'00));
        CHECK(state->find_peer("bob")->known_epoch == Epoch(2));
        CHECK(state->find_peer("carol")->known_epoch == Epoch(3));
    }
}

TEST_CASE("customer snapshot: a tentative checkpoint, and an undecided hold-back") {
    AliceState alice;
    alice.apply(AliceState::received("bob", 1, 10'00));
    alice.tentative({"carol", 1, 1}, wire::OPERATION_CHECKPOINT);
    alice.apply(AliceState::received("bob", 3, 5'00));
    Record record;
    to_wire(OperationId{"bob", 1, 7}, record.mutable_held_back()->mutable_operation());
    record.mutable_held_back()->set_peer("bob");
    record.mutable_held_back()->set_label(3);
    record.mutable_held_back()->set_next_epoch(2);
    alice.apply(record);
    State again = after_snapshot(alice.state);
    CHECK(again.held_back.size() == 1);
    record.Clear();
    to_wire(OperationId{"carol", 1, 1}, record.mutable_permanent()->mutable_operation());
    alice.apply(record);
    REQUIRE(again.apply(record).ok());
    CHECK(bytes_of(again) == bytes_of(alice.state));
    CHECK_FALSE(again.operation.has_value());
    CHECK(again.totals.balance == Money::from_cents(115'00));
}

TEST_CASE("customer snapshot: what is none is refused") {
    AliceState alice;
    const std::string bytes = bytes_of(alice.state);
    Record record;
    const auto refused = [&](auto change) {
        REQUIRE(record.ParseFromString(bytes));
        change(*record.mutable_snapshot());
        State again;
        return !again.apply(record).ok();
    };
    REQUIRE_FALSE(refused([](auto&) {}));
    CHECK(refused([](auto& in) { in.set_settled_activity(1'000); }));
    CHECK(refused([](auto& in) { in.set_tentative_activity(1'000); }));
    CHECK(refused([](auto& in) { in.set_dropped_activity(uint64_t{1} << 63); }));
    CHECK(refused([](auto& in) { in.mutable_deal()->set_amount(INT64_MIN); }));
    // A record of a later version of the program.
    Record unknown;
    State state;
    CHECK_FALSE(state.apply(unknown).ok());
}
