// What is under way for the program that had an account before another one is bound to it.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

wire::Datagram new_cohort_message(uint64_t request) {
    wire::Datagram message;
    message.mutable_command()->set_request(request);
    message.mutable_command()->mutable_new_cohort()->set_size(2);
    return message;
}

const wire::Reply* reply_of(const std::vector<wire::Datagram>& heard) {
    for (const wire::Datagram& message : heard) {
        if (message.has_reply()) return &message.reply();
    }
    return nullptr;
}

}  // namespace

TEST_CASE("bind: what the bank still does for the process before is not answered to the new one") {
    // The number of the request that the process before has made.
    for (const uint64_t request : {uint64_t(1), uint64_t(2)}) {
        INFO(request);
        BankWorld world;
        Process& bob = world.customer("bob", 3, 9'003);
        REQUIRE(world.attach(bob)->known());
        Process& old = world.add("", 1, 9'001);
        world.sign_in(old, "ann@example.org");
        REQUIRE(world.open(old, "alice").success());
        old.identify("alice", 1);
        REQUIRE(world.attach(old)->known());
        Process& fresh = world.add("", 5, 9'501, kLocal + 7);
        fresh.opener = 8;
        world.sign_in(fresh, "ann@example.org");
        // The bank looks for a second and a half who is there.
        world.say(old, new_cohort_message(request));
        REQUIRE(reply_of(old.heard) == nullptr);
        REQUIRE(world.ask(fresh, {"bind", "alice"}).outcome == Outcome::success);
        REQUIRE(world.take_over(fresh, "alice")->known());
        world.pass(seconds(3));
        // Its own first request: nobody answers the bank's probes, and that is what it hears.
        fresh.heard.clear();
        world.say(fresh, new_cohort_message(1));
        CHECK(reply_of(fresh.heard) == nullptr);
        for (int i = 0; i < 10 && reply_of(fresh.heard) == nullptr; ++i) {
            world.pass(milliseconds(300));
            if (reply_of(fresh.heard) == nullptr) world.say(fresh, new_cohort_message(1));
        }
        const wire::Reply* reply = reply_of(fresh.heard);
        REQUIRE(reply != nullptr);
        CHECK(reply->code() == "unreachable");
    }
}
