#include "bank/state.h"

#include <algorithm>

#include "common/base/dates.h"
#include "common/core/bad_record.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

// Tables written in turns that share one sync of the journal may all be newer than the one on the
// disk.
constexpr size_t kTableHashesKept = 16'384;

}  // namespace

bool is_of_bank(const OperationId& id) {
    return id.initiator.starts_with("bank:");
}

Account* State::find(std::string_view name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

const Account* State::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

const Account* State::find_by_key(const KeyBytes& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
}

Cohort* State::find_cohort(CohortId id) {
    const auto found = cohorts.find(id);
    return found == cohorts.end() ? nullptr : &found->second;
}

const Cohort* State::find_cohort(CohortId id) const {
    const auto found = cohorts.find(id);
    return found == cohorts.end() ? nullptr : &found->second;
}

const Cohort* State::cohort_of(const Account& account) const {
    if (account.cohort.value() != 0) return find_cohort(account.cohort);
    const auto found = forming.find(account.name);
    return found == forming.end() ? nullptr : find_cohort(found->second);
}

void State::reserve(size_t accounts) {
    by_name_.reserve(accounts);
}

Account& State::add_account(std::string name) {
    Account& account = accounts_.emplace_back();
    account.name = std::move(name);
    by_name_.emplace(account.name, &account);
    return account;
}

std::optional<bool> State::decision(const OperationId& id) const {
    if (committed.contains(id) || rollbacks.contains(id)) return true;
    const auto found = operations.find(id.initiator);
    if (found == operations.end() || found->second.id < id) {
        // Nobody but the bank could commit what the bank initiated, and it knows nothing of this.
        if (is_of_bank(id)) return false;
        return std::nullopt;
    }
    if (found->second.id == id && !found->second.aborted) return std::nullopt;
    return false;
}

const Operation* State::undecided(const OperationId& id) const {
    const auto found = operations.find(id.initiator);
    if (found == operations.end() || found->second.id != id || found->second.aborted)
        return nullptr;
    return committed.contains(id) ? nullptr : &found->second;
}

bool State::is_superseded(const OperationId& id) const {
    const auto found = operations.find(id.initiator);
    return found != operations.end() && id < found->second.id;
}

const Channel& State::channel(const Operation* operation, const Account& account,
                              const std::string& peer) const {
    static const Channel none;
    if (operation != nullptr) {
        const auto settled = operation->settlements.find(account.name);
        if (settled != operation->settlements.end()) {
            const auto changed = settled->second.channels.find(peer);
            if (changed != settled->second.channels.end()) return changed->second;
        }
    }
    const auto& channels = account.channels();
    const auto found = channels.find(peer);
    return found == channels.end() ? none : found->second;
}

Result<void> State::apply(const Record& record) {
    // The parts of a snapshot stand for the records before them.
    if (!record.has_snapshot() && !record.has_accounts() && !record.has_business() &&
        !record.has_operations()) {
        ++position;
    }
    telling_ = {history, position, moment_of_ms(record.at_ms())};
    switch (record.kind_case()) {
        case Record::kStarted:
            boots = record.started().boots();
            closed_cleanly = false;
            return record.started().has_keys() ? apply_bank_keys(record.started().keys())
                                               : Result<void>();
        case Record::kClosed:
            closed_cleanly = true;
            return {};
        case Record::kOpened:
            return apply_opened(record.opened());
        case Record::kAttached:
            return apply_attached(record.attached());
        case Record::kBound:
            return apply_bound(record.bound());
        case Record::kSettled:
            return apply_settled(record.settled());
        case Record::kBegun:
            newest(from_wire(record.begun().operation()), record.begun().kind()).begun = true;
            return {};
        case Record::kDecided:
            return apply_decided(record.decided());
        case Record::kAcked: {
            const auto found = committed.find(from_wire(record.acked().operation()));
            if (found == committed.end()) return {};
            found->second.unacked.erase(record.acked().name());
            if (found->second.unacked.empty()) forget(found);
            return {};
        }
        case Record::kCohortForming: {
            const auto& in = record.cohort_forming();
            for (const std::string& member : in.members()) {
                if (find(member) == nullptr) return bad_record("a member");
            }
            Cohort& cohort = cohorts[CohortId(in.cohort())];
            cohort.id = CohortId(in.cohort());
            cohort.name = in.cohort_name();
            cohort.members.assign(in.members().begin(), in.members().end());
            cohort.stage = CohortStage::forming;
            cohort.operation = from_wire(in.operation());
            for (const std::string& member : cohort.members) forming[member] = cohort.id;
            next_cohort = std::max(next_cohort, in.cohort() + 1);
            newest(cohort.operation, wire::OPERATION_JOIN);
            return {};
        }
        case Record::kCohortFreezing: {
            Cohort* cohort = find_cohort(CohortId(record.cohort_freezing().cohort()));
            if (cohort == nullptr) return bad_record("freezing");
            cohort->stage = CohortStage::freezing;
            cohort->operation = from_wire(record.cohort_freezing().operation());
            newest(cohort->operation, wire::OPERATION_FREEZE);
            return {};
        }
        case Record::kCohortEnded:
            return apply_cohort_ended(record.cohort_ended());
        case Record::kEndAcked: {
            Account* account = find(record.end_acked().name());
            if (account == nullptr) return bad_record("end acked");
            if (account->ended_cohort() == CohortId(record.end_acked().cohort())) {
                account->more().ended_cohort = CohortId();
            }
            return {};
        }
        case Record::kExited:
            return apply_exited(record.exited());
        case Record::kAccused:
            return apply_accused(record.accused());
        case Record::kEdited:
            return apply_edited(record.edited());
        case Record::kReplied: {
            Account* account = find(record.replied().name());
            if (account == nullptr) return bad_record("replied");
            account->more().replied_instance = record.replied().instance();
            account->more().reply = record.replied().reply();
            return {};
        }
        case Record::kTableWritten:
            table_hashes.push_back(record.table_written().hash());
            while (table_hashes.size() > kTableHashesKept) table_hashes.pop_front();
            return {};
        case Record::kSnapshot:
            return apply_snapshot(record.snapshot());
        case Record::kAccounts:
            for (const auto& account : record.accounts().accounts()) {
                const auto applied = apply_account(account);
                if (!applied) return applied;
            }
            return {};
        case Record::kOperations:
            for (const records::Operation& operation : record.operations().operations()) {
                if (auto applied = apply_operation(operation); !applied) return applied;
            }
            return {};
        case Record::kEpochSeen: {
            Account* account = find(record.epoch_seen().account());
            if (account == nullptr) return bad_record("an epoch seen");
            raise_epoch(*account, record.epoch_seen().epoch());
            return {};
        }
        case Record::KIND_NOT_SET:
            break;
        default:
            return apply_business(record);
    }
    return bad_record("unknown kind");
}

Result<void> State::apply_business(const Record& record) {
    switch (record.kind_case()) {
        case Record::kProducts:
            return business.apply(record.products(), telling_);
        case Record::kProductRemoved:
            business.apply(record.product_removed(), telling_);
            return {};
        case Record::kRestocked:
            return business.apply(record.restocked(), telling_);
        case Record::kBillerSet:
            business.apply(record.biller_set());
            return {};
        case Record::kSettingSet:
            return business.apply(record.setting_set());
        case Record::kPerson:
            return business.apply(record.person());
        case Record::kBusiness:
            return business.apply(record.business());
        case Record::kDealt: {
            Account* account = find(record.dealt().account());
            if (account == nullptr) return bad_record("a deal");
            return business.apply(record.dealt(), telling_);
        }
        case Record::kPastPurchases:
            for (const auto& purchase : record.past_purchases().purchases()) {
                business.skip_orders(purchase.order());
            }
            if (record.past_purchases().file() != 0) {
                business.remember_import(record.past_purchases().file());
            }
            telling_([&] { return past_purchases(record.past_purchases()); });
            return {};
        case Record::kRefused:
            telling_([&] {
                const auto& refused = record.refused();
                return refusal(position, refused.who(), refused.command(), refused.code(),
                               telling_.at_us);
            });
            return {};
        default:
            return bad_record("unknown kind");
    }
}

}  // namespace p2pbank::bank
