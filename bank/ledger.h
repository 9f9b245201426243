// Goes through all committed statements again, in the order in which they became permanent, and
// finds what does not fit. Part of `bank verify` (verify.h); knows nothing of the bank's state.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bank/evidence.h"
#include "bank/evidence.pb.h"

namespace p2pbank::bank {

struct Problem {
    std::string code;  // bad-signature, broken-chain, bad-books, cut-mismatch, bad-accusation
    std::string text;
};

class Ledger {
  public:
    // Of the bank to which the statements have to be: all signing keys that it has and had.
    explicit Ledger(std::set<std::string> bank_signing_keys)
        : banks_(std::move(bank_signing_keys)) {}

    // The books of this account when this was the digest of its newest statement, in a cohort or
    // not, will be asked for. Before anything else.
    void keep(const std::string& name, const std::string& head) { wanted_.emplace(name, head); }
    // nullptr if the account never stood there.
    const Books* books_at(const std::string& name, const std::string& head, bool in_cohort) const;

    // What the bank says of its operator's corrections, to which statements are compared. Before
    // anything else.
    void correct(const bank_evidence::Account& row);

    // All statements of one position.
    void commit(const std::vector<const bank_evidence::Committed*>& cut);
    void end_cohort(const bank_evidence::CohortEnd& end);
    // The bank's row of an account, when everything has been gone through.
    void compare(const bank_evidence::Account& row);
    // Accounts with statements that compare() was not called for.
    void finish();

    // Signed by that key, of that account, to this bank; nothing if it is not.
    std::optional<wire::Statement> read(const std::string& name, const std::string& signing_key,
                                        const wire::SignedStatement& statement) const;
    // Whether the account signed a committed statement with it.
    bool has_signed_with(const std::string& name, const std::string& key) const;

    // How many committed statements are to this key of the bank.
    uint64_t committed_to(const std::string& bank_signing_key) const;

    const std::vector<Problem>& problems() const { return problems_; }
    // What is no problem and has to be known: keys that changed, corrections.
    const std::vector<std::string>& notes() const { return notes_; }

  private:
    struct Member {
        Books books;
        uint64_t number = 0;
        std::string digest;
        std::string cohort;      // the bank's initiator of its start; empty: in none
        uint64_t cohort_id = 0;  // 0: not known yet
        std::string signing_key;
        std::set<std::string> keys;  // all that it signed with
        bool exited = false;
        bool compared = false;
        size_t corrections_taken = 0;  // which of corrections_
    };
    void problem(std::string code, std::string text);
    Member& begin(const std::string& name, const wire::Statement& statement);
    bool take(const bank_evidence::Committed& committed, const wire::Statement& statement);
    void check_kind(Member& member, const std::string& name, const wire::Statement& statement);
    void check_channels(const wire::Statement& statement);
    void enter(const wire::Statement& statement);
    void remember(const std::string& name, const Member& member);
    const Channel& channel(const std::string& of, const std::string& peer) const;

    std::set<std::string> banks_;
    std::map<std::string, uint64_t> committed_to_;  // by the bank's signing key
    std::map<std::string, Member, std::less<>> members_;
    std::map<std::string, std::set<std::string>> cohorts_;  // by initiator: who is in it
    std::map<std::string, std::vector<Money>, std::less<>> corrections_;
    std::set<std::pair<std::string, std::string>> wanted_;
    std::map<std::pair<std::pair<std::string, std::string>, bool>, Books> kept_;
    std::vector<Problem> problems_;
    std::vector<std::string> notes_;
};

}  // namespace p2pbank::bank
