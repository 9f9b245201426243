#include "bank/domain/settings.h"

#include <array>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

constexpr std::array<SettingSpec, 7> kKnown{{
    {"currency", "", "the symbol in front of amounts, for people; four characters at most"},
    {"starting-balance", "0", "what an account begins with that is opened without a balance"},
    {"loan-rate", "12.00", "interest of new loans, in percent a year"},
    {"loan-least", "100", "the smallest loan"},
    {"loan-most", "1000000", "the largest loan"},
    {"loan-months", "360", "the most months that a loan can run"},
    {"open-loans", "3", "how many loans one customer can have at a time"},
}};

Error bad(std::string why) {
    return Error{"bad-setting", std::move(why)};
}

Result<uint32_t> parse_number(std::string_view text, uint32_t least, uint32_t most) {
    uint32_t number = 0;
    bool good = !text.empty() && text.size() <= 9;
    for (const char c : text) {
        good = good && c >= '0' && c <= '9';
        if (good) number = number * 10 + static_cast<uint32_t>(c - '0');
    }
    if (good && number >= least && number <= most) return number;
    return bad(quote(text) + " is not a whole number from " + std::to_string(least) + " to " +
               std::to_string(most));
}

Result<Money> parse_loan_amount(std::string_view text) {
    const auto amount = parse_amount(text, Zero::refused);
    if (!amount) return bad(amount.error().message);
    if (amount.value().cents() > limits::kMaxLoanUnits * 100) {
        return bad("the most is " + std::to_string(limits::kMaxLoanUnits));
    }
    return amount.value();
}

template <class T>
Result<void> take(const Result<T>& parsed, T& value) {
    if (!parsed) return parsed.error();
    value = parsed.value();
    return {};
}

}  // namespace

std::span<const SettingSpec> Settings::known() {
    return kKnown;
}

std::string Settings::get(std::string_view name) const {
    if (name == "currency") return currency;
    if (name == "starting-balance") return to_string(starting_balance);
    if (name == "loan-rate") return rate_text(loan_rate_bp);
    if (name == "loan-least") return to_string(loan_least);
    if (name == "loan-most") return to_string(loan_most);
    if (name == "loan-months") return std::to_string(loan_months);
    P2PBANK_CHECK(name == "open-loans");
    return std::to_string(open_loans);
}

Result<void> Settings::set(std::string_view name, std::string_view value) {
    if (name == "currency") {
        if (!value.empty()) {
            const auto checked = check_text("the currency", value, 64);
            if (!checked) return bad(checked.error().message);
            if (count_code_points(value) > limits::kMaxCurrencyCodePoints) {
                return bad("a currency has at most four characters");
            }
        }
        currency = value;
        return {};
    }
    if (name == "starting-balance") {
        const auto amount = parse_amount(value, Zero::allowed);
        if (!amount) return bad(amount.error().message);
        starting_balance = amount.value();
        return {};
    }
    if (name == "loan-rate") return take(parse_rate(value), loan_rate_bp);
    if (name == "loan-least") return take(parse_loan_amount(value), loan_least);
    if (name == "loan-most") return take(parse_loan_amount(value), loan_most);
    if (name == "loan-months") {
        return take(parse_number(value, 1, limits::kMaxLoanMonths), loan_months);
    }
    if (name == "open-loans") {
        return take(parse_number(value, 0, limits::kMaxOpenLoans), open_loans);
    }
    return Error{"unknown-setting", quote(name) + " is not a setting; `settings` lists them"};
}

Result<std::string> Settings::check(std::string_view name, std::string_view value) const {
    Settings changed = *this;
    if (auto outcome = changed.set(name, value); !outcome) return outcome.error();
    if (changed.loan_least > changed.loan_most) {
        return bad("the smallest loan, " + to_string(changed.loan_least) +
                   ", would be above the largest, " + to_string(changed.loan_most));
    }
    return changed.get(name);
}

Result<uint32_t> parse_rate(std::string_view text) {
    const size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    const std::string_view part =
        point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    const auto digits = [](std::string_view s, size_t most) {
        return !s.empty() && s.size() <= most &&
               s.find_first_not_of("0123456789") == std::string_view::npos;
    };
    uint32_t rate = 0;
    const bool good = digits(whole, 4) && (point == std::string_view::npos || digits(part, 2));
    if (good) {
        for (const char c : whole) rate = rate * 10 + static_cast<uint32_t>(c - '0');
        for (size_t at = 0; at < 2; ++at) {
            rate = rate * 10 + (at < part.size() ? static_cast<uint32_t>(part[at] - '0') : 0);
        }
    }
    if (good && rate <= limits::kMaxLoanRate) return rate;
    return bad(quote(text) +
               " is not a rate: write percent a year with at most two decimals, from "
               "0 to " +
               std::to_string(limits::kMaxLoanRate / 100));
}

std::string rate_text(uint32_t rate_bp) {
    const uint32_t part = rate_bp % 100;
    return std::to_string(rate_bp / 100) + (part < 10 ? ".0" : ".") + std::to_string(part);
}

}  // namespace p2pbank::bank
