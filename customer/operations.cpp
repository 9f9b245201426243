#include "customer/operations.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/wire/convert.h"
#include "customer/timing.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;

namespace {

constexpr Duration kLongestDeadline = seconds(60);  // whatever a request says

TimePoint deadline_of(TimePoint now, uint32_t deadline_ms) {
    return now + std::min<Duration>(kLongestDeadline, milliseconds(deadline_ms));
}

// Operations of customers among customers: the bank's own do not come this way.
bool is_valid_initiator(const OperationId& id) {
    return is_valid_name(id.initiator);
}

bool is_valid_code(const std::string& code) {
    return !code.empty() && code.size() <= 32 &&
           code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
}

Backoff request_backoff() {
    return Backoff(timing::kRetryFirst, timing::kRetryMost);
}
Backoff query_backoff() {
    return Backoff(timing::kQueryFirst, timing::kQueryMost);
}

}  // namespace

Operations::Operations(Context& context, Channels& channels, Ended ended, Released released)
    : context_(context),
      channels_(channels),
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
        run_->initiator = false;
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
    const OperationId id{context_.state.name, context_.state.epoch.value(),
                         context_.state.counter + 1};
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
    context_.commit_tentative(record);
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
    const auto left = std::chrono::duration_cast<milliseconds>(run.deadline - context_.now).count();
    // A little less at each level, so that a no from below comes before the parent gives up.
    const auto below = static_cast<uint32_t>(left - std::min<int64_t>(left / 32, 100));
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

void Operations::send_settlement() {
    const Operation& operation = *context_.state.operation;
    wire::Datagram message;
    wire::Settle* settle = message.mutable_settle();
    to_wire(operation.id, settle->mutable_operation());
    settle->set_kind(operation.kind);
    to_wire(operation.tentative.totals, settle->mutable_totals());
    for (const auto& [peer_name, channel] : operation.tentative.channels) {
        if (channel == context_.state.permanent.channel(peer_name)) continue;
        to_wire(peer_name, channel, settle->add_channels());
    }
    uint64_t left_out = 0;
    context_.state.new_activity(settle->mutable_activity(), context_.state.activity.tentative,
                                limits::kMaxActivityInSettlement, &left_out);
    settle->set_activity_left_out(left_out);
    context_.send_to_bank(message);
}

void Operations::advance() {
    Run& run = *run_;
    if (run.voted || run.asked_commit || run.restored || !run.bank_has_it) return;
    for (const auto& [peer_name, child] : run.children) {
        if (!child.answered) return;
    }
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
    Run run = std::move(*run_);
    undo_operation();
    if (parent != nullptr && !run.initiator) {
        wire::Datagram message;
        wire::Vote* vote = message.mutable_vote();
        to_wire(id, vote->mutable_operation());
        vote->set_code(code);
        vote->set_who(who);
        context_.send_to_peer(*parent, message);
    }
    spread(run, id, kind, false);
    end_own(run, kind, false, "");
    released_();
    begin_recovery_if_due();
}

void Operations::on_deadline() {
    const wire::OperationKind kind = context_.state.operation->kind;
    if (kind == wire::OPERATION_JOIN || kind == wire::OPERATION_FREEZE) {
        // The settlement is the vote, and may have reached the bank: only the bank can tell.
        run_->voted = true;
        run_->retry = query_backoff();
        run_->retry_at = context_.now;
        on_timer();
        return;
    }
    if (!run_->bank_has_it) {
        fail("bank-unreachable", "bank");
        return;
    }
    std::string who;
    for (const auto& [peer_name, child] : run_->children) {
        if (!child.answered) who += (who.empty() ? "" : ", ") + peer_name;
    }
    fail("unreachable", who);
}

// --- requests from peers
// --------------------------------------------------------------------------

void Operations::say_yes(Peer& peer, const OperationId& id, bool as_holder) {
    wire::Datagram message;
    wire::Vote* vote = message.mutable_vote();
    to_wire(id, vote->mutable_operation());
    vote->set_yes(true);
    if (as_holder) {
        wire::Participant* self = vote->add_participants();
        self->set_name(context_.state.name);
        self->set_holder(true);
    }
    context_.send_to_peer(peer, message);
}

void Operations::say_no(Peer& peer, const OperationId& id, const std::string& code) {
    if (!context_.state.is_refused(id)) {
        State::Record record;
        to_wire(id, record.mutable_refused()->mutable_operation());
        context_.commit(record);
    }
    wire::Datagram message;
    wire::Vote* vote = message.mutable_vote();
    to_wire(id, vote->mutable_operation());
    vote->set_code(code);
    vote->set_who(context_.state.name);
    context_.send_to_peer(peer, message);
}

void Operations::on_checkpoint_request(Peer& peer, const wire::Datagram& datagram) {
    const wire::CheckpointRequest& request = datagram.checkpoint_request();
    const OperationId id = from_wire(request.operation());
    const State& state = context_.state;
    const Label label(request.label());
    if (Epoch(datagram.epoch()) < peer.known_epoch || !is_valid_initiator(id)) return;
    if (state.is_refused(id)) {
        say_no(peer, id, "refused");
        return;
    }
    if (state.operation && state.operation->id == id) {
        if (state.operation->kind != wire::OPERATION_CHECKPOINT) return;
        if (!run_->initiator && state.operation->parent == peer.name) {
            if (run_->vote) context_.send_to_peer(peer, *run_->vote);
        } else if (label <= state.operation->tentative.channel(peer.name).sent_last) {
            say_yes(peer, id, false);
        }
        return;
    }
    // What a checkpoint covers is certain: an open deal is answered first.
    if (state.operation || state.deal || state.phase != Phase::open) {
        say_no(peer, id, "busy");
        return;
    }
    if (state.recovering || state.restore_due) {
        say_no(peer, id, "recovering");
        return;
    }
    if (label > peer.channel.sent_last) {
        say_no(peer, id, "label-unknown");
        return;
    }
    const auto first = state.first_label_sent(peer);
    if (!first || label < *first) {
        say_yes(peer, id, false);
        return;
    }
    begin_tentative(id, wire::OPERATION_CHECKPOINT, peer.name, CohortId(), "");
    context_.notice(Severity::info, "takes a checkpoint for " + id.initiator);
    start_run(false, deadline_of(context_.now, request.deadline_ms()));
}

