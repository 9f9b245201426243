// What was checked when it was typed, and is not so any more when the answer it waited for comes.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

Answer wait_for(BankWorld& world, CommandId id) {
    for (int i = 0; i < 100 && !world.effects.answers.contains(id); ++i) {
        world.pass(milliseconds(50));
    }
    REQUIRE(world.effects.answers.contains(id));
    return world.effects.answers.at(id);
}

// The bank answers what a deal would come to, 3.00, and, if it is told to, deals.
void sell(CustomerWorld& world, bool answers_deals) {
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [&world, as_ever, answers_deals](const wire::Datagram& message) {
        as_ever(message);
        const wire::Deal& deal = message.deal();
        if (!message.has_deal() || (deal.number() != 0 && !answers_deals)) return;
        wire::Datagram out;
        auto* reply = out.mutable_deal_reply();
        reply->set_number(deal.number());
        reply->set_nonce(deal.nonce());
        reply->set_epoch(message.epoch());
        reply->set_amount(3'00);
        reply->set_what(deal.what());
        reply->set_name(deal.what());
        reply->set_accepted(true);
        reply->set_has_token(true);
        if (deal.number() != 0) reply->set_order(1);
        out.set_receiver("alice");
        out.set_receiver_instance(message.instance());
        Played& bank = world.bank();
        bank.courier.send(world.now(), Socket::bank, kCustomerAt[0], world.keys().channel, out,
                          bank.effects);
    };
}

}  // namespace

TEST_CASE("unbind: an account that was closed while its program was looked for stays as it is") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    REQUIRE(world.attach(alice)->known());
    const CommandId id(900);
    world.bank().on_command(world.now, id, "unbind alice", world.effects);
    world.deliver();
    wire::Statement last;
    last.set_bank(secure::to_bytes(world.identity().keys().signing));
    last.set_name("alice");
    last.set_number(world.account("alice").statements() + 1);
    last.set_previous(world.account("alice").statement_digest());
    last.set_kind(wire::OPERATION_NONE);
    to_wire(world.account("alice").totals, last.mutable_totals());
    wire::Datagram exit = BankWorld::exit_message();
    *exit.mutable_command()->mutable_exit()->mutable_statement() =
        sign_statement(&alice.identity, last);
    world.say(alice, exit);
    REQUIRE(world.account("alice").exited);
    const Answer answer = wait_for(world, id);
    CHECK(answer.code == "exited");
    CHECK(world.account("alice").keys() == alice.identity.keys());
}

TEST_CASE("unbind: a key that the owner has bound while the program was looked for stays") {
    BankWorld world;
    Process& old = world.add("", 1, 9'001);
    world.sign_in(old, "ann@example.org");
    REQUIRE(world.open(old, "alice").success());
    old.identify("alice", 1);
    REQUIRE(world.attach(old)->known());
    Process& fresh = world.add("", 5, 9'501, kLocal + 7);
    world.sign_in(fresh, "ann@example.org");
    const CommandId id(900);
    world.bank().on_command(world.now, id, "unbind alice", world.effects);
    world.deliver();
    REQUIRE(world.ask(fresh, {"bind", "alice"}).outcome == Outcome::success);
    REQUIRE(world.account("alice").keys() == fresh.identity.keys());
    CHECK(wait_for(world, id).code == "busy");
    CHECK(world.account("alice").keys() == fresh.identity.keys());
    CHECK(world.offered(fresh, "alice") == "alice");
}

TEST_CASE("exit: what was not answered in time and is refused then is told") {
    CustomerWorld world;
    world.open("alice");
    world.run(seconds(1));
    CHECK(world.answer_to("exit").outcome == Outcome::unknown);
    uint64_t request = 0;
    for (const auto& heard : world.bank().heard) {
        if (heard.command().has_exit()) request = heard.command().request();
    }
    REQUIRE(request != 0);
    wire::Datagram message;
    message.mutable_reply()->set_request(request);
    message.mutable_reply()->set_code("open-loan");
    message.mutable_reply()->set_text("alice has 1 open loan");
    REQUIRE(world.say(world.bank(), message));
    CHECK(world.state().phase == customer::Phase::open);
    CHECK(world.noticed("alice has 1 open loan") == 1);
}

TEST_CASE("bind: an open deal that the bank answers to another key only is not in the way") {
    CustomerWorld world;
    sell(world, false);
    world.open("alice");
    CHECK(world.answer_to("buy lamp-1 1").outcome == Outcome::unknown);
    REQUIRE(world.state().deal);
    world.attach_reply.Clear();
    world.attach_reply.set_other_key(true);
    world.run(seconds(15));
    REQUIRE(world.noticed("another key") == 1);
    world.session = 5;
    world.type("sign-in ann@example.org");
    REQUIRE(world.effects.asked.size() == 1);
    world.type_secrets({"correct horse"});
    world.run(seconds(1));
    CHECK(world.answer_to("bind alice").outcome == Outcome::success);
}
