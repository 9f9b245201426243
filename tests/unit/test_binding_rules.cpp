// `bind` and `unbind` where they must not be: with an old copy of the state, or while the account's
// program runs; and how an account without an owner gets one.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Kind = bank::State::Record;

constexpr const char* kOwner = "alice@example.org";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// Types it and lets the process answer the bank's question whether it is there.
Answer type_and_answer(BankWorld& world, Process& process, const std::string& line) {
    const CommandId id(500);
    process.heard.clear();
    world.effects.answers.erase(id);
    world.bank().on_command(world.now, id, line, world.effects);
    world.deliver();
    const auto heard = process.heard;
    for (const wire::Datagram& message : heard) {
        if (!message.has_probe()) continue;
        wire::Datagram answer;
        answer.mutable_probe()->set_nonce(message.probe().nonce());
        answer.mutable_probe()->set_answer(true);
        world.say(process, answer);
    }
    REQUIRE(world.effects.answers.contains(id));
    return world.effects.answers.at(id);
}

}  // namespace

TEST_CASE("bind: an old copy of the state is refused before the key changes") {
    BankWorld world;
    Process& good = world.add("", 1, 9'001);
    world.sign_in(good, kOwner);
    REQUIRE(world.open(good, "alice").success());
    REQUIRE(world.attach(good, 4)->known());

    // Started elsewhere, with another key.
    Process& copy = world.add("alice", 5, 9'501, 0x0a000001, 2);
    world.sign_in(copy, kOwner);
    const size_t records = world.effects.records.size();
    SUBCASE("by its epoch") {
        copy.epoch = 3;
        const Answer answer = world.ask(copy, {"bind", "alice"});
        CHECK(answer.code == "old-state");
        CHECK(has(answer.text, "epoch 3 here, 4 at the bank"));
        // What to do, as it is.
        CHECK(has(answer.text, "move its folder state/alice away"));
        CHECK(has(answer.text, "type: bind alice"));
        CHECK(has(answer.text, "settled balance, 100"));
    }
    SUBCASE("by its run: a later one of the account's program has come") {
        copy.epoch = 4;
        copy.identify("alice", 1);
        CHECK(has(world.ask(copy, {"bind", "alice"}).text, "start 1 here, 1 at the bank"));
    }
    CHECK(world.effects.records.size() == records);
    CHECK(world.account("alice").keys() == good.identity.keys());
    // The newest is bound.
    copy.epoch = 4;
    copy.identify("alice", 2);
    CHECK(world.ask(copy, {"bind", "alice"}).outcome == Outcome::success);
    CHECK(world.account("alice").keys() == copy.identity.keys());
}

TEST_CASE("bind: a copy from before a settled checkpoint is refused") {
    BankWorld world;
    Process& good = world.add("", 1, 9'001);
    world.sign_in(good, kOwner);
    REQUIRE(world.open(good, "alice").success());
    std::vector<std::string> records = world.effects.records;
    wire::Statement statement;
    statement.set_name("alice");
    statement.set_number(1);
    Kind settled;
    wire::OperationId* id = settled.mutable_settled()->mutable_operation();
    id->set_initiator("alice");
    id->set_epoch(1);
    id->set_counter(1);
    settled.mutable_settled()->set_kind(wire::OPERATION_CHECKPOINT);
    settled.mutable_settled()->set_name("alice");
    *statement.mutable_operation() = *id;
    statement.set_kind(wire::OPERATION_CHECKPOINT);
    to_wire(world.account("alice").totals, statement.mutable_totals());
    settled.mutable_settled()->mutable_statement()->set_statement(statement.SerializeAsString());
    Kind decided;
    *decided.mutable_decided()->mutable_operation() = *id;
    decided.mutable_decided()->set_kind(wire::OPERATION_CHECKPOINT);
    decided.mutable_decided()->set_commit(true);
    decided.mutable_decided()->add_participants("alice");
    records.push_back(settled.SerializeAsString());
    records.push_back(decided.SerializeAsString());
    world.start(records);
    REQUIRE(world.account("alice").statements() == 1);

    Process& copy = world.add("alice", 5, 9'501, kLocal, 2);
    world.sign_in(copy, kOwner);
    const Answer answer = world.ask(copy, {"bind", "alice"});
    CHECK(answer.code == "old-state");
    CHECK(has(answer.text, "statement 0 here, 1 at the bank"));
    copy.statements = 1;
    CHECK(world.ask(copy, {"bind", "alice"}).outcome == Outcome::success);
}

TEST_CASE("bind: an account without an owner becomes that of who sits at its program") {
    BankWorld world;
    Process& bob = world.customer("bob", 2, 9'002);
    REQUIRE(world.account("bob").owner().empty());

    // Not from another program; the answer names the way.
    Process& other = world.add("", 9, 9'009);
    world.sign_in(other, "mallory@example.org");
    const Answer refused = world.ask(other, {"bind", "bob"});
    CHECK(refused.code == "not-allowed");
    CHECK(has(refused.text, "bob has no owner"));
    CHECK(has(refused.text, "signs in there and types `bind bob`"));
    // Nor one that only says that it is bob's.
    other.identify("bob", 1);
    CHECK(world.ask(other, {"bind", "bob"}).code == "not-allowed");
    CHECK(world.account("bob").owner().empty());

    CHECK(world.ask(bob, {"bind", "bob"}).code == "not-signed-in");
    world.sign_in(bob, "bob@example.org");
    const Answer answer = world.ask(bob, {"bind", "bob"});
    CHECK(answer.outcome == Outcome::success);
    REQUIRE(answer.lines.size() == 1);
    CHECK(answer.lines[0] == "bob belongs to bob@example.org from now on");
    CHECK(world.account("bob").owner() == "bob@example.org");
    CHECK(world.account("bob").keys() == bob.identity.keys());
    // It stays so: nobody else claims it, and it is kept.
    world.sign_in(bob, "mallory@example.org");
    CHECK(world.ask(bob, {"bind", "bob"}).code == "not-allowed");
    world.restart();
    CHECK(world.account("bob").owner() == "bob@example.org");
    world.restart_from_snapshot();
    CHECK(world.account("bob").owner() == "bob@example.org");
    // As an owner, from a new program.
    Process& found = world.add("", 5, 9'501);
    world.sign_in(found, "bob@example.org");
    CHECK(world.ask(found, {"bind", "bob"}).outcome == Outcome::success);
}

TEST_CASE("bind: who has not verified the e-mail owns nothing") {
    BankWorld world;
    Process& bob = world.customer("bob", 2, 9'002);
    wire::Secrets secrets;
    secrets.set_name("Bob");
    secrets.set_password(kPassword);
    REQUIRE(world.ask(bob, {"register", "bob@example.org"}, &secrets).code.empty());
    REQUIRE(world.ask(bob, {"sign-in", "bob@example.org"}, &secrets).code.empty());
    CHECK(world.ask(bob, {"bind", "bob"}).code == "not-verified");
    CHECK(world.account("bob").owner().empty());
}

TEST_CASE("unbind: not while the account's program answers, but by force") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    const Answer refused = type_and_answer(world, alice, "unbind alice");
    CHECK(refused.code == "running");
    CHECK(has(refused.text, "127.0.0.1:9001"));
    CHECK(has(refused.text, "unbind alice --force"));
    CHECK_FALSE(world.account("alice").keys().empty());
    CHECK(world.records(Kind::kBound).empty());

    const Answer forced = world.type("unbind alice --force");
    CHECK(forced.outcome == Outcome::success);
    REQUIRE(forced.lines.size() == 3);
    CHECK(has(forced.lines[0], "if its program runs at 127.0.0.1"));
    CHECK(world.account("alice").keys().empty());
    CHECK(world.type("unbind alice --please").code == "usage");
    // An admin may also bind the program that runs.
    world.sign_in(alice, kOwner);
    world.type("role alice@example.org admin");
    CHECK(world.ask(alice, {"bind", "alice"}).outcome == Outcome::success);
    CHECK(world.account("alice").keys() == alice.identity.keys());
    CHECK(world.type("unbind alice --force").outcome == Outcome::success);

    // It says that nobody answered, and from where the account is to be had.
    REQUIRE(world.attach(alice)->known());
    const Answer gone = world.type("unbind alice");
    CHECK(gone.outcome == Outcome::success);
    REQUIRE(gone.lines.size() == 3);
    CHECK(gone.lines[0] == "no program answers for it now");
    CHECK(has(gone.lines[1], "starts at 127.0.0.1 takes it"));
    CHECK(has(gone.lines[2], "another IP address"));
}

TEST_CASE("open: who finds its own account taken is told how to get at it") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    Process& again = world.add("", 5, 9'501);
    const wire::Reply reply = world.open(again, "alice");
    CHECK(reply.code() == "name-taken");
    CHECK(has(reply.text(), "sign-in <email>, then bind alice"));
    CHECK(world.type("open alice 5 127.0.0.1 9003 9103").code == "name-taken");
    // A name that people take for the bank.
    for (const char* name : {"Bank", "BANK", "bAnk"}) {
        CAPTURE(name);
        Process& liar = world.add("", 6, 9'601);
        CHECK(world.open(liar, name).code() == "bad-name");
        CHECK(world.type("open " + std::string(name) + " 5 127.0.0.1 9003 9103").code ==
              "bad-name");
    }
    Process& banker = world.add("", 7, 9'701);
    CHECK(world.open(banker, "Banker").success());
    CHECK(world.account("alice").keys() == alice.identity.keys());
}

TEST_CASE("an earlier run of the account's program is told that there is a later one") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    CHECK(world.ask(alice, {"purchases"}).outcome == Outcome::success);
    // A copy of the state, with its key.
    Process& copy = world.add("alice", 1, 9'501, kLocal, 2);
    REQUIRE(world.attach(copy)->known());
    const Answer answer = world.ask(alice, {"purchases"});
    CHECK(answer.code == "state-in-use");
    CHECK(has(answer.text, "started later"));
    CHECK(world.ask(copy, {"purchases"}).outcome == Outcome::success);
}

TEST_CASE("audit: the name of the evidence file may stand in quotes") {
    BankWorld world;
    CHECK(world.type("audit --evidence \"sp ace.txt\"").code == "bad-file");
    CHECK(world.type("audit --evidence sp ace.evidence").code == "usage");
    CHECK(world.type("audit --evidence \"open").outcome == Outcome::failure);
    const CommandId id(600);
    world.bank().on_command(world.now, id, "audit --evidence \"sp ace.evidence\"", world.effects);
    world.pass(seconds(2));
    CHECK_FALSE(world.effects.answers.contains(id));  // the file is being written
    CHECK(world.effects.jobs.size() == 1);
}

TEST_CASE("a command of customers' programs is no guess at the bank") {
    BankWorld world;
    const Answer answer = world.type("checkpoint");
    CHECK(answer.code == "unknown-command");
    CHECK(has(answer.text, "at a customer's prompt"));
}
