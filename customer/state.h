// What a customer keeps: its money, its channels, its checkpoints and the operation it takes part
// in.
//
// The state changes only by apply(record). Live, a record is applied and (in `journal` mode every
// one, in `checkpoint` mode those of checkpoints, epochs and operations) persisted; after a restart
// the same records in the same order give the same state. Owned by customer::Context.
//
// Derived, not stored: who was received from since the permanent checkpoint, and the first label
// sent since then. Kept apart, they go wrong at every undo and rollback.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/secure/identity.h"
#include "common/wire/books.h"
#include "customer/domain/activity.h"
#include "customer/domain/received_log.h"
#include "customer/records.pb.h"

namespace p2pbank {

enum class StableMode { journal, checkpoint };

namespace customer {

// A transfer to a peer that the peer's permanent checkpoint does not cover yet.
struct SentEntry {
    Label label;
    Money amount;
    bool lost = false;  // never sent, until a rollback revives it

    // Not stored: about the datagrams of this run.
    bool acked = false;
    uint64_t send_index = 0;  // 0: not sent yet in this epoch
    TimePoint sent_at{};
    CommandId command;  // that waits for the acknowledgement; 0: none
};

struct Peer {
    std::string name;
    uint32_t ip = 0;
    uint16_t port2 = 0;
    secure::PublicKeys keys;  // nobody in clear
    Epoch known_epoch;
    // The newest epoch that it has signed, and its signature: for a peer that comes back from an
    // old copy of its state.
    Epoch signed_epoch;
    std::string epoch_word;
    Channel channel;
    std::deque<SentEntry> sent_log;  // labels rise; covered ones in the middle may be gone
    ReceivedLog received_log;        // what the permanent checkpoint does not cover

    // The entry of that label, or nullptr.
    SentEntry* entry(Label label);
};

// The keys that a roster has of a member; nobody where it has none.
secure::PublicKeys keys_of(const wire::Member& member);

struct Checkpoint {
    Totals totals;
    ChannelMap channels;  // those that are not empty

    // An empty channel where there is none.
    const Channel& channel(std::string_view peer) const;
};

// The operation that this customer takes part in: being in one is what "busy" means.
struct Operation {
    OperationId id;
    wire::OperationKind kind = wire::OPERATION_NONE;
    std::string parent;    // empty: this customer initiated it, or the bank did (join, freeze)
    Checkpoint tentative;  // checkpoint, join, freeze
    wire::SignedStatement statement;  // of the tentative checkpoint (customer/statements.h)
    Epoch next_epoch;                 // rollback: what was told to those asked
    std::map<std::string, Epoch, std::less<>> askers;  // rollback: and their epochs after a COMMIT
    CohortId cohort;                                   // join
    std::string cohort_name;                           // join
    // Not stored: somebody has said that it is aborted, and the bank has still to confirm that.
    bool said_to_be_aborted = false;
};

// Labels of `peer` above `label` are dropped until the rollback `operation` is decided.
struct HoldBack {
    OperationId operation;
    std::string peer;
    Label label;
    Epoch next_epoch;
};

// A deal with the bank that has been asked for and not been answered. What it costs is debited.
struct OpenDeal {
    uint64_t number = 0;  // rises; within the epoch it is never used twice
    wire::DealKind kind = wire::DEAL_NONE;
    std::string what;
    uint64_t quantity = 0;
    Money amount;  // as it changes the balance
    uint32_t months = 0;
};

enum class Phase : uint32_t { none, opening, open, exiting, exited };

class State {
  public:
    using Record = customer_records::Record;
    using Peers = std::map<std::string, Peer, std::less<>>;

    // Errors: bad-record, when the record does not fit the state. The state is then not usable.
    Result<void> apply(const Record& record);

    // A record that alone gives this state.
    void snapshot(Record& record) const;
    // The `live` of a tentative checkpoint in checkpoint mode.
    void live(customer_records::Live* out, bool with_activity) const;
    // The lines of activity since the permanent checkpoint, before line `upto`: the newest `most`,
    // and how many older ones that leaves out.
    void new_activity(google::protobuf::RepeatedPtrField<wire::Activity>* out, uint64_t upto,
                      size_t most, uint64_t* left_out) const;

    // A copy of all that a checkpoint keeps.
    Checkpoint take_checkpoint() const;

    Peer* find_peer(std::string_view peer_name);
    const Peer* find_peer(std::string_view peer_name) const;
    bool in_cohort() const { return cohort.value() != 0; }
    // Sends, credits and acknowledges no transfer, and cash waits.
    bool is_suspended() const;
    // Nothing is credited. As the above, but for a rollback of which only the bank has still to say
    // that it was aborted: what came in meanwhile would be rolled back with the rest.
    bool is_deaf() const;
    bool has_account() const { return phase != Phase::none && phase != Phase::opening; }

