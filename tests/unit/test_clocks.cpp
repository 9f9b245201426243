// Wall clocks that were wrong and are set right.
#include <doctest/doctest.h>

#include "common/core/roster.h"
#include "tests/unit/customer_world.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;

namespace {

constexpr Address kBobAt{0x7f000001, 9'102};
constexpr uint64_t kMonthMs = 30 * 24 * kHourMs;

}  // namespace

TEST_CASE("roster: one that was signed by a clock that was ahead keeps no newer one out") {
    // The bank and alice have the same clock, a month ahead: they are on one machine.
    CustomerSettings settings = CustomerWorld::settings();
    settings.wall_offset_us += int64_t{kMonthMs} * 1'000;
    CustomerWorld world(settings);
    world.open("alice");
    world.add("bob", 11, Socket::peer, kBobAt);
    world.join(1, world.signed_roster(world.roster_body(1, world.wall_ms())));
    REQUIRE(world.state().in_cohort());

    // The clock is set right, and both are started again.
    settings.wall_offset_us -= int64_t{kMonthMs} * 1'000;
    settings.name = "alice";
    settings.secret_seed = seed_of(90);
    settings.bank_keys = world.bank().identity.keys();
    world.restart(settings);
    world.run(seconds(1));

    // Bob gets another key, and the bank says so.
    world.remove("bob");
    Played& bob = world.add("bob", 12, Socket::peer, kBobAt);
    bob.courier.identify("bob", 2);
    for (int i = 0; i < 10; ++i) {
        world.say_roster(world.signed_roster(world.roster_body(1, world.wall_ms())));
        world.run(std::chrono::hours(1));
    }
    CHECK(world.state().find_peer("bob")->keys == bob.identity.keys());
    wire::Datagram message;
    message.set_cohort(1);
    message.set_epoch(1);
    message.set_receiver_epoch(1);
    message.mutable_transfers()->set_first_label(1);
    message.mutable_transfers()->add_amounts(100);
    CHECK(world.say(bob, message));
    CHECK(world.state().totals.balance == Money::from_cents(101'00));
    // And it expires, as every other.
    CHECK(world.state().roster_expires_ms <= world.wall_ms() + 24 * kHourMs + 600'000);
}

TEST_CASE("roster: of a bank whose clock was ahead and is set back they count again") {
    PeopleBank bank;
    bank.context.settings.wall_offset_us = 1'795'000'000'000'000;
    for (const char* name : {"alice", "bob"}) {
        bank::State::Record record;
        record.mutable_opened()->set_name(name);
        REQUIRE(bank.context.state.apply(record).ok());
    }
    bank::Cohort cohort;
    cohort.id = CohortId(1);
    cohort.name = "cohort-1";
    cohort.members = {"alice", "bob"};
    bank.context.state.cohorts[cohort.id] = cohort;
    const auto issued = [&] {
        wire::RosterBody body;
        REQUIRE(body.ParseFromString(bank.context.roster(cohort).body()));
        return body.issued_ms();
    };
    const int64_t right = bank.context.settings.wall_offset_us;
    for (const int64_t ahead_ms : {int64_t{kMonthMs}, int64_t{kHourMs}}) {
        bank.context.settings.wall_offset_us = right + ahead_ms * 1'000;
        CHECK(issued() == 1'795'000'000'000 + static_cast<uint64_t>(ahead_ms));
        bank.context.settings.wall_offset_us = right;
        CHECK(issued() == 1'795'000'000'000);
        CHECK(issued() == 1'795'000'000'000);
        cohort.id = CohortId(cohort.id.value() + 1);
        bank.context.state.cohorts[cohort.id] = cohort;
    }
}

TEST_CASE("roster: a customer whose clock is set while it runs takes the bank's again") {
    // It has slept for three days, and its clock does not say so yet.
    CustomerSettings settings = CustomerWorld::settings();
    CustomerWorld world(settings);
    world.open("alice");
    world.add("bob", 11, Socket::peer, kBobAt);
    const uint64_t now_ms = world.wall_ms() + 72 * kHourMs;
    const auto roster = [&] { return world.signed_roster(world.roster_body(1, now_ms)); };
    world.join(1, roster());
    CHECK_FALSE(world.state().in_cohort());
    world.set_wall_offset(settings.wall_offset_us + int64_t{72} * int64_t{kHourMs} * 1'000);
    wire::Datagram started;
    auto* operation = started.mutable_cohort_started()->mutable_operation();
    operation->set_initiator("bank:cohort");
    operation->set_epoch(1);
    operation->set_counter(1);
    *started.mutable_cohort_started()->mutable_roster() = roster();
    world.say(world.bank(), started);
    CHECK(world.state().in_cohort());
}

TEST_CASE("people: who registered while the clock was ahead is forgotten after a day, too") {
    Counter bank;
    bank.context.settings.wall_offset_us += int64_t{kMonthMs} * 1'000;
    REQUIRE(bank.code(bank.with_password({"register", "eve@example.org"}, kPassword)).empty());
    bank.context.settings.wall_offset_us -= int64_t{kMonthMs} * 1'000;
    bank.context.now += seconds(24 * 60 * 60 + 1);
    CHECK(bank.sign_in_as("eve@example.org").code == "wrong-credentials");
}
