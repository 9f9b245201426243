// What the bank knows of one account, and what is settled for it. Part of State.
#include "bank/state.h"
#include "common/core/bad_record.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

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
        if (!read) return bad_record("a settled channel");
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

}  // namespace p2pbank::bank