    // True if the received set differs from the permanent checkpoint's.
    bool received_since_checkpoint(const Peer& peer) const;
    // How many transfers were received from, or sent to, the peer since the permanent checkpoint.
    uint64_t count_received_since_checkpoint(const Peer& peer) const;
    uint64_t count_sent_since_checkpoint(const Peer& peer) const;
    // The first label sent to the peer since the permanent checkpoint; nothing if there is none.
    std::optional<Label> first_label_sent(const Peer& peer) const;

    // An operation that this customer said no to or that ended here, whichever way, or an older one
    // of the same initiator: a late request must not begin it again.
    bool is_refused(const OperationId& id) const;

    // What the answer to the open deal does to the balance: what is paid was debited with the
    // question, so that a refusal gives it back; what is borrowed comes with the answer. Nothing
    // if the account cannot hold it. Requires an open deal.
    std::optional<Money> deal_change(bool accepted) const;

    // Whether the account can have this balance, whatever the bank makes of the open deal: it may
    // still add to it what it is about.
    bool can_hold(std::optional<Money> balance) const;

    // The equation above holds, for what is live and for the permanent checkpoint.
    bool adds_up() const;

    std::string name;
    Phase phase = Phase::none;
    uint64_t opener = 0;
    bool offered = false;  // while opening: the bank has the account already
    uint32_t ip = 0;
    uint16_t port1 = 0;
    uint16_t port2 = 0;
    uint64_t boots = 0;
    bool in_clear = false;                  // a run of the program was, with this account
    StableMode mode = StableMode::journal;  // of the newest start
    Epoch epoch{1};
    uint64_t counter = 0;     // of the newest operation that this customer initiated
    bool recovering = false;  // restored, and the peers have not yet followed
    // Restarted in `checkpoint` mode in doubt about a tentative checkpoint: what is live means
    // nothing until the decision says which checkpoint to restore.
    bool restore_due = false;
    CohortId cohort;
    std::string cohort_name;
    // When the bank signed the roster that names the peers, and until when it counts, in
    // milliseconds since 1970 by the bank's clock. 0 in clear.
    uint64_t roster_issued_ms = 0;
    uint64_t roster_expires_ms = 0;
    Totals totals;
    Peers peers;
    Checkpoint permanent;
    // The chain of statements: how many have become permanent, and the digest of the newest.
    uint64_t statements = 0;
    std::string statement_digest;
    std::optional<wire::SignedStatement> exit_statement;  // while the account is being closed,
    uint64_t exit_order = 0;  // by this order of the bank's operator, or 0,
    bool exit_empty = false;  // and only with nothing in it
    std::optional<Operation> operation;
    std::vector<HoldBack> held_back;
    using Refused = std::map<std::string, OperationId, std::less<>>;
    Refused refused;  // the newest, for each initiator
    ActivityLog activity;
    std::optional<OpenDeal> deal;
    uint64_t deals = 0;  // the number of the newest

  private:
    Result<void> apply_snapshot(const customer_records::Snapshot& snapshot);
    Result<void> apply_cash(const customer_records::Cash& cash);
    Result<void> apply_dealt(const customer_records::Dealt& dealt);
    Result<void> apply_deal_answered(const customer_records::DealAnswered& answered);
    void drop_deal();
    Result<void> apply_sent(const customer_records::Sent& sent);
    Result<void> apply_received(const customer_records::Received& received);
    void apply_pruned(Peer& peer, const IntervalSet& covered);
    Result<void> apply_tentative(const customer_records::Tentative& tentative);
    Result<void> apply_permanent(const OperationId& id);
    Result<void> apply_live(const customer_records::Live& live);
    // The tentative checkpoint is the permanent one from now on.
    void make_permanent();
    void apply_cohort_ended(const customer_records::CohortEnded& ended);
    void apply_undone(const OperationId& id);
    void apply_released(const OperationId& id, bool commit);
    void apply_rolled_back(const OperationId& id, Epoch new_epoch);
    void apply_cohort(const customer_records::CohortStarted& started);
    void apply_roster(const customer_records::Roster& roster);
    void restore_permanent();
    void restore_if_due();
    uint64_t at_ms_ = 0;  // of the record being applied
    void raise_known_epoch(std::string_view peer_name, Epoch to);
    void refuse(const OperationId& id);
    void forget_refused_of_bank(Refused::const_iterator newest);
    void forget_refused_of_peers();
    void remember(ActivityKind kind, std::string what, uint64_t number, Money amount,
                  std::string note = {});
};

}  // namespace customer
}  // namespace p2pbank
