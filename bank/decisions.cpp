#include "bank/decisions.h"

#include <algorithm>

#include "bank/timing.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

Backoff again() {
    return Backoff(timing::kAgainFirst, timing::kAgainMost);
}

}  // namespace

Decisions::Decisions(Context& context, Settled settled)
    : context_(context), settled_(std::move(settled)) {}

void Decisions::resume() {
    std::vector<std::pair<OperationId, wire::OperationKind>> begun;
    for (const auto& [id, cohort] : context_.state.cohorts) {
        if (cohort.stage == CohortStage::active) continue;
        begun.emplace_back(cohort.operation, cohort.stage == CohortStage::forming
                                                 ? wire::OPERATION_JOIN
                                                 : wire::OPERATION_FREEZE);
    }
    for (const auto& [id, kind] : begun) decide(id, kind, false, {});
    for (const auto& [id, commit] : context_.state.committed) {
        commits_.emplace(id, Telling{context_.now, again()});
    }
    for (const Account& account : context_.state.accounts()) {
        if (account.ended_cohort().value() == 0) continue;
        ends_.emplace(account.name, Telling{context_.now, again()});
    }
}

bool Decisions::tell_if_ended(Account& account, const wire::Datagram* datagram,
                              const Origin& from) {
    const CohortId ended = account.ended_cohort();
    if (ended.value() == 0) return false;
    if (datagram != nullptr && CohortId(datagram->cohort()) != ended && datagram->cohort() != 0) {
        return false;
    }
    context_.send(from, cohort_ended(account));
    return true;
}

void Decisions::heard_in_epoch(const Account& account, uint64_t epoch) {
    if (epoch < account.epoch) return;
    // The copies: to decide changes both.
    std::vector<std::pair<OperationId, wire::OperationKind>> left;
    for (const PendingDeal& deal : context_.state.business.deals_of(account.name).pending) {
        if (deal.epoch >= epoch) break;
        for (const auto& [initiator, operation] : context_.state.operations) {
            const auto settled = operation.settlements.find(account.name);
            if (settled != operation.settlements.end() &&
                settled->second.orders_upto >= deal.order && !is_of_bank(operation.id)) {
                left.emplace_back(operation.id, operation.kind);
            }
        }
    }
    for (const auto& [id, kind] : left) {
        if (!context_.state.decision(id).has_value()) decide(id, kind, false, {});
    }
    if (epoch == account.epoch) return;
    State::Record record;
    record.mutable_epoch_seen()->set_account(account.name);
    record.mutable_epoch_seen()->set_epoch(epoch);
    context_.commit(record);
}

// --- settlements
// ----------------------------------------------------------------------------------

