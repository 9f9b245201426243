// What must hold in every run: the invariants, each with its name, looked at after every event. An
// oracle only reads. It never trusts one node about another: what a node claims is compared with
// what the others hold and with the oracles' own ledger. A broken invariant ends the run
// (World::violated).
//
//   accounts-add-up         balance = opening + deposits - withdrawals + adjustments + carried
//                           - sent + received, for each customer, live and at its checkpoints; no
//                           balance is negative. With the next two, money is conserved at every
//                           instant.
//   labels-follow           within an epoch labels only rise, by one, and the sent log has them
//   no-orphan               what a customer received, its sender has sent, in the same amount, and
//                           once; at every instant for live customers of matching epochs, and in
//                           every cut that the bank settles
//   one-tentative           a customer has one tentative checkpoint at most, over all restarts
//   limits-hold             nothing in a state grows beyond what common/base/limits.h allows:
//                           datagrams, logs, gaps, hold-backs, activity, transfers in flight,
//                           deals, stock (tests/unit has the limits that no run of this size comes
//                           near)
//   checkpoints-go-forward  a permanent checkpoint is never replaced by an older one
//   sending-stops           nobody begins a transfer between its tentative checkpoint, or the
//                           beginning of its rollback, and the decision
//   decide-alike            whoever ends an operation ends it as the bank recorded, and all alike
//   success-is-kept         what was answered with SUCCESS is not forgotten by a crash
//   failure-is-nothing      what was answered with FAILURE has changed nothing at the bank: an open
//                           has left no account there, an exit has closed none
//   old-epochs-are-over     the bank takes no settlement and no deal that was sent before its
//                           customer went back
//   edits-count-once        a row that a person has edited shows what it was edited to be
//   table-is-a-cut          the CSV on the bank's disk has the balances of one settled cut
//   minimal                 who took part in a checkpoint had to
//   replay-equals-live      the journal's records give back the state that is live
//   answers-once            each command of a living process has one answer, and it is its own
//   nobody-is-suspected     the bank finds nothing that does not add up: nobody lies, and the
//                           checks of the bank must not be what makes the protocol hold
//   nobody-gives-up         no process stops of itself: the simulated disk does not lie
//
// replay-equals-live is looked at every now and then and at each restart, the books at rest.
//
// Machines add their own: journal-opens, journal-keeps-whole-frames, flips-are-noticed, disk-works,
// timers-move-on, store-before-records, one-store, only-the-bank-has-a-table. The network adds:
// nothing-in-clear, no-amplification. The random runner adds: all-ends-well (liveness) and
// the-audit-agrees. no-process-dies: a check inside a node has ended its process (isolated.h).
//
// Owned by the world.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bank/state.h"
#include "common/base/ids.h"
#include "common/core/answer.h"
#include "customer/state.h"
#include "simulator/ledger.h"

namespace p2pbank::simulator {

class World;
struct Command;

class Oracles {
  public:
    explicit Oracles(World& world) : world_(world) {}

    // A process has replayed its journal and has not started yet.
    void restored(size_t machine);
    // The process has handled one or more events.
    void after_event(size_t machine);
    // In the middle of an event: it may yet be undone by a crash.
    void bank_persisted(std::string_view record);
    void customer_persisted(size_t machine, std::string_view record);
    void made_durable(size_t machine, std::string_view record);
    // A datagram of so many bytes leaves the machine.
    void transmitted(size_t machine, size_t bytes) const;
    void answer_made(CommandId command, const Answer& answer);
    // The person at the terminal has seen it.
    void answered(CommandId command);
    // A table on its way to the disk, and one that is there.
    void table_made(const std::string& content);
    void table_in_place(const std::string& content);
    // A person has edited the table.
    void table_edited(const std::string& content);
    // What the bank finds at its start.
    void table_found(const std::optional<std::string>& content);
    // When nothing is under way: bank and customers agree on every permanent checkpoint.
    void check_books();

