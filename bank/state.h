// What the bank keeps: the accounts and cohorts, the settled values of every member's permanent
// checkpoint, what has been settled for undecided operations, and the decisions.
//
// The state changes only by apply(record); each record is also journalled. Owned by Bank.
//
// Decisions. An initiator has at most one undecided operation, and its ids rise. So for each
// initiator only the newest operation seen has to be kept: an older one is committed if it is in
// `committed`, and aborted otherwise. A COMMIT stays until every participant has acknowledged it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "bank/business.h"
#include "bank/records.pb.h"
#include "common/base/address.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/result.h"
#include "common/secure/identity.h"
#include "common/wire/books.h"

namespace p2pbank::bank {

// What only few of a million accounts have.
struct AccountDetails {
    ChannelMap channels;      // as settled
    CohortId ended_cohort;    // its end has not been acknowledged yet
    OperationId ended_by;     // the freeze that ended it; none: by force
    std::string owner;        // the e-mail of the person it belongs to, if it does
    secure::PublicKeys keys;  // whose process acts for it; nobody's in clear, or until one takes it
    uint64_t replied_instance = 0;
    wire::Reply reply;  // the last, to a command of that instance
    // The chain of its statements: the number and the digest of the newest that is committed.
    uint64_t statements = 0;
    std::string statement_digest;
    // What Account::corrections was before, oldest first: the customer may not have heard of the
    // newest. Empty if there have been none.
    std::vector<Money> earlier_corrections;
    size_t corrections_taken = 0;  // which of all corrections it has settled
    // What it was found out in, without the evidence, which the history has. At most
    // limits::kMaxAccusations.
    std::vector<bank_evidence::Accusation> accusations;
};

struct Account {
    std::string name;
    Totals totals;  // as settled
    // All of the operator's corrections in data.csv. The customer applies them when its balance
    // covers them; what it has applied is in totals.adjustments.
    Money corrections;
    uint32_t ip = 0;
    uint16_t port1 = 0;
    uint16_t port2 = 0;
    CohortId cohort;
    bool exited = false;
    bool attached = false;  // a process has it
    bool proven = false;    // which has shown that it receives at ip and port1
    uint64_t opener = 0;
    uint64_t boots = 0;
    uint64_t run = 0;    // what tells that run of the program from another with the same number
    uint64_t epoch = 0;  // the newest that the bank knows
    std::unique_ptr<AccountDetails> details;

    AccountDetails& more();
    const ChannelMap& channels() const;
    // What data.csv shows: the settled balance, with corrections that are still on their way as far
    // as the balance covers them.
    Money shown_balance() const;
    // All that `corrections` has been, in order. It begins with 0, unless the journal is from
    // before they were kept.
    std::vector<Money> all_corrections() const;
    // Which of them a statement with that sum has got to, at or behind the one that it has settled:
    // nobody undoes what it has taken. Nothing if there is none.
    std::optional<size_t> correction_at(Money sum) const;
    void correct(Money new_corrections);
    const std::string& owner() const;
    const secure::PublicKeys& keys() const;
    uint64_t statements() const { return details ? details->statements : 0; }
    const std::string& statement_digest() const;
    CohortId ended_cohort() const { return details ? details->ended_cohort : CohortId(); }
    Address bank_side() const { return {ip, port1}; }
};

struct Settlement {
    Totals totals;
    ChannelMap channels;       // those that differ from the permanent checkpoint
    uint64_t orders_upto = 0;  // of the customer's pending deals these are covered
    std::vector<wire::Activity> activity;
    uint64_t activity_left_out = 0;
    // What it was read from, and whose signing key it is signed with (nobody's in clear).
    wire::SignedStatement statement;
    std::string signing_key;
    uint64_t number = 0;    // of the statement
    std::string previous;   // the digest that it names
    uint64_t instance = 0;  // the run of the customer's program that settled
};

struct Operation {  // the newest of its initiator
    OperationId id;
    wire::OperationKind kind = wire::OPERATION_NONE;
    bool aborted = false;
    bool begun = false;
    std::map<std::string, Settlement, std::less<>> settlements;
};

struct Committed {
    wire::OperationKind kind = wire::OPERATION_NONE;
    std::set<std::string, std::less<>> unacked;
    CohortId cohort;  // of a join
};

// A settlement of what the statement says. Errors: bad-record, if its sets of labels are none.
Result<Settlement> settlement_of(const wire::SignedStatement& signed_statement,
                                 const wire::Statement& statement, std::string signing_key);

// The bank itself initiates what starts and ends a cohort, one operation at a time for each cohort.
bool is_of_bank(const OperationId& id);

enum class CohortStage : uint32_t { forming, active, freezing };

struct Cohort {
    CohortId id;
    std::string name;
    std::vector<std::string> members;
    CohortStage stage = CohortStage::forming;
    OperationId operation;  // that forms or freezes it
};

class State {
  public:
    using Record = bank_records::Record;

    // Errors: bad-record.
    Result<void> apply(const Record& record);
    void snapshot(const std::function<void(std::string)>& take) const;

