#include "bank/state.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/dates.h"
#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

// Tables written in turns that share one sync of the journal may all be newer than the one on the
// disk.
constexpr size_t kTableHashesKept = 16'384;

Error bad(const char* what) {
    return Error{"bad-record", std::string("a record does not fit: ") + what};
}

// They stand together, the oldest first.
auto of_initiator(const std::set<OperationId>& ids, const std::string& initiator) {
    const auto oldest = ids.lower_bound({initiator, 0, 0});
    const auto end = std::find_if(
        oldest, ids.end(), [&](const OperationId& other) { return other.initiator != initiator; });
    return std::pair(oldest, end);
}

}  // namespace

bool is_of_bank(const OperationId& id) {
    return id.initiator.starts_with("bank:");
}

AccountDetails& Account::more() {
    if (!details) details = std::make_unique<AccountDetails>();
    return *details;
}

const ChannelMap& Account::channels() const {
    static const ChannelMap none;
    return details ? details->channels : none;
}

const std::string& Account::owner() const {
    static const std::string nobody;
    return details ? details->owner : nobody;
}

const secure::PublicKeys& Account::keys() const {
    static const secure::PublicKeys nobody;
    return details ? details->keys : nobody;
}

std::vector<Money> Account::all_corrections() const {
    std::vector<Money> all;
    if (details) all = details->earlier_corrections;
    all.push_back(corrections);
    return all;
}

std::optional<size_t> Account::correction_at(Money sum) const {
    const auto all = all_corrections();
    for (size_t i = details ? details->corrections_taken : 0; i < all.size(); ++i) {
        if (all[i] == sum) return i;
    }
    return std::nullopt;
}

void Account::correct(Money new_corrections) {
    if (new_corrections == corrections) return;
    more().earlier_corrections.push_back(corrections);
    corrections = new_corrections;
}

const std::string& Account::statement_digest() const {
    static const std::string none;
    return details ? details->statement_digest : none;
}

Result<Settlement> settlement_of(const wire::SignedStatement& signed_statement,
                                 const wire::Statement& statement, std::string signing_key) {
    Settlement settlement;
    settlement.totals = from_wire(statement.totals());
    for (const wire::Channel& channel : statement.channels()) {
        auto read = from_wire(channel);
        if (!read) return bad("a settled channel");
        settlement.channels[channel.peer()] = std::move(*read);
    }
    settlement.activity.assign(statement.activity().begin(), statement.activity().end());
    settlement.activity_left_out = statement.activity_left_out();
    settlement.statement = signed_statement;
    settlement.signing_key = std::move(signing_key);
    settlement.number = statement.number();
    settlement.previous = statement.previous();
    return settlement;
}

Money Account::shown_balance() const {
    const auto missing = checked_subtract(corrections, totals.adjustments);
    const auto shown = missing ? checked_add(totals.balance, *missing) : std::nullopt;
    return shown && !shown->is_negative() ? *shown : totals.balance;
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
    if (!record.has_snapshot() && !record.has_accounts() && !record.has_business()) ++position;
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
                if (find(member) == nullptr) return bad("a member");
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
            if (cohort == nullptr) return bad("freezing");
            cohort->stage = CohortStage::freezing;
            cohort->operation = from_wire(record.cohort_freezing().operation());
            newest(cohort->operation, wire::OPERATION_FREEZE);
            return {};
        }
        case Record::kCohortEnded:
            return apply_cohort_ended(record.cohort_ended());
        case Record::kEndAcked: {
            Account* account = find(record.end_acked().name());
            if (account == nullptr) return bad("end acked");
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
            if (account == nullptr) return bad("replied");
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
        case Record::kEpochSeen: {
            Account* account = find(record.epoch_seen().account());
            if (account == nullptr) return bad("an epoch seen");
            raise_epoch(*account, record.epoch_seen().epoch());
            return {};
        }
        case Record::KIND_NOT_SET:
            break;
        default:
            return apply_business(record);
    }
    return bad("unknown kind");
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
            if (account == nullptr) return bad("a deal");
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
            return bad("unknown kind");
    }
}

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

