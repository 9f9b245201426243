// How operations are decided and end, and what the bank says about them. Part of
// customer::Operations.
#include <algorithm>

#include "common/base/check.h"
#include "common/wire/convert.h"
#include "customer/operations.h"
#include "customer/timing.h"
#include "customer/undone.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;

namespace {

constexpr int kMostReasonsShown = 8;
constexpr int kSpreadTries = 8;  // then the child asks the bank

bool may_do_better(const std::string& code) {
    return code == "busy" || code == "recovering" || code == "refused" || code == "label-unknown";
}

std::string failure_text(const std::string& code, const std::string& who) {
    const std::string nothing = "; nothing was changed";
    if (code == "bank-unreachable") return "the bank does not answer" + nothing;
    if (code == "unreachable") return "no answer in time from " + who + nothing;
    if (code == "recovering") {
        return who + " was started again and has to roll back its peers first" + nothing;
    }
    if (code == "busy") {
        return who + " is in the middle of another checkpoint or rollback; try again" + nothing;
    }
    if (code == "unsigned") return who + " does not sign for transfers that it sent" + nothing;
    return who + " refused (" + code + ")" + nothing;
}

std::string counted(uint64_t count) {
    return std::to_string(count) + (count == 1 ? " transfer" : " transfers");
}

}  // namespace

// --- deciding
// -------------------------------------------------------------------------------------

bool Operations::resolve(const OperationId& id, bool commit, const std::string& why,
                         const std::string& word) {
    const auto& operation = context_.state.operation;
    bool ended = false;
    if (operation && operation->id == id) {
        const wire::OperationKind kind = operation->kind;
        // A COMMIT without this customer's yes cannot be true; that of a cohort comes with its
        // roster or its last balances.
        if (commit &&
            (is_of_cohort(kind) || !(run_->voted || run_->asked_commit || run_->restored))) {
            return false;
        }
        Run run = std::move(*run_);
        if (commit) {
            commit_operation();
        } else {
            undo_operation();
        }
        spread(run, id, kind, commit, word);
        end_own(run, kind, commit, why);
        ended = true;
    }
    const auto& held = context_.state.held_back;
    std::vector<std::string> holding;
    for (const HoldBack& hold : held) {
        if (hold.operation == id) holding.push_back(hold.peer);
    }
    if (!holding.empty()) {
        State::Record record;
        to_wire(id, record.mutable_released()->mutable_operation());
        record.mutable_released()->set_commit(commit);
        context_.commit(record);
        for (const std::string& peer_name : holding) {
            Peer* peer = context_.state.find_peer(peer_name);
            if (commit && peer != nullptr) channels_.on_epoch_raised(*peer);
        }
    }
    questions_.erase(id);
    if (ended) {
        released_();
        begin_recovery_if_due();
    }
    return true;
}

void Operations::commit_operation() {
    const Operation& operation = *context_.state.operation;
    const OperationId id = operation.id;
    State::Record record;
    run_.reset();
    if (operation.kind == wire::OPERATION_CHECKPOINT) {
        to_wire(id, record.mutable_permanent()->mutable_operation());
        context_.commit(record);
        trace("checkpoint-permanent", id);
        if (id.initiator != context_.state.name) {
            context_.notice(Severity::info, "the checkpoint for " + id.initiator + " is permanent");
        }
        channels_.on_permanent();
        return;
    }
    const std::string undone = undone_since(context_.state, context_.state.permanent);
    to_wire(id, record.mutable_rolled_back()->mutable_operation());
    record.mutable_rolled_back()->set_epoch(
        std::max(operation.next_epoch, context_.state.epoch).value());
    context_.commit(record);
    trace("rolled-back", id);
    if (id.initiator != context_.state.name) {
        context_.notice(Severity::info, "rolled back for " + id.initiator + ", balance " +
                                            to_string(context_.state.totals.balance) +
                                            (undone.empty() ? "" : "; undone: " + undone));
    }
    channels_.on_rolled_back();
}

void Operations::undo_operation() {
    const OperationId id = context_.state.operation->id;
    const wire::OperationKind kind = context_.state.operation->kind;
    const bool rollback = kind == wire::OPERATION_ROLLBACK;
    State::Record record;
    to_wire(id, record.mutable_undone()->mutable_operation());
    context_.commit(record);
    run_.reset();
    if (id.initiator != context_.state.name && !is_of_cohort(kind)) {
        context_.notice(Severity::info,
                        std::string(rollback ? "the rollback for " : "the checkpoint for ") +
                            id.initiator + " did not come about, balance " +
                            to_string(context_.state.totals.balance));
    }
    trace(rollback ? "rollback-undone" : "checkpoint-undone", id);
}

