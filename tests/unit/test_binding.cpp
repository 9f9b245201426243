// `bind`: the account of a person who has signed in goes to another key.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Kind = bank::State::Record;

constexpr const char* kOwner = "alice@example.org";

}  // namespace

TEST_CASE("bind: with the account's state only the keys change, at any time") {
    BankWorld world;
    Process& old_one = world.add("", 1, 9'001);
    world.sign_in(old_one, kOwner);
    REQUIRE(world.open(old_one, "alice").success());
    world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});

    // The account's state is started elsewhere, with another key.
    Process& new_one = world.add("alice", 5, 9'501, 0x0a000001, 2);
    CHECK(world.attach(new_one)->other_key());
    CHECK(world.ask(new_one, {"bind", "alice"}).code == "not-signed-in");
    world.sign_in(new_one, kOwner);
    const Answer answer = world.ask(new_one, {"bind", "alice"});
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.text == "bind alice");
    CHECK(world.account("alice").keys() == new_one.identity.keys());
    CHECK(world.account("alice").opener == 7);
    CHECK(world.account("alice").boots == 1);
    CHECK(world.account("alice").cohort.value() == 1);
    const auto bound = world.records(Kind::kBound);
    REQUIRE(bound.size() == 1);
    CHECK_FALSE(bound[0].bound().reset());

    const auto reply = world.attach(new_one);
    CHECK(reply->known());
    CHECK_FALSE(reply->other_key());
    CHECK(reply->cohort() == 1);
    CHECK(world.account("alice").ip == 0x0a000001);
    // The old one is another's now.
    CHECK(world.attach(old_one)->other_key());
    CHECK(world.say(old_one, BankWorld::exit_message()).empty());
    // Bound to it already: nothing is written.
    CHECK(world.ask(new_one, {"bind", "alice"}).outcome == Outcome::success);
    CHECK(world.records(Kind::kBound).size() == 1);
}