    Account* find(std::string_view name);
    const Account* find(std::string_view name) const;
    const std::deque<Account>& accounts() const { return accounts_; }  // in the order of opening
    Cohort* find_cohort(CohortId id);
    const Cohort* find_cohort(CohortId id) const;
    // The cohort that the account is in or is about to be in; nullptr if none.
    const Cohort* cohort_of(const Account& account) const;
    void reserve(size_t accounts);
    // The account of that channel key or that signing key; nullptr if it is nobody's. One key is of
    // one account only.
    const Account* find_by_key(const KeyBytes& key) const;

    // What is decided about an operation; nothing if nothing is.
    std::optional<bool> decision(const OperationId& id) const;
    // The undecided operation of that id; nullptr if there is none.
    const Operation* undecided(const OperationId& id) const;
    // An operation that this one would supersede may not come back: true if `id` is older.
    bool is_superseded(const OperationId& id) const;

    // The settled view of `name` on its channels, with what `operation` would change.
    const Channel& channel(const Operation* operation, const Account& account,
                           const std::string& peer) const;

    uint64_t boots = 0;
    uint64_t counter = 0;  // of the bank's own operations
    uint64_t next_cohort = 1;
    std::deque<uint64_t> table_hashes;                         // of the newest tables written
    std::map<std::string, Operation, std::less<>> operations;  // by initiator
    using CommittedMap = std::map<OperationId, Committed>;
    CommittedMap committed;
    // Rollbacks in cohorts that have not ended, committed and acknowledged by all whom
    // the initiator named; of each the newest limits::kMaxRollbacksKnown. Whoever voted for one and
    // was not named has to hear the same as the others, however late it asks.
    std::set<OperationId> rollbacks;
    // A rollback so old that it may have been among them. Nothing can be said about it any more.
    bool may_have_been_forgotten(const OperationId& id) const;
    std::map<CohortId, Cohort> cohorts;
    Business business;
    // How many records were ever applied.
    uint64_t position = 0;
    FactSink* history = nullptr;
    // Members of forming cohorts, who are not to be picked twice.
    std::map<std::string, CohortId, std::less<>> forming;
    bool closed_cleanly = false;  // the last run of the bank
    // The bank's own keys, as far as it ever started with any: those of its last run come last.
    std::vector<secure::PublicKeys> bank_keys;
    // How the processes came that have had accounts: with keys, and in clear.
    bool was_sealed = false;
    bool was_in_clear = false;
    bool table_changed = false;  // since whoever writes the table cleared it

  private:
    Account& add_account(std::string name);
    CommittedMap::iterator forget(CommittedMap::iterator at);
    void remember_rollback(const OperationId& id);
    void take_correction(Account& account, Money sum);
    // Whoever took part in this one has left all earlier ones: it is not waited for there any more.
    void take_for_acked(const OperationId& id, const bank_records::Decided& decided,
                        const Operation& operation);
    Operation& newest(const OperationId& id, wire::OperationKind kind);
    Result<void> apply_bank_keys(const bank_records::BankKeys& keys);
    Result<void> apply_opened(const bank_records::Opened& opened);
    Result<void> apply_attached(const bank_records::Attached& attached);
    Result<void> apply_bound(const bank_records::Bound& bound);
    // Both empty: nobody's.
    Result<void> set_keys(Account& account, const std::string& channel_key,
                          const std::string& signing_key);
    // Nobody has its state any more: as it was settled last, for whoever takes it over.
    void reset(Account& account, uint64_t epoch);
    Result<void> apply_settled(const bank_records::Settled& settled);
    Result<void> apply_decided(const bank_records::Decided& decided);
    Result<void> apply_settlements(const Operation& operation);
    void settle(Account& account, const Settlement& settlement, const std::string& operation);
    Result<void> apply_exited(const bank_records::Exited& exited);
    Result<void> apply_accused(const bank_evidence::Accusation& accused);
    void tell_activity(const std::string& name, const std::vector<wire::Activity>& lines,
                       uint64_t left_out);
    void apply_rolled_back(const wire::RolledBack& rolled_back);
    // The customer has been in this epoch: what older ones left pending is void.
    void raise_epoch(Account& account, uint64_t epoch);
    void cancel_stale(const Account& account);
    void drop_settlements(Operation& operation);
    Result<void> apply_business(const Record& record);
    void start_cohort(const OperationId& id);
    void abort_cohort(const OperationId& id);
    Result<void> apply_cohort_ended(const bank_records::CohortEnded& ended);
    Result<void> apply_edited(const bank_records::Edited& edited);
    Result<void> apply_snapshot(const bank_records::Snapshot& snapshot);
    Result<void> apply_operation(const bank_records::Operation& operation);
    Result<void> apply_account(const bank_records::Account& account);

    Telling telling_;
    std::deque<Account> accounts_;
    std::unordered_map<std::string_view, Account*> by_name_;  // the views are of Account::name
    std::unordered_map<KeyBytes, Account*, secure::KeyHash> by_key_;  // both keys of each
};

}  // namespace p2pbank::bank
