// Sets of labels, ids and money, each against something simpler.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "common/base/ids.h"
#include "common/base/interval_set.h"
#include "common/base/money.h"
#include "tests/unit/properties.h"

using namespace p2pbank;
using p2pbank::testing::any_cents;
using p2pbank::testing::any_number;
using p2pbank::testing::holds;

namespace {

__extension__ typedef __int128 Wide;

std::string text_of(Wide number) {
    const bool negative = number < 0;
    std::string digits;
    for (Wide rest = number; rest != 0; rest /= 10) {
        const auto digit = static_cast<int>(rest % 10);
        digits += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    }
    if (digits.empty()) digits = "0";
    if (negative) digits += '-';
    return {digits.rbegin(), digits.rend()};
}

// Cents as they are shown, by hand: at least three digits, a point before the last two, and these
// only if they say something.
std::string shown(Wide cents) {
    std::string text = text_of(cents < 0 ? -cents : cents);
    text.insert(0, text.size() < 3 ? 3 - text.size() : 0, '0');
    const std::string part = text.substr(text.size() - 2);
    text = text.substr(0, text.size() - 2) + (part == "00" ? "" : "." + part);
    return (cents < 0 ? "-" : "") + text;
}

void join(IntervalSet& set, const IntervalSet& other, IntervalSet* fresh = nullptr) {
    for (const auto& interval : other.intervals()) {
        set.add(interval.first, interval.last, [&](uint64_t first, uint64_t last) {
            if (fresh != nullptr) fresh->add(first, last, [](uint64_t, uint64_t) {});
        });
    }
}

// Labels of a set anywhere among the numbers, as a few stretches.
IntervalSet any_set() {
    IntervalSet set;
    // Close together, so that they touch and overlap, and at either end of all numbers.
    const uint64_t base = *rc::gen::element<uint64_t>(1, 1'000, UINT64_MAX - 60);
    const auto stretches = *rc::gen::resize(
        8, rc::gen::container<std::vector<std::pair<uint64_t, uint64_t>>>(rc::gen::pair(
               rc::gen::inRange<uint64_t>(0, 50), rc::gen::inRange<uint64_t>(0, 11))));
    for (const auto& [from, more] : stretches) {
        set.add(base + from, base + from + more, [](uint64_t, uint64_t) {});
    }
    return set;
}

std::set<uint64_t> labels_of(const IntervalSet& set) {
    std::set<uint64_t> out;
    for (const auto& interval : set.intervals()) {
        for (uint64_t label = interval.first;; ++label) {
            out.insert(label);
            if (label == interval.last) break;
        }
    }
    return out;
}

// What to_string() writes, read by other means.
std::set<uint64_t> read_back(const std::string& text) {
    std::set<uint64_t> out;
    if (text == "none") return out;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ' ');) {
        const size_t line = part.find('-');
        const uint64_t first = std::stoull(part);
        const uint64_t last =
            line == std::string::npos ? first : std::stoull(part.substr(line + 1));
        RC_ASSERT(line == std::string::npos || first < last);
        for (uint64_t label = first;; ++label) {
            RC_ASSERT(out.insert(label).second);
            if (label == last) break;
        }
    }
    return out;
}

}  // namespace

TEST_CASE("properties: sets of labels are joined and compared as std::set would be") {
    CHECK(holds("union and difference", {400, 60}, [] {
        const IntervalSet a = any_set();
        const IntervalSet b = *rc::gen::arbitrary<bool>() ? any_set() : a;
        const std::set<uint64_t> in_a = labels_of(a);
        const std::set<uint64_t> in_b = labels_of(b);
        RC_ASSERT(a.count() == in_a.size());
        IntervalSet both = a;
        IntervalSet only_b;
        join(both, b, &only_b);
        IntervalSet other_way = b;
        join(other_way, a);
        std::set<uint64_t> expected;
        std::set_union(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(),
                       std::inserter(expected, expected.end()));
        RC_ASSERT(labels_of(both) == expected);
        RC_ASSERT(both == other_way);
        expected.clear();
        std::set_difference(in_b.begin(), in_b.end(), in_a.begin(), in_a.end(),
                            std::inserter(expected, expected.end()));
        RC_ASSERT(labels_of(only_b) == expected);
        RC_ASSERT(a.contains_all(b) == only_b.empty());
        RC_ASSERT(both.contains_all(a));
        RC_ASSERT(both.contains_all(b));
    }));
    CHECK(holds("holes", {400, 60}, [] {
        const IntervalSet set = any_set();
        const std::set<uint64_t> labels = labels_of(set);
        RC_PRE(!labels.empty());
        // Whatever lies between the first and the last and is not in it, in as many stretches as
        // there are intervals but one; with these the set is one interval.
        IntervalSet holes;
        IntervalSet whole = set;
        whole.add(*labels.begin(), *labels.rbegin(), [&](uint64_t first, uint64_t last) {
            holes.add(first, last, [](uint64_t, uint64_t) {});
        });
        RC_ASSERT(holes.intervals().size() + 1 == set.intervals().size());
        RC_ASSERT(whole.intervals().size() == 1U);
        RC_ASSERT(holes.count() + labels.size() == whole.count());
        for (const uint64_t label : labels_of(holes)) RC_ASSERT(!labels.contains(label));

        const uint64_t at = *rc::gen::elementOf(labels_of(whole));
        IntervalSet cut = set;
        cut.remove_above(Label(at));
        RC_ASSERT(labels_of(cut) == std::set<uint64_t>(labels.begin(), labels.upper_bound(at)));
        RC_ASSERT(cut.contains(Label(at)) == labels.contains(at));
    }));
    CHECK(holds("as text", {300, 60}, [] {
        const IntervalSet set = any_set();
        RC_ASSERT(read_back(to_string(set)) == labels_of(set));
    }));
}

