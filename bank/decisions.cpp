#include "bank/decisions.h"

#include <algorithm>
#include <set>

#include "bank/timing.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

// Of one account's statements, told in a minute.
constexpr uint32_t kMostRefusalsOfOne = 10;

Backoff again() {
    return Backoff(timing::kAgainFirst, timing::kAgainMost);
}

}  // namespace

Decisions::Decisions(Context& context, Settled settled)
    : context_(context),
      disputes_(context),
      refusals_(kMostRefusalsOfOne, limits::kMaxRefusalsAMinute),
      settled_(std::move(settled)) {}

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

// --- decisions
// ------------------------------------------------------------------------------------

void Decisions::on_operation_begin(Account& account, const wire::OperationBegin& begin,
                                   const Origin& from) {
    const OperationId id = from_wire(begin.operation());
    if (tell_if_ended(account, nullptr, from) || id.initiator != account.name) return;
    const bool decided = context_.state.decision(id).has_value();
    const Operation* operation = context_.state.undecided(id);
    if (!decided && (operation == nullptr || !operation->begun)) {
        State::Record record;
        to_wire(id, record.mutable_begun()->mutable_operation());
        record.mutable_begun()->set_kind(begin.kind());
        context_.commit(record);
    }
    wire::Datagram message;
    *message.mutable_operation_begun()->mutable_operation() = begin.operation();
    message.mutable_operation_begun()->set_accepted(!decided);
    context_.send(from, std::move(message));
}

bool Decisions::cut_matches(const Operation& operation, std::string& why) {
    const State& state = context_.state;
    const auto check = [&](const Account& sender, const Account& receiver) {
        const Channel& out = state.channel(&operation, sender, receiver.name);
        const Channel& in = state.channel(&operation, receiver, sender.name);
        if (matches(out, in)) return;
        if (why.empty()) {
            why = "the books of " + sender.name + " and " + receiver.name +
                  " contradict each other about the transfers from " + sender.name + " to " +
                  receiver.name;
        }
        disputes_.open(operation, sender, receiver);
    };
    std::set<std::pair<std::string_view, std::string_view>> checked;
    for (const auto& [name, settlement] : operation.settlements) {
        const Account* account = state.find(name);
        for (const auto& [peer_name, channel] : settlement.channels) {
            const Account* peer = state.find(peer_name);
            if (account == nullptr || peer == nullptr || peer->cohort != account->cohort) {
                why = name + " claims transfers with " + quote(peer_name) +
                      ", who is not in its cohort";
                return false;
            }
            // Once, though both have settled it.
            if (!checked.insert(std::minmax<std::string_view>(name, peer_name)).second) continue;
            check(*account, *peer);
            check(*peer, *account);
        }
    }
    return why.empty();
}

bool Decisions::is_current(const Account& account, const OperationId& id,
                           const Settlement& settlement) const {
    if (settlement.number != 0 && settlement.previous != account.statement_digest()) return false;
    // Whoever has settled the start or the end of a cohort has left everything else.
    const Cohort* cohort = context_.state.cohort_of(account);
    if (cohort == nullptr || cohort->operation == id) return true;
    const Operation* of_bank = context_.state.undecided(cohort->operation);
    return of_bank == nullptr || !of_bank->settlements.contains(account.name);
}

bool Decisions::is_committable(const wire::DecisionRequest& request, std::string& why) {
    const Operation* operation = context_.state.undecided(from_wire(request.operation()));
    if (operation == nullptr || operation->kind != request.kind()) return false;
    if (request.kind() == wire::OPERATION_ROLLBACK) return operation->begun;
    if (request.kind() != wire::OPERATION_CHECKPOINT) return false;
    for (const std::string& name : request.participants()) {
        if (!operation->settlements.contains(name)) {
            why = (context_.state.find(name) == nullptr ? quote(name) : name) + " has not settled";
            return false;
        }
    }
    for (const auto& [name, settlement] : operation->settlements) {
        const Account* account = context_.state.find(name);
        if (account == nullptr || is_current(*account, operation->id, settlement)) continue;
        why = name + " has gone on since it settled";
        return false;
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
            tell_refused(Severity::warning, account, "aborts " + to_string(id) + ": " + why);
        // Nobody rolls somebody back who is not in its cohort, or has not voted for it.
        RolledBack rolled_back = request.rolled_back();
        rolled_back.erase(
            std::remove_if(rolled_back.begin(), rolled_back.end(),
                           [&](const wire::RolledBack& rolled) {
                               const Account* other = context_.state.find(rolled.name());
                               if (other == &account) return false;
                               return other == nullptr || !may_take_part(account, *other) ||
                                      (context_.sealed() &&
                                       !is_rollback_vote_signed(
                                           id, other->name, Epoch(rolled.epoch()), rolled.word(),
                                           other->keys().signing));
                           }),
            rolled_back.end());
        std::vector<std::string> concerned{account.name};
        for (const std::string& name : request.participants()) {
            const Account* other = context_.state.find(name);
            if (other != nullptr && may_take_part(account, *other)) concerned.push_back(name);
        }
        // Whoever has voted is told, whom else the initiator names.
        for (const wire::RolledBack& rolled : rolled_back) concerned.push_back(rolled.name());
        decide(id, request.kind(), commit, concerned, rolled_back);
    }
    reply_decision(id, request.kind(), context_.state.decision(id).value_or(false), from, why);
}