    // replay-equals-live. Costs as much as a restart.
    void check_replay(size_t machine);

  private:
    struct Marks {
        Money deposits;
        Money withdrawals;
        std::map<std::string, Label, std::less<>> sent;  // the last label to each peer
    };
    // What a receiver has made durable, as its sender was told. Holds as long as both epochs last.
    struct Receipt {
        CohortId cohort;
        Epoch own;
        Epoch senders;
        IntervalSet labels;
    };
    // What is remembered of an account over all lives of its process.
    struct Account {
        Epoch epoch;
        CohortId cohort;
        // To each peer of each cohort: a crash may bring back one that seemed to have ended.
        std::map<CohortId, std::map<std::string, Ledger, std::less<>>> sent;
        bool unsettled = false;  // after a restart, until its state is whole again
        OperationId operation;   // that it was in after the event before
        Marks covered;           // by its permanent checkpoint
        Marks promised;          // of that, what a checkpoint answered with SUCCESS covers
        // What else was answered with SUCCESS. Holds as long as the epoch and the cohort last.
        Epoch floor_epoch;
        CohortId floor_cohort;
        Marks floor;
        uint64_t given_up = 0;  // how often the end of a cohort by force took such things back
        std::map<std::string, Receipt, std::less<>> receipts;
    };
    // What a SUCCESS promises, noted when the answer is made.
    struct Promise {
        std::string account;
        Epoch epoch;
        CohortId cohort;
        uint64_t given_up = 0;
        Marks live;
        std::optional<Marks> permanent;
        std::string receiver;  // of a transfer
        Receipt receipt;
    };
    // An account that a process is about to open, by the number that only this process knows.
    struct Opening {
        std::string name;
        uint64_t opener = 0;
    };
    struct Decided {
        bool commit;
        std::string first;
    };

    static Marks marks_of(const customer::Checkpoint& checkpoint);
    Account& account_of(const customer::State& state);
    void check_sums(const customer::State& state) const;
    void check_limit(size_t value, size_t most, const std::string& what) const;
    void check_limits(const customer::State& state) const;
    void check_limits(const bank::State& state) const;
    void follow_tentative(const std::string& who, const customer_records::Record& record);
    void follow_ledger(const customer::State& state, Account& account);
    void check_kept(const customer::State& state, Account& account);
    void check_channel(const customer::State& sender, const customer::State& receiver);
    void check_fits(const Command& typed, const Answer& answer) const;
    void decided(const OperationId& operation, bool commit, const std::string& who);
    void follow_opening(size_t machine, const customer_records::Opening& opening);
    void check_opening(size_t machine, customer::Phase phase);
    void check_given_up(const Opening& opening) const;
    void check_not_closed(const customer::State& state, const Answer& answer) const;
    void check_edited(const bank_records::Edited& edited) const;
    void check_epoch(const std::string& name, uint64_t epoch, const char* what) const;
    void bank_restored();
    void check_cut();
    void check_cut_channel(const bank::Account& sender, const bank::Account& receiver);
    void check_minimal(const bank_records::Decided& decided);

    World& world_;
    std::map<std::string, Account, std::less<>> accounts_;
    std::map<CommandId, Promise> promises_;
    std::vector<bool> made_;  // by command: an answer
    std::map<OperationId, Decided> decisions_;
    std::map<std::string, OperationId, std::less<>> tentative_;  // by account

    std::map<size_t, Opening> opening_;  // by machine
    std::vector<Opening> given_up_;

    // Of the bank
    std::set<CohortId> forced_;                  // cohorts ended by force
    std::set<std::string, std::less<>> opened_;  // answered with SUCCESS
    std::set<std::string, std::less<>> exited_;
    std::map<std::string, ChannelMap, std::less<>> cut_;  // as settled before
    std::string table_;                                   // in place
    std::vector<std::string> tables_on_the_way_;
    std::map<std::string, Money, std::less<>> edited_;  // balances in the newest table of a person
};

}  // namespace p2pbank::simulator
