#include "customer/operations.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/statements.h"
#include "customer/timing.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;

namespace {

Backoff request_backoff() {
    return Backoff(timing::kRetryFirst, timing::kRetryMost);
}
Backoff query_backoff() {
    return Backoff(timing::kQueryFirst, timing::kQueryMost);
}

}  // namespace

Operations::Operations(Context& context, Channels& channels, Proofs& proofs, Ended ended,
                       Released released)
    : context_(context),
      channels_(channels),
      proofs_(proofs),
      ended_(std::move(ended)),
      released_(std::move(released)),
      recovery_pause_(timing::kBusyFirst, timing::kBusyMost) {}

void Operations::trace(std::string_view kind, const OperationId& id) {
    if (context_.effects->tracing()) {
        context_.effects->trace({kind, {{"operation", to_string(id)}}});
    }
}

void Operations::resume() {
    if (context_.state.operation) {
        run_.emplace();
        run_->restored = true;
        // Whatever was answered to whom: what becomes of it is told.
        const Operation& operation = *context_.state.operation;
        run_->initiator = operation.id.initiator == context_.state.name;
        run_->recovery = run_->initiator && context_.state.recovering &&
                         operation.kind == wire::OPERATION_ROLLBACK;
        run_->reported = true;
        run_->retry = query_backoff();
        run_->retry_at = context_.now;
    }
    for (const HoldBack& hold : context_.state.held_back) {
        questions_.try_emplace(hold.operation, Question{context_.now, query_backoff()});
    }
    begin_recovery_if_due();
}

void Operations::begin_recovery_if_due() {
    const State& state = context_.state;
    if (!state.recovering || state.restore_due || state.operation || state.phase != Phase::open ||
        context_.now < next_recovery_) {
        return;
    }
    begin(wire::OPERATION_ROLLBACK);
}

// --- initiating and taking part
// -------------------------------------------------------------------

void Operations::begin(wire::OperationKind kind) {
    P2PBANK_CHECK(!busy());
    if (kind == wire::OPERATION_CHECKPOINT && !can_declare(context_)) {
        End end;
        end.kind = kind;
        end.outcome = Outcome::failure;
        end.code = "bank-unreachable";
        end.text = "the bank's key is not known; nothing was changed";
        end.retry = true;  // it has been asked for it
        ended_(end);
        return;
    }
    OperationId id{context_.state.name, context_.state.epoch.value(), context_.state.counter + 1,
                   ""};
    id.word = sign_operation(context_.signer(), id, kind);
    if (kind == wire::OPERATION_CHECKPOINT) {
        begin_tentative(id, kind, "", CohortId(), "");
    } else {
        begin_rollback(id, "");
    }
    start_run(true, context_.now + timing::kOperationDeadline);
}

void Operations::begin_tentative(const OperationId& id, wire::OperationKind kind,
                                 const std::string& parent, CohortId cohort,
                                 const std::string& cohort_name) {
    State::Record record;
    auto* tentative = record.mutable_tentative();
    to_wire(id, tentative->mutable_operation());
    tentative->set_kind(kind);
    tentative->set_parent(parent);
    if (id.initiator == context_.state.name) tentative->set_counter(id.counter);
    tentative->set_cohort(cohort.value());
    tentative->set_cohort_name(cohort_name);
    *tentative->mutable_statement() = declare(context_, id, kind);
    // Whoever received something from here needs the word for it before it can settle.
    channels_.sign_all();
    context_.commit_with_live(record);
    proofs_.on_tentative();
    trace("checkpoint-tentative", id);
}

void Operations::begin_rollback(const OperationId& id, const std::string& parent) {
    State::Record record;
    auto* begun = record.mutable_rollback_begun();
    to_wire(id, begun->mutable_operation());
    begun->set_parent(parent);
    if (id.initiator == context_.state.name) begun->set_counter(id.counter);
    begun->set_next_epoch(context_.state.epoch.next().value());
    context_.commit(record);
    trace("rollback-begun", id);
}

