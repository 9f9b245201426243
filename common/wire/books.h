// An account in numbers, as both the customer and the bank keep it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/interval_set.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/wire/values.pb.h"

namespace p2pbank {

// balance = opening + deposits - withdrawals + adjustments + carried + dealings - sent + received
struct Totals {
    Money balance;
    Money opening;
    Money deposits;
    Money withdrawals;
    Money adjustments;  // the operator's corrections in data.csv
    Money carried;      // received - sent + given back in cohorts that have ended
    Money dealings;     // received from the bank's own accounts (loans) - paid to them
    friend bool operator==(const Totals&, const Totals&) = default;
};

// What an account can hold: more than any that is honest needs, and so little that sums of a few of
// these always fit. The customer keeps within it, the bank refuses statements beyond it.
inline constexpr Money kMaxTotal = Money::from_cents(limits::kMaxAmountUnits * 100 * 10);
inline constexpr Money kMaxBalance = Money::from_cents(4 * kMaxTotal.cents());
static_assert(INT64_MAX - kMaxBalance.cents() > 5 * kMaxTotal.cents(),
              "`carried` must fit, whatever the others are");
// What may be added to a sum (which may be negative), and to a balance.
bool fits_total(std::optional<Money> sum);
bool fits_balance(std::optional<Money> balance);

// Both directions between a customer and one peer, as the customer sees them.
struct Channel {
    Label sent_last;
    Money sent_sum;
    IntervalSet received;
    Money received_sum;
    friend bool operator==(const Channel&, const Channel&) = default;
};

using ChannelMap = std::map<std::string, Channel, std::less<>>;  // by the peer's name

// Nothing is further from zero than an account can be. `carried` is only what the bank makes of it.
bool is_within_bounds(const Totals& totals, const ChannelMap& channels);

// The equation above holds, and the balance is not negative.
bool adds_up(const Totals& totals, const ChannelMap& channels);

// What may be known of a channel's sender and its receiver at a cut: nothing received that was not
// sent, not more money out than in, and the same sums when nothing is in transit.
bool matches(const Channel& at_sender, const Channel& at_receiver);

void to_wire(const Totals& totals, wire::Totals* out);
Totals from_wire(const wire::Totals& totals);
void to_wire(std::string_view peer, const Channel& channel, wire::Channel* out);
std::optional<Channel> from_wire(const wire::Channel& channel);

}  // namespace p2pbank
