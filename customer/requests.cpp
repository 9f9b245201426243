// What peers ask for in operations, and what they answer. Part of customer::Operations.
#include <algorithm>

#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "customer/operations.h"
#include "customer/statements.h"
#include "customer/timing.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;

namespace {

constexpr Duration kLongestDeadline = seconds(60);  // whatever a request says

TimePoint deadline_of(TimePoint now, uint32_t deadline_ms) {
    return now + std::min<Duration>(kLongestDeadline, milliseconds(deadline_ms));
}

bool is_valid_code(const std::string& code) {
    return !code.empty() && code.size() <= 32 &&
           code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
}

Backoff query_backoff() {
    return Backoff(timing::kQueryFirst, timing::kQueryMost);
}

}  // namespace

// Operations of customers among customers: the bank's own do not come this way.
bool Operations::is_begun_by_initiator(const OperationId& id, wire::OperationKind kind) const {
    const State& state = context_.state;
    if (!is_valid_name(id.initiator)) return false;
    if (!context_.sealed() || (state.operation && state.operation->id == id)) return true;
    if (id.initiator == state.name) {
        return is_operation_signed(id, kind, context_.identity.keys().signing);
    }
    const auto peer = state.peers.find(id.initiator);
    return peer != state.peers.end() && is_operation_signed(id, kind, peer->second.keys.signing);
}

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
    if (Epoch(datagram.epoch()) < peer.known_epoch ||
        !is_begun_by_initiator(id, wire::OPERATION_CHECKPOINT)) {
        return;
    }
    // It can settle only what this customer has signed for, whether it takes part or not.
    channels_.sign(peer);
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
    if (!can_declare(context_)) {
        say_no(peer, id, "bank-unreachable");
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
        !is_begun_by_initiator(id, wire::OPERATION_ROLLBACK)) {
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
    for (const wire::Participant& participant : vote.participants()) {
        if (!is_valid_name(participant.name())) return;
    }
    child->second.answered = true;
    child->second.takes_part = vote.participants_size() > 0;
    for (const wire::Participant& participant : vote.participants()) {
        const auto [at, fresh] = run_->participants.try_emplace(participant.name(), participant);
        // Whoever holds back for one asker and rolls back for another rolls back. And what
        // somebody says of another does not hide what that one has signed.
        if (!fresh && (at->second.holder() || contradicts(at->second, participant))) {
            at->second = participant;
        }
    }
    advance();
}

bool Operations::contradicts(const wire::Participant& said,
                             const wire::Participant& participant) const {
    if (said.word() == participant.word() || participant.holder()) return false;
    const auto voter = context_.state.peers.find(participant.name());
    return voter != context_.state.peers.end() &&
           is_rollback_vote_signed(context_.state.operation->id, participant.name(),
                                   Epoch(participant.next_epoch()), participant.word(),
                                   voter->second.keys.signing);
}

void Operations::on_outcome(Peer& peer, const wire::Datagram& datagram) {
    const wire::Decision& outcome = datagram.outcome();
    const OperationId id = from_wire(outcome.operation());
    const auto& bank = context_.bank_keys;
    const bool genuine =
        !context_.sealed() ||
        (bank && is_decision_signed(id, outcome.commit(), outcome.word(), bank->signing));
    if (genuine) {
        if (!resolve(id, outcome.commit(), "", outcome.word())) return;
        if (outcome.commit()) ack_decision(id);
    } else if (outcome.commit()) {
        return;
    } else if (has_asked(peer, id)) {
        doubt(id);
    }
    wire::Datagram reply;
    to_wire(id, reply.mutable_outcome_ack()->mutable_operation());
    context_.send_to_peer(peer, reply);
}

// Nobody else has something to take back; the first asker of a checkpoint hears of it, too.
bool Operations::has_asked(const Peer& peer, const OperationId& id) const {
    const auto& operation = context_.state.operation;
    if (operation && operation->id == id &&
        (operation->parent == peer.name || operation->askers.contains(peer.name))) {
        return true;
    }
    const auto& held = context_.state.held_back;
    return std::any_of(held.begin(), held.end(), [&](const HoldBack& hold) {
        return hold.operation == id && hold.peer == peer.name;
    });
}

// An initiator that gives up says so before the bank has anything to sign. One that lies could have
// the bank commit nevertheless: so whoever has settled, voted or holds back asks the bank.
void Operations::doubt(const OperationId& id) {
    const auto question = questions_.find(id);
    if (question != questions_.end()) question->second.at = context_.now;
    const auto& operation = context_.state.operation;
    if (!run_ || !operation || operation->id != id || run_->initiator ||
        is_of_cohort(operation->kind)) {
        return;
    }
    if (!run_->settled && !run_->voted && !run_->restored) {
        resolve(id, false, "", "");
        return;
    }
    if (operation->said_to_be_aborted) return;
    run_->voted = true;
    context_.state.operation->said_to_be_aborted = true;
    run_->retry = query_backoff();
    run_->retry_at = context_.now;
    released_();
}

void Operations::on_outcome_ack(Peer& peer, const wire::Datagram& datagram) {
    const OperationId id = from_wire(datagram.outcome_ack().operation());
    std::erase_if(spreading_, [&](const Spreading& spreading) {
        return spreading.child == peer.name &&
               from_wire(spreading.message.outcome().operation()) == id;
    });
}

}  // namespace p2pbank::customer