void Operations::end_own(const Run& run, wire::OperationKind kind, bool commit,
                         const std::string& why) {
    if (!run.initiator) return;
    if (run.recovery) {
        if (commit) {
            recovery_pause_.reset();
            context_.notice(Severity::info, "recovered: all peers have followed");
        } else {
            next_recovery_ = context_.now + recovery_pause_.next(context_.random);
        }
        return;
    }
    End end;
    end.kind = kind;
    if (commit && run.restored) {
        end.text = "balance " + to_string(context_.state.totals.balance);
    } else if (commit) {
        end.text = participants_text(run, kind);
        for (const auto& [name, participant] : run.participants) {
            if (!participant.holder()) end.participants.push_back(name);
        }
    } else {
        end.outcome = Outcome::failure;
        end.code = run.no_code.empty() ? "refused" : run.no_code;
        end.retry = may_do_better(end.code);
        if (end.code == "label-unknown") end.code = "busy";
        const std::string who = run.no_who.empty() ? "the bank" : run.no_who;
        end.text = !why.empty()           ? why
                   : !run.no_text.empty() ? run.no_text + "; nothing was changed"
                                          : failure_text(end.code, who);
        if (end.code == "unsigned") end.code = "refused";
    }
    if (run.reported) {
        const std::string what = kind == wire::OPERATION_ROLLBACK ? "rollback" : "checkpoint";
        const std::string outcome = commit                           ? "done: " + end.text
                                    : run.no_code == "not-in-cohort" ? "over: " + end.text
                                                                     : "undone";
        context_.notice(Severity::info, "the " + what + " that was in doubt is " + outcome);
        return;
    }
    ended_(end);
}

std::string Operations::participants_text(const Run& run, wire::OperationKind kind) const {
    const auto takes_part = [&](const std::string& name) {
        const auto found = run.participants.find(name);
        return found != run.participants.end() && !found->second.holder();
    };
    const auto describe_one = [&](const wire::Participant& participant) {
        std::string why;
        int shown = 0;
        for (const wire::Reason& reason : participant.reasons()) {
            if (!takes_part(reason.peer())) continue;
            if (++shown > kMostReasonsShown) continue;
            why += why.empty() ? "" : " and ";
            why += kind == wire::OPERATION_ROLLBACK
                       ? "sent " + counted(reason.transfers()) + " to " + reason.peer()
                       : "received " + counted(reason.transfers()) + " from " + reason.peer();
        }
        if (shown > kMostReasonsShown) {
            why += " and " + std::to_string(shown - kMostReasonsShown) + " more";
        }
        return participant.name() + (why.empty() ? "" : " (" + why + ")");
    };
    std::string text = describe_one(run.participants.at(context_.state.name));
    for (const auto& [name, participant] : run.participants) {
        if (name == context_.state.name || participant.holder()) continue;
        text += ", " + describe_one(participant);
    }
    return text;
}

void Operations::spread(const Run& run, const OperationId& id, wire::OperationKind kind,
                        bool commit, const std::string& word) {
    for (const auto& [peer_name, child] : run.children) {
        if (commit && !child.takes_part) continue;
        Spreading spreading{
            peer_name, {}, context_.now, Backoff(timing::kQueryFirst, timing::kQueryMost), 0};
        to_wire(id, spreading.message.mutable_outcome()->mutable_operation());
        spreading.message.mutable_outcome()->set_commit(commit);
        spreading.message.mutable_outcome()->set_kind(kind);
        spreading.message.mutable_outcome()->set_word(word);
        spreading_.push_back(std::move(spreading));
    }
}

void Operations::ack_decision(const OperationId& id) {
    wire::Datagram message;
    to_wire(id, message.mutable_decision_ack()->mutable_operation());
    context_.send_to_bank(message);
}

void Operations::ask_for_decision(const OperationId& id, wire::OperationKind kind) {
    wire::Datagram message;
    to_wire(id, message.mutable_decision_query()->mutable_operation());
    message.mutable_decision_query()->set_kind(kind);
    context_.send_to_bank(message);
}

// --- from the bank
// --------------------------------------------------------------------------------

void Operations::on_settle_ack(const wire::SettleAck& ack) {
    if (!run_ || run_->restored || run_->voted || run_->asked_commit ||
        from_wire(ack.operation()) != context_.state.operation->id) {
        return;
    }
    if (!ack.accepted()) {
        fail("refused", "the bank");
        return;
    }
    run_->bank_has_it = true;
    advance();
}