void Operations::start_run(bool initiator, TimePoint deadline) {
    const Operation& operation = *context_.state.operation;
    run_.emplace();
    run_->initiator = initiator;
    run_->recovery = initiator && context_.state.recovering;
    run_->deadline = deadline;
    run_->retry = request_backoff();
    // Only the initiator of a rollback has something to tell the bank.
    run_->bank_has_it = operation.kind == wire::OPERATION_ROLLBACK && !initiator;
    add_own_reasons();
    add_children();
    send_unanswered();
    run_->retry_at = std::min(deadline, context_.now + run_->retry.next(context_.random));
    advance();
}

void Operations::add_own_reasons() {
    const Operation& operation = *context_.state.operation;
    wire::Participant& self = run_->participants[context_.state.name];
    self.set_name(context_.state.name);
    self.set_next_epoch(operation.next_epoch.value());
    if (operation.kind == wire::OPERATION_ROLLBACK) {
        self.set_word(sign_rollback_vote(context_.signer(), operation.id, context_.state.name,
                                         operation.next_epoch));
    }
    for (const auto& [peer_name, peer] : context_.state.peers) {
        uint64_t count = 0;
        if (operation.kind == wire::OPERATION_CHECKPOINT) {
            count = context_.state.count_received_since_checkpoint(peer);
        } else if (operation.kind == wire::OPERATION_ROLLBACK) {
            count = context_.state.count_sent_since_checkpoint(peer);
        }
        if (count == 0) continue;
        wire::Reason* reason = self.add_reasons();
        reason->set_peer(peer_name);
        reason->set_transfers(count);
    }
}

void Operations::add_children() {
    const State& state = context_.state;
    const Operation& operation = *state.operation;
    for (const auto& [peer_name, peer] : state.peers) {
        wire::Datagram request;
        if (operation.kind == wire::OPERATION_CHECKPOINT && state.received_since_checkpoint(peer)) {
            auto* checkpoint = request.mutable_checkpoint_request();
            to_wire(operation.id, checkpoint->mutable_operation());
            checkpoint->set_label(peer.channel.received.highest().value());
        } else if (operation.kind == wire::OPERATION_ROLLBACK &&
                   (state.recovering || state.first_label_sent(peer))) {
            auto* rollback = request.mutable_rollback_request();
            to_wire(operation.id, rollback->mutable_operation());
            rollback->set_label(state.permanent.channel(peer_name).sent_last.value());
            rollback->set_next_epoch(operation.next_epoch.value());
        } else {
            continue;
        }
        run_->children[peer_name].request = std::move(request);
    }
}

// Everything that is asked and not answered, to the children and to the bank.
void Operations::send_unanswered() {
    Run& run = *run_;
    const Operation& operation = *context_.state.operation;
    if (!run.bank_has_it) {
        if (operation.kind == wire::OPERATION_ROLLBACK) {
            wire::Datagram message;
            to_wire(operation.id, message.mutable_operation_begin()->mutable_operation());
            message.mutable_operation_begin()->set_kind(operation.kind);
            context_.send_to_bank(message);
        } else {
            send_settlement();
        }
    }
    const auto below = static_cast<uint32_t>(
        std::chrono::duration_cast<milliseconds>(timing::time_below(run.deadline - context_.now))
            .count());
    for (auto& [peer_name, child] : run.children) {
        if (child.answered) continue;
        const Peer* peer = context_.state.find_peer(peer_name);
        if (child.request.has_checkpoint_request()) {
            child.request.mutable_checkpoint_request()->set_deadline_ms(below);
        } else {
            child.request.mutable_rollback_request()->set_deadline_ms(below);
        }
        context_.send_to_peer(*peer, child.request);
    }
}

// What a checkpoint claims to have been received has to be provable before anything of it leaves
// this process: the settlement, the vote, the question for COMMIT. Whoever claims what nobody
// signed for could be made a liar by the one who sent it.
bool Operations::is_covered() {
    const Operation& operation = *context_.state.operation;
    if (!run_->covered) {
        run_->covered =
            operation.kind == wire::OPERATION_ROLLBACK || proofs_.covers(operation.tentative);
    }
    return run_->covered;
}

