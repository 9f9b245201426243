// When a customer signs for the transfers that it has sent.
#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;
using namespace p2pbank::customer;

namespace {

size_t words(const Played& who) {
    return CohortWorld::count(who, [](const wire::Datagram& d) { return d.has_signed_(); });
}

size_t messages(const Played& who) {
    return CohortWorld::count(who, [](const wire::Datagram& d) { return d.has_transfers(); });
}

}  // namespace

TEST_CASE("signing: one word stands for what was sent within 50 ms") {
    CohortWorld cohort;
    for (int i = 0; i < 5; ++i) {
        cohort.world.type("transfer 1 bob");
        cohort.world.run(milliseconds(5));
    }
    CHECK(CohortWorld::sent_to(cohort.bob) == set_of({{1, 5}}));
    CHECK(words(cohort.bob) == 0);
    cohort.world.run(timing::kSignAfter);
    CHECK(words(cohort.bob) == 1);
    CHECK(cohort.signed_to(cohort.bob) == set_of({{1, 5}}));
    CHECK(words(cohort.carol) == 0);
}

TEST_CASE("signing: at once when there are as many as one word may stand for") {
    CohortWorld cohort;
    for (size_t i = 1; i < limits::kMaxDigestsInSigned; ++i) {
        cohort.world.type("transfer 0.01 bob");
    }
    CHECK(messages(cohort.bob) == limits::kMaxDigestsInSigned - 1);
    CHECK(words(cohort.bob) == 0);
    cohort.world.type("transfer 0.01 bob");
    CHECK(words(cohort.bob) == 1);
    CHECK(cohort.signed_to(cohort.bob) == CohortWorld::sent_to(cohort.bob));
}

TEST_CASE("signing: before the vote on a checkpoint, whether taking part or not") {
    CohortWorld cohort;
    cohort.world.type("transfer 1 bob");
    cohort.request_checkpoint(cohort.bob, 1, 1);
    REQUIRE(words(cohort.bob) == 1);
    CHECK(cohort.signed_to(cohort.bob) == set_of({{1, 1}}));
    const auto at = [&](auto&& is) {
        return std::find_if(cohort.bob.heard.begin(), cohort.bob.heard.end(), is) -
               cohort.bob.heard.begin();
    };
    const auto vote = at([](const wire::Datagram& d) { return d.has_vote(); });
    REQUIRE(vote < static_cast<std::ptrdiff_t>(cohort.bob.heard.size()));
    CHECK(at([](const wire::Datagram& d) { return d.has_signed_(); }) < vote);
}

TEST_CASE("signing: before an own checkpoint, for everybody who was sent something") {
    CohortWorld cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.type("transfer 1 carol");
    CHECK(words(cohort.bob) == 0);
    cohort.world.type("checkpoint");
    CHECK(words(cohort.bob) == 1);
    CHECK(words(cohort.carol) == 1);
}

TEST_CASE("signing: what is asked for is sent again and signed") {
    CohortWorld cohort;
    for (int i = 0; i < 9; ++i) cohort.world.type("transfer 1 bob");
    cohort.world.type("lost-transfer 1 bob");  // label 10
    cohort.world.run(seconds(1));
    cohort.bob.heard.clear();
    cohort.ask_to_sign(cohort.bob, set_of({{2, 3}, {7, 20}}));
    CHECK(CohortWorld::sent_to(cohort.bob) == set_of({{2, 3}, {7, 9}}));
    CHECK(cohort.signed_to(cohort.bob) == set_of({{2, 3}, {7, 9}}));
    CHECK(messages(cohort.bob) == 1);
    CHECK(words(cohort.bob) == 1);
    cohort.bob.heard.clear();
    cohort.ask_to_sign(cohort.bob, set_of({{10, 10}, {50, kMaxLabel}}));
    CHECK(messages(cohort.bob) == 0);
    CHECK(words(cohort.bob) == 0);
}

TEST_CASE("signing: requests of another epoch come to nothing, and many at once to few answers") {
    CohortWorld cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.run(seconds(1));
    cohort.bob.heard.clear();
    wire::Datagram old;
    to_wire(set_of({{1, 1}}), old.mutable_sign_request()->mutable_labels());
    old.set_cohort(1);
    old.set_epoch(1);
    old.set_receiver_epoch(0);
    REQUIRE(cohort.world.say(cohort.bob, old));
    CHECK(words(cohort.bob) == 0);
    for (int i = 0; i < 100; ++i) cohort.ask_to_sign(cohort.bob, set_of({{1, 1}}));
    cohort.world.run(milliseconds(50));
    CHECK(words(cohort.bob) <= 3);
    CHECK(words(cohort.bob) >= 1);
}

TEST_CASE("signing: one answer is no more than one word stands for") {
    CohortWorld cohort;
    cohort.world.answer_to("deposit 10000");
    const uint64_t more = limits::kMaxLabelsInSignRequest + 200;
    for (uint64_t i = 0; i < more; ++i) {
        cohort.world.type("transfer 0.01 bob");
        if (i % 1'000 == 0) cohort.world.run(milliseconds(100));
    }
    cohort.world.run(seconds(1));
    cohort.bob.heard.clear();
    cohort.ask_to_sign(cohort.bob, set_of({{1, more}}));
    CHECK(messages(cohort.bob) == limits::kMaxDigestsInSigned);
    CHECK(words(cohort.bob) == 1);
    CHECK(cohort.signed_to(cohort.bob) == set_of({{1, limits::kMaxLabelsInSignRequest}}));
}

TEST_CASE("signing: whoever is frozen still signs, so that the others can freeze too") {
    CohortWorld cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.run(seconds(1));
    cohort.request_freeze(7);
    REQUIRE(cohort.state().is_suspended());
    cohort.bob.heard.clear();
    cohort.ask_to_sign(cohort.bob, set_of({{1, 1}}));
    CHECK(cohort.signed_to(cohort.bob) == set_of({{1, 1}}));
}

TEST_CASE("signing: after a restart what is asked for is signed anew") {
    CohortWorld cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.type("transfer 2 bob");
    cohort.world.run(seconds(1));
    cohort.restart();
    cohort.world.run(seconds(1));
    cohort.bob.heard.clear();
    cohort.ask_to_sign(cohort.bob, set_of({{1, 2}}));
    CHECK(cohort.signed_to(cohort.bob) == set_of({{1, 2}}));
}

TEST_CASE("signing: in clear nothing is signed") {
    CohortWorld cohort(CohortWorld::settings(true));
    cohort.world.type("transfer 1 bob");
    cohort.world.run(seconds(1));
    cohort.ask_to_sign(cohort.bob, set_of({{1, 1}}));
    cohort.world.run(seconds(1));
    CHECK(words(cohort.bob) == 0);
}
