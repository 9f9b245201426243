// Who is heard in a newer epoch has left the operations of the older ones: what it has settled for
// them does not count any more, and the deals that these settlements cover are cancelled.
#include <doctest/doctest.h>

#include "tests/unit/evidence_world.h"

using namespace p2pbank;

namespace {

// Alice has paid 5.00 for water, which is pending, and has settled that for an operation of bob's.
struct Settled : EvidenceWorld {
    OperationId id;

    Settled() {
        open("alice", 100'00);
        open("bob", 100'00);
        join(1, {"alice", "bob"});
        bank::State::Record record;
        auto* dealt = record.mutable_dealt();
        dealt->set_account("alice");
        dealt->set_epoch(1);
        dealt->set_number(1);
        dealt->set_order(context->state.business.next_order());
        dealt->set_accepted(true);
        dealt->set_kind(wire::DEAL_PAYMENT);
        dealt->set_what("Water");
        dealt->set_amount(-5'00);
        context->commit(record);
        Totals& totals = at("alice").totals;
        totals.balance = must_subtract(totals.balance, Money::from_cents(5'00));
        totals.dealings = must_subtract(totals.dealings, Money::from_cents(5'00));
        id = next_id("bob");
        REQUIRE(settle("alice", id, wire::OPERATION_CHECKPOINT));
    }
    size_t pending() const { return context->state.business.deals_of("alice").pending.size(); }
};

}  // namespace

TEST_CASE("newer epoch: an operation that covers a deal of an older one is aborted") {
    Settled world;
    world.decisions->heard_in_epoch(world.account("alice"), 0);
    world.decisions->heard_in_epoch(world.account("alice"), 1);
    CHECK(world.context->state.undecided(world.id) != nullptr);
    CHECK(world.pending() == 1);

    world.decisions->heard_in_epoch(world.account("alice"), 2);
    CHECK(world.context->state.decision(world.id) == std::optional<bool>(false));
    CHECK(world.pending() == 0);
    CHECK(world.account("alice").epoch == 2);
    REQUIRE_FALSE(world.commits(world.id, {"alice", "bob"}));
    CHECK(world.account("alice").totals.balance == Money::from_cents(100'00));

    world.restart();
    CHECK(world.context->state.decision(world.id) == std::optional<bool>(false));
    CHECK(world.pending() == 0);
    CHECK(world.account("alice").epoch == 2);
}

TEST_CASE("newer epoch: what is committed first stays, and the deal is settled") {
    Settled world;
    REQUIRE(world.commits(world.id, {"alice"}));
    CHECK(world.pending() == 0);
    world.decisions->heard_in_epoch(world.account("alice"), 2);
    CHECK(world.context->state.decision(world.id).value_or(true));
    CHECK(world.account("alice").totals.balance == Money::from_cents(95'00));
    CHECK(world.account("alice").totals.dealings == Money::from_cents(-5'00));
}
