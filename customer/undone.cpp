#include "customer/undone.h"

#include <vector>

#include "common/base/text.h"

namespace p2pbank::customer {
namespace {

constexpr size_t kMostShown = 8;

// `upto` - `from`, for people: 0 where a peer's numbers make no sense.
Money grown(Money from, Money upto) {
    return checked_subtract(upto, from).value_or(Money());
}

}  // namespace

std::string undone_since(const State& state, const Checkpoint& cut) {
    if (state.restore_due) return {};
    std::vector<std::string> parts;
    const auto say = [&](const std::string& verb, Money amount, const std::string& rest = {}) {
        if (!amount.is_zero()) parts.push_back(verb + " " + to_string(amount) + rest);
    };
    for (const auto& [peer_name, peer] : state.peers) {
        const Channel& then = cut.channel(peer_name);
        say("sent", grown(then.sent_sum, peer.channel.sent_sum), " to " + peer_name);
        say("received", grown(then.received_sum, peer.channel.received_sum), " from " + peer_name);
    }
    const size_t of_peers = parts.size();
    if (of_peers > kMostShown) {
        parts.resize(kMostShown);
        parts.push_back(std::to_string(of_peers - kMostShown) + " more (`history` shows them)");
    }
    say("deposited", grown(cut.totals.deposits, state.totals.deposits));
    say("withdrew", grown(cut.totals.withdrawals, state.totals.withdrawals));
    const Money dealings = grown(cut.totals.dealings, state.totals.dealings);
    if (dealings.is_negative()) {
        say("paid", grown(state.totals.dealings, cut.totals.dealings), " to the bank");
    } else {
        say("got", dealings, " from the bank");
    }
    return join(parts, ", ");
}

}  // namespace p2pbank::customer