void Decisions::on_settle(Account& account, const wire::Datagram& datagram, const Origin& from) {
    const wire::Settle& settle = datagram.settle();
    const OperationId id = from_wire(settle.operation());
    const auto reply = [&](bool accepted) {
        wire::Datagram message;
        *message.mutable_settle_ack()->mutable_operation() = settle.operation();
        message.mutable_settle_ack()->set_accepted(accepted);
        context_.send(from, std::move(message));
    };
    if (account.exited || tell_if_ended(account, &datagram, from)) return;
    if (context_.state.committed.contains(id)) return;  // its COMMIT is told anyway
    if (context_.state.decision(id).has_value()) return reply(false);
    // It was under way before the customer rolled back or lost what it had not made permanent.
    if (datagram.epoch() < account.epoch) return reply(false);
    const Cohort* cohort = context_.state.cohort_of(account);
    const bool of_bank = is_of_bank(id);
    const Account* initiator = context_.state.find(id.initiator);
    if (of_bank
            ? cohort == nullptr || cohort->operation != id || cohort->stage == CohortStage::active
            : settle.kind() != wire::OPERATION_CHECKPOINT ||
                  CohortId(datagram.cohort()) != account.cohort || initiator == nullptr ||
                  initiator->cohort != account.cohort) {
        return reply(false);
    }
    const Operation* operation = context_.state.undecided(id);
    if (operation != nullptr && operation->settlements.contains(account.name)) {
        reply(true);
        return;
    }
    // What it amounts to has to be one account's books.
    ChannelMap channels = account.channels();
    for (const wire::Channel& channel : settle.channels()) {
        auto read = p2pbank::from_wire(channel);
        if (!read) return reply(false);
        channels[channel.peer()] = std::move(*read);
    }
    const Totals totals = p2pbank::from_wire(settle.totals());
    if (!adds_up(totals, channels) || !is_sane(settle.activity())) {
        context_.notice(Severity::error, "refuses the settlement of " + account.name + " for " +
                                             to_string(id) + ": it does not add up");
        return reply(false);
    }
    // What it paid and borrowed has to be what the bank accepted, to the last deal.
    heard_in_epoch(account, datagram.epoch());
    const auto dealings =
        checked_add(account.totals.dealings, context_.state.business.pending_sum(account.name));
    if (dealings != totals.dealings) {
        // Most likely late: the customer has left the operation and made another deal since.
        context_.notice(Severity::info, "a settlement of " + account.name + " for " +
                                            to_string(id) +
                                            " does not have the deals that are pending now");
        return reply(false);
    }
    State::Record record;
    auto* settled = record.mutable_settled();
    *settled->mutable_operation() = settle.operation();
    settled->set_kind(settle.kind());
    settled->set_name(account.name);
    *settled->mutable_totals() = settle.totals();
    *settled->mutable_channels() = settle.channels();
    settled->set_epoch(datagram.epoch());
    *settled->mutable_activity() = settle.activity();
    settled->set_activity_left_out(settle.activity_left_out());
    context_.commit(record);
    reply(true);
    if (of_bank) settled_(id);
}

bool Decisions::is_sane(const Activity& activity) {
    constexpr size_t kMaxWhatBytes = 64;
    if (static_cast<size_t>(activity.size()) > limits::kMaxActivityInSettlement) return false;
    return std::all_of(activity.begin(), activity.end(), [](const wire::Activity& line) {
        const bool what = line.what().empty() || check_text("it", line.what(), kMaxWhatBytes).ok();
        const bool note =
            line.note().empty() || check_text("it", line.note(), limits::kMaxNoteBytes).ok();
        return what && note && line.amount() != INT64_MIN && line.balance() >= 0;
    });
}

void Decisions::on_operation_begin(Account& account, const wire::OperationBegin& begin,
                                   const Origin& from) {
    const OperationId id = from_wire(begin.operation());
    if (tell_if_ended(account, nullptr, from) || id.initiator != account.name) return;
    const bool decided = context_.state.decision(id).has_value();
    const Operation* operation = context_.state.undecided(id);
    if (!decided && (operation == nullptr || !operation->begun)) {
        State::Record record;
        *record.mutable_begun()->mutable_operation() = begin.operation();
        record.mutable_begun()->set_kind(begin.kind());
        context_.commit(record);
    }
    wire::Datagram message;
    *message.mutable_operation_begun()->mutable_operation() = begin.operation();
    message.mutable_operation_begun()->set_accepted(!decided);
    context_.send(from, std::move(message));
}

// --- decisions
// ------------------------------------------------------------------------------------

bool Decisions::cut_matches(const Operation& operation, std::string& why) const {
    const State& state = context_.state;
    const auto check = [&](const Account& sender, const Account& receiver) {
        const Channel& out = state.channel(&operation, sender, receiver.name);
        const Channel& in = state.channel(&operation, receiver, sender.name);
        if (matches(out, in)) return true;
        why = "the books of " + sender.name + " and " + receiver.name +
              " contradict each other about the transfers from " + sender.name + " to " +
              receiver.name;
        return false;
    };
    for (const auto& [name, settlement] : operation.settlements) {
        const Account* account = state.find(name);
        for (const auto& [peer_name, channel] : settlement.channels) {
            const Account* peer = state.find(peer_name);
            if (account == nullptr || peer == nullptr || peer->cohort != account->cohort) {
                why = name + " claims transfers with " + peer_name + ", who is not in its cohort";
                return false;
            }
            if (!check(*account, *peer) || !check(*peer, *account)) return false;
        }
    }
    return true;
}