bool Decisions::may_take_part(const Account& initiator, const Account& account) {
    if (&initiator == &account) return true;
    return initiator.cohort.value() != 0 && initiator.cohort == account.cohort;
}

void Decisions::on_decision_query(Account& account, const wire::DecisionQuery& query,
                                  const Origin& from) {
    const OperationId id = from_wire(query.operation());
    if (tell_if_ended(account, nullptr, from)) return;
    // What the bank has not begun yet it may still commit: nothing is signed about that.
    if (is_of_bank(id) && id.counter > context_.state.counter) return;
    const Account* initiator = context_.state.find(id.initiator);
    if (!is_of_bank(id) && (initiator == nullptr || !may_take_part(*initiator, account))) return;
    if (!is_begun(id, query.kind(), account)) return;
    if (!context_.state.decision(id).has_value()) {
        // Whoever asks has waited long enough: from now on the initiator cannot commit any more.
        // The bank's own operations it decides itself, when their time has come.
        if (is_of_bank(id)) return;
        decide(id, query.kind(), false, {});
    }
    reply_decision(id, query.kind(), context_.state.decision(id).value_or(false), from, "");
}

bool Decisions::is_begun(const OperationId& id, wire::OperationKind kind,
                         const Account& teller) const {
    const Operation* operation = context_.state.undecided(id);
    if (!context_.sealed() || is_of_bank(id) || id.initiator == teller.name ||
        (operation != nullptr && operation->settlements.contains(teller.name)) ||
        context_.state.decision(id).has_value()) {
        return true;
    }
    const Account* initiator = context_.state.find(id.initiator);
    return initiator != nullptr && is_operation_signed(id, kind, initiator->keys().signing);
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
        // Each once, and nothing else that they came with: it is kept.
        std::set<std::string_view> named;
        for (const std::string& name : participants) {
            if (context_.state.find(name) == nullptr || !named.insert(name).second) continue;
            decided->add_participants(name);
        }
        named.clear();
        for (const wire::RolledBack& rolled : rolled_back) {
            if (!named.insert(rolled.name()).second) continue;
            wire::RolledBack* kept = decided->add_rolled_back();
            kept->set_name(rolled.name());
            kept->set_epoch(rolled.epoch());
        }
    }
    // Of a start or end of a cohort they would hear only when they ask, behind their deadline.
    std::vector<std::string> waiting;
    const Operation* operation = context_.state.undecided(id);
    if (!commit && operation != nullptr &&
        (kind == wire::OPERATION_JOIN || kind == wire::OPERATION_FREEZE)) {
        for (const auto& [name, settlement] : operation->settlements) waiting.push_back(name);
    }
    context_.commit(record);
    if (context_.effects->tracing()) {
        context_.effects->trace(
            {commit ? "decided-commit" : "decided-abort", {{"operation", to_string(id)}}});
    }
    for (const std::string& name : waiting) {
        wire::Datagram message;
        wire::Decision* decision = message.mutable_decision();
        to_wire(id, decision->mutable_operation());
        decision->set_kind(kind);
        decision->set_word(sign_decision(context_.signer(), id, false));
        context_.send(*context_.state.find(name), std::move(message));
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
    // Whoever asks, and whatever they call it: others may have heard COMMIT.
    if (!commit && context_.state.may_have_been_forgotten(id)) return;
    wire::Datagram message;
    wire::Decision* decision = message.mutable_decision();
    to_wire(id, decision->mutable_operation());
    decision->set_commit(commit);
    decision->set_kind(kind);
    decision->set_why(why);
    decision->set_word(sign_decision(context_.signer(), id, commit));
    context_.send(to, std::move(message));
}

wire::Datagram Decisions::commit_message(const OperationId& id, const Committed& commit) const {
    wire::Datagram message;
    const Cohort* cohort = context_.state.find_cohort(commit.cohort);
    if (commit.kind == wire::OPERATION_JOIN && cohort != nullptr) {
        wire::CohortStarted* started = message.mutable_cohort_started();
        to_wire(id, started->mutable_operation());
        *started->mutable_roster() = context_.roster(*cohort);
        return message;
    }
    wire::Decision* decision = message.mutable_decision();
    to_wire(id, decision->mutable_operation());
    decision->set_commit(true);
    decision->set_kind(commit.kind);
    decision->set_word(sign_decision(context_.signer(), id, true));
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
    to_wire(id, record.mutable_acked()->mutable_operation());
    record.mutable_acked()->set_name(account.name);
    context_.commit(record);
    if (!context_.state.committed.contains(id)) commits_.erase(id);
}

// --- the end of a cohort
// --------------------------------------------------------------------------

wire::Datagram Decisions::cohort_ended(const Account& account) const {
    wire::Datagram message;
    wire::CohortEnded* ended = message.mutable_cohort_ended();
    ended->set_cohort(account.ended_cohort().value());
    to_wire(account.totals, ended->mutable_totals());
    if (account.details) to_wire(account.details->ended_by, ended->mutable_operation());
    ended->set_statements(account.statements());
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
    disputes_.on_timer();
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
    if (const auto disputes = disputes_.next_wake()) consider(*disputes);
    return wake;
}

}  // namespace p2pbank::bank
