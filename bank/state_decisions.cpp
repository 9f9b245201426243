// Records of what is settled and decided, and of cohorts that begin and end. Part of State.
#include <algorithm>

#include "bank/state.h"
#include "common/base/limits.h"
#include "common/core/bad_record.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

// They stand together, the oldest first.
auto of_initiator(const std::set<OperationId>& ids, const std::string& initiator) {
    const auto oldest = ids.lower_bound({initiator, 0, 0});
    const auto end = std::find_if(
        oldest, ids.end(), [&](const OperationId& other) { return other.initiator != initiator; });
    return std::pair(oldest, end);
}

}  // namespace

void State::raise_epoch(Account& account, uint64_t epoch) {
    if (epoch <= account.epoch) return;
    account.epoch = epoch;
    cancel_stale(account);
}

// A deal of an older epoch was undone at the customer, unless an undecided operation holds a
// settlement that covers it: then its decision says.
void State::cancel_stale(const Account& account) {
    if (business.newest_pending(account.name) == 0) return;
    uint64_t covered = 0;
    for (const auto& [initiator, operation] : operations) {
        if (operation.aborted || committed.contains(operation.id)) continue;
        const auto settled = operation.settlements.find(account.name);
        if (settled == operation.settlements.end()) continue;
        covered = std::max(covered, settled->second.orders_upto);
    }
    business.cancel(
        account.name,
        [&](const PendingDeal& deal) { return deal.epoch < account.epoch && deal.order > covered; },
        telling_);
}

void State::drop_settlements(Operation& operation) {
    const auto dropped = std::move(operation.settlements);
    operation.settlements.clear();
    for (const auto& [name, settlement] : dropped) {
        const Account* account = find(name);
        if (account != nullptr) cancel_stale(*account);
    }
}

void State::apply_rolled_back(const wire::RolledBack& rolled) {
    Account* account = find(rolled.name());
    if (account == nullptr) return;
    // It has left every earlier operation: nothing that is pending is covered any more.
    account->epoch = std::max(account->epoch, rolled.epoch());
    business.cancel(
        account->name, [](const PendingDeal&) { return true; }, telling_);
    telling_([&] { return rolled_back(account->name); });
}

void State::settle(Account& account, const Settlement& settlement, const std::string& operation) {
    take_correction(account, settlement.totals.adjustments);
    business.settle(account.name, settlement.orders_upto, telling_);
    telling_([&] {
        return settled(account.name, position, operation, settlement.totals.balance,
                       telling_.at_us);
    });
    tell_activity(account.name, settlement.activity, settlement.activity_left_out);
    if (settlement.number == 0) return;  // of a journal from before there were statements
    account.more().statements = settlement.number;
    account.more().statement_digest = p2pbank::statement_digest(settlement.statement);
    telling_([&] {
        return statement_committed(position, account.name, settlement.number, telling_.at_us,
                                   operation, settlement.signing_key,
                                   settlement.statement.SerializeAsString());
    });
}

// From now on the operation is known as aborted, or not known: nobody is left who could ask and
// mean it. Only a rollback is remembered: its initiator says who took part.
State::CommittedMap::iterator State::forget(CommittedMap::iterator at) {
    const auto newest_one = operations.find(at->first.initiator);
    if (newest_one != operations.end() && newest_one->second.id == at->first) {
        newest_one->second.aborted = true;
    }
    if (at->second.kind == wire::OPERATION_ROLLBACK) remember_rollback(at->first);
    return committed.erase(at);
}

