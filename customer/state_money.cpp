// Records of money that comes and goes: cash, transfers, deals. Part of State.
#include "common/core/bad_record.h"
#include "common/wire/convert.h"
#include "customer/state.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
namespace records = customer_records;

Result<void> State::apply_cash(const records::Cash& cash) {
    const Money amount = Money::from_cents(cash.amount());
    const auto balance = checked_add(totals.balance, amount);
    Money& sum = amount.is_negative() ? totals.withdrawals : totals.deposits;
    const auto total =
        amount.is_negative() ? checked_subtract(sum, amount) : checked_add(sum, amount);
    if (!balance || balance->is_negative() || !total) return bad_record("cash");
    totals.balance = *balance;
    sum = *total;
    remember(amount.is_negative() ? ActivityKind::withdrawal : ActivityKind::deposit, "", 0, amount,
             cash.note());
    return {};
}

Result<void> State::apply_dealt(const records::Dealt& dealt) {
    if (deal || operation) return bad_record("a deal");
    const Money amount = Money::from_cents(dealt.amount());
    if (amount.is_negative()) {
        const auto balance = checked_add(totals.balance, amount);
        const auto dealings = checked_add(totals.dealings, amount);
        if (!balance || balance->is_negative() || !dealings) return bad_record("what a deal costs");
        totals.balance = *balance;
        totals.dealings = *dealings;
    }
    deals = std::max(deals, dealt.number());
    deal = OpenDeal{dealt.number(),   dealt.kind(), dealt.what(),
                    dealt.quantity(), amount,       dealt.months()};
    return {};
}

std::optional<Money> State::deal_change(bool accepted) const {
    const bool pays = deal->amount.is_negative();
    if (pays == accepted) return Money();
    const Money change = pays ? must_subtract(Money(), deal->amount) : deal->amount;
    const bool fits = checked_add(totals.balance, change) && checked_add(totals.dealings, change);
    return fits ? std::optional<Money>(change) : std::nullopt;
}

bool State::can_hold(std::optional<Money> balance) const {
    if (!balance || !deal) return fits_balance(balance);
    return fits_balance(*balance) && fits_balance(checked_add(*balance, positive(deal->amount)));
}

Result<void> State::apply_deal_answered(const records::DealAnswered& answered) {
    if (!deal || deal->number != answered.number()) return bad_record("an answer to no deal");
    const auto change = deal_change(answered.accepted());
    if (!change) return bad_record("an answer to a deal");
    totals.balance = must_add(totals.balance, *change);
    totals.dealings = must_add(totals.dealings, *change);
    const OpenDeal made = *deal;
    deal.reset();
    if (!answered.accepted()) return {};
    const ActivityKind kind = made.kind == wire::DEAL_PURCHASE  ? ActivityKind::purchase
                              : made.kind == wire::DEAL_PAYMENT ? ActivityKind::payment
                              : made.kind == wire::DEAL_LOAN    ? ActivityKind::loan
                                                                : ActivityKind::repayment;
    std::string what = made.kind == wire::DEAL_LOAN ? std::to_string(answered.order()) : made.what;
    std::string note = made.quantity > 1 ? std::to_string(made.quantity) + " pieces" : "";
    remember(kind, std::move(what), answered.order(), made.amount, std::move(note));
    return {};
}

Result<void> State::apply_sent(const records::Sent& sent) {
    Peer* peer = find_peer(sent.peer());
    const Money amount = Money::from_cents(sent.amount());
    if (peer == nullptr || amount <= Money()) return bad_record("sent");
    Channel& channel = peer->channel;
    const auto sum = checked_add(channel.sent_sum, amount);
    if (Label(sent.label()) != channel.sent_last.next() || totals.balance < amount || !sum) {
        return bad_record("sent");
    }
    channel.sent_last = Label(sent.label());
    channel.sent_sum = *sum;
    totals.balance = must_subtract(totals.balance, amount);
    peer->sent_log.push_back({Label(sent.label()), amount, sent.lost(), false, 0, {}, {}});
    remember(sent.lost() ? ActivityKind::lost : ActivityKind::sent, sent.peer(), sent.label(),
             Money::from_cents(-amount.cents()));
    return {};
}

Result<void> State::apply_received(const records::Received& received) {
    Peer* peer = find_peer(received.peer());
    if (peer == nullptr || received.labels_size() != received.amounts_size()) {
        return bad_record("received");
    }
    for (int i = 0; i < received.labels_size(); ++i) {
        const Money amount = Money::from_cents(received.amounts(i));
        const auto balance = checked_add(totals.balance, amount);
        const auto sum = checked_add(peer->channel.received_sum, amount);
        if (amount <= Money() || !balance || !sum ||
            !peer->channel.received.add(Label(received.labels(i)))) {
            return bad_record("received");
        }
        peer->received_log.add(Label(received.labels(i)), amount);
        totals.balance = *balance;
        peer->channel.received_sum = *sum;
        remember(ActivityKind::received, received.peer(), received.labels(i), amount);
    }
    return {};
}

void State::apply_pruned(Peer& peer, const IntervalSet& covered) {
    auto& log = peer.sent_log;
    while (!log.empty() && covered.contains(log.front().label)) log.pop_front();
    const auto kept = std::remove_if(log.begin(), log.end(), [&](const SentEntry& entry) {
        return covered.contains(entry.label);
    });
    log.erase(kept, log.end());
}

// Its debit goes with the totals that are restored; the bank cancels what it accepted, as soon as
// it knows of the new epoch or of the cohort's end.
void State::drop_deal() {
    deal.reset();
}

}  // namespace p2pbank::customer
