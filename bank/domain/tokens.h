// Tokens: what a customer gets for paying a service, to type into a meter. 16 digits, of which the
// last is a check digit (Luhn), so that a slip of the finger is noticed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace p2pbank::bank {

// Requires a number that nobody can guess, of all 64 bits. That no other deal has the same token is
// for the caller to see to.
std::string make_token(uint64_t random);
bool is_valid_token(std::string_view token);
// "1234 5678 9012 3452". Requires a token of make_token.
std::string grouped_token(std::string_view token);

}  // namespace p2pbank::bank
