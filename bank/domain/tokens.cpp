#include "bank/domain/tokens.h"

#include "common/base/check.h"

namespace p2pbank::bank {
namespace {

constexpr size_t kDigits = 16;
constexpr uint64_t kTokens = 1'000'000'000'000'000;  // without the check digit

// Luhn: every second digit from the right is doubled, its own digits added; the sum of a token with
// its check digit is a multiple of 10. `doubled`: the last digit of `digits` is one of those.
unsigned luhn_sum(std::string_view digits, bool doubled) {
    unsigned sum = 0;
    for (size_t at = digits.size(); at-- > 0; doubled = !doubled) {
        const auto digit = static_cast<unsigned>(digits[at] - '0') * (doubled ? 2 : 1);
        sum += digit / 10 + digit % 10;
    }
    return sum;
}

}  // namespace

std::string make_token(uint64_t random) {
    std::string token = std::to_string(random % kTokens);
    token.insert(0, kDigits - 1 - token.size(), '0');
    token += static_cast<char>('0' + (10 - luhn_sum(token, true) % 10) % 10);
    return token;
}

bool is_valid_token(std::string_view token) {
    return token.size() == kDigits &&
           token.find_first_not_of("0123456789") == std::string_view::npos &&
           luhn_sum(token, false) % 10 == 0;
}

std::string grouped_token(std::string_view token) {
    P2PBANK_CHECK(token.size() == kDigits);
    std::string out;
    for (size_t at = 0; at < kDigits; at += 4) {
        if (at != 0) out += ' ';
        out += token.substr(at, 4);
    }
    return out;
}

}  // namespace p2pbank::bank
