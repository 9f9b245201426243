// What a customer is told when money that it had is undone.
#include <doctest/doctest.h>

#include "customer/timing.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

// Bob rolls back as far as `label` of what he sent to alice; the bank says `commit`.
void roll_back_for_bob(CohortWorld& cohort, uint64_t counter, uint64_t label, bool commit) {
    wire::Datagram message;
    auto* request = message.mutable_rollback_request();
    OperationId id{"bob", 1, counter};
    id.word = sign_operation(&cohort.bob.identity, id, wire::OPERATION_ROLLBACK);
    to_wire(id, request->mutable_operation());
    request->set_label(label);
    request->set_next_epoch(5);
    request->set_deadline_ms(3'000);
    cohort.say(cohort.bob, message);
    REQUIRE(cohort.state().operation);
    cohort.world.run(milliseconds(200));
    wire::OperationId wire_id;
    to_wire(id, &wire_id);
    cohort.decide(wire_id, commit);
}

void end_by_force(CohortWorld& cohort, int64_t balance) {
    wire::Datagram message;
    auto* ended = message.mutable_cohort_ended();
    ended->set_cohort(1);
    ended->set_statements(cohort.state().statements);
    to_wire(cohort.state().permanent.totals, ended->mutable_totals());
    ended->mutable_totals()->set_balance(balance);
    REQUIRE(cohort.world.say(cohort.world.bank(), message));
    REQUIRE_FALSE(cohort.state().in_cohort());
}

}  // namespace

TEST_CASE("undone: a rollback for somebody else says what it took back, by peer") {
    CohortWorld cohort;
    cohort.send(cohort.bob, transfers_of({{1, 5'00}, {2, 2'00}}));
    CHECK(cohort.world.answer_to("deposit 3").code.empty());
    CHECK(cohort.state().totals.balance == Money::from_cents(110'00));
    roll_back_for_bob(cohort, 1, 0, true);
    CHECK(cohort.state().totals.balance == Money::from_cents(100'00));
    CHECK(cohort.world.noticed("rolled back for bob, balance 100; undone: received 7 from bob, "
                               "deposited 3") == 1);
}

TEST_CASE("undone: a rollback that did not come about has an end, too") {
    CohortWorld cohort;
    cohort.send(cohort.bob, transfers_of({{1, 5'00}}));
    roll_back_for_bob(cohort, 1, 0, false);
    CHECK(cohort.world.noticed("prepares to roll back for bob") == 1);
    CHECK(cohort.world.noticed("the rollback for bob did not come about, balance 105") == 1);
}

TEST_CASE("undone: a forced end of the cohort says what it took back") {
    CohortWorld cohort;
    cohort.send(cohort.bob, transfers_of({{1, 5'00}}));
    CHECK(cohort.world.answer_to("transfer 2 carol").code.empty());
    CHECK(cohort.world.answer_to("withdrawal 1").code.empty());
    end_by_force(cohort, 100'00);
    CHECK(cohort.world.noticed("the cohort has ended, balance 100; undone, because no checkpoint "
                               "has it: received 5 from bob, sent 2 to carol, withdrew 1") == 1);
}

TEST_CASE("undone: what was in transit at the last checkpoint comes back with the end") {
    CohortWorld cohort;
    end_by_force(cohort, 120'00);
    CHECK(cohort.world.noticed("balance 120; came back, because it was in transit: 20") == 1);
    CHECK(cohort.world.noticed("undone") == 0);
}

TEST_CASE("undone: how a transfer ended to which UNKNOWN was answered") {
    CohortWorld cohort;
    cohort.send(cohort.bob, transfers_of({{1, 5'00}}));
    cohort.acknowledge = false;
    cohort.hold_back = true;
    const CommandId id = cohort.world.type("transfer 2 carol");
    cohort.world.run(customer::timing::kTransferDeadline + seconds(1));
    REQUIRE(cohort.world.effects.answers.at(id).outcome == Outcome::unknown);
    SUBCASE("by a rollback") {
        roll_back_for_bob(cohort, 1, 0, true);
        CHECK(cohort.world.noticed("the transfer of 2 to carol, label 1, which was in transit, was "
                                   "taken back by a rollback") == 1);
    }
    SUBCASE("with the cohort") {
        end_by_force(cohort, 100'00);
        CHECK(cohort.world.noticed("the transfer of 2 to carol, label 1, which was in transit, "
                                   "came back if it had not arrived") == 1);
    }
    SUBCASE("it arrives after all, and that is all") {
        cohort.acknowledge = true;
        cohort.world.run(seconds(3));
        CHECK(cohort.world.noticed("which was in transit, has arrived") == 1);
        end_by_force(cohort, 100'00);
        CHECK(cohort.world.noticed("came back") == 0);
    }
}
