#include "common/base/money.h"

#include "common/base/check.h"
#include "common/base/limits.h"

namespace p2pbank {

std::optional<Money> checked_add(Money a, Money b) {
    int64_t sum = 0;
    if (__builtin_add_overflow(a.cents(), b.cents(), &sum)) return std::nullopt;
    return Money::from_cents(sum);
}

std::optional<Money> checked_subtract(Money a, Money b) {
    int64_t difference = 0;
    if (__builtin_sub_overflow(a.cents(), b.cents(), &difference)) return std::nullopt;
    return Money::from_cents(difference);
}

Money must_add(Money a, Money b) {
    const auto sum = checked_add(a, b);
    P2PBANK_CHECK(sum.has_value());
    return *sum;
}

Money must_subtract(Money a, Money b) {
    const auto difference = checked_subtract(a, b);
    P2PBANK_CHECK(difference.has_value());
    return *difference;
}

std::string MoneyTotal::to_string() const {
    const bool negative = cents_ < 0;
    __extension__ typedef unsigned __int128 Unsigned;
    Unsigned rest =
        negative ? Unsigned(0) - static_cast<Unsigned>(cents_) : static_cast<Unsigned>(cents_);
    const auto cents = static_cast<unsigned>(rest % 100);
    rest /= 100;
    std::string digits;
    do {
        digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
        rest /= 10;
    } while (rest != 0);
    if (cents != 0) {
        digits += '.';
        digits += static_cast<char>('0' + cents / 10);
        digits += static_cast<char>('0' + cents % 10);
    }
    return negative ? "-" + digits : digits;
}

std::string to_string(Money amount) {
    MoneyTotal total;
    total += amount;
    return total.to_string();
}

Result<Money> parse_amount(std::string_view text, Zero zero) {
    const auto bad = [&](const std::string& why) {
        return Error{"bad-amount",
                     "'" + std::string(text.substr(0, 40)) + "' is not an amount: " + why};
    };
    const size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view part =
        point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    const auto all_digits = [](std::string_view s) {
        return s.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (whole.empty() || !all_digits(whole) || !all_digits(part) ||
        (point != std::string_view::npos && part.empty())) {
        return bad("write it as digits with at most two decimals, such as 950 or 950.25");
    }
    if (part.size() > 2) return bad("at most two decimals");
    int64_t cents = 0;
    for (const char c : whole) {
        cents = cents * 10 + (c - '0');
        if (cents > limits::kMaxAmountUnits) return bad("the most is 1000000000000000");
    }
    cents *= 100;
    if (!part.empty()) cents += (part[0] - '0') * 10;
    if (part.size() == 2) cents += part[1] - '0';
    if (cents > limits::kMaxAmountUnits * 100) return bad("the most is 1000000000000000");
    if (cents == 0 && zero == Zero::refused) return bad("it must be more than zero");
    return Money::from_cents(cents);
}

}  // namespace p2pbank
