// The oracles that compare what the bank has of deals with what customers have and were told. Part
// of BusinessOracles.
#include <algorithm>
#include <cstdlib>

#include "bank/history/schema.h"
#include "simulator/business_oracles.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using bank::HistoryQuery;

namespace {

constexpr size_t kTokenDigits = 16;

std::string cents(int64_t amount) {
    return to_string(Money::from_cents(amount));
}

}  // namespace

// --- answers
// --------------------------------------------------------------------------------------

JobResult BusinessOracles::look_up(const Query& query) const {
    JobResult result;
    result.text = query.head;
    if (static_cast<HistoryQuery>(query.query) != HistoryQuery::tokens_of_account) return result;
    const std::string& account = std::get<std::string>(query.values.at(0));
    const auto below = static_cast<uint64_t>(std::get<int64_t>(query.values.at(1)));
    const auto most = static_cast<size_t>(std::get<int64_t>(query.values.at(2)));
    for (auto at = orders_.lower_bound(below); at != orders_.begin();) {
        const auto& [id, order] = *--at;
        // The database is behind the journal, never ahead of it.
        const bool is_there = order.fate == Fate::settled && order.ended_at <= durable_;
        if (!is_there || order.account != account || order.token.empty()) continue;
        if (result.rows.size() == most) break;
        result.rows.push_back({static_cast<int64_t>(id), int64_t{0}, order.what,
                               std::abs(order.amount), order.token});
    }
    return result;
}

// Sixteen digits, in groups or not.
void BusinessOracles::check_tokens(std::string_view told) const {
    std::string digits;
    for (size_t i = 0; i <= told.size(); ++i) {
        const char c = i < told.size() ? told[i] : '.';
        if (c >= '0' && c <= '9') {
            digits += c;
            continue;
        }
        if (c == ' ' && !digits.empty() && digits.size() % 4 == 0) continue;
        if (digits.size() >= kTokenDigits) {
            const auto found = tokens_.find(digits.substr(digits.size() - kTokenDigits));
            if (found != tokens_.end()) {
                const Order& order = orders_.at(found->second);
                if (order.fate != Fate::settled || order.ended_at > durable_) {
                    violated("tokens-wait", "the token of order " + std::to_string(found->second) +
                                                " is told, and it has not settled");
                }
            }
        }
        digits.clear();
    }
}

void BusinessOracles::answer_made(CommandId command, const Answer& answer) {
    if (!tokens_.empty()) {
        check_tokens(answer.text);
        for (const std::string& line : answer.lines) check_tokens(line);
        for (const Answer::Fact& fact : answer.facts) check_tokens(fact.value);
        for (const auto& [name, rows] : answer.tables) {
            for (const auto& row : rows) {
                for (const Answer::Fact& fact : row) check_tokens(fact.value);
            }
        }
    }
    const Command& typed = world_.command(command);
    if (answer.outcome != Outcome::success || typed.machine == World::kBank) return;
    const Customer* customer = world_.customer(typed.machine);
    const auto state = std::find_if(answer.facts.begin(), answer.facts.end(),
                                    [](const Answer::Fact& fact) { return fact.name == "state"; });
    const auto order = std::find_if(answer.facts.begin(), answer.facts.end(),
                                    [](const Answer::Fact& fact) { return fact.name == "order"; });
    if (customer == nullptr || state == answer.facts.end() || order == answer.facts.end()) return;
    const bool settled = state->value == "settled";
    not_yet_seen_[command] = {
        std::stoull(order->value),
        {settled, customer->state().name, customer->state().epoch, customer->state().cohort}};
}

