#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/secure/replay_window.h"

using namespace p2pbank;
using namespace p2pbank::secure;

TEST_CASE("replay window: each counter once, 2,048 behind the highest still, more no more") {
    ReplayWindow window;
    CHECK(window.is_new(0));
    CHECK(window.accept(0));
    CHECK_FALSE(window.is_new(0));
    CHECK_FALSE(window.accept(0));
    for (const uint64_t base : {uint64_t(10'000), uint64_t(10'047), uint64_t(1) << 43}) {
        CAPTURE(base);
        CHECK(window.accept(base));
        CHECK(window.accept(base - 2'047));
        CHECK(window.accept(base - 2'048));
        CHECK_FALSE(window.is_new(base - 2'049));
        CHECK_FALSE(window.accept(base - 2'049));
        CHECK_FALSE(window.accept(base));
        CHECK_FALSE(window.accept(base - 2'047));
        CHECK_FALSE(window.accept(base - 2'048));
        CHECK_FALSE(window.accept(1));
        // Another one ahead: the last of them is out now.
        CHECK(window.accept(base - 2'046));
        CHECK(window.accept(base + 1));
        CHECK_FALSE(window.accept(base - 2'046));
    }
}

TEST_CASE("replay window: the highest possible counter is never taken") {
    ReplayWindow window;
    CHECK_FALSE(window.accept(UINT64_MAX));
    CHECK(window.accept(UINT64_MAX - 1));
    CHECK_FALSE(window.accept(UINT64_MAX));
    CHECK_FALSE(window.accept(UINT64_MAX - 1));
    CHECK(window.accept(UINT64_MAX - 2'049));
    CHECK_FALSE(window.accept(UINT64_MAX - 2'050));
}

TEST_CASE("replay window: any order, as a set of all counters would have it") {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        ReplayWindow window;
        std::set<uint64_t> taken;
        uint64_t at = random.below(3) * 1'000;
        for (int i = 0; i < 20'000; ++i) {
            uint64_t counter;
            switch (random.below(20)) {
                case 0:  // far ahead
                    counter = at + random.below(10'000);
                    break;
                case 1:  // at the edge behind
                    counter = at - std::min(at, 2'040 + random.below(16));
                    break;
                case 2:  // to the beginning of a word
                    counter = (at / 64 + random.below(40)) * 64;
                    break;
                default:
                    counter = at + 8 - std::min(at, random.below(random.one_in(4) ? 3'000 : 16));
            }
            const uint64_t highest = taken.empty() ? 0 : *taken.rbegin();
            const bool good = !taken.contains(counter) &&
                              (counter > highest || highest - counter <= ReplayWindow::kSize);
            REQUIRE(window.is_new(counter) == good);
            REQUIRE(window.accept(counter) == good);
            if (good) taken.insert(counter);
            at = std::max(at, counter);
        }
    }
}