void Operations::covered_more() {
    if (!run_ || run_->restored || run_->covered || !is_covered()) return;
    send_settlement();
    advance();
}

void Operations::send_settlement() {
    if (!is_covered()) return;  // covered_more() comes back here
    const Operation& operation = *context_.state.operation;
    run_->settled = true;
    wire::Datagram message;
    wire::Settle* settle = message.mutable_settle();
    to_wire(operation.id, settle->mutable_operation());
    settle->set_kind(operation.kind);
    *settle->mutable_statement() = operation.statement;
    context_.send_to_bank(message);
}

void Operations::advance() {
    Run& run = *run_;
    if (run.voted || run.asked_commit || run.restored || !run.bank_has_it) return;
    for (const auto& [peer_name, child] : run.children) {
        if (!child.answered) return;
    }
    if (!is_covered()) return;
    if (!run.initiator) {
        vote_yes();
        return;
    }
    run.asked_commit = true;
    run.retry = request_backoff();
    run.retry_at = context_.now;
    on_timer();
}

void Operations::vote_yes() {
    Run& run = *run_;
    const Operation& operation = *context_.state.operation;
    run.voted = true;
    run.retry = query_backoff();
    run.retry_at = run.deadline + timing::kAskGrace;
    Peer* parent = parent_of(operation);
    if (parent == nullptr) return;  // the bank asked: the settlement was the vote
    run.vote.emplace();
    wire::Vote* vote = run.vote->mutable_vote();
    to_wire(operation.id, vote->mutable_operation());
    vote->set_yes(true);
    for (const auto& [name, participant] : run.participants) {
        wire::Participant* out = vote->add_participants();
        *out = participant;
        while (out->reasons_size() > limits::kMaxReasonsInVote) {
            out->mutable_reasons()->RemoveLast();
        }
    }
    context_.send_to_peer(*parent, *run.vote);
}

Peer* Operations::parent_of(const Operation& operation) {
    return operation.parent.empty() ? nullptr : context_.state.find_peer(operation.parent);
}

// Before the vote a participant, and before asking the bank the initiator, may abort on its own.
void Operations::fail(const std::string& code, const std::string& who) {
    run_->no_code = code;
    run_->no_who = who;
    const Operation& operation = *context_.state.operation;
    const OperationId id = operation.id;
    const wire::OperationKind kind = operation.kind;
    Peer* parent = parent_of(operation);
    if (parent != nullptr && !run_->initiator) {
        wire::Datagram message;
        wire::Vote* vote = message.mutable_vote();
        to_wire(id, vote->mutable_operation());
        vote->set_code(code);
        vote->set_who(who);
        context_.send_to_peer(*parent, message);
        if (context_.sealed() && run_->settled) {
            // The bank may have the settlement, and an initiator may not keep to a no.
            run_->vote = std::move(message);
            spread(*run_, id, kind, false, "");
            doubt(id);
            return;
        }
    }
    Run run = std::move(*run_);
    undo_operation();
    spread(run, id, kind, false, "");
    end_own(run, kind, false, "");
    released_();
    begin_recovery_if_due();
}

void Operations::on_deadline() {
    const Operation& operation = *context_.state.operation;
    if (is_of_cohort(operation.kind) && !run_->settled) {
        give_up_settlement();
        return;
    }
    if (is_of_cohort(operation.kind)) {
        // The settlement is the vote, and may have reached the bank: only the bank can tell.
        run_->voted = true;
        run_->retry = query_backoff();
        run_->retry_at = context_.now;
        on_timer();
        return;
    }
    if (is_covered() && !run_->bank_has_it) {
        fail("bank-unreachable", "bank");
        return;
    }
    std::string who;
    for (const auto& [peer_name, child] : run_->children) {
        if (!child.answered) who += (who.empty() ? "" : ", ") + peer_name;
    }
    if (!who.empty()) {
        fail("unreachable", who);
        return;
    }
    who = proofs_.not_signed_by(operation.tentative);
    run_->no_text = who + " does not sign for " + proofs_.not_signed(operation.tentative, who);
    fail("unsigned", who);
}

}  // namespace p2pbank::customer
