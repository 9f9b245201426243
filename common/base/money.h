// Money: an exact amount in int64 cents. Arithmetic is checked: what would overflow has no value.
// There is no floating point anywhere near it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace p2pbank {

class Money {
  public:
    constexpr Money() = default;
    static constexpr Money from_cents(int64_t cents) { return Money(cents); }
    constexpr int64_t cents() const { return cents_; }
    constexpr bool is_zero() const { return cents_ == 0; }
    constexpr bool is_negative() const { return cents_ < 0; }
    friend constexpr auto operator<=>(Money, Money) = default;

  private:
    constexpr explicit Money(int64_t cents) : cents_(cents) {}
    int64_t cents_ = 0;
};

// No value if the result does not fit.
std::optional<Money> checked_add(Money a, Money b);
std::optional<Money> checked_subtract(Money a, Money b);

// For sums that the caller has already shown to fit; checked all the same, ends the program if not.
Money must_add(Money a, Money b);
Money must_subtract(Money a, Money b);

// A total over many accounts: 128 bits, so that no number of accounts overflows it.
class MoneyTotal {
  public:
    MoneyTotal& operator+=(Money m) {
        cents_ += m.cents();
        return *this;
    }
    MoneyTotal& operator-=(Money m) {
        cents_ -= m.cents();
        return *this;
    }
    MoneyTotal& operator+=(const MoneyTotal& t) {
        cents_ += t.cents_;
        return *this;
    }
    MoneyTotal& operator-=(const MoneyTotal& t) {
        cents_ -= t.cents_;
        return *this;
    }
    friend bool operator==(const MoneyTotal&, const MoneyTotal&) = default;
    bool is_zero() const { return cents_ == 0; }
    bool is_negative() const { return cents_ < 0; }
    std::string to_string() const;

    // In two halves, for records.
    uint64_t low_bits() const { return static_cast<uint64_t>(cents_); }
    int64_t high_bits() const { return static_cast<int64_t>(cents_ >> 64); }
    static MoneyTotal from_bits(int64_t high, uint64_t low) {
        MoneyTotal total;
        total.cents_ = static_cast<Wide>((static_cast<UnsignedWide>(high) << 64) | low);
        return total;
    }

  private:
    __extension__ typedef __int128 Wide;
    __extension__ typedef unsigned __int128 UnsignedWide;
    Wide cents_ = 0;
};

// "950", "950.25", "-3.10": two decimals when there are cents, none when there are not.
std::string to_string(Money amount);

enum class Zero { refused, allowed };

// An amount as a person types it: digits, then at most two decimals; no sign, no exponent, no
// spaces; at most 10^15. Errors: bad-amount.
Result<Money> parse_amount(std::string_view text, Zero zero);

}  // namespace p2pbank