TEST_CASE("bind: without its state the account stands at its settled balance") {
    BankWorld world;
    Process& lost = world.add("", 1, 9'001);
    world.sign_in(lost, kOwner);
    REQUIRE(world.open(lost, "alice").success());
    lost.identify("alice", 1);
    world.type("add-product lamp Lamp 10 5 light");
    // What is pending, and what it was in.
    wire::Datagram purchase;
    purchase.set_epoch(4);
    wire::Deal* deal = purchase.mutable_deal();
    deal->set_number(1);
    deal->set_kind(wire::DEAL_PURCHASE);
    deal->set_what("lamp");
    deal->set_quantity(2);
    deal->set_amount(20'00);
    deal->mutable_authority()->set_session(lost.session);
    deal->mutable_authority()->set_counter(++lost.counter);
    REQUIRE(world.say(lost, purchase)[0].deal_reply().accepted());
    wire::Datagram begin;
    begin.set_epoch(4);
    wire::OperationId* id = begin.mutable_operation_begin()->mutable_operation();
    id->set_initiator("alice");
    id->set_epoch(6);
    id->set_counter(9);
    begin.mutable_operation_begin()->set_kind(wire::OPERATION_ROLLBACK);
    REQUIRE(world.say(lost, begin)[0].operation_begun().accepted());
    CHECK(world.state().business.find_product("lamp")->quantity == 3);

    Process& found = world.add("", 5, 9'501, 0x0a000001);
    world.sign_in(found, kOwner);
    CHECK(world.offered(found, "alice").empty());
    const Answer answer = world.ask(found, {"bind", "alice"});
    CHECK(answer.outcome == Outcome::success);
    REQUIRE(answer.lines.size() == 1);
    CHECK(answer.lines[0].find("last settled balance, 100:") != std::string::npos);

    const bank::Account& alice = world.account("alice");
    CHECK(alice.keys() == found.identity.keys());
    CHECK_FALSE(alice.attached);
    CHECK(alice.epoch == 7);  // above what any operation had
    CHECK(world.state().business.deals_of("alice").pending.empty());
    CHECK(world.state().business.find_product("lamp")->quantity == 5);
    CHECK(world.state().decision({"alice", 6, 9}) == false);
    // Typed again before it was taken over: the same.
    CHECK(world.ask(found, {"bind", "alice"}).outcome == Outcome::success);
    CHECK(world.records(Kind::kBound).size() == 1);

    // From any address, but only with that key.
    Process& mallory = world.add("", 9, 9'001);
    CHECK(world.offered(mallory, "alice").empty());
    found.opener = 12;
    const auto reply = world.take_over(found, "alice");
    REQUIRE(reply);
    CHECK(reply->totals().balance() == 100'00);
    CHECK(reply->epoch() == 7);
    CHECK(world.account("alice").opener == 12);
    CHECK(world.account("alice").boots == 1);
    // Its first command is the first of a new account's process.
    wire::Datagram command;
    command.mutable_command()->set_request(1);
    command.mutable_command()->mutable_new_cohort()->set_size(2);
    REQUIRE(world.say(found, command).size() == 1);
    CHECK(found.heard[0].reply().code() == "too-few");
    // The one that was lost comes back with its state.
    CHECK(world.attach(lost, 4)->other_key());
    CHECK(world.say(lost, purchase).empty());
}

TEST_CASE("bind: what the account was still to hear of ends with its state") {
    BankWorld world;
    Process& lost = world.add("", 1, 9'001);
    world.sign_in(lost, kOwner);
    REQUIRE(world.open(lost, "alice").success());
    world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});

    Process& found = world.add("", 5, 9'501);
    world.sign_in(found, kOwner);
    const Answer in_cohort = world.ask(found, {"bind", "alice"});
    CHECK(in_cohort.code == "in-cohort");
    CHECK(in_cohort.text.find("delete-cohort") != std::string::npos);
    CHECK(in_cohort.text.find("--force") != std::string::npos);
    CHECK(world.account("alice").keys() == lost.identity.keys());

    CHECK(world.type("delete-cohort alice --force").outcome == Outcome::success);
    CHECK(world.account("alice").ended_cohort().value() == 1);
    CHECK(world.ask(found, {"bind", "alice"}).outcome == Outcome::success);
    CHECK(world.account("alice").ended_cohort().value() == 0);
    REQUIRE(world.take_over(found, "alice"));
    found.heard.clear();
    world.pass(seconds(40));  // in which what is not acknowledged would be told again
    for (const auto& heard : found.heard) CHECK_FALSE(heard.has_cohort_ended());
}

TEST_CASE("bind: an account that is about to join a cohort has to wait") {
    BankWorld world;
    Process& lost = world.add("", 1, 9'001);
    world.sign_in(lost, kOwner);
    REQUIRE(world.open(lost, "alice").success());
    Process& bob = world.customer("bob", 2, 9'002);
    const CommandId id(77);
    world.bank().on_command(world.now, id, "new-cohort alice 2", world.effects);
    world.deliver();
    for (Process* who : {&lost, &bob}) {
        const auto heard = who->heard;
        for (const auto& message : heard) {
            if (!message.has_probe()) continue;
            wire::Datagram answer;
            answer.mutable_probe()->set_nonce(message.probe().nonce());
            answer.mutable_probe()->set_answer(true);
            world.say(*who, answer);
        }
    }
    REQUIRE(world.state().forming.contains("alice"));
    Process& found = world.add("", 5, 9'501);
    // Signing in takes no time here.
    world.sign_in(found, kOwner);
    REQUIRE(world.state().forming.contains("alice"));
    CHECK(world.ask(found, {"bind", "alice"}).code == "busy");
}

TEST_CASE("bind: only the signed-in owner or an admin may") {
    BankWorld world;
    Process& alice = world.add("", 1, 9'001);
    world.sign_in(alice, kOwner);
    REQUIRE(world.open(alice, "alice").success());
    world.customer("bob", 2, 9'002);  // belongs to nobody

    Process& mallory = world.add("", 9, 9'009);
    CHECK(world.ask(mallory, {"bind", "alice"}).code == "not-signed-in");
    world.sign_in(mallory, "mallory@example.org");
    CHECK(world.ask(mallory, {"bind", "alice"}).code == "not-allowed");
    CHECK(world.ask(mallory, {"bind", "bob"}).code == "not-allowed");
    CHECK(world.ask(mallory, {"bind", "zed"}).code == "no-account");
    CHECK(world.ask(mallory, {"bind"}).code == "usage");
    // Alice's session, which somebody has seen, from another key.
    const uint64_t own_session = mallory.session;
    mallory.session = alice.session;
    mallory.counter = 1'000;
    CHECK(world.ask(mallory, {"bind", "alice"}).code == "not-signed-in");
    mallory.session = own_session;
    CHECK(world.account("alice").keys() == alice.identity.keys());
    const auto refused = world.records(Kind::kRefused);
    REQUIRE(refused.size() >= 2);
    CHECK(refused[1].refused().who() == "mallory@example.org");

    world.type("role mallory@example.org teller");
    CHECK(world.ask(mallory, {"bind", "bob"}).code == "not-allowed");
    world.type("role mallory@example.org admin");
    CHECK(world.ask(mallory, {"bind", "bob"}).outcome == Outcome::success);
    CHECK(world.account("bob").keys() == mallory.identity.keys());
    // One key, one account.
    CHECK(world.ask(mallory, {"bind", "alice"}).code == "key-taken");
    world.type("exit bob");
    world.type("open carol 5 127.0.0.1 9003 9103");
    world.type("exit carol");
    CHECK(world.ask(mallory, {"bind", "carol"}).code == "exited");
    CHECK(world.type("bind alice").code == "usage");
}

TEST_CASE("bind: in clear there is nothing to bind") {
    BankWorld world(true);
    Process& alice = world.add("", 1, 9'001);
    world.sign_in(alice, kOwner);
    REQUIRE(world.open(alice, "alice").success());
    CHECK(world.ask(alice, {"bind", "alice"}).code == "insecure");
    CHECK(world.type("unbind alice").code == "no-key");
}

TEST_CASE("bind: a correction of the operator is neither lost nor made twice by a reset") {
    BankWorld world;
    Process& lost = world.add("", 1, 9'001);
    world.sign_in(lost, kOwner);
    REQUIRE(world.open(lost, "alice").success());
    std::vector<std::string> records = world.effects.records;
    Kind edited;
    edited.mutable_edited()->set_name("alice");
    edited.mutable_edited()->set_correction(5'00);
    edited.mutable_edited()->set_ip(kLocal);
    edited.mutable_edited()->set_port1(9'001);
    edited.mutable_edited()->set_port2(9'101);
    records.push_back(edited.SerializeAsString());
    world.start(records);
    Process& found = world.add("", 5, 9'501);
    world.sign_in(found, kOwner);
    REQUIRE(world.ask(found, {"bind", "alice"}).outcome == Outcome::success);
    edited.mutable_edited()->set_correction(-15'00);
    records = world.effects.records;
    records.push_back(edited.SerializeAsString());
    world.start(records);
    const bank::Account& alice = world.account("alice");
    CHECK(adds_up(alice.totals, alice.channels()));
    CHECK(alice.totals.balance == Money::from_cents(90'00));
    CHECK(alice.totals.adjustments == Money::from_cents(-10'00));
    CHECK(alice.shown_balance() == Money::from_cents(90'00));
}
