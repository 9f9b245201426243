// What the bank looks at before it commits a checkpoint: who has settled in it, and whom its
// initiator names.
#include <doctest/doctest.h>

#include "tests/unit/evidence_world.h"

using namespace p2pbank;

namespace {

using Names = std::vector<std::string>;

struct Case {
    Names settled;
    Names named;
};

struct Deposits : EvidenceWorld {
    Deposits() {
        for (const char* name : {"alice", "bob", "carol"}) open(name, 10'000);
        join(1, {"alice", "bob", "carol"});
        // So that a settlement that is applied shows in the row, and each fits to any other.
        for (const char* name : {"alice", "bob", "carol"}) {
            Totals& totals = at(name).totals;
            totals.deposits = must_add(totals.deposits, Money::from_cents(500));
            totals.balance = must_add(totals.balance, Money::from_cents(500));
        }
    }
    bool asks(const Names& settled, const Names& named) {
        newest = next_id("alice");
        for (const std::string& name : settled) {
            REQUIRE(settle(name, newest, wire::OPERATION_CHECKPOINT));
        }
        wire::DecisionRequest request;
        to_wire(newest, request.mutable_operation());
        request.set_kind(wire::OPERATION_CHECKPOINT);
        for (const std::string& name : named) request.add_participants(name);
        decisions->on_decision_request(account("alice"), request, origin("alice"));
        REQUIRE(context->state.decision(newest).has_value());
        return *context->state.decision(newest);
    }
    Names in_the_cut() {
        Names names;
        for (const bank::Account& account : context->state.accounts()) {
            if (account.totals.deposits == Money::from_cents(500)) names.push_back(account.name);
        }
        return names;
    }
};

}  // namespace

TEST_CASE("committing: whoever settled and is named is in the cut, in whichever order") {
    Deposits world;
    CHECK(world.asks({"bob", "alice"}, {"alice", "bob"}));
    CHECK(world.in_the_cut() == Names{"alice", "bob"});
}

TEST_CASE("committing: nothing is committed for somebody who has not settled") {
    const std::vector<Case> cases{
        {{"alice"}, {"alice", "bob"}},
        // As many have settled as are named.
        {{"alice", "carol"}, {"alice", "bob"}},
        {{"carol"}, {"alice"}},
        {{"bob", "carol"}, {"alice", "bob"}},
        {{"alice"}, {"alice", "nobody"}},
        {{}, {"alice"}},
    };
    for (const Case& one : cases) {
        INFO(one.settled.size());
        INFO(one.named.back());
        Deposits world;
        CHECK_FALSE(world.asks(one.settled, one.named));
        CHECK(world.in_the_cut().empty());
        // It is decided for good: one that comes too late is not taken.
        CHECK_FALSE(world.settle("bob", world.newest, wire::OPERATION_CHECKPOINT));
        world.restart();
        CHECK(world.in_the_cut().empty());
        CHECK(world.context->state.decision(world.newest) == false);
    }
}

TEST_CASE("committing: nobody's settlement is applied who is not named: it may have been undone") {
    const std::vector<Case> cases{
        {{"alice", "bob"}, {"alice"}},
        {{"alice", "bob"}, {"alice", "alice"}},
        {{"alice", "bob", "carol"}, {"alice", "bob", "alice"}},
    };
    for (const Case& one : cases) {
        INFO(one.settled.size());
        Deposits world;
        CHECK_FALSE(world.asks(one.settled, one.named));
        CHECK(world.in_the_cut().empty());
    }
}
