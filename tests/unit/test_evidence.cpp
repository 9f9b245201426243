#include <doctest/doctest.h>

#include "tests/unit/evidence_world.h"

using namespace p2pbank;
using bank::State;
using Texts = std::vector<std::string>;

namespace {

// Alice and bob with 100.00 each, in a cohort; alice has sent bob 10.00 and 20.00 and both have
// settled that.
struct Two : EvidenceWorld {
    explicit Two(bool insecure = false) : EvidenceWorld(insecure) {
        open("alice", 100'00);
        open("bob", 100'00);
        join(1, {"alice", "bob"});
        send("alice", "bob", {10'00, 20'00});
        REQUIRE(checkpoint({"bob", "alice"}));
    }
    bool settles(const std::string& name, const Change& change) {
        return settle(name, next_id(name), wire::OPERATION_CHECKPOINT, change);
    }
};

wire::Channel& only_channel(wire::Statement& statement) {
    REQUIRE(statement.channels_size() == 1);
    return *statement.mutable_channels(0);
}

void shift(wire::Channel& channel, int64_t received_cents) {
    channel.set_received_sum(channel.received_sum() + received_cents);
}
void shift_sent(wire::Channel& channel, int64_t cents) {
    channel.set_sent_sum(channel.sent_sum() + cents);
}
void shift_balance(wire::Statement& statement, int64_t cents) {
    statement.mutable_totals()->set_balance(statement.totals().balance() + cents);
}

}  // namespace

// --- statements
// -----------------------------------------------------------------------------------

TEST_CASE("evidence: honest statements are taken, and the chain goes on with each COMMIT") {
    Two two;
    CHECK(two.account("alice").statements() == 2);
    two.send("bob", "alice", {5'00});
    CHECK(two.checkpoint({"alice", "bob"}));
    CHECK(two.account("alice").statements() == 3);
    CHECK(two.account("alice").totals.balance == Money::from_cents(75'00));
    CHECK(two.accusations().empty());
}

TEST_CASE("evidence: what is not the account's own next statement is refused, and is no lie") {
    Two two;
    two.send("alice", "bob", {1'00});
    using Change = EvidenceWorld::Change;
    const Change changes[] = {
        [](wire::Statement& s) { s.set_bank(std::string(32, 'x')); },
        [](wire::Statement& s) { s.set_bank(""); },
        [](wire::Statement& s) { s.set_name("alice"); },
        [](wire::Statement& s) { s.mutable_operation()->set_counter(99); },
        [](wire::Statement& s) { s.set_kind(wire::OPERATION_FREEZE); },
        [](wire::Statement& s) { s.set_cohort(2); },
        [](wire::Statement& s) { s.set_cohort(0); },
        [](wire::Statement& s) { s.set_epoch(2); },
        [](wire::Statement& s) { s.set_number(s.number() + 1); },
        [](wire::Statement& s) { s.set_number(s.number() - 1); },
        [](wire::Statement& s) { s.set_previous(""); },
        [](wire::Statement& s) { s.mutable_previous()->back() ^= 1; },
        [](wire::Statement& s) { only_channel(s).add_received(1); },
        [](wire::Statement& s) { *s.add_channels() = s.channels(0); },
        [](wire::Statement& s) { s.add_activity()->set_note("\x1b[2J"); },
    };
    for (const Change& change : changes) CHECK_FALSE(two.settles("bob", change));
    CHECK(two.accusations().empty());
    CHECK(two.settles("bob", {}));
}

TEST_CASE("evidence: a statement counts with the account's signature only") {
    Two two;
    const OperationId id = two.next_id("bob");
    const wire::Statement statement = two.statement(two.at("bob"), id, wire::OPERATION_CHECKPOINT);
    const auto refuses = [&](const wire::SignedStatement& signed_one) {
        return !two.settle_with("bob", id, wire::OPERATION_CHECKPOINT, signed_one);
    };
    CHECK(refuses(two.sign("alice", statement)));
    wire::SignedStatement signed_one = two.sign("bob", statement);
    signed_one.mutable_signature()->front() ^= 1;
    CHECK(refuses(signed_one));
    signed_one.clear_signature();
    CHECK(refuses(signed_one));
    CHECK(refuses({}));
    signed_one = two.sign("bob", statement);
    signed_one.mutable_statement()->back() ^= 1;
    CHECK(refuses(signed_one));
    CHECK(two.accusations().empty());
    CHECK_FALSE(refuses(two.sign("bob", statement)));
}

TEST_CASE("evidence: a statement that cannot follow the one before is a lie") {
    using Change = EvidenceWorld::Change;
    const std::pair<const char*, Change> cases[] = {
        {"bob: does not add up", [](wire::Statement& s) { shift_balance(s, 1); }},
        {"bob: does not add up",
         [](wire::Statement& s) {
             s.mutable_totals()->set_balance(-1);
             s.mutable_totals()->set_withdrawals(s.totals().withdrawals() + 131'00 + 1);
         }},
        {"bob: changes its opening balance",
         [](wire::Statement& s) {
             s.mutable_totals()->set_opening(200'00);
             shift_balance(s, 100'00);
         }},
        {"bob: its deposits fall from 0 to -1",
         [](wire::Statement& s) {
             s.mutable_totals()->set_deposits(-1'00);
             shift_balance(s, -1'00);
         }},
        {"bob: its withdrawals fall from 0 to -1",
         [](wire::Statement& s) {
             s.mutable_totals()->set_withdrawals(-1'00);
             shift_balance(s, 1'00);
         }},
        {"bob: changes what it carried over from cohorts that have ended",
         [](wire::Statement& s) {
             s.mutable_totals()->set_carried(1'00);
             shift_balance(s, 1'00);
         }},
        {"bob: has lost transfers of alice that were permanent",
         [](wire::Statement& s) {
             only_channel(s).clear_received();
             shift(only_channel(s), -only_channel(s).received_sum());
             shift_balance(s, -31'00);
         }},
        {"bob: the sum received from alice does not go with its transfers",
         [](wire::Statement& s) {
             shift(only_channel(s), -1'00);
             shift_balance(s, -1'00);
         }},
        {"bob: the sum sent to alice does not go with its transfers",
         [](wire::Statement& s) {
             only_channel(s).set_sent_last(2);
             shift_sent(only_channel(s), 1);
             shift_balance(s, -1);
         }},
        {"bob: the sum sent to alice does not go with its transfers",
         [](wire::Statement& s) {
             shift_sent(only_channel(s), 1'00);
             shift_balance(s, -1'00);
         }},
        {"bob: has transfers with itself",
         [](wire::Statement& s) {
             wire::Channel& channel = *s.add_channels();
             channel.set_peer("bob");
             channel.add_received(1);
             channel.add_received(0);
             shift(channel, 1'00);
             shift_balance(s, 1'00);
         }},
    };
    for (const auto& [text, change] : cases) {
        Two two;
        two.send("alice", "bob", {1'00});
        const OperationId id = two.next_id("bob");
        CHECK_FALSE(two.settle("bob", id, wire::OPERATION_CHECKPOINT, change));
        CHECK(two.accusations() == Texts{text});
        // Sent again: the same lie, not another one.
        const size_t records = two.effects.records.size();
        CHECK_FALSE(two.settle("bob", id, wire::OPERATION_CHECKPOINT, change));
        CHECK(two.effects.records.size() == records);
    }
    Two two;
    two.send("bob", "alice", {1'00});
    REQUIRE(two.checkpoint({"alice", "bob"}));
    CHECK_FALSE(two.settles("bob", [](wire::Statement& s) {
        wire::Channel& channel = *s.add_channels();
        channel.set_peer("alice");
        shift_balance(s, 1'00);
    }));
    CHECK(two.accusations() == Texts{"bob: takes back transfers to alice that were permanent"});
}

TEST_CASE("evidence: nobody brings money of a channel into a cohort") {
    EvidenceWorld world;
    world.open("alice", 100'00);
    const EvidenceWorld::Change made_up = [](wire::Statement& s) {
        wire::Channel& channel = *s.add_channels();
        channel.set_peer("bob");
        channel.set_received_sum(5'00);
        channel.add_received(1);
        channel.add_received(0);
        shift_balance(s, 5'00);
    };
    CHECK_FALSE(world.settle("alice", world.next_id("alice"), wire::OPERATION_CHECKPOINT, made_up));
    CHECK(world.accusations() == Texts{"alice: has transfers and is in no cohort"});
}

TEST_CASE("evidence: in clear the same is refused, and nobody is accused") {
    Two two(true);
    two.send("alice", "bob", {1'00});
    CHECK_FALSE(two.settles("bob", [](wire::Statement& s) { shift_balance(s, 1); }));
    CHECK_FALSE(two.settles("bob", [](wire::Statement& s) { s.set_number(9); }));
    CHECK_FALSE(two.checkpoint({"bob", "alice"}, {{"bob", [](wire::Statement& s) {
                                                       shift(only_channel(s), 1'00);
                                                       shift_balance(s, 1'00);
                                                   }}}));
    two.wait(seconds(10));
    CHECK(two.accusations().empty());
    CHECK(two.checkpoint({"bob", "alice"}));
    CHECK(two.account("bob").statements() == 3);
}

TEST_CASE("evidence: what is late is refused, and is no lie") {
    Two two;
    two.send("alice", "bob", {1'00});
    // Repeated, before and after the decision.
    const OperationId id = two.next_id("bob");
    const wire::SignedStatement first =
        two.sign("bob", two.statement(two.at("bob"), id, wire::OPERATION_CHECKPOINT));
    CHECK(two.settle_with("bob", id, wire::OPERATION_CHECKPOINT, first));
    const size_t records = two.effects.records.size();
    CHECK(two.settle_with("bob", id, wire::OPERATION_CHECKPOINT, first));
    CHECK(two.effects.records.size() == records);
    two.decisions->decide(id, wire::OPERATION_CHECKPOINT, false, {});
    CHECK_FALSE(two.settle_with("bob", id, wire::OPERATION_CHECKPOINT, first));
    // Of an operation that a newer one has superseded; of a statement that another has replaced.
    const OperationId second = two.next_id("bob");
    const wire::SignedStatement old =
        two.sign("bob", two.statement(two.at("bob"), second, wire::OPERATION_CHECKPOINT));
    CHECK(two.checkpoint({"bob", "alice"}));
    CHECK_FALSE(two.settle_with("bob", second, wire::OPERATION_CHECKPOINT, old));
    const OperationId third = two.next_id("bob");
    wire::Statement stale = *read_statement(old);
    to_wire(third, stale.mutable_operation());
    CHECK_FALSE(two.settle_with("bob", third, wire::OPERATION_CHECKPOINT, two.sign("bob", stale)));
    // Of before a restart in another epoch.
    const wire::Statement before = two.statement(two.at("bob"), third, wire::OPERATION_CHECKPOINT);
    ++two.at("bob").epoch;
    ++two.at("bob").instance;
    two.attach(two.at("bob"));
    CHECK_FALSE(two.settle_with("bob", third, wire::OPERATION_CHECKPOINT, two.sign("bob", before)));
    CHECK(two.accusations().empty());
}

TEST_CASE("evidence: two statements for one operation: the first counts") {
    Two two;
    two.send("alice", "bob", {1'00});
    const OperationId id = two.next_id("bob");
    CHECK(two.settle("bob", id, wire::OPERATION_CHECKPOINT));
    const std::string held =
        two.context->state.undecided(id)->settlements.at("bob").statement.statement();
    two.settle("bob", id, wire::OPERATION_CHECKPOINT,
               [](wire::Statement& s) { s.set_activity_left_out(1); });
    CHECK(two.effects.notices.back() ==
          "refuses the settlement of bob for " + to_string(id) + ": it has signed another one");
    CHECK(two.context->state.undecided(id)->settlements.at("bob").statement.statement() == held);
}

// --- the chain
// ------------------------------------------------------------------------------------

TEST_CASE("evidence: the chain survives restarts, cohorts that end, and ends with the account") {
    for (const bool snapshot : {false, true}) {
        Two two;
        const auto restart = [&] { snapshot ? two.restart_from_snapshot() : two.restart(); };
        two.send("alice", "bob", {1'00, 2'00});
        // A settlement outlives the bank, with its statement.
        const OperationId id = two.next_id("bob");
        REQUIRE(two.settle("bob", id, wire::OPERATION_CHECKPOINT));
        REQUIRE(two.settle("alice", id, wire::OPERATION_CHECKPOINT));
        restart();
        CHECK(two.account("bob").statements() == 2);
        CHECK(two.commits(id, {"bob", "alice"}));
        // By force: what has been sent since goes back; the chain is where it was.
        two.send("alice", "bob", {4'00}, false);
        REQUIRE(two.checkpoint({"alice"}));
        two.end_cohort(1, {"alice", "bob"}, true);
        restart();
        CHECK(two.account("alice").statements() == 4);
        CHECK(two.account("alice").totals.balance == Money::from_cents(67'00));
        two.join(2, {"alice", "bob"});
        two.send("bob", "alice", {5'00});
        REQUIRE(two.checkpoint({"alice", "bob"}));
        // With a last checkpoint of all.
        two.send("bob", "alice", {6'00}, false);
        two.end_cohort(2, {"alice", "bob"}, false);
        restart();
        CHECK(two.account("bob").statements() == two.at("bob").number);
        wire::Exit exit;
        const auto last = [&](const EvidenceWorld::Change& change) {
            wire::Statement statement =
                two.statement(two.at("bob"), OperationId(), wire::OPERATION_NONE);
            if (change) change(statement);
            *exit.mutable_statement() = two.sign("bob", statement);
            return two.decisions->last_statement(two.account("bob"), exit).has_value();
        };
        CHECK_FALSE(last([](wire::Statement& s) { s.set_previous("x"); }));
        CHECK_FALSE(last([](wire::Statement& s) { s.set_kind(wire::OPERATION_CHECKPOINT); }));
        CHECK_FALSE(last([](wire::Statement& s) { s.mutable_operation()->set_counter(1); }));
        CHECK(two.accusations().empty());
        CHECK(last({}));
        CHECK_FALSE(last([](wire::Statement& s) { shift_balance(s, 7); }));
        CHECK(two.accusations() == Texts{"bob: does not add up"});
        CHECK(two.decisions->last_statement(two.account("alice"), exit) == std::nullopt);
    }
}

TEST_CASE("evidence: what somebody has signed before its newest checkpoint is not committed") {
    Two two;
    two.send("alice", "bob", {1'00});
    const OperationId old = two.next_id("bob");
    REQUIRE(two.settle("bob", old, wire::OPERATION_CHECKPOINT));
    REQUIRE(two.settle("alice", old, wire::OPERATION_CHECKPOINT));
    // Bob told alice that it came to nothing, and she has gone on.
    two.send("bob", "alice", {2'00});
    REQUIRE(two.checkpoint({"alice"}, {{"alice", [](wire::Statement& s) {
                                            s.clear_channels();
                                            s.mutable_totals()->set_balance(70'00);
                                        }}}));
    CHECK_FALSE(two.commits(old, {"bob", "alice"}));
    CHECK(two.account("alice").totals.balance == Money::from_cents(70'00));
    CHECK(two.accusations().empty());
}

TEST_CASE("evidence: whoever has settled the end of its cohort has left every checkpoint") {
    Two two;
    two.send("alice", "bob", {1'00});
    const OperationId old = two.next_id("bob");
    REQUIRE(two.settle("bob", old, wire::OPERATION_CHECKPOINT));
    REQUIRE(two.settle("alice", old, wire::OPERATION_CHECKPOINT));
    const OperationId freeze{"bank:cohort-1", two.context->state.boots + 1,
                             two.context->state.counter + 1};
    State::Record record;
    record.mutable_cohort_freezing()->set_cohort(1);
    to_wire(freeze, record.mutable_cohort_freezing()->mutable_operation());
    two.context->commit(record);
    CHECK_FALSE(two.settle("alice", freeze, wire::OPERATION_JOIN));
    CHECK(two.settle("alice", freeze, wire::OPERATION_FREEZE));
    CHECK_FALSE(two.commits(old, {"bob", "alice"}));
    CHECK(two.accusations().empty());
}

TEST_CASE("evidence: a journal from before there were statements goes on with a first one") {
    Two two(true);
    State::Record record;
    auto* settled = record.mutable_settled();
    const OperationId id = two.next_id("bob");
    to_wire(id, settled->mutable_operation());
    settled->set_kind(wire::OPERATION_CHECKPOINT);
    settled->set_name("bob");
    settled->set_epoch(1);
    Totals totals = two.account("bob").totals;
    totals.deposits = Money::from_cents(5'00);
    totals.balance = must_add(totals.balance, totals.deposits);
    to_wire(totals, settled->mutable_totals());
    two.context->commit(record);
    two.restart_from_snapshot();
    wire::DecisionRequest request;
    to_wire(id, request.mutable_operation());
    request.set_kind(wire::OPERATION_CHECKPOINT);
    request.add_participants("bob");
    two.decisions->on_decision_request(two.account("bob"), request, two.origin("bob"));
    CHECK(two.account("bob").totals == totals);
    // The chain is where it was.
    CHECK(two.account("bob").statements() == 2);
}
