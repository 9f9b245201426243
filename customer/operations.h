// Checkpoints and rollbacks, after R. Koo and S. Toueg, "Checkpointing and Rollback-Recovery for
// Distributed Systems", IEEE TSE 13(1), 1987, with the bank as recorder of the decision
// (docs/protocol.md). Joining and ending a cohort are the same kind of operation with the bank as
// initiator.
//
// Owned by Customer. A customer takes part in at most one operation (State::operation); what is
// needed only in this run of the program is in Run beside it. Hold-backs are not operations:
// several may stand at once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/core/answer.h"
#include "common/core/backoff.h"
#include "customer/channels.h"
#include "customer/context.h"
#include "customer/proofs.h"

namespace p2pbank::customer {

class Operations {
  public:
    // How an operation that this customer initiated ended. `retry` if another try may do better.
    struct End {
        wire::OperationKind kind = wire::OPERATION_NONE;
        Outcome outcome = Outcome::success;
        bool retry = false;
        std::string code;
        std::string text;  // success: who took part and why; failure: a sentence
        std::vector<std::string> participants;  // success: who took part, without holders
    };
    using Ended = std::function<void(const End&)>;
    // released(): the customer is no longer in an operation, so that what waited can go on.
    using Released = std::function<void()>;

    Operations(Context& context, Channels& channels, Proofs& proofs, Ended ended,
               Released released);

    // After a start: what was undecided is asked about, and a recovery begins where one is due.
    void resume();

    // Requires !busy(). Ends with one call of Ended, perhaps before this returns.
    void begin(wire::OperationKind kind);
    bool busy() const { return context_.state.operation.has_value(); }
    // Transfers wait while an operation is under way; not while only the bank has still to say that
    // it was aborted.
    bool holds_up_transfers() const {
        return busy() && !context_.state.operation->said_to_be_aborted;
    }

    // From peers
    void on_checkpoint_request(Peer& peer, const wire::Datagram& datagram);
    void on_rollback_request(Peer& peer, const wire::Datagram& datagram);
    void on_vote(Peer& peer, const wire::Datagram& datagram);
    void on_outcome(Peer& peer, const wire::Datagram& datagram);
    void on_outcome_ack(Peer& peer, const wire::Datagram& datagram);

    // From the bank
    void on_settle_ack(const wire::SettleAck& ack);
    void on_operation_begun(const wire::OperationBegun& begun);
    void on_decision(const wire::Decision& decision);
    void on_join_request(const wire::JoinRequest& request);
    void on_freeze_request(const wire::FreezeRequest& request);
    void on_cohort_started(const wire::CohortStarted& started);
    void on_cohort_ended(const wire::CohortEnded& ended);

    // More of what was received is signed for than before.
    void covered_more();
    // An address has proven itself: what waits for it goes now.
    void introduced(Address from);
    void on_timer();
    std::optional<TimePoint> next_wake() const;

    // For `status`: what this customer is in the middle of; empty if nothing.
    std::string describe() const;

  private:
    struct Child {
        wire::Datagram request;
        bool answered = false;
        bool takes_part = false;
    };
    // Of the operation in the state, in this run of the program.
    struct Run {
        Run() {}  // clang 14 does not find an implicit one for std::optional
        bool initiator = false;
        bool recovery = false;  // after a restart, by itself: nobody is told how it ends
        bool voted = false;
        bool restored = false;     // found in the journal: whether it voted is not known
        bool bank_has_it = false;  // the settlement, or the beginning, is acknowledged
        bool asked_commit = false;
        bool covered = false;   // what the tentative checkpoint shows as received is signed for
        bool settled = false;   // the settlement may have reached the bank
        bool reported = false;  // UNKNOWN was answered
        std::optional<wire::Datagram> vote;  // the single final answer to the parent
        std::map<std::string, Child, std::less<>> children;
        std::map<std::string, wire::Participant> participants;  // here and below
        std::string no_code;
        std::string no_who;
        std::string no_text;  // if there is more to say
        TimePoint deadline{};
        TimePoint retry_at{};
        Backoff retry{milliseconds(1), milliseconds(1)};
    };
    struct Spreading {  // an outcome on its way to a child
        std::string child;
        wire::Datagram message;
        TimePoint at{};
        Backoff retry;
        int tries = 0;
    };
    struct Question {  // about the decision on a rollback for which something is held back
        TimePoint at{};
        Backoff retry;
    };

    void begin_tentative(const OperationId& id, wire::OperationKind kind, const std::string& parent,
                         CohortId cohort, const std::string& cohort_name);
    void begin_rollback(const OperationId& id, const std::string& parent);
    void start_run(bool initiator, TimePoint deadline);
    void add_children();
    void add_own_reasons();
    void send_unanswered();
    bool is_covered();
    // A customer of the cohort has begun it, and signed for that.
    bool is_begun_by_initiator(const OperationId& id, wire::OperationKind kind) const;
    void send_settlement();
    void give_up_settlement();
    void refuse_settlement(const wire::OperationId& id, const std::string& code);
    void advance();
    void vote_yes();
    void fail(const std::string& code, const std::string& who);
    void on_deadline();
    // True if the decision is carried out, or concerns nothing here.
    bool resolve(const OperationId& id, bool commit, const std::string& why,
                 const std::string& word);
    // Of the same name: `said`, in a vote before, is not what its owner has signed, `participant`
    // is.
    bool contradicts(const wire::Participant& said, const wire::Participant& participant) const;
    // That peer has asked this customer to take part, or to hold back.
    bool has_asked(const Peer& peer, const OperationId& id) const;
    // Somebody says that it is aborted, without the bank's word for it.
    void doubt(const OperationId& id);
    void commit_operation();
    void undo_operation();
    void end_own(const Run& run, wire::OperationKind kind, bool commit, const std::string& why);
    void spread(const Run& run, const OperationId& id, wire::OperationKind kind, bool commit,
                const std::string& word);
    void say_yes(Peer& peer, const OperationId& id, bool as_holder);
    void say_no(Peer& peer, const OperationId& id, const std::string& code);
    void hold_back(Peer& peer, const OperationId& id, Label label, Epoch next_epoch,
                   TimePoint deadline);
    void remember_asker(Peer& peer, Epoch next_epoch);
    void ack_decision(const OperationId& id);
    void ask_for_decision(const OperationId& id, wire::OperationKind kind);
    void begin_recovery_if_due();
    Peer* parent_of(const Operation& operation);
    std::string participants_text(const Run& run, wire::OperationKind kind) const;
    void trace(std::string_view kind, const OperationId& id);
    // Join and freeze.
    static bool is_of_cohort(wire::OperationKind kind) {
        return kind == wire::OPERATION_JOIN || kind == wire::OPERATION_FREEZE;
    }

    Context& context_;
    Channels& channels_;
    Proofs& proofs_;
    Ended ended_;
    Released released_;
    std::optional<Run> run_;
    std::vector<Spreading> spreading_;
    std::map<OperationId, Question> questions_;
    TimePoint next_recovery_{};
    Backoff recovery_pause_;
};

}  // namespace p2pbank::customer