void BusinessOracles::answered(CommandId command) {
    const auto seen = not_yet_seen_.find(command);
    if (seen == not_yet_seen_.end()) return;
    const auto [id, promise] = seen->second;
    not_yet_seen_.erase(seen);
    const auto order = orders_.find(id);
    if (order == orders_.end() || order->second.made_at > durable_ ||
        order->second.account != promise.account) {
        violated("deals-are-kept", promise.account + " is answered about order " +
                                       std::to_string(id) + ", which the bank has not");
    }
    if (promise.settled &&
        (order->second.fate != Fate::settled || order->second.ended_at > durable_)) {
        violated("deals-are-kept",
                 "order " + std::to_string(id) + " is answered as settled, and is not");
    }
    const auto [at, fresh] = promises_.emplace(id, promise);
    if (!fresh) violated("deals-are-kept", "two commands made order " + std::to_string(id));
}

// --- at rest
// --------------------------------------------------------------------------------------

void BusinessOracles::check_rest() {
    if (world_.bank() == nullptr) return;
    check_books();
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        const Customer* customer = world_.customer(i);
        if (customer == nullptr || !customer->state().has_account()) continue;
        if (customer->state().phase != customer::Phase::exited) check_customer(customer->state());
    }
    check_promises();
}

void BusinessOracles::check_customer(const customer::State& state) const {
    const auto found = by_account_.find(state.name);
    const Sums sums = found == by_account_.end() ? Sums() : found->second;
    const int64_t permanent = state.permanent.totals.dealings.cents();
    const int64_t live = state.totals.dealings.cents();
    if (permanent != sums.settled || live != sums.settled + sums.pending) {
        violated("deals-are-kept", state.name + ": its deals amount to " + cents(live) +
                                       ", permanently " + cents(permanent) +
                                       "; the bank has settled " + cents(sums.settled) +
                                       ", and pending are " + cents(sums.pending));
    }
    const auto& log = state.activity;
    for (uint64_t i = log.dropped; i < log.count(); ++i) {
        const customer::ActivityEntry& entry = log.entries[static_cast<size_t>(i - log.dropped)];
        if (entry.kind < ActivityKind::purchase || entry.kind > ActivityKind::repayment) continue;
        const auto order = orders_.find(entry.number);
        const Fate fate = entry.rolled_back ? Fate::cancelled
                          : i < log.settled ? Fate::settled
                                            : Fate::pending;
        if (order == orders_.end() || order->second.fate != fate ||
            order->second.account != state.name || order->second.amount != entry.amount.cents()) {
            violated("deals-are-kept",
                     state.name + " remembers order " + std::to_string(entry.number) + " of " +
                         to_string(entry.amount) + " otherwise than the bank does");
        }
    }
}

// What was answered as pending is cancelled only when the customer's epoch has risen, or its cohort
// has ended.
void BusinessOracles::check_promises() const {
    for (const auto& [id, promise] : promises_) {
        if (orders_.at(id).fate != Fate::cancelled) continue;
        const auto machine = world_.find(promise.account);
        if (!machine) continue;
        const customer::State& state = world_.customer(*machine)->state();
        if (state.epoch == promise.epoch && state.cohort == promise.cohort) {
            violated("deals-are-kept", "order " + std::to_string(id) + " of " + promise.account +
                                           " is cancelled, and nothing was rolled back");
        }
    }
}

void BusinessOracles::check_all_settled() const {
    for (const auto& [id, order] : orders_) {
        if (order.fate != Fate::pending) continue;
        if (!world_.find(order.account)) continue;  // nobody has taken a checkpoint of it
        violated("all-ends-well", "order " + std::to_string(id) + " of " + order.account +
                                      " is still pending after a checkpoint");
    }
}

BusinessOracles::Count BusinessOracles::count() const {
    Count out;
    for (const auto& [id, order] : orders_) {
        ++out.made;
        out.settled += order.fate == Fate::settled ? 1 : 0;
        out.cancelled += order.fate == Fate::cancelled ? 1 : 0;
    }
    return out;
}

uint64_t BusinessOracles::sold(const std::string& product) const {
    const auto found = by_product_.find(product);
    return found == by_product_.end() ? 0 : static_cast<uint64_t>(found->second.settled);
}

}  // namespace p2pbank::simulator