// Nobody votes, settles or begins anything while it is in doubt about another operation. So an
// account is waited for in one operation at most, and in one rollback of each initiator that only
// says that it held back: those are remembered, for whoever asks. What is waited for stays bounded,
// whoever does not acknowledge.
void State::take_for_acked(const OperationId& id, const records::Decided& decided,
                           const Operation& operation) {
    std::set<std::string, std::less<>> took_part{id.initiator};
    for (const wire::RolledBack& rolled : decided.rolled_back()) took_part.insert(rolled.name());
    for (const auto& [name, settlement] : operation.settlements) took_part.insert(name);
    const bool rollback = decided.kind() == wire::OPERATION_ROLLBACK;
    for (auto at = committed.begin(); at != committed.end();) {
        auto& unacked = at->second.unacked;
        if (at->first == id || is_of_bank(at->first)) {
            ++at;
            continue;
        }
        for (const std::string& name : took_part) unacked.erase(name);
        if (rollback && at->second.kind == wire::OPERATION_ROLLBACK &&
            at->first.initiator == id.initiator) {
            for (const std::string& name : decided.participants()) unacked.erase(name);
        }
        at = unacked.empty() ? forget(at) : std::next(at);
    }
}

bool State::may_have_been_forgotten(const OperationId& id) const {
    const auto [oldest, end] = of_initiator(rollbacks, id.initiator);
    return oldest != end && id < *oldest &&
           static_cast<size_t>(std::distance(oldest, end)) >= limits::kMaxRollbacksKnown;
}

void State::remember_rollback(const OperationId& id) {
    const Account* initiator = find(id.initiator);
    if (initiator == nullptr || initiator->cohort.value() == 0) return;
    rollbacks.insert({id.initiator, id.epoch, id.counter});
    const auto [oldest, end] = of_initiator(rollbacks, id.initiator);
    if (static_cast<size_t>(std::distance(oldest, end)) > limits::kMaxRollbacksKnown) {
        rollbacks.erase(oldest);
    }
}

Operation& State::newest(const OperationId& id, wire::OperationKind kind) {
    Operation& operation = operations[id.initiator];
    if (operation.id < id) {
        Operation superseded = std::move(operation);
        operation = Operation();
        operation.id = id;
        operation.kind = kind;
        drop_settlements(superseded);
    }
    if (is_of_bank(id)) counter = std::max(counter, id.counter);
    return operation;
}

Result<void> State::apply_settled(const records::Settled& settled) {
    Account* account = find(settled.name());
    if (account == nullptr) return bad_record("settled");
    Operation& operation = newest(from_wire(settled.operation()), settled.kind());
    Settlement& settlement = operation.settlements[settled.name()];
    settlement = Settlement();
    wire::Statement statement;
    if (settled.has_statement()) {
        auto signed_one = read_statement(settled.statement());
        if (!signed_one) return bad_record("a settled statement");
        statement = std::move(*signed_one);
    } else {
        *statement.mutable_totals() = settled.totals();
        *statement.mutable_channels() = settled.channels();
        *statement.mutable_activity() = settled.activity();
        statement.set_activity_left_out(settled.activity_left_out());
    }
    auto read = settlement_of(settled.statement(), statement, settled.signing_key());
    if (!read) return read.error();
    settlement = std::move(read).value();
    settlement.instance = settled.instance();
    // The deals that it covers are those of this epoch: older ones are void.
    raise_epoch(*account, settled.epoch());
    settlement.orders_upto = business.newest_pending(account->name);
    return {};
}

Result<void> State::apply_decided(const records::Decided& decided) {
    const OperationId id = from_wire(decided.operation());
    Operation& operation = newest(id, decided.kind());
    if (operation.id != id) return {};  // a newer one has superseded it: aborted all the same
    if (!decided.commit()) {
        operation.aborted = true;
        drop_settlements(operation);
        abort_cohort(id);  // takes the operation away, if it would have started the cohort
        return {};
    }
    Committed& commit = committed[id];
    commit.kind = decided.kind();
    commit.unacked.insert(decided.participants().begin(), decided.participants().end());
    take_for_acked(id, decided, operation);
    if (decided.kind() == wire::OPERATION_CHECKPOINT || decided.kind() == wire::OPERATION_JOIN) {
        const auto applied = apply_settlements(operation);
        if (!applied) return applied;
        drop_settlements(operation);
    }
    if (decided.kind() == wire::OPERATION_JOIN) start_cohort(id);
    if (decided.kind() == wire::OPERATION_ROLLBACK) {
        for (const wire::RolledBack& rolled : decided.rolled_back()) apply_rolled_back(rolled);
    }
    return {};
}

