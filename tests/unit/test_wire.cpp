#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/wire/books.h"
#include "common/wire/convert.h"
#include "common/wire/envelope.h"

using namespace p2pbank;

namespace {

wire::Datagram sample() {
    wire::Datagram datagram;
    datagram.set_sender("alice");
    datagram.set_instance(3);
    datagram.set_number(17);
    datagram.mutable_transfers()->set_first_label(5);
    datagram.mutable_transfers()->add_amounts(1'050);
    return datagram;
}

IntervalSet set_of(std::initializer_list<std::pair<uint64_t, uint64_t>> intervals) {
    IntervalSet set;
    for (const auto& [first, last] : intervals) set.add(first, last, [](uint64_t, uint64_t) {});
    return set;
}

}  // namespace

TEST_CASE("envelope: what is sealed comes out again") {
    std::string bytes;
    seal(sample(), bytes);
    wire::Datagram back;
    REQUIRE(unseal(bytes, back));
    CHECK(back.SerializeAsString() == sample().SerializeAsString());
}

TEST_CASE("envelope: every flipped bit and every cut is noticed") {
    std::string bytes;
    seal(sample(), bytes);
    wire::Datagram back;
    for (size_t i = 0; i < bytes.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string damaged = bytes;
            damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
            CHECK_FALSE(unseal(damaged, back));
        }
        CHECK_FALSE(unseal(std::string_view(bytes).substr(0, i), back));
    }
    CHECK_FALSE(unseal(bytes + "x", back));
}

TEST_CASE("envelope: random bytes are no datagram") {
    Random random(7);
    wire::Datagram back;
    for (int round = 0; round < 2'000; ++round) {
        std::string bytes(random.below(300), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.below(256));
        CHECK_FALSE(unseal(bytes, back));
    }
}

TEST_CASE("labels: a set is written as gaps and lengths, and read back") {
    const IntervalSet set = set_of({{1, 7}, {9, 9}, {1'000, 5'000}});
    WireLabels labels;
    to_wire(set, &labels);
    CHECK(std::vector<uint64_t>(labels.begin(), labels.end()) ==
          std::vector<uint64_t>{1, 6, 2, 0, 991, 4'000});
    REQUIRE(from_wire(labels).has_value());
    CHECK(*from_wire(labels) == set);
}

TEST_CASE("labels: a stretch of a set can be written alone") {
    WireLabels labels;
    to_wire(set_of({{1, 7}, {9, 9}, {12, 20}}), 1, 2, &labels);
    CHECK(*from_wire(labels) == set_of({{9, 9}, {12, 20}}));
}

TEST_CASE("labels: what is no set is refused") {
    const auto refused = [](std::initializer_list<uint64_t> numbers) {
        WireLabels labels;
        for (const uint64_t number : numbers) labels.Add(number);
        return !from_wire(labels).has_value();
    };
    CHECK(refused({1}));
    CHECK(refused({0, 5}));
    CHECK(refused({UINT64_MAX, 0}));
    CHECK(refused({1, UINT64_MAX}));
    CHECK(refused({kMaxLabel, 0, 1, 0}));
    CHECK_FALSE(refused({}));
}

TEST_CASE("books: they add up only with every part of the equation") {
    const auto money = [](int64_t cents) { return Money::from_cents(cents); };
    Totals totals{money(1'190), money(1'000), money(300), money(50),
                  money(-10),   money(7),     money(-7)};
    ChannelMap channels;
    channels["bob"] = {Label(2), money(70), set_of({{1, 1}}), money(20)};
    CHECK(adds_up(totals, channels));
    for (Money* part : {&totals.balance, &totals.opening, &totals.deposits, &totals.withdrawals,
                        &totals.adjustments, &totals.carried, &totals.dealings}) {
        const Money before = *part;
        *part = money(before.cents() + 1);
        CHECK_FALSE(adds_up(totals, channels));
        *part = before;
    }
    channels["bob"].sent_sum = money(71);
    CHECK_FALSE(adds_up(totals, channels));
}

TEST_CASE("books: a negative balance never adds up") {
    const Totals totals{Money::from_cents(-1), {}, {}, Money::from_cents(1), {}, {}, {}};
    CHECK_FALSE(adds_up(totals, {}));
}

TEST_CASE("books: the receiver of a channel cannot have what was not sent") {
    const auto money = [](int64_t cents) { return Money::from_cents(cents); };
    const Channel sender{Label(3), money(60), {}, {}};
    const auto receiver = [&](IntervalSet labels, int64_t sum) {
        return Channel{{}, {}, std::move(labels), money(sum)};
    };
    CHECK(matches(sender, receiver({}, 0)));
    CHECK(matches(sender, receiver(set_of({{1, 3}}), 60)));
    CHECK(matches(sender, receiver(set_of({{2, 3}}), 50)));
    CHECK_FALSE(matches(sender, receiver(set_of({{1, 4}}), 60)));  // an orphan
    CHECK_FALSE(matches(sender, receiver(set_of({{1, 2}}), 61)));  // more in than out
    CHECK_FALSE(matches(sender, receiver(set_of({{1, 3}}), 59)));  // all arrived, yet not all
    CHECK_FALSE(matches(sender, receiver(set_of({{1, 2}}), 60)));  // one in transit worth nothing
}