bool Decisions::is_committable(const wire::DecisionRequest& request, std::string& why) const {
    const Operation* operation = context_.state.undecided(from_wire(request.operation()));
    if (operation == nullptr || operation->kind != request.kind()) return false;
    if (request.kind() == wire::OPERATION_ROLLBACK) return operation->begun;
    if (request.kind() != wire::OPERATION_CHECKPOINT) return false;
    for (const std::string& name : request.participants()) {
        if (!operation->settlements.contains(name)) {
            why = name + " has not settled";
            return false;
        }
    }
    // A settlement of somebody who is not named must not be applied: it may have been undone there.
    if (operation->settlements.size() !=
        std::set<std::string>(request.participants().begin(), request.participants().end())
            .size()) {
        why = "the participants are not those who settled";
        return false;
    }
    return cut_matches(*operation, why);
}

void Decisions::on_decision_request(Account& account, const wire::DecisionRequest& request,
                                    const Origin& from) {
    const OperationId id = from_wire(request.operation());
    if (id.initiator != account.name || tell_if_ended(account, nullptr, from)) return;
    std::string why;
    if (!context_.state.decision(id).has_value()) {
        const bool commit = is_committable(request, why);
        if (!why.empty())
            context_.notice(Severity::warning, "aborts " + to_string(id) + ": " + why);
        // Nobody rolls somebody back who is not in its cohort.
        RolledBack rolled_back = request.rolled_back();
        rolled_back.erase(
            std::remove_if(rolled_back.begin(), rolled_back.end(),
                           [&](const wire::RolledBack& rolled) {
                               const Account* other = context_.state.find(rolled.name());
                               return other == nullptr ||
                                      (other != &account && (account.cohort.value() == 0 ||
                                                             other->cohort != account.cohort));
                           }),
            rolled_back.end());
        decide(id, request.kind(), commit,
               {request.participants().begin(), request.participants().end()}, rolled_back);
    }
    reply_decision(id, request.kind(), context_.state.decision(id).value_or(false), from, why);
}

void Decisions::on_decision_query(Account& account, const wire::DecisionQuery& query,
                                  const Origin& from) {
    const OperationId id = from_wire(query.operation());
    if (tell_if_ended(account, nullptr, from)) return;
    const Account* initiator = context_.state.find(id.initiator);
    if (!is_of_bank(id) && (initiator == nullptr || initiator->cohort != account.cohort)) return;
    if (!context_.state.decision(id).has_value()) {
        // Whoever asks has waited long enough: from now on the initiator cannot commit any more.
        // The bank's own operations it decides itself, when their time has come.
        if (is_of_bank(id)) return;
        decide(id, query.kind(), false, {});
    }
    reply_decision(id, query.kind(), context_.state.decision(id).value_or(false), from, "");
}

void Decisions::decide(const OperationId& id, wire::OperationKind kind, bool commit,
                       const std::vector<std::string>& participants,
                       const RolledBack& rolled_back) {
    State::Record record;
    auto* decided = record.mutable_decided();
    to_wire(id, decided->mutable_operation());
    decided->set_kind(kind);
    decided->set_commit(commit);
    if (commit) {
        for (const std::string& name : participants) {
            if (context_.state.find(name) != nullptr) decided->add_participants(name);
        }
        *decided->mutable_rolled_back() = rolled_back;
    }
    context_.commit(record);
    if (context_.effects->tracing()) {
        context_.effects->trace(
            {commit ? "decided-commit" : "decided-abort", {{"operation", to_string(id)}}});
    }
    // The news travels along the operation's edges first; the bank tells those who missed it.
    if (commit) tell_commit(id, kind == wire::OPERATION_JOIN ? Duration(0) : timing::kAgainFirst);
}

void Decisions::reply_decision(const OperationId& id, wire::OperationKind kind, bool commit,
                               const Origin& to, const std::string& why) {
    const auto found = context_.state.committed.find(id);
    if (commit && found != context_.state.committed.end()) {
        context_.send(to, commit_message(id, found->second));
        return;
    }
    wire::Datagram message;
    wire::Decision* decision = message.mutable_decision();
    to_wire(id, decision->mutable_operation());
    decision->set_commit(commit);
    decision->set_kind(kind);
    decision->set_why(why);
    context_.send(to, std::move(message));
}

