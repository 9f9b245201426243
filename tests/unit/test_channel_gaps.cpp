// The limits of a channel: gaps in what was received, each of which has to fit into a settlement,
// and the sum of what was sent.
#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

TEST_CASE("channels: with as many gaps as there may be, what closes one is still taken") {
    CohortWorld cohort(CohortWorld::settings(true));
    // Every second transfer of bob's is lost.
    uint64_t label = 2;
    const auto received = [&]() -> const IntervalSet& {
        return cohort.state().peers.at("bob").channel.received;
    };
    while (received().intervals().size() < limits::kMaxReceivedIntervals) {
        LabelsAndCents some;
        for (int i = 0; i < 50; ++i, label += 2) some.emplace_back(label, 1);
        const size_t before = received().intervals().size();
        cohort.send(cohort.bob, transfers_of(some));
        REQUIRE(received().intervals().size() == before + some.size());
    }
    const auto sends = [&](uint64_t one) {
        cohort.send(cohort.bob, transfers_of({{one, 1}}));
        return received().contains(Label(one));
    };
    CHECK_FALSE(sends(label));  // would leave another gap
    CHECK(sends(label - 1));    // behind the highest
    CHECK(sends(3));            // closes the gap between 2 and 4
    CHECK(sends(1));
    CHECK(received().intervals().size() == limits::kMaxReceivedIntervals - 1);
    CHECK(sends(label + 2));  // there is room for one again
    CHECK_FALSE(sends(label + 5));
    // A message of which each transfer follows the one before is taken as a whole.
    LabelsAndCents some;
    for (uint64_t i = 0; i < 50; ++i) some.emplace_back(label + 3 + i, 1);
    cohort.send(cohort.bob, transfers_of(some));
    CHECK(received().contains(Label(label + 52)));
    CHECK(received().intervals().size() == limits::kMaxReceivedIntervals);
}

// Of a message with many transfers that stand alone as many are taken as there is room for.
TEST_CASE("channels: one message does not leave more gaps than there may be") {
    CohortWorld cohort(CohortWorld::settings(true));
    const auto gaps = [&] {
        return cohort.state().peers.at("bob").channel.received.intervals().size();
    };
    uint64_t label = 2;
    const auto send = [&](int count) {
        LabelsAndCents some;
        for (int i = 0; i < count; ++i, label += 2) some.emplace_back(label, 1);
        cohort.send(cohort.bob, transfers_of(some));
    };
    while (gaps() + 50 < limits::kMaxReceivedIntervals) send(50);
    send(20);
    send(50);
    CHECK(gaps() == limits::kMaxReceivedIntervals);
    CHECK(cohort.state().peers.at("bob").channel.received.count() == gaps());
}

TEST_CASE("channels: what can be sent to one peer in a cohort has a limit, and says so") {
    CohortWorld cohort(CohortWorld::settings(true));
    const std::string most = std::to_string(limits::kMaxAmountUnits);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(cohort.world.answer_to("deposit " + most).code.empty());
        REQUIRE(cohort.world.answer_to("transfer " + most + " bob").code.empty());
    }
    const auto refused = [&] {
        const Money before = cohort.state().totals.balance;
        const Answer answer = cohort.world.answer_to("transfer 0.01 bob");
        CHECK(answer.code == "limit");
        CHECK(cohort.state().totals.balance == before);
        return answer.text;
    };
    CHECK(refused().find("take a checkpoint first") == std::string::npos);
    // It would not help.
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    CHECK(refused().find("can be sent to bob") != std::string::npos);
    CHECK(cohort.world.answer_to("transfer 0.01 carol").outcome == Outcome::success);
}
