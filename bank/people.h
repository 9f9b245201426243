// The people that the bank knows: a part of its state, changed only by records. Owned by
// bank::State. Who signs in how is in bank/sign_in.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "bank/domain/people.h"
#include "bank/records.pb.h"
#include "common/base/result.h"

namespace p2pbank::bank {

struct Person {
    std::string email;  // in lower case
    std::string name;
    std::string password_hash;  // Argon2id, encoded
    bool verified = false;
    std::string code;  // to verify with; empty when verified
    Role role = Role::customer;
    uint64_t registration = 0;  // the nonce of the registration: repeated, it is the same one
    uint64_t since_ms = 0;      // of the registration, since 1970; 0: not known
};

class People {
  public:
    using ByEmail = std::map<std::string, Person, std::less<>>;

    // Errors: bad-record.
    Result<void> apply(const bank_records::PersonRecord& record);
    // For snapshots: one record for each person, in the order of e-mails.
    void snapshot(const std::function<void(const bank_records::PersonRecord&)>& take) const;

    // In lower case. nullptr if the bank does not know it.
    const Person* find(std::string_view email) const;
    // Who waits to be verified with this code; nullptr if nobody does. Takes as long whether or
    // not.
    const Person* find_by_code(std::string_view code) const;

    const ByEmail& all() const { return by_email_; }
    size_t size() const { return by_email_.size(); }
    size_t unverified() const { return unverified_.size(); }
    // Of those who are not verified and have no role but a customer's, the one who registered
    // first. nullptr if there is none.
    const Person* oldest_unverified() const;

  private:
    void forget(const std::string& email);

    ByEmail by_email_;
    // Who is not verified, by the time of the registration.
    std::set<std::pair<uint64_t, std::string>> unverified_;
};

// The record that makes the bank forget the person.
void to_removal(const Person& person, bank_records::PersonRecord* out);
void to_record(const Person& person, bank_records::PersonRecord* out);

}  // namespace p2pbank::bank