Result<void> State::apply_settlements(const Operation& operation) {
    for (const auto& [name, settlement] : operation.settlements) {
        Account* account = find(name);
        if (account == nullptr) return bad_record("a settlement");
        settle(*account, settlement, to_string(operation.id));
        account->totals = settlement.totals;
        for (const auto& [peer, channel] : settlement.channels) {
            account->more().channels[peer] = channel;
        }
    }
    table_changed = true;
    return {};
}

void State::start_cohort(const OperationId& id) {
    for (auto& [cohort_id, cohort] : cohorts) {
        if (cohort.operation != id || cohort.stage != CohortStage::forming) continue;
        cohort.stage = CohortStage::active;
        committed[id].cohort = cohort_id;
        for (const std::string& member : cohort.members) {
            forming.erase(member);
            Account* account = find(member);
            if (account == nullptr) continue;
            account->cohort = cohort_id;
            if (account->details) account->details->channels.clear();
        }
        table_changed = true;
    }
}

void State::abort_cohort(const OperationId& id) {
    for (auto at = cohorts.begin(); at != cohorts.end();) {
        Cohort& cohort = at->second;
        if (cohort.operation == id && cohort.stage == CohortStage::forming) {
            for (const std::string& member : cohort.members) forming.erase(member);
            at = cohorts.erase(at);
            operations.erase(id.initiator);
            continue;
        }
        if (cohort.operation == id && cohort.stage == CohortStage::freezing) {
            cohort.stage = CohortStage::active;
        }
        ++at;
    }
}

Result<void> State::apply_cohort_ended(const records::CohortEnded& ended) {
    const CohortId id(ended.cohort());
    const auto found = cohorts.find(id);
    if (found == cohorts.end()) return bad_record("a cohort's end");
    const auto freeze = operations.find("bank:" + found->second.name);
    const bool by_force = ended.operation().initiator().empty();
    for (const auto& end : ended.members()) {
        Account* account = find(end.name());
        if (account == nullptr) return bad_record("a member's end");
        if (!by_force && freeze != operations.end()) {
            const auto settled = freeze->second.settlements.find(end.name());
            if (settled != freeze->second.settlements.end()) {
                settle(*account, settled->second, to_string(freeze->second.id));
            }
        }
        business.cancel(
            account->name, [](const PendingDeal&) { return true; }, telling_);
        account->totals = from_wire(end.totals());
        account->cohort = CohortId();
        AccountDetails& details = account->more();
        details.channels.clear();
        details.ended_cohort = id;
        details.ended_by = from_wire(ended.operation());
    }
    // Whatever its members had under way, and had not acknowledged, ends with the cohort.
    for (const std::string& member : found->second.members) {
        const auto operation = operations.find(member);
        if (operation != operations.end()) {
            operation->second.aborted = true;
            drop_settlements(operation->second);
        }
        std::erase_if(committed, [&](const auto& entry) {
            return entry.first.initiator == member || entry.second.cohort == id;
        });
        std::erase_if(rollbacks,
                      [&](const OperationId& rollback) { return rollback.initiator == member; });
    }
    if (ended.has_unclaimed()) {
        const auto& unclaimed = ended.unclaimed();
        business.keep_unclaimed(MoneyTotal::from_bits(unclaimed.high(), unclaimed.low()));
    }
    telling_([&] {
        return cohort_end(position, id.value(), found->second.name, by_force, telling_.at_us);
    });
    operations.erase("bank:" + found->second.name);
    cohorts.erase(found);
    table_changed = true;
    return {};
}

}  // namespace p2pbank::bank
