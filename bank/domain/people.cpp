#include "bank/domain/people.h"

#include <algorithm>
#include <array>

#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"customer", "teller", "admin"};

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_local_part(std::string_view text) {
    if (text.empty() || text.size() > 64 || text.front() == '.' || text.back() == '.') return false;
    if (text.find("..") != std::string_view::npos) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter_or_digit(c) ||
               std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
    });
}

bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

// Two labels at least.
bool is_domain(std::string_view text) {
    size_t labels = 0;
    for (;;) {
        const size_t end = text.find('.');
        if (!is_label(text.substr(0, end))) return false;
        ++labels;
        if (end == std::string_view::npos) return labels >= 2;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

std::string_view to_string(Role role) {
    return kRoles[static_cast<size_t>(role)];
}

Result<Role> parse_role(std::string_view text) {
    const auto found = std::find(kRoles.begin(), kRoles.end(), text);
    if (found == kRoles.end()) {
        return Error{"bad-role", quote(text) + " is not a role: write customer, teller or admin"};
    }
    return static_cast<Role>(found - kRoles.begin());
}

Role role_of(uint32_t number) {
    return number < kRoles.size() ? static_cast<Role>(number) : Role::customer;
}

Result<std::string> check_email(std::string_view text) {
    std::string email(text.substr(0, limits::kMaxEmailBytes + 1));
    for (char& c : email) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const size_t at = email.find('@');
    const bool good = email.size() <= limits::kMaxEmailBytes && at != std::string::npos &&
                      is_local_part(std::string_view(email).substr(0, at)) &&
                      is_domain(std::string_view(email).substr(at + 1));
    if (good) return email;
    return Error{"bad-email", quote(text) +
                                  " is not an e-mail address: write it as in "
                                  "ann@example.org"};
}

Result<void> check_person_name(std::string_view name) {
    return check_text("the name", name, limits::kMaxPersonNameBytes);
}

Result<void> check_password(std::string_view password, std::string_view email) {
    if (password.size() < limits::kMinPasswordBytes ||
        password.size() > limits::kMaxPasswordBytes) {
        return Error{"bad-password", "a password has " + std::to_string(limits::kMinPasswordBytes) +
                                         " to " + std::to_string(limits::kMaxPasswordBytes) +
                                         " bytes"};
    }
    if (password.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) {
        return Error{"bad-password", "a password is one line of text"};
    }
    const auto small = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    // Compared in place: no second copy of the password is left in memory.
    const bool is_email = std::equal(password.begin(), password.end(), email.begin(), email.end(),
                                     [&](char a, char b) { return small(a) == small(b); });
    if (is_email) return Error{"bad-password", "the password is the e-mail address"};
    return {};
}

Duration delay_after(uint32_t failures) {
    constexpr uint32_t kFree = 3;
    constexpr Duration kMost = seconds(15 * 60);
    if (failures <= kFree) return Duration::zero();
    const uint32_t doublings = std::min<uint32_t>(failures - kFree - 1, 20);
    return std::min<Duration>(kMost, seconds(int64_t{1} << doublings));
}

}  // namespace p2pbank::bank
