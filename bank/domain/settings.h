// What the operator can set: currency, starting balance, the terms of loans. A value is text in
// records and commands and has its type here. The bank's state owns the one Settings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/money.h"
#include "common/base/result.h"

namespace p2pbank::bank {

struct SettingSpec {
    std::string_view name;
    std::string_view default_value;
    std::string_view help;  // one line
};

class Settings {
  public:
    // In the order in which they are listed.
    static std::span<const SettingSpec> known();

    std::string currency;           // before amounts; may be empty
    Money starting_balance;         // of an account opened without a balance
    uint32_t loan_rate_bp = 1'200;  // a year, in hundredths of a percent
    Money loan_least = Money::from_cents(100'00);
    Money loan_most = Money::from_cents(1'000'000'00);
    uint32_t loan_months = 360;  // the most of one loan
    uint32_t open_loans = 3;     // the most of one customer

    // As it is kept in a record. Requires a known name.
    std::string get(std::string_view name) const;

    // Takes one value of a record, on its own. Errors: unknown-setting, bad-setting.
    Result<void> set(std::string_view name, std::string_view value);

    // What a command would make of these, checked together: the least loan is not above the most.
    // Gives the value as a record keeps it. Errors: unknown-setting, bad-setting.
    Result<std::string> check(std::string_view name, std::string_view value) const;
};

// "12", "12.5", "12.00" percent into 1200, 1250, 1200. Errors: bad-setting.
Result<uint32_t> parse_rate(std::string_view text);
// 1250 into "12.50".
std::string rate_text(uint32_t rate_bp);

}  // namespace p2pbank::bank