void Operations::on_operation_begun(const wire::OperationBegun& begun) {
    if (!run_ || run_->restored || run_->asked_commit ||
        from_wire(begun.operation()) != context_.state.operation->id) {
        return;
    }
    if (!begun.accepted()) {
        fail("refused", "the bank");
        return;
    }
    run_->bank_has_it = true;
    advance();
}

void Operations::on_decision(const wire::Decision& decision) {
    const OperationId id = from_wire(decision.operation());
    const bool done = resolve(id, decision.commit(), decision.why(), decision.word());
    if (done && decision.commit()) ack_decision(id);
}

// --- time
// -----------------------------------------------------------------------------------------

void Operations::introduced(Address from) {
    const auto is_at = [&](const std::string& name) {
        const Peer* peer = context_.state.find_peer(name);
        return peer != nullptr && peer->ip == from.ip && peer->port2 == from.port;
    };
    if (run_ && !run_->voted) {
        const bool waits_for_it = std::any_of(
            run_->children.begin(), run_->children.end(),
            [&](const auto& child) { return !child.second.answered && is_at(child.first); });
        if (waits_for_it || from == context_.settings.bank) {
            run_->retry_at = std::min(run_->retry_at, context_.now);
        }
    }
    for (Spreading& spreading : spreading_) {
        if (is_at(spreading.child)) spreading.at = std::min(spreading.at, context_.now);
    }
}

void Operations::on_timer() {
    for (Spreading& spreading : spreading_) {
        if (spreading.at > context_.now) continue;
        spreading.at = context_.now + spreading.retry.next(context_.random);
        ++spreading.tries;
        const Peer* peer = context_.state.find_peer(spreading.child);
        if (peer != nullptr) context_.send_to_peer(*peer, spreading.message);
    }
    std::erase_if(spreading_, [](const Spreading& s) { return s.tries >= kSpreadTries; });
    for (auto& [id, question] : questions_) {
        if (question.at > context_.now) continue;
        question.at = context_.now + question.retry.next(context_.random);
        ask_for_decision(id, wire::OPERATION_ROLLBACK);
    }
    if (!run_) {
        begin_recovery_if_due();
        return;
    }
    if (run_->retry_at > context_.now) return;
    Run& run = *run_;
    const Operation& operation = *context_.state.operation;
    if (run.restored || run.voted) {
        ask_for_decision(operation.id, operation.kind);
    } else if (run.asked_commit) {
        wire::Datagram message;
        auto* request = message.mutable_decision_request();
        to_wire(operation.id, request->mutable_operation());
        request->set_kind(operation.kind);
        for (const auto& [name, participant] : run.participants) {
            request->add_participants(name);
            if (operation.kind != wire::OPERATION_ROLLBACK || participant.holder()) continue;
            wire::RolledBack* rolled_back = request->add_rolled_back();
            rolled_back->set_name(name);
            rolled_back->set_epoch(participant.next_epoch());
            rolled_back->set_word(participant.word());
        }
        context_.send_to_bank(message);
        if (context_.now >= run.deadline && !run.reported && !run.recovery) {
            run.reported = true;
            End end;
            end.kind = operation.kind;
            end.outcome = Outcome::unknown;
            ended_(end);
        }
    } else if (context_.now >= run.deadline) {
        on_deadline();
        return;
    } else {
        send_unanswered();
    }
    run.retry_at = context_.now + run.retry.next(context_.random);
    if (run.retry_at > run.deadline && context_.now < run.deadline) run.retry_at = run.deadline;
}

std::optional<TimePoint> Operations::next_wake() const {
    std::optional<TimePoint> wake;
    const auto consider = [&](TimePoint at) { wake = wake ? std::min(*wake, at) : at; };
    if (run_) consider(run_->retry_at);
    for (const Spreading& spreading : spreading_) consider(spreading.at);
    for (const auto& [id, question] : questions_) consider(question.at);
    const State& state = context_.state;
    if (!run_ && state.recovering && !state.restore_due && state.phase == Phase::open) {
        consider(next_recovery_);
    }
    return wake;
}

std::string Operations::describe() const {
    const auto& operation = context_.state.operation;
    std::string text;
    if (operation) {
        const char* kind = operation->kind == wire::OPERATION_CHECKPOINT ? "checkpoint "
                           : operation->kind == wire::OPERATION_ROLLBACK ? "rollback "
                           : operation->kind == wire::OPERATION_JOIN     ? "start of a cohort "
                                                                         : "end of the cohort ";
        text = kind + to_string(operation->id);
        if (run_ && (run_->voted || run_->asked_commit || run_->restored))
            text += ", not decided yet";
    } else if (context_.state.recovering) {
        text = "recovery: peers have to roll back first";
    }
    return text;
}

}  // namespace p2pbank::customer