TEST_CASE("properties: ids are ordered by who, epoch and counter, and by nothing else") {
    CHECK(holds("operation ids", {500, 60}, [] {
        const auto any = [] {
            return OperationId{*rc::gen::element<std::string>("alice", "alicf", "bob", "bank:x"),
                               *rc::gen::inRange<uint64_t>(0, 12),
                               *rc::gen::inRange<uint64_t>(0, 12),
                               *rc::gen::element<std::string>("", "word", "another")};
        };
        const OperationId a = any();
        const OperationId b = any();
        const auto number = [](const OperationId& id) {
            return std::tuple(id.initiator, id.epoch, id.counter);
        };
        RC_ASSERT((a == b) == (number(a) == number(b)));
        RC_ASSERT((a < b) == (number(a) < number(b)));
        RC_ASSERT((a > b) == (number(a) > number(b)));
        // "alice/1.12" and "alice/11.2" are two.
        RC_ASSERT((to_string(a) == to_string(b)) == (a == b));
    }));
    CHECK(holds("labels", {200, 60}, [] {
        const uint64_t a = *any_number();
        const uint64_t b = *any_number();
        RC_ASSERT((Label(a) < Label(b)) == (a < b));
        RC_ASSERT((Label(a) == Label(b)) == (a == b));
        RC_ASSERT(Label(a).next().value() == a + 1);
    }));
}

TEST_CASE("properties: money is added as wider numbers are, or not at all") {
    CHECK(holds("two amounts", {1'000, 100}, [] {
        const int64_t a = *any_cents();
        const int64_t b = *any_cents();
        const auto fits = [](Wide cents) { return cents >= INT64_MIN && cents <= INT64_MAX; };
        const auto sum = checked_add(Money::from_cents(a), Money::from_cents(b));
        const auto difference = checked_subtract(Money::from_cents(a), Money::from_cents(b));
        RC_ASSERT(sum.has_value() == fits(Wide{a} + b));
        RC_ASSERT(difference.has_value() == fits(Wide{a} - b));
        if (sum) RC_ASSERT(sum->cents() == Wide{a} + b);
        if (difference) RC_ASSERT(difference->cents() == Wide{a} - b);
        RC_ASSERT((Money::from_cents(a) < Money::from_cents(b)) == (a < b));
        RC_ASSERT(to_string(Money::from_cents(a)) == shown(a));
    }));
    CHECK(holds("totals of many", {300, 100}, [] {
        const auto amounts = *rc::gen::container<std::vector<std::pair<bool, int64_t>>>(
            rc::gen::pair(rc::gen::arbitrary<bool>(), any_cents()));
        MoneyTotal total;
        Wide expected = 0;
        for (const auto& [taken, cents] : amounts) {
            if (taken) {
                total -= Money::from_cents(cents);
            } else {
                total += Money::from_cents(cents);
            }
            expected += taken ? -Wide{cents} : Wide{cents};
            RC_ASSERT(total.to_string() == shown(expected));
            RC_ASSERT(total.is_zero() == (expected == 0));
            RC_ASSERT(total.is_negative() == (expected < 0));
            RC_ASSERT(MoneyTotal::from_bits(total.high_bits(), total.low_bits()) == total);
            MoneyTotal twice = total;
            twice += total;
            twice -= total;
            RC_ASSERT(twice == total);
        }
    }));
}

TEST_CASE("properties: an amount is digits with at most two decimals, up to 10^15") {
    size_t accepted = 0;
    CHECK(holds("what may be typed", {2'000, 24}, [&] {
        const auto text = *rc::gen::oneOf(
            rc::gen::container<std::string>(rc::gen::element('0', '1', '9', '5', '.')),
            rc::gen::container<std::string>(
                rc::gen::element('0', '7', '.', '-', '+', ' ', 'e', ',', '\0', 'x')),
            rc::gen::map(rc::gen::tuple(
                             rc::gen::inRange(0, 5),
                             rc::gen::element<uint64_t>(999'999'999'999'999, 1'000'000'000'000'000,
                                                        1'000'000'000'000'001),
                             rc::gen::element<std::string>("", ".0", ".00", ".01", ".99", ".000")),
                         [](const std::tuple<int, uint64_t, std::string>& parts) {
                             return std::string(static_cast<size_t>(std::get<0>(parts)), '0') +
                                    std::to_string(std::get<1>(parts)) + std::get<2>(parts);
                         }));
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        const size_t point = std::min(text.find('.'), text.size());
        const std::string whole = text.substr(0, point);
        const std::string part = point == text.size() ? "" : text.substr(point + 1);
        bool good = !whole.empty() && std::all_of(whole.begin(), whole.end(), is_digit) &&
                    std::all_of(part.begin(), part.end(), is_digit) && part.size() <= 2 &&
                    (part.empty() == (point == text.size()));
        Wide cents = 0;
        for (const char c : whole + (part + "00").substr(0, 2)) cents = cents * 10 + (c - '0');
        good = good && cents <= Wide{100'000'000'000'000'000};
        const auto amount = parse_amount(text, Zero::allowed);
        RC_ASSERT(amount.ok() == good);
        RC_ASSERT(parse_amount(text, Zero::refused).ok() == (good && cents != 0));
        if (!good) {
            RC_ASSERT(amount.error().code == "bad-amount");
            return;
        }
        ++accepted;
        RC_ASSERT(amount.value().cents() == cents);
    }));
    CHECK(accepted > 0);
}
