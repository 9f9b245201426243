// People who sign in: roles, and what may be their e-mail, name and password. Rules only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace p2pbank::bank {

// Each may do what those before it may. The numbers are in records.
enum class Role : uint32_t { customer = 0, teller = 1, admin = 2 };

std::string_view to_string(Role role);
// Errors: bad-role.
Result<Role> parse_role(std::string_view text);
// From a record; what is no role is a customer.
Role role_of(uint32_t number);
inline bool may(Role has, Role least) {
    return has >= least;
}

// One @, something sane on both sides of it; in lower case. Errors: bad-email.
Result<std::string> check_email(std::string_view text);
// Errors: bad-text.
Result<void> check_person_name(std::string_view name);
// Any bytes but line ends and zero, 8 to 256 of them, not the e-mail. The message never shows it.
// Errors: bad-password.
Result<void> check_password(std::string_view password, std::string_view email);

// How long to refuse further tries after so many failed ones in a row: not after the first three,
// then a second, doubling up to a quarter of an hour.
Duration delay_after(uint32_t failures);

}  // namespace p2pbank::bank
