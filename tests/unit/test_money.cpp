#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/money.h"

using namespace p2pbank;

namespace {

std::string parsed(std::string_view text, Zero zero = Zero::refused) {
    const auto amount = parse_amount(text, zero);
    return amount ? to_string(amount.value()) : amount.error().code;
}

}  // namespace

TEST_CASE("money: amounts are read exactly") {
    CHECK(parsed("950") == "950");
    CHECK(parsed("950.25") == "950.25");
    CHECK(parsed("950.5") == "950.50");
    CHECK(parsed("950.00") == "950");
    CHECK(parsed("0.01") == "0.01");
    CHECK(parsed("007") == "7");
    CHECK(parse_amount("0.07", Zero::refused).value().cents() == 7);
}

TEST_CASE("money: the largest amount is 10^15, and not a cent more") {
    CHECK(parsed("1000000000000000") == "1000000000000000");
    CHECK(parsed("1000000000000000.00") == "1000000000000000");
    CHECK(parsed("1000000000000000.01") == "bad-amount");
    CHECK(parsed("1000000000000001") == "bad-amount");
    CHECK(parsed("9223372036854775807") == "bad-amount");
    CHECK(parsed("9223372036854775808") == "bad-amount");
    CHECK(parsed("18446744073709551617") == "bad-amount");
    CHECK(parsed(std::string(1'000, '9')) == "bad-amount");
}

TEST_CASE("money: zero is an amount only where it is allowed") {
    CHECK(parsed("0") == "bad-amount");
    CHECK(parsed("0.00") == "bad-amount");
    CHECK(parsed("0", Zero::allowed) == "0");
    CHECK(parsed("0.0", Zero::allowed) == "0");
}

TEST_CASE("money: everything that is not plain digits is refused") {
    for (const char* text : {"", " ", ".", "-1", "+1", "1.", ".5", "1.234", "1e3", "1,000", "0x10",
                             "1 ", " 1", "1.2.3", "one", "nan", "inf", "1.-1", "\xd9\xa1"}) {
        CAPTURE(text);
        CHECK(parsed(text) == "bad-amount");
    }
    CHECK(parsed(std::string("1\0", 2)) == "bad-amount");
}

TEST_CASE("money: printing shows cents only when there are some") {
    CHECK(to_string(Money::from_cents(0)) == "0");
    CHECK(to_string(Money::from_cents(5)) == "0.05");
    CHECK(to_string(Money::from_cents(-310)) == "-3.10");
    CHECK(to_string(Money::from_cents(-5)) == "-0.05");
    CHECK(to_string(Money::from_cents(INT64_MAX)) == "92233720368547758.07");
    CHECK(to_string(Money::from_cents(INT64_MIN)) == "-92233720368547758.08");
}

TEST_CASE("money: what would overflow has no value") {
    const auto most = Money::from_cents(INT64_MAX);
    const auto least = Money::from_cents(INT64_MIN);
    const auto cent = Money::from_cents(1);
    CHECK_FALSE(checked_add(most, cent));
    CHECK_FALSE(checked_subtract(least, cent));
    CHECK_FALSE(checked_subtract(Money(), least));
    CHECK(checked_add(most, Money()) == most);
    CHECK(checked_add(least, most) == Money::from_cents(-1));
    CHECK(checked_subtract(most, most) == Money());
}

TEST_CASE("money: a total holds more than any account can") {
    MoneyTotal total;
    for (int i = 0; i < 1'000; ++i) total += Money::from_cents(INT64_MAX);
    CHECK(total.to_string() == "92233720368547758070");
    MoneyTotal other = total;
    for (int i = 0; i < 1'000; ++i) total -= Money::from_cents(INT64_MAX);
    CHECK(total.is_zero());
    total -= other;
    CHECK(total.is_negative());
    CHECK(total.to_string() == "-92233720368547758070");
    total += other;
    CHECK(total == MoneyTotal());
}

TEST_CASE("money: what is printed is read as the same amount") {
    CHECK(rc::check("positive amounts, printed and read", [] {
        const auto cents = *rc::gen::inRange<int64_t>(1, 100'000'000'000'000'001);
        const auto amount = Money::from_cents(cents);
        const auto again = parse_amount(to_string(amount), Zero::refused);
        RC_ASSERT(again.ok());
        RC_ASSERT(again.value() == amount);
    }));
}
