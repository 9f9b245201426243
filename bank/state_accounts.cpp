// Records of accounts: opened, attached, bound, edited, closed. Part of State.
#include <algorithm>

#include "bank/state.h"
#include "common/core/bad_record.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace records = bank_records;

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

Result<void> State::apply_exited(const records::Exited& exited) {
    Account* account = find(exited.name());
    if (account == nullptr) return bad_record("exited");
    Settlement last;
    if (exited.has_statement()) {
        const auto statement = read_statement(exited.statement());
        if (!statement) return bad_record("a last statement");
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
    if (account == nullptr) return bad_record("accused");
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

Result<void> State::apply_bank_keys(const records::BankKeys& in) {
    const auto channel = secure::key_from_bytes(in.channel());
    const auto signing = secure::key_from_bytes(in.signing());
    if (!channel || !signing) return bad_record("the bank's keys");
    const secure::PublicKeys keys{*channel, *signing};
    if (!bank_keys.empty() && bank_keys.back() == keys) return {};
    std::erase(bank_keys, keys);  // an old key that has come back
    bank_keys.push_back(keys);
    return {};
}

Result<void> State::apply_opened(const records::Opened& opened) {
    if (find(opened.name()) != nullptr) return bad_record("opened twice");
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
    if (account == nullptr) return bad_record("attached");
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
    if (account == nullptr) return bad_record("bound");
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
        if (!channel || !signing || *channel == *signing) return bad_record("keys");
        for (const KeyBytes& key : {*channel, *signing}) {
            const Account* other = find_by_key(key);
            if (key == KeyBytes{} || (other != nullptr && other != &account))
                return bad_record("keys");
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

Result<void> State::apply_edited(const records::Edited& edited) {
    Account* account = find(edited.name());
    if (account == nullptr) return bad_record("edited");
    const Money by = Money::from_cents(edited.correction());
    const auto corrections = checked_add(account->corrections, by);
    if (!corrections) return bad_record("edited");
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
