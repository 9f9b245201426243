// When a customer settles, and what it declares then.
#include <doctest/doctest.h>

#include "customer/statements.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;
using customer::timing::kOperationDeadline;

namespace {

wire::Statement statement_in(const wire::Settle& settle) {
    auto read = read_statement(settle.statement());
    REQUIRE(read.has_value());
    return std::move(*read);
}

// Bob has sent these to alice, and so far signed for nothing.
void receive_from_bob(CohortWorld& cohort, uint64_t first, uint64_t last) {
    for (uint64_t label = first; label <= last; ++label) cohort.sent["bob"][label] = label;
    cohort.send(cohort.bob, stretch(first, last));
}

}  // namespace

TEST_CASE("settling: what is signed for is settled, with a statement that says it all") {
    CohortWorld cohort;
    cohort.world.answer_to("transfer 3 carol");
    receive_from_bob(cohort, 1, 3);
    cohort.sign(cohort.bob, {stretch(1, 3)});
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    REQUIRE(cohort.settled.size() == 1);
    const wire::Settle& settle = cohort.settled[0];
    CHECK(is_signed_by(settle.statement(), cohort.world.keys().signing));
    const wire::Statement statement = statement_in(settle);
    CHECK(statement.bank() == secure::to_bytes(cohort.world.bank().identity.keys().signing));
    CHECK(statement.name() == "alice");
    CHECK(statement.number() == 2);
    REQUIRE(cohort.joined.size() == 1);
    CHECK(statement_in(cohort.joined[0]).number() == 1);
    CHECK(statement_in(cohort.joined[0]).previous().empty());
    CHECK(statement.previous() == statement_digest(cohort.joined[0].statement()));
    CHECK(from_wire(statement.operation()) == from_wire(settle.operation()));
    CHECK(statement.kind() == wire::OPERATION_CHECKPOINT);
    CHECK(statement.cohort() == 1);
    CHECK(statement.epoch() == 1);
    CHECK(statement.totals().balance() == 10'000 - 300 + 6);
    REQUIRE(statement.channels_size() == 2);
    CHECK(statement.channels(0).peer() == "bob");
    CHECK(statement.channels(0).received_sum() == 6);
    CHECK(statement.channels(1).sent_sum() == 300);
    CHECK(statement.activity_size() > 0);
    CHECK(statement.transfers().size() == 32);
}

TEST_CASE("settling: nothing leaves while somebody has not signed for what it sent") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    const Answer answer = cohort.world.answer_to("checkpoint");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.code == "refused");
    CHECK(answer.text.find("bob does not sign for transfers 1-3") != std::string::npos);
    CHECK(cohort.settled.empty());
    CHECK(cohort.decision_requests == 0);
    CHECK_FALSE(cohort.state().operation.has_value());
    // It was asked while the checkpoint waited, with pauses, and is left alone afterwards.
    const size_t asked = CohortWorld::sign_requests(cohort.bob);
    CHECK(asked >= 3);
    CHECK(asked <= 20);
    cohort.world.run(seconds(60));
    CHECK(CohortWorld::sign_requests(cohort.bob) == asked);
    // When bob keeps to the rules again everything goes on.
    cohort.peers_sign = true;
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    CHECK(cohort.settled.size() == 1);
}

TEST_CASE("settling: one who does not sign stops nobody for longer than that") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    CHECK(cohort.world.answer_to("checkpoint").code == "refused");
    const auto of_carol = stretch(1, 2);
    cohort.send(cohort.carol, of_carol);
    cohort.sign(cohort.carol, {of_carol});
    CHECK(cohort.world.answer_to("transfer 1 carol").outcome == Outcome::success);
    // Carol's checkpoint needs alice, who has to be able to prove what she has of bob.
    cohort.request_checkpoint(cohort.carol, 1, 1);
    REQUIRE(cohort.state().operation.has_value());
    CHECK(cohort.settled.empty());
    cohort.sign(cohort.bob, {stretch(1, 3)});  // late
    CHECK(cohort.settled.empty());             // that message is not waited for any more
    cohort.peers_sign = true;
    cohort.world.run(seconds(1));
    REQUIRE(cohort.settled.size() == 1);
    const auto vote = std::find_if(cohort.carol.heard.rbegin(), cohort.carol.heard.rend(),
                                   [](const wire::Datagram& d) { return d.has_vote(); });
    REQUIRE(vote != cohort.carol.heard.rend());
    CHECK(vote->vote().yes());
}

TEST_CASE("settling: what is missing is asked for, and may come packed in any way") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 40);
    receive_from_bob(cohort, 50, 60);
    cohort.peers_sign = true;
    const TimePoint before = cohort.world.now();
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    CHECK(cohort.world.now() - before < seconds(1));
    CHECK(statement_in(cohort.settled[0]).channels(0).received_size() == 4);
}