void Operations::on_rollback_request(Peer& peer, const wire::Datagram& datagram) {
    const wire::RollbackRequest& request = datagram.rollback_request();
    const OperationId id = from_wire(request.operation());
    const State& state = context_.state;
    const Label label(request.label());
    const Epoch next_epoch(request.next_epoch());
    if (Epoch(datagram.epoch()) < peer.known_epoch || next_epoch <= peer.known_epoch ||
        !is_valid_initiator(id)) {
        return;
    }
    if (state.is_refused(id)) {
        say_no(peer, id, "refused");
        return;
    }
    if (state.operation && state.operation->id == id) {
        if (state.operation->kind != wire::OPERATION_ROLLBACK) return;
        if (!run_->initiator && state.operation->parent == peer.name) {
            if (run_->vote) context_.send_to_peer(peer, *run_->vote);
            return;
        }
        // Its labels above are given up by this customer's own rolling back; its epoch has to rise.
        remember_asker(peer, next_epoch);
        say_yes(peer, id, false);
        return;
    }
    const TimePoint deadline = deadline_of(context_.now, request.deadline_ms());
    const bool has_more = peer.channel.received.highest() > label;
    if (state.recovering && !state.restore_due && !has_more) {
        hold_back(peer, id, label, next_epoch, deadline);
        return;
    }
    if (state.operation || state.phase != Phase::open) {
        say_no(peer, id, "busy");
        return;
    }
    if (state.recovering || state.restore_due) {
        say_no(peer, id, "recovering");
        return;
    }
    if (!has_more) {
        hold_back(peer, id, label, next_epoch, deadline);
        return;
    }
    begin_rollback(id, peer.name);
    remember_asker(peer, next_epoch);
    context_.notice(Severity::info, "prepares to roll back for " + id.initiator);
    start_run(false, deadline);
}

void Operations::remember_asker(Peer& peer, Epoch next_epoch) {
    const auto& askers = context_.state.operation->askers;
    const auto found = askers.find(peer.name);
    if (found != askers.end() && found->second >= next_epoch) return;
    State::Record record;
    record.mutable_asked()->set_asker(peer.name);
    record.mutable_asked()->set_next_epoch(next_epoch.value());
    context_.commit(record);
}

void Operations::hold_back(Peer& peer, const OperationId& id, Label label, Epoch next_epoch,
                           TimePoint deadline) {
    const auto& held = context_.state.held_back;
    const bool known = std::any_of(held.begin(), held.end(), [&](const HoldBack& hold) {
        return hold.operation == id && hold.peer == peer.name && hold.label == label &&
               hold.next_epoch == next_epoch;
    });
    if (!known) {
        if (held.size() >= limits::kMaxHoldBacks) {
            say_no(peer, id, "busy");
            return;
        }
        State::Record record;
        auto* held_back = record.mutable_held_back();
        to_wire(id, held_back->mutable_operation());
        held_back->set_peer(peer.name);
        held_back->set_label(label.value());
        held_back->set_next_epoch(next_epoch.value());
        context_.commit(record);
        questions_.try_emplace(id, Question{deadline + timing::kAskGrace, query_backoff()});
        trace("held-back", id);
    }
    say_yes(peer, id, true);
}

void Operations::on_vote(Peer& peer, const wire::Datagram& datagram) {
    const wire::Vote& vote = datagram.vote();
    if (!run_ || run_->restored || run_->asked_commit || run_->voted ||
        Epoch(datagram.epoch()) < peer.known_epoch ||
        from_wire(vote.operation()) != context_.state.operation->id) {
        return;
    }
    const auto child = run_->children.find(peer.name);
    if (child == run_->children.end() || child->second.answered) return;
    if (!vote.yes()) {
        fail(is_valid_code(vote.code()) ? vote.code() : "refused",
             is_valid_name(vote.who()) ? vote.who() : peer.name);
        return;
    }
    child->second.answered = true;
    child->second.takes_part = vote.participants_size() > 0;
    for (const wire::Participant& participant : vote.participants()) {
        if (!is_valid_name(participant.name())) return;
        const auto [at, fresh] = run_->participants.try_emplace(participant.name(), participant);
        // Whoever holds back for one asker and rolls back for another rolls back.
        if (!fresh && at->second.holder()) at->second = participant;
    }
    advance();
}

void Operations::on_outcome(Peer& peer, const wire::Datagram& datagram) {
    const wire::Decision& outcome = datagram.outcome();
    const OperationId id = from_wire(outcome.operation());
    if (!resolve(id, outcome.commit(), "")) return;
    if (outcome.commit()) ack_decision(id);
    wire::Datagram reply;
    to_wire(id, reply.mutable_outcome_ack()->mutable_operation());
    context_.send_to_peer(peer, reply);
}

void Operations::on_outcome_ack(Peer& peer, const wire::Datagram& datagram) {
    const OperationId id = from_wire(datagram.outcome_ack().operation());
    std::erase_if(spreading_, [&](const Spreading& spreading) {
        return spreading.child == peer.name &&
               from_wire(spreading.message.outcome().operation()) == id;
    });
}

}  // namespace p2pbank::customer
