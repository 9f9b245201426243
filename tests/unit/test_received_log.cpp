#include <doctest/doctest.h>

#include "tests/unit/state_helpers.h"

using namespace p2pbank;
using namespace p2pbank::customer;

TEST_CASE("received log: labels in any order, amounts by label") {
    ReceivedLog log;
    CHECK(log.empty());
    CHECK_FALSE(log.amount(Label(1)).has_value());
    for (const uint64_t label : {5U, 6U, 7U, 1U, 3U, 2U, 4U, 20U, 10U}) {
        log.add(Label(label), Money::from_cents(static_cast<int64_t>(label) * 100));
    }
    CHECK(log.count() == 9);
    for (uint64_t label = 0; label <= 21; ++label) {
        const bool there = (label >= 1 && label <= 7) || label == 10 || label == 20;
        CHECK(log.amount(Label(label)).has_value() == there);
        if (there) {
            CHECK(log.amount(Label(label)) == Money::from_cents(static_cast<int64_t>(label) * 100));
        }
    }
}

TEST_CASE("received log: what is covered goes, wherever it stands") {
    const auto filled = [] {
        ReceivedLog log;
        for (uint64_t label = 1; label <= 10; ++label) log.add(Label(label), Money::from_cents(1));
        for (uint64_t label = 15; label <= 20; ++label) log.add(Label(label), Money::from_cents(2));
        return log;
    };
    const auto left = [&](const std::vector<IntervalSet::Interval>& covered) {
        ReceivedLog log = filled();
        IntervalSet set;
        for (const auto& [first, last] : covered) {
            set.add(first, last, [](uint64_t, uint64_t) {});
        }
        log.drop(set);
        IntervalSet labels;
        for (const auto& [label, cents] : all_of(log)) {
            labels.add(Label(label));
            CHECK(cents == (label <= 10 ? 1 : 2));
        }
        return to_string(labels);
    };
    CHECK(left({}) == "1-10 15-20");
    CHECK(left({{1, 20}}) == "none");
    CHECK(left({{1, 10}}) == "15-20");
    CHECK(left({{1, 4}}) == "5-10 15-20");
    CHECK(left({{4, 4}, {6, 7}, {10, 15}}) == "1-3 5 8-9 16-20");
    CHECK(left({{11, 14}, {20, 30}}) == "1-10 15-19");
}