TEST_CASE("settling: what nobody waits for is asked for once, and idle systems are quiet") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    cohort.world.run(milliseconds(150));
    CHECK(CohortWorld::sign_requests(cohort.bob) == 0);  // the word may be on its way
    cohort.world.run(seconds(60));
    CHECK(CohortWorld::sign_requests(cohort.bob) == 1);
    cohort.peers_sign = true;
    receive_from_bob(cohort, 4, 5);
    cohort.world.run(seconds(1));
    receive_from_bob(cohort, 6, 7);
    cohort.world.run(seconds(60));
    const size_t asked = CohortWorld::sign_requests(cohort.bob);
    CHECK(asked <= 4);
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    CHECK(CohortWorld::sign_requests(cohort.bob) <= asked + 1);
}

TEST_CASE("settling: a participant says no, and whose fault it is") {
    CohortWorld cohort;
    CHECK(cohort.world.answer_to("transfer 1 bob").outcome == Outcome::success);
    cohort.send(cohort.carol, stretch(1, 2));
    cohort.request_checkpoint(cohort.bob, 1, 1);
    REQUIRE(cohort.state().operation.has_value());
    cohort.world.run(kOperationDeadline + milliseconds(100));
    CHECK_FALSE(cohort.state().operation.has_value());
    CHECK(cohort.settled.empty());
    const auto vote = std::find_if(cohort.bob.heard.rbegin(), cohort.bob.heard.rend(),
                                   [](const wire::Datagram& d) { return d.has_vote(); });
    REQUIRE(vote != cohort.bob.heard.rend());
    CHECK_FALSE(vote->vote().yes());
    CHECK(vote->vote().code() == "unsigned");
    CHECK(vote->vote().who() == "carol");
}

TEST_CASE("settling: whoever begins a checkpoint is told who does not sign further below") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 1);
    cohort.sign(cohort.bob, {stretch(1, 1)});
    cohort.votes = false;
    const CommandId id = cohort.world.type("checkpoint");
    REQUIRE(cohort.state().operation.has_value());
    wire::Datagram no;
    to_wire(cohort.state().operation->id, no.mutable_vote()->mutable_operation());
    no.mutable_vote()->set_code("unsigned");
    no.mutable_vote()->set_who("carol");
    cohort.say(cohort.bob, no);
    REQUIRE(cohort.world.effects.answers.contains(id));
    const Answer& answer = cohort.world.effects.answers.at(id);
    CHECK(answer.code == "refused");
    CHECK(answer.text.find("carol does not sign") != std::string::npos);
}

TEST_CASE("settling: the end of a cohort waits for what is missing, too") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    cohort.request_freeze(7);
    REQUIRE(cohort.state().operation.has_value());
    cohort.request_freeze(7);  // the bank repeats it
    CHECK(cohort.settled.empty());
    cohort.sign(cohort.bob, {stretch(1, 3)});
    REQUIRE(cohort.settled.size() == 1);
    CHECK(statement_in(cohort.settled[0]).kind() == wire::OPERATION_FREEZE);
}

TEST_CASE("settling: the end of a cohort is refused when somebody does not sign") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    cohort.request_freeze(7);
    cohort.world.run(seconds(4));
    CHECK(cohort.settled.empty());
    CHECK(cohort.refused >= 1);
    CHECK(cohort.refused_code == "unsigned");
    CHECK(cohort.world.noticed("bob does not sign for transfers 1-3") == 1);
    CHECK_FALSE(cohort.state().operation.has_value());
    CHECK_FALSE(cohort.state().is_suspended());
    cohort.peers_sign = true;
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
}

TEST_CASE("settling: after a restart everything since the permanent checkpoint is asked for") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 3);
    cohort.sign(cohort.bob, {stretch(1, 3)});
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    receive_from_bob(cohort, 4, 9);
    cohort.sign(cohort.bob, {stretch(4, 9)});
    cohort.restart();
    cohort.settled.clear();
    cohort.peers_sign = true;
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    REQUIRE(cohort.settled.size() == 1);
    REQUIRE(CohortWorld::sign_requests(cohort.bob) > 0);
    for (const wire::Datagram& heard : cohort.bob.heard) {
        if (!heard.has_sign_request()) continue;
        const auto labels = from_wire(heard.sign_request().labels());
        REQUIRE(labels.has_value());
        CHECK(set_of({{4, 9}}).contains_all(*labels));
    }
}

TEST_CASE("settling: a statement is the same bytes however often it is sent, and after a restart") {
    for (const StableMode mode : {StableMode::journal, StableMode::checkpoint}) {
        INFO(std::string(mode == StableMode::journal ? "journal mode" : "checkpoint mode"));
        CohortWorld cohort(CohortWorld::settings(false, mode));
        receive_from_bob(cohort, 1, 3);
        cohort.sign(cohort.bob, {stretch(1, 3)});
        cohort.world.answer_to("deposit 5");
        cohort.bank_acknowledges = false;
        cohort.world.type("checkpoint");
        cohort.world.run(seconds(2));
        REQUIRE(cohort.settled.size() >= 3);
        for (const wire::Settle& settle : cohort.settled) {
            CHECK(settle.SerializeAsString() == cohort.settled[0].SerializeAsString());
        }
        REQUIRE(cohort.state().operation.has_value());
        cohort.restart(mode);
        REQUIRE(cohort.state().operation.has_value());
        CHECK(cohort.state().operation->statement.SerializeAsString() ==
              cohort.settled[0].statement().SerializeAsString());
        // The bank has it: the next one follows it.
        const uint64_t before = cohort.state().statements;
        cohort.decide(cohort.settled[0].operation(), true);
        CHECK(cohort.state().statements == before + 1);
        CHECK(cohort.state().statement_digest == statement_digest(cohort.settled[0].statement()));
    }
}

