// A customer whose state is an old copy finds out from the bank, and stops.
#include <doctest/doctest.h>

#include "common/core/statement.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

// What the bank says when the customer attaches again.
void attach_again(CustomerWorld& world, const wire::AttachReply& reply) {
    world.attach_reply = reply;
    world.attach_reply.set_known(true);
    world.attach_reply.set_epoch(world.state().epoch.value());
    world.run(seconds(30));
}

}  // namespace

TEST_CASE("old copy: the bank has heard of a later start") {
    CustomerWorld world;
    world.open("alice");
    wire::AttachReply reply;
    reply.set_boots(world.state().boots);
    attach_again(world, reply);
    CHECK(world.effects.stopped == -1);
    reply.set_boots(world.state().boots + 1);
    attach_again(world, reply);
    CHECK(world.effects.stopped == 4);
    CHECK(world.noticed("the bank has seen its start 2, its own storage says 1") >= 1);
}

TEST_CASE("old copy: the bank has heard of another run with the number of this start") {
    CustomerWorld world;
    world.open("alice");
    wire::AttachReply reply;
    reply.set_boots(world.state().boots);
    attach_again(world, reply);
    CHECK(world.effects.stopped == -1);
    reply.set_old_copy(true);
    attach_again(world, reply);
    CHECK(world.effects.stopped == 4);
    CHECK(world.noticed("another run of this program has had its start 1") >= 1);
}

TEST_CASE("old copy: it stops also while it closes its account") {
    CustomerWorld world;
    world.open("alice");
    CHECK(world.answer_to("exit").outcome == Outcome::unknown);
    REQUIRE(world.state().phase == customer::Phase::exiting);
    wire::Datagram message;
    message.mutable_attach_reply()->set_known(true);
    message.mutable_attach_reply()->set_boots(world.state().boots);
    REQUIRE(world.say(world.bank(), message));
    CHECK(world.effects.stopped == -1);
    message.mutable_attach_reply()->set_boots(world.state().boots + 1);
    REQUIRE(world.say(world.bank(), message));
    CHECK(world.effects.stopped == 4);
    CHECK(world.noticed("the bank has seen its start 2, its own storage says 1") == 1);
}

TEST_CASE("old copy: the bank has committed a statement that is not here") {
    CohortWorld cohort;
    CustomerWorld& world = cohort.world;
    REQUIRE(world.state().statements == 1);
    const std::string digest = statement_digest(cohort.joined.at(0).statement());
    wire::AttachReply reply;
    reply.set_statements(1);
    reply.set_statement_digest(digest);
    attach_again(world, reply);
    CHECK(world.effects.stopped == -1);
    SUBCASE("one more") {
        reply.set_statements(2);
        attach_again(world, reply);
        CHECK(world.effects.stopped == 4);
        CHECK(world.noticed("the bank has seen its statement 2, its own storage says 1") >= 1);
    }
    SUBCASE("another one") {
        reply.set_statement_digest(std::string(32, 'x'));
        attach_again(world, reply);
        CHECK(world.effects.stopped == 4);
        CHECK(world.noticed("the bank has another statement 1") >= 1);
    }
    SUBCASE("what is late says less, and means nothing") {
        CHECK(world.answer_to("checkpoint").outcome == Outcome::success);
        REQUIRE(world.state().statements == 2);
        attach_again(world, reply);
        CHECK(world.effects.stopped == -1);
    }
}

TEST_CASE("old copy: the bank has lost what it knew, and every command that settles says so") {
    CohortWorld cohort;
    CustomerWorld& world = cohort.world;
    CHECK(world.answer_to("checkpoint").outcome == Outcome::success);
    REQUIRE(world.state().statements == 2);
    world.bank_lost_its_data = true;
    world.run(seconds(15));  // one refresh, and two questions more at once
    CHECK(world.noticed("the bank has 0 statements of this account, which has made 2") == 1);
    for (const char* line : {"checkpoint", "exit", "close", "new-cohort alice 2", "buy lamp-1 1",
                             "pay Water 3", "loan 10 3", "repay 1 1"}) {
        INFO(std::string(line));
        const Answer answer = world.answer_to(line);
        CHECK(answer.code == "bank-behind");
        CHECK(answer.text.find("unbind alice") != std::string::npos);
    }
    CHECK(world.answer_to("deposit 5").outcome == Outcome::success);
    // With the newest data back all is well.
    wire::AttachReply reply;
    reply.set_statements(2);
    reply.set_statement_digest(world.state().statement_digest);
    attach_again(world, reply);
    CHECK(world.answer_to("checkpoint").outcome == Outcome::success);
}

TEST_CASE("old copy: a bank that is back with older data has had fewer starts, and is heard") {
    CohortWorld cohort;
    CustomerWorld& world = cohort.world;
    world.bank().courier.identify("bank", 5);
    CHECK(world.answer_to("checkpoint").outcome == Outcome::success);
    world.bank_lost_its_data = true;
    world.replace_bank(2, true);  // the second start of the same bank
    world.run(seconds(30));
    CHECK(world.noticed("the bank has 0 statements of this account, which has made 2") == 1);
    CHECK(world.answer_to("checkpoint").code == "bank-behind");
}
