// Settlements and decisions: the bank as the one place where an operation is committed or aborted
// (docs/protocol.md, "Decisions"). Owned by Bank.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "bank/attempts.h"
#include "bank/context.h"
#include "bank/disputes.h"
#include "common/core/backoff.h"

namespace p2pbank::bank {

class Decisions {
  public:
    // Called when a member has settled for an operation that the bank itself initiated.
    using Settled = std::function<void(const OperationId&)>;

    Decisions(Context& context, Settled settled);

    // After a start: what has not been acknowledged is told again, and what the bank had begun
    // itself and not decided is aborted.
    void resume();

    // The customer was in this epoch and in no operation but one that it now tells of: whatever it
    // settled in an older epoch for an undecided one it has left, and its deals of older epochs are
    // void. Not for an attachment: then it may still be in doubt about a checkpoint.
    void heard_in_epoch(const Account& account, uint64_t epoch);

    void on_settle(Account& account, const wire::Datagram& datagram, const Origin& from);
    // The last statement of an account that is in no cohort, if it can be taken: the account's own,
    // the next of its chain, adding up. What is wrong with it has been noticed.
    std::optional<wire::Statement> last_statement(const Account& account, const wire::Exit& exit);
    void on_evidence(const Account& account, const wire::Datagram& datagram);
    void on_operation_begin(Account& account, const wire::OperationBegin& begin,
                            const Origin& from);
    void on_decision_request(Account& account, const wire::DecisionRequest& request,
                             const Origin& from);
    void on_decision_query(Account& account, const wire::DecisionQuery& query, const Origin& from);
    void on_decision_ack(Account& account, const wire::DecisionAck& ack);
    void on_cohort_ended_ack(Account& account, const wire::CohortEndedAck& ack);

    // Records the decision; a COMMIT is then told to the participants until they acknowledge it.
    using RolledBack = google::protobuf::RepeatedPtrField<wire::RolledBack>;
    void decide(const OperationId& id, wire::OperationKind kind, bool commit,
                const std::vector<std::string>& participants, const RolledBack& rolled_back = {});
    // The end of a cohort is told to its members until they acknowledge it.
    void tell_end(const Account& account);

    // Both ends of every channel that the operation's settlements change fit together. What does
    // not is said in `why`, and, sealed, becomes a dispute: the operation is to be aborted then.
    bool cut_matches(const Operation& operation, std::string& why);

    wire::Datagram cohort_ended(const Account& account) const;

    // Whether these lines can be kept and shown: no more than there may be, texts that are text.
    using Activity = google::protobuf::RepeatedPtrField<wire::Activity>;
    static bool is_sane(const Activity& activity);

    void on_timer();
    std::optional<TimePoint> next_wake() const;

  private:
    struct Telling {
        TimePoint at{};
        Backoff again;
    };
    // What a statement has to be of.
    struct Expected {
        OperationId operation;  // none: the end of the account
        wire::OperationKind kind = wire::OPERATION_NONE;
        CohortId cohort;
        CohortId joining;  // of a join: this cohort counts as well
        uint64_t epoch = 0;
    };
    // The statement, if it is what is expected, signed by the account, and can follow the one
    // before. A lie is recorded, and what else is wrong is noticed.
    std::optional<wire::Statement> take(const Account& account,
                                        const wire::SignedStatement& statement,
                                        const Expected& expected);
    bool is_committable(const wire::DecisionRequest& request, std::string& why);
    // What the account has signed for the operation is still what follows its newest statement.
    bool is_current(const Account& account, const OperationId& id,
                    const Settlement& settlement) const;
    // True if the account's cohort has ended without it: it was told so.
    bool tell_if_ended(Account& account, const wire::Datagram* datagram, const Origin& from);
    void reply_decision(const OperationId& id, wire::OperationKind kind, bool commit,
                        const Origin& to, const std::string& why);
    // Operations are of members of one cohort; of an account in none, its own.
    static bool may_take_part(const Account& initiator, const Account& account);
    // The initiator has signed that it began it, and whoever tells of it has been given that: so
    // nobody supersedes somebody else's operations, or meddles in one without having been asked to
    // take part. What the teller has settled, and what is decided, needs no word.
    bool is_begun(const OperationId& id, wire::OperationKind kind, const Account& teller) const;
    wire::Datagram commit_message(const OperationId& id, const Committed& commit) const;
    void tell_commit(const OperationId& id, Duration after);

    // Tells that a statement of the account was refused. Only so many in a minute; those above are
    // counted and told with the next.
    void tell_refused(Severity severity, const Account& account, const std::string& text);

    Context& context_;
    Disputes disputes_;
    RateLimits refusals_;
    Settled settled_;
    std::map<OperationId, Telling> commits_;            // not acknowledged by all
    std::map<std::string, Telling, std::less<>> ends_;  // by member
};

}  // namespace p2pbank::bank