TEST_CASE("settling: only what becomes permanent is a link of the chain") {
    CohortWorld cohort;
    cohort.bank_commits = false;
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::failure);
    const wire::Statement undone = statement_in(cohort.settled.back());
    cohort.settled.clear();
    cohort.bank_commits = true;
    cohort.world.answer_to("deposit 5");
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    cohort.world.answer_to("deposit 5");
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    REQUIRE(cohort.settled.size() == 2);
    const wire::Statement second = statement_in(cohort.settled[0]);
    const wire::Statement third = statement_in(cohort.settled[1]);
    CHECK(undone.number() == 2);
    CHECK(second.number() == 2);
    CHECK(second.previous() == undone.previous());
    CHECK(third.number() == 3);
    CHECK(third.previous() == statement_digest(cohort.settled[0].statement()));
}

TEST_CASE("settling: the end of a cohort says whether what was in doubt counts") {
    for (const bool counts : {true, false}) {
        CohortWorld cohort;
        cohort.world.answer_to("deposit 5");
        cohort.request_freeze(7);
        REQUIRE(cohort.settled.size() == 1);
        wire::Datagram message;
        auto* ended = message.mutable_cohort_ended();
        ended->set_cohort(1);
        ended->mutable_totals()->set_opening(10'000);
        ended->mutable_totals()->set_deposits(counts ? 500 : 0);
        ended->mutable_totals()->set_balance(counts ? 10'500 : 10'000);
        ended->set_statements(counts ? 2 : 1);
        REQUIRE(cohort.world.say(cohort.world.bank(), message));
        CHECK_FALSE(cohort.state().in_cohort());
        CHECK(cohort.state().statements == (counts ? 2 : 1));
        CHECK(cohort.state().statement_digest ==
              statement_digest(counts ? cohort.settled[0].statement()
                                      : cohort.joined[0].statement()));
    }
}

TEST_CASE("settling: the last statement of an account is made once") {
    CustomerWorld world;
    std::vector<std::string> statements;
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [&](const wire::Datagram& message) {
        as_ever(message);
        if (message.command().has_exit()) {
            statements.push_back(message.command().exit().statement().SerializeAsString());
        }
    };
    world.open("alice");
    world.answer_to("deposit 5");
    world.type("exit alice");
    world.run(seconds(2));
    REQUIRE(world.state().phase == customer::Phase::exiting);
    CustomerSettings same = CustomerWorld::settings();
    same.bank_keys = world.bank().identity.keys();
    same.secret_seed = seed_of(60);
    world.restart(same);
    world.run(seconds(2));
    REQUIRE(statements.size() > 4);
    for (const std::string& statement : statements) CHECK(statement == statements[0]);
    wire::SignedStatement last;
    REQUIRE(last.ParseFromString(statements[0]));
    CHECK(is_signed_by(last, world.keys().signing));
    const auto read = read_statement(last);
    REQUIRE(read.has_value());
    CHECK(read->number() == 1);
    CHECK_FALSE(read->has_operation());
    CHECK(read->totals().balance() == 10'500);
}

TEST_CASE("settling: the bank gets the proof that it asks for") {
    CohortWorld cohort;
    receive_from_bob(cohort, 1, 5);
    cohort.sign(cohort.bob, {stretch(1, 5)});
    cohort.bank_commits = false;
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::failure);
    wire::Datagram message;
    auto* request = message.mutable_evidence_request();
    *request->mutable_operation() = cohort.settled[0].operation();
    request->set_peer("bob");
    request->set_above(2);
    REQUIRE(cohort.world.say(cohort.world.bank(), message));
    const wire::Evidence& evidence = cohort.world.bank().heard.back().evidence();
    CHECK(from_wire(evidence.operation()) == from_wire(request->operation()));
    CHECK(evidence.peer() == "bob");
    CHECK(evidence.above() == 2);
    REQUIRE(evidence.items_size() == 1);
    CHECK(proves({"bob", "alice", CohortId(1), Epoch(1)}, evidence.items(0),
                 cohort.bob.identity.keys().signing));
    CHECK(read(evidence.items(0).transfers(0)).back().label == Label(5));
}

TEST_CASE("settling: in clear nobody signs and nobody waits for it") {
    CohortWorld cohort(CohortWorld::settings(true));
    receive_from_bob(cohort, 1, 3);
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    REQUIRE(cohort.settled.size() == 1);
    CHECK(cohort.settled[0].statement().signature().empty());
    CHECK(statement_in(cohort.settled[0]).bank().empty());
    CHECK(statement_in(cohort.settled[0]).number() == 2);
    cohort.world.run(seconds(5));
    CHECK(CohortWorld::sign_requests(cohort.bob) == 0);
}
