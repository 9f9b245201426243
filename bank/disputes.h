// Who lied? When the settlements of an operation contradict each other, the bank aborts it at once
// and asks afterwards: the receiver of the channel has to prove what it claims with the signatures
// of the sender (evidence.h says what they show). What comes of it is recorded and told; nothing
// waits for it, and a restart of the bank forgets what it has not heard.
//
// Only where everybody has keys: in clear nothing can be proven. Owned by Decisions.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "bank/context.h"
#include "bank/evidence.h"
#include "bank/timing.h"
#include "common/core/backoff.h"

namespace p2pbank::bank {

class Disputes {
  public:
    explicit Disputes(Context& context) : context_(context) {}

    // The channel does not match with what `operation`, which is being aborted, would change. Asks
    // the receiver for evidence; what is needed of the operation is copied.
    void open(const Operation& operation, const Account& sender, const Account& receiver);

    // A statement, signed with that key, that `next_books` calls false.
    void accuse_of_statement(const Account& account, const wire::SignedStatement& statement,
                             const OperationId& operation, const std::string& why);

    // From the account that was asked.
    void on_evidence(const Account& account, const wire::Datagram& datagram);

    void on_timer();
    std::optional<TimePoint> next_wake() const;
    size_t in_progress() const { return open_.size(); }

  private:
    using Accusation = bank_evidence::Accusation;
    struct Open {
        OperationId operation;
        Dispute dispute;
        CohortId cohort;
        KeyBytes sender_key{};
        Accusation facts;  // who, with which statements; the rest when it is decided
        uint64_t receiver_instance = 0;
        uint64_t receiver_epoch = 0;
        uint64_t above = 0;
        size_t pieces = 0;
        std::vector<wire::SignedTransfers> items;
        std::vector<Proven> proven;
        IntervalSet wanted;                  // what the receiver claims
        std::unordered_set<uint64_t> shown;  // what is proven of it above `above`
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{timing::kRetryFirst, timing::kRetryMost};
    };
    // The receiver may no longer have what it proved it with: it went on or was started again.
    bool has_moved_on(const Open& open) const;
    void ask(Open& open);
    // The first label of the claim above `above` that nothing proves. Takes what is below it from
    // `shown`: nobody looks there again.
    static std::optional<uint64_t> first_unproven(Open& open);
    // Adds what the piece proves. True if it was the last one.
    bool take(Open& open, const wire::Evidence& evidence);
    void decide(Open& open);
    void accuse(Open& open, bank_evidence::AccusationKind kind, const std::string& name, Lie lie);
    void record(Accusation accusation);

    Context& context_;
    std::list<Open> open_;
};

}  // namespace p2pbank::bank