void State::tell_activity(const std::string& name, const std::vector<wire::Activity>& lines,
                          uint64_t left_out) {
    if (history == nullptr) return;
    uint32_t index = 0;
    if (left_out > 0) {
        telling_([&] {
            return activity_left_out(
                name, position, index++, left_out,
                lines.empty() ? telling_.at_us : moment_of_ms(lines[0].at_ms()));
        });
    }
    for (const wire::Activity& line : lines) {
        if (line.kind() > kLastActivityKind) continue;
        telling_([&] {
            return activity_line(
                name, position, index++,
                {static_cast<ActivityKind>(line.kind()), moment_of_ms(line.at_ms()), line.what(),
                 line.number(), Money::from_cents(line.amount()), Money::from_cents(line.balance()),
                 line.note(), line.rolled_back() ? LineState::rolled_back : LineState::settled});
        });
    }
}

void State::take_correction(Account& account, Money sum) {
    const auto at = account.correction_at(sum);
    if (at.value_or(0) > 0) account.more().corrections_taken = *at;
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

Result<void> State::apply_exited(const records::Exited& exited) {
    Account* account = find(exited.name());
    if (account == nullptr) return bad("exited");
    Settlement last;
    if (exited.has_statement()) {
        const auto statement = read_statement(exited.statement());
        if (!statement) return bad("a last statement");
        auto read = settlement_of(exited.statement(), *statement, exited.signing_key());
        if (!read) return read.error();
        last = std::move(read).value();
    } else {
        last.totals = from_wire(exited.totals());
        last.activity.assign(exited.activity().begin(), exited.activity().end());
        last.activity_left_out = exited.activity_left_out();
    }
    last.orders_upto = business.newest_pending(account->name);
    settle(*account, last, "exit");
    telling_([&] { return account_closed(account->name, telling_.at_us); });
    account->totals = last.totals;
    account->correct(account->totals.adjustments);
    account->exited = true;
    // It was in no operation: what it was still to hear of has been heard.
    for (auto at = committed.begin(); at != committed.end();) {
        at->second.unacked.erase(account->name);
        at = at->second.unacked.empty() ? forget(at) : std::next(at);
    }
    table_changed = true;
    return {};
}

Result<void> State::apply_accused(const bank_evidence::Accusation& accused) {
    Account* account = find(accused.name());
    if (account == nullptr) return bad("accused");
    telling_([&] {
        return accusation(position, account->name, telling_.at_us, accused.text(),
                          accused.SerializeAsString());
    });
    auto& all = account->more().accusations;
    if (all.size() >= limits::kMaxAccusations) return {};
    bank_evidence::Accusation& kept = all.emplace_back();
    kept.set_name(accused.name());
    kept.set_kind(accused.kind());
    kept.set_text(accused.text());
    *kept.mutable_operation() = accused.operation();
    kept.set_at_ms(accused.at_ms());
    return {};
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

Result<void> State::apply_bank_keys(const records::BankKeys& in) {
    const auto channel = secure::key_from_bytes(in.channel());
    const auto signing = secure::key_from_bytes(in.signing());
    if (!channel || !signing) return bad("the bank's keys");
    const secure::PublicKeys keys{*channel, *signing};
    if (!bank_keys.empty() && bank_keys.back() == keys) return {};
    std::erase(bank_keys, keys);  // an old key that has come back
    bank_keys.push_back(keys);
    return {};
}

Result<void> State::apply_opened(const records::Opened& opened) {
    if (find(opened.name()) != nullptr) return bad("opened twice");
    Account& account = add_account(opened.name());
    account.totals.balance = account.totals.opening = Money::from_cents(opened.balance());
    account.ip = opened.ip();
    account.port1 = static_cast<uint16_t>(opened.port1());
    account.port2 = static_cast<uint16_t>(opened.port2());
    account.opener = opened.opener();
    account.exited = opened.exited();
    if (!opened.owner().empty()) account.more().owner = opened.owner();
    if (!opened.channel_key().empty()) {
        const auto set = set_keys(account, opened.channel_key(), opened.signing_key());
        if (!set) return set;
    }
    telling_([&] {
        return account_opened(account.name, opened.owner(), account.totals.opening, telling_.at_us);
    });
    telling_([&] {
        const Money opening = account.totals.opening;
        return activity_line(account.name, position, 0,
                             {ActivityKind::opened, telling_.at_us, "", 0, opening, opening, "",
                              LineState::settled});
    });
    table_changed = true;
    return {};
}

Result<void> State::apply_attached(const records::Attached& attached) {
    Account* account = find(attached.name());
    if (account == nullptr) return bad("attached");
    const auto port1 = static_cast<uint16_t>(attached.port1());
    const auto port2 = static_cast<uint16_t>(attached.port2());
    if (account->ip != attached.ip() || account->port1 != port1 || account->port2 != port2) {
        table_changed = true;
    }
    if (!attached.channel_key().empty()) {
        const auto set = set_keys(*account, attached.channel_key(), attached.signing_key());
        if (!set) return set;
    }
    account->ip = attached.ip();
    account->port1 = port1;
    account->port2 = port2;
    account->opener = attached.opener();
    account->boots = attached.boots();
    account->run = attached.run();
    raise_epoch(*account, attached.epoch());
    account->attached = true;
    account->proven = attached.proven();
    (account->keys().empty() ? was_in_clear : was_sealed) = true;
    return {};
}

Result<void> State::apply_bound(const records::Bound& bound) {
    Account* account = find(bound.name());
    if (account == nullptr) return bad("bound");
    const auto set = set_keys(*account, bound.channel_key(), bound.signing_key());
    if (!set) return set;
    if (bound.reset()) reset(*account, bound.epoch());
    if (!bound.owner().empty() && bound.owner() != account->owner()) {
        account->more().owner = bound.owner();
        telling_([&] { return account_owned(account->name, bound.owner()); });
    }
    return {};
}

Result<void> State::set_keys(Account& account, const std::string& channel_key,
                             const std::string& signing_key) {
    secure::PublicKeys keys;
    if (!channel_key.empty() || !signing_key.empty()) {
        const auto channel = secure::key_from_bytes(channel_key);
        const auto signing = secure::key_from_bytes(signing_key);
        if (!channel || !signing || *channel == *signing) return bad("keys");
        for (const KeyBytes& key : {*channel, *signing}) {
            const Account* other = find_by_key(key);
            if (key == KeyBytes{} || (other != nullptr && other != &account)) return bad("keys");
        }
        keys = {*channel, *signing};
    }
    if (!account.keys().empty()) {
        by_key_.erase(account.keys().channel);
        by_key_.erase(account.keys().signing);
    }
    if (account.details || !keys.empty()) account.more().keys = keys;
    if (keys.empty()) return {};
    was_sealed = true;
    by_key_.emplace(keys.channel, &account);
    by_key_.emplace(keys.signing, &account);
    return {};
}

void State::reset(Account& account, uint64_t epoch) {
    account.epoch = std::max(account.epoch, epoch);
    business.cancel(
        account.name, [](const PendingDeal&) { return true; }, telling_);
    telling_([&] { return rolled_back(account.name); });
    account.opener = 0;
    account.boots = 0;
    account.attached = false;
    account.proven = false;
    // Requests of the next process are counted from 1 on.
    account.more().replied_instance = 0;
    account.more().reply.Clear();
}

Result<void> State::apply_settled(const records::Settled& settled) {
    Account* account = find(settled.name());
    if (account == nullptr) return bad("settled");
    Operation& operation = newest(from_wire(settled.operation()), settled.kind());
    Settlement& settlement = operation.settlements[settled.name()];
    settlement = Settlement();
    wire::Statement statement;
    if (settled.has_statement()) {
        auto signed_one = read_statement(settled.statement());
        if (!signed_one) return bad("a settled statement");
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
        if (account == nullptr) return bad("a settlement");
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
    if (found == cohorts.end()) return bad("a cohort's end");
    const auto freeze = operations.find("bank:" + found->second.name);
    const bool by_force = ended.operation().initiator().empty();
    for (const auto& end : ended.members()) {
        Account* account = find(end.name());
        if (account == nullptr) return bad("a member's end");
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

Result<void> State::apply_edited(const records::Edited& edited) {
    Account* account = find(edited.name());
    if (account == nullptr) return bad("edited");
    const Money by = Money::from_cents(edited.correction());
    const auto corrections = checked_add(account->corrections, by);
    if (!corrections) return bad("edited");
    account->correct(*corrections);
    if (!account->attached) {  // no process has it yet: nobody else could apply it
        const auto missing = checked_subtract(*corrections, account->totals.adjustments);
        const auto balance =
            missing ? checked_add(account->totals.balance, *missing) : std::nullopt;
        // Below zero it waits for a process, as any other correction.
        if (balance && !balance->is_negative()) {
            account->totals.balance = *balance;
            account->totals.adjustments = *corrections;
            take_correction(*account, *corrections);
        }
    }
    account->ip = edited.ip();
    account->port1 = static_cast<uint16_t>(edited.port1());
    account->port2 = static_cast<uint16_t>(edited.port2());
    table_changed = true;
    return {};
}

}  // namespace p2pbank::bank