wire::Datagram Decisions::commit_message(const OperationId& id, const Committed& commit) const {
    wire::Datagram message;
    const Cohort* cohort = context_.state.find_cohort(commit.cohort);
    if (commit.kind == wire::OPERATION_JOIN && cohort != nullptr) {
        wire::CohortStarted* started = message.mutable_cohort_started();
        to_wire(id, started->mutable_operation());
        started->set_cohort(cohort->id.value());
        started->set_cohort_name(cohort->name);
        for (const std::string& name : cohort->members) {
            const Account* account = context_.state.find(name);
            wire::Member* member = started->add_members();
            member->set_name(name);
            member->set_ip(account->ip);
            member->set_port2(account->port2);
            member->set_epoch(account->epoch);
        }
        return message;
    }
    wire::Decision* decision = message.mutable_decision();
    to_wire(id, decision->mutable_operation());
    decision->set_commit(true);
    decision->set_kind(commit.kind);
    return message;
}

void Decisions::tell_commit(const OperationId& id, Duration after) {
    commits_.insert_or_assign(id, Telling{context_.now + after, again()});
}

void Decisions::on_decision_ack(Account& account, const wire::DecisionAck& ack) {
    const OperationId id = from_wire(ack.operation());
    const auto found = context_.state.committed.find(id);
    if (found == context_.state.committed.end() || !found->second.unacked.contains(account.name)) {
        return;
    }
    State::Record record;
    *record.mutable_acked()->mutable_operation() = ack.operation();
    record.mutable_acked()->set_name(account.name);
    context_.commit(record);
    if (!context_.state.committed.contains(id)) commits_.erase(id);
}

// --- the end of a cohort
// --------------------------------------------------------------------------

wire::Datagram Decisions::cohort_ended(const Account& account) const {
    wire::Datagram message;
    message.mutable_cohort_ended()->set_cohort(account.ended_cohort().value());
    to_wire(account.totals, message.mutable_cohort_ended()->mutable_totals());
    return message;
}

void Decisions::tell_end(const Account& account) {
    ends_.insert_or_assign(account.name, Telling{context_.now, again()});
}

void Decisions::on_cohort_ended_ack(Account& account, const wire::CohortEndedAck& ack) {
    if (account.ended_cohort().value() == 0 || account.ended_cohort() != CohortId(ack.cohort())) {
        return;
    }
    State::Record record;
    record.mutable_end_acked()->set_name(account.name);
    record.mutable_end_acked()->set_cohort(ack.cohort());
    context_.commit(record);
    ends_.erase(account.name);
}

// --- time
// -----------------------------------------------------------------------------------------

void Decisions::on_timer() {
    for (auto at = commits_.begin(); at != commits_.end();) {
        auto& [id, telling] = *at;
        const auto found = context_.state.committed.find(id);
        if (found == context_.state.committed.end()) {
            at = commits_.erase(at);
            continue;
        }
        if (telling.at <= context_.now) {
            telling.at = context_.now + telling.again.next(context_.random);
            for (const std::string& name : found->second.unacked) {
                const Account* account = context_.state.find(name);
                if (account != nullptr) context_.send(*account, commit_message(id, found->second));
            }
        }
        ++at;
    }
    for (auto& [name, telling] : ends_) {
        if (telling.at > context_.now) continue;
        telling.at = context_.now + telling.again.next(context_.random);
        const Account* account = context_.state.find(name);
        context_.send(*account, cohort_ended(*account));
    }
}

std::optional<TimePoint> Decisions::next_wake() const {
    std::optional<TimePoint> wake;
    const auto consider = [&](TimePoint at) { wake = wake ? std::min(*wake, at) : at; };
    for (const auto& [id, telling] : commits_) consider(telling.at);
    for (const auto& [name, telling] : ends_) consider(telling.at);
    return wake;
}

}  // namespace p2pbank::bank
