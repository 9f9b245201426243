// What peers acknowledge: sets with more gaps than a datagram has room for, and what can only be
// said of somebody whose storage is an old copy. In clear the customer stops then; sealed it waits
// for a signature, because anybody may say so.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

// All labels that alice has acknowledged to him, since he heard this many datagrams.
IntervalSet acknowledged(const Played& who, size_t since = 0) {
    IntervalSet all;
    for (size_t i = since; i < who.heard.size(); ++i) {
        if (!who.heard[i].has_ack()) continue;
        CHECK(who.heard[i].ByteSizeLong() + limits::kMaxOverheadBytes < limits::kMaxDatagramBytes);
        const auto some = from_wire(who.heard[i].ack().received());
        REQUIRE(some.has_value());
        CHECK(some->intervals().size() <= limits::kMaxIntervalsInAck);
        for (const auto& interval : some->intervals()) {
            all.add(interval.first, interval.last, [](uint64_t, uint64_t) {});
        }
    }
    return all;
}

wire::Datagram confirms(uint64_t epoch, uint64_t last_label) {
    wire::Datagram message;
    message.mutable_epoch_confirm()->set_epoch(epoch);
    message.mutable_epoch_confirm()->set_last_label(last_label);
    return message;
}

}  // namespace

TEST_CASE("acks: with more gaps than a datagram holds the sender hears of all in the end") {
    CohortWorld cohort;
    constexpr uint64_t kLast = 600;  // each second label is lost
    IntervalSet sent;
    LabelsAndCents waiting;
    for (uint64_t label = 2; label <= kLast; label += 2) {
        waiting.emplace_back(label, 1);
        sent.add(Label(label));
    }
    // As a sender does it: what is not acknowledged is sent again, the oldest first.
    int rounds = 0;
    for (; rounds < 50 && !waiting.empty(); ++rounds) {
        const size_t some = std::min<size_t>(waiting.size(), 50);
        cohort.send(cohort.bob,
                    transfers_of({waiting.begin(), waiting.begin() + static_cast<long>(some)}));
        const IntervalSet known = acknowledged(cohort.bob);
        std::erase_if(waiting, [&](const auto& one) { return known.contains(Label(one.first)); });
    }
    CHECK(waiting.empty());
    CHECK(rounds < 20);
    CHECK(acknowledged(cohort.bob) == sent);  // and of nothing that did not come
    CHECK(cohort.state().peers.at("bob").channel.received == sent);
    CHECK(cohort.state().totals.balance == Money::from_cents(100'00 + kLast / 2));
    // Each stretch holds what was sent again.
    for (const uint64_t again : {uint64_t{2}, kLast / 2, kLast}) {
        const size_t before = cohort.bob.heard.size();
        cohort.send(cohort.bob, transfers_of({{again, 1}}));
        CHECK(acknowledged(cohort.bob, before).contains(Label(again)));
    }
    CHECK(cohort.state().totals.balance == Money::from_cents(100'00 + kLast / 2));
}

TEST_CASE("acks: of a transfer that was never sent") {
    for (const bool insecure : {true, false}) {
        CohortWorld cohort(CohortWorld::settings(insecure));
        cohort.acknowledge = false;
        cohort.world.type("transfer 5 bob");
        const auto acks = [&](uint64_t label) {
            IntervalSet received;
            received.add(Label(label));
            wire::Datagram message;
            to_wire(received, message.mutable_ack()->mutable_received());
            return message;
        };
        // Of another epoch it means nothing.
        wire::Datagram late = acks(7);
        late.set_receiver_epoch(9'999);
        if (!insecure) cohort.say(cohort.bob, late);
        cohort.say(cohort.bob, acks(1));
        CHECK(cohort.world.effects.stopped == -1);
        cohort.say(cohort.bob, acks(2));
        CHECK(cohort.world.effects.stopped == (insecure ? 4 : -1));
        CHECK(cohort.world.noticed("bob has received transfer 2, the last one known here is 1") ==
              (insecure ? 1 : 0));
        CHECK(cohort.state().totals.balance == Money::from_cents(95'00));
    }
}

TEST_CASE("acks: who announces itself is told of a transfer that it does not know") {
    for (const bool insecure : {true, false}) {
        CohortWorld cohort(CohortWorld::settings(insecure));
        cohort.bob.on_message = [](const wire::Datagram&) {};
        cohort.restart();
        const auto announces = [](const wire::Datagram& heard) { return heard.has_epoch_notice(); };
        cohort.world.run(seconds(1));
        REQUIRE(CohortWorld::count(cohort.bob, announces) > 0);
        CHECK(cohort.world.effects.stopped == -1);
        cohort.say(cohort.bob, confirms(cohort.state().epoch.value(), 3));
        CHECK(cohort.world.effects.stopped == (insecure ? 4 : -1));
        CHECK(cohort.world.noticed("bob has received transfer 3, the last one known here was 0") ==
              (insecure ? 1 : 0));
    }
}

TEST_CASE("acks: who is known in a later epoch than its storage says") {
    for (const bool insecure : {true, false}) {
        CohortWorld cohort(CohortWorld::settings(insecure));
        wire::Datagram message = confirms(1, 0);
        message.set_receiver_epoch(cohort.state().epoch.value() + 3);
        cohort.say(cohort.bob, message);
        CHECK(cohort.world.effects.stopped == (insecure ? 4 : -1));
        CHECK(cohort.world.noticed("bob knows it in epoch 4, its own storage says 1") ==
              (insecure ? 1 : 0));
    }
}

TEST_CASE("acks: what is more than an account can take from one peer is not acknowledged") {
    CohortWorld cohort(CohortWorld::settings(true));
    constexpr uint64_t kMost = uint64_t{limits::kMaxAmountUnits} * 100;
    LabelsAndCents some;
    for (uint64_t label = 1; label <= 9; ++label) some.emplace_back(label, kMost);
    some.emplace_back(10, kMost - 1);
    cohort.send(cohort.bob, transfers_of(some));
    const auto& bob = cohort.state().peers.at("bob").channel;
    REQUIRE(bob.received_sum == must_subtract(kMaxTotal, Money::from_cents(1)));
    const auto takes = [&](uint64_t label, uint64_t cents) {
        const Money before = cohort.state().totals.balance;
        const size_t heard = cohort.bob.heard.size();
        cohort.send(cohort.bob, transfers_of({{label, cents}}));
        const bool taken = bob.received.contains(Label(label));
        CHECK(acknowledged(cohort.bob, heard).contains(Label(label)) == taken);
        CHECK(cohort.state().totals.balance ==
              (taken ? must_add(before, Money::from_cents(static_cast<int64_t>(cents))) : before));
        return taken;
    };
    CHECK_FALSE(takes(11, 2));
    CHECK_FALSE(takes(11, kMost));
    CHECK(takes(12, 1));  // what fits is taken
    CHECK_FALSE(takes(11, 1));
    CHECK(bob.received_sum == kMaxTotal);
    CHECK(cohort.state().adds_up());
    // An amount that nobody can send is of no message.
    CHECK_FALSE(takes(13, 0));
    CHECK_FALSE(takes(13, kMost + 1));
    CHECK_FALSE(takes(13, UINT64_MAX));
    // Carol's are counted by themselves.
    cohort.send(cohort.carol, transfers_of({{1, 5'00}}));
    CHECK(cohort.state().peers.at("carol").channel.received_sum == Money::from_cents(5'00));
}

TEST_CASE("acks: more holds than there may be are refused, and the first ones stand") {
    CohortWorld cohort(CohortWorld::settings(true));
    const auto ask = [&](uint64_t counter) {
        wire::Datagram message;
        auto* request = message.mutable_rollback_request();
        to_wire(OperationId{"bob", 1, counter, ""}, request->mutable_operation());
        request->set_next_epoch(2);
        request->set_deadline_ms(60'000);
        const size_t heard = cohort.bob.heard.size();
        cohort.say(cohort.bob, message);
        for (size_t i = heard; i < cohort.bob.heard.size(); ++i) {
            if (cohort.bob.heard[i].has_vote()) return cohort.bob.heard[i].vote();
        }
        FAIL("no vote");
        return wire::Vote();
    };
    for (uint64_t counter = 1; counter <= limits::kMaxHoldBacks; ++counter) {
        if (!ask(counter).yes()) FAIL("refused: " << counter);
    }
    const wire::Vote refused = ask(limits::kMaxHoldBacks + 1);
    CHECK_FALSE(refused.yes());
    CHECK(refused.code() == "busy");
    CHECK(cohort.state().held_back.size() == limits::kMaxHoldBacks);
    CHECK(ask(limits::kMaxHoldBacks + 1).code() == "refused");
}

TEST_CASE("attach: a bank that does not know the account") {
    CustomerWorld world;
    world.open("alice");
    world.attach_reply.set_known(false);
    world.run(seconds(20));
    CHECK(world.effects.stopped == 4);
    CHECK(world.noticed("does not know this account, or another process has it") > 0);
    CHECK(world.state().totals.balance == Money::from_cents(100'00));
}

TEST_CASE("attach: an account is offered whose place here is taken") {
    CustomerWorld world;
    world.effects.in_use = "alice";
    world.offer = "alice";
    world.start();
    world.run(seconds(3));
    CHECK(world.noticed("the bank has an account alice for this process, but: there is one") > 0);
    CHECK(world.state().phase == customer::Phase::none);
    CHECK(world.effects.records.empty());
    CHECK(world.effects.stopped == -1);
    // Another one is taken.
    world.attach_reply.set_known(true);
    world.offer = "bob";
    world.run(seconds(30));
    CHECK(world.state().name == "bob");
    CHECK(world.state().phase == customer::Phase::open);
}
