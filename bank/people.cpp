#include "bank/people.h"

#include <algorithm>

#include <sodium.h>

namespace p2pbank::bank {
namespace {

// Longer codes count as wrong.
constexpr size_t kMostCodeBytes = 32;

// Takes the same time for all codes, right and wrong.
bool is_same_code(std::string_view a, std::string_view b) {
    unsigned char one[kMostCodeBytes] = {};
    unsigned char other[kMostCodeBytes] = {};
    const bool fit = a.size() == b.size() && a.size() <= kMostCodeBytes && !a.empty();
    std::copy_n(a.begin(), std::min(a.size(), kMostCodeBytes), one);
    std::copy_n(b.begin(), std::min(b.size(), kMostCodeBytes), other);
    const bool same = sodium_memcmp(one, other, kMostCodeBytes) == 0;
    return fit && same;
}

}  // namespace

Result<void> People::apply(const bank_records::PersonRecord& record) {
    if (record.removed()) {
        const Person* person = find(record.email());
        if (person == nullptr || person->verified) return Error{"bad-record", "nobody to forget"};
        forget(record.email());
        return {};
    }
    if (record.email().empty() || record.password_hash().empty() ||
        record.role() > static_cast<uint32_t>(Role::admin)) {
        return Error{"bad-record", "a person without an e-mail, a password or a role"};
    }
    forget(record.email());
    Person& person = by_email_[record.email()];
    person.email = record.email();
    person.name = record.name();
    person.password_hash = record.password_hash();
    person.verified = record.verified();
    person.code = record.code();
    person.role = role_of(record.role());
    person.registration = record.registration();
    person.since_ms = record.since_ms();
    if (!person.verified) unverified_.emplace(person.since_ms, person.email);
    return {};
}

void People::forget(const std::string& email) {
    const auto found = by_email_.find(email);
    if (found == by_email_.end()) return;
    unverified_.erase({found->second.since_ms, found->second.email});
    by_email_.erase(found);
}

void People::snapshot(const std::function<void(const bank_records::PersonRecord&)>& take) const {
    for (const auto& [email, person] : by_email_) {
        bank_records::PersonRecord record;
        to_record(person, &record);
        take(record);
    }
}

const Person* People::find(std::string_view email) const {
    const auto found = by_email_.find(email);
    return found == by_email_.end() ? nullptr : &found->second;
}

const Person* People::find_by_code(std::string_view code) const {
    const Person* found = nullptr;
    for (const auto& [since_ms, email] : unverified_) {
        const Person* person = find(email);
        if (is_same_code(person->code, code)) found = person;
    }
    return found;
}

const Person* People::oldest_unverified() const {
    for (const auto& [since_ms, email] : unverified_) {
        const Person* person = find(email);
        if (person->role == Role::customer) return person;
    }
    return nullptr;
}

void to_removal(const Person& person, bank_records::PersonRecord* out) {
    out->set_email(person.email);
    out->set_removed(true);
}

void to_record(const Person& person, bank_records::PersonRecord* out) {
    out->set_email(person.email);
    out->set_name(person.name);
    out->set_password_hash(person.password_hash);
    out->set_verified(person.verified);
    out->set_code(person.code);
    out->set_role(static_cast<uint32_t>(person.role));
    out->set_registration(person.registration);
    out->set_since_ms(person.since_ms);
}

}  // namespace p2pbank::bank
