#include "common/wire/books.h"

#include <algorithm>

#include "common/wire/convert.h"

namespace p2pbank {

bool adds_up(const Totals& totals, const ChannelMap& channels) {
    MoneyTotal expected;
    expected += totals.opening;
    expected += totals.deposits;
    expected -= totals.withdrawals;
    expected += totals.adjustments;
    expected += totals.carried;
    expected += totals.dealings;
    for (const auto& [peer, channel] : channels) {
        expected -= channel.sent_sum;
        expected += channel.received_sum;
    }
    MoneyTotal balance;
    balance += totals.balance;
    return expected == balance && !totals.balance.is_negative();
}

bool fits_total(std::optional<Money> sum) {
    return sum && sum->cents() <= kMaxTotal.cents() && sum->cents() >= -kMaxTotal.cents();
}

bool fits_balance(std::optional<Money> balance) {
    return balance && !balance->is_negative() && *balance <= kMaxBalance;
}

bool is_within_bounds(const Totals& totals, const ChannelMap& channels) {
    return totals.balance <= kMaxBalance && totals.balance.cents() >= -kMaxBalance.cents() &&
           fits_total(totals.opening) && fits_total(totals.deposits) &&
           fits_total(totals.withdrawals) && fits_total(totals.adjustments) &&
           fits_total(totals.dealings) &&
           std::all_of(channels.begin(), channels.end(), [](const auto& entry) {
               return fits_total(entry.second.sent_sum) && fits_total(entry.second.received_sum);
           });
}

bool matches(const Channel& at_sender, const Channel& at_receiver) {
    const uint64_t count = at_receiver.received.count();
    if (at_receiver.received.highest() > at_sender.sent_last ||
        at_receiver.received_sum > at_sender.sent_sum) {
        return false;
    }
    const bool all_arrived = count == at_sender.sent_last.value();
    return all_arrived == (at_receiver.received_sum == at_sender.sent_sum);
}

void to_wire(const Totals& totals, wire::Totals* out) {
    out->set_balance(totals.balance.cents());
    out->set_opening(totals.opening.cents());
    out->set_deposits(totals.deposits.cents());
    out->set_withdrawals(totals.withdrawals.cents());
    out->set_adjustments(totals.adjustments.cents());
    out->set_carried(totals.carried.cents());
    out->set_dealings(totals.dealings.cents());
}

Totals from_wire(const wire::Totals& totals) {
    return {Money::from_cents(totals.balance()),     Money::from_cents(totals.opening()),
            Money::from_cents(totals.deposits()),    Money::from_cents(totals.withdrawals()),
            Money::from_cents(totals.adjustments()), Money::from_cents(totals.carried()),
            Money::from_cents(totals.dealings())};
}

void to_wire(std::string_view peer, const Channel& channel, wire::Channel* out) {
    out->set_peer(std::string(peer));
    out->set_sent_last(channel.sent_last.value());
    out->set_sent_sum(channel.sent_sum.cents());
    to_wire(channel.received, out->mutable_received());
    out->set_received_sum(channel.received_sum.cents());
}

std::optional<Channel> from_wire(const wire::Channel& channel) {
    auto received = from_wire(channel.received());
    if (!received) return std::nullopt;
    return Channel{Label(channel.sent_last()), Money::from_cents(channel.sent_sum()),
                   std::move(*received), Money::from_cents(channel.received_sum())};
}

}  // namespace p2pbank
