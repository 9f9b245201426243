// The commands that only look. Part of Customer.
#include "common/base/names.h"
#include "common/core/command_table.h"
#include "customer/command_list.h"
#include "customer/customer.h"

namespace p2pbank {

using namespace customer;

Answer Customer::balance() const {
    if (!context_.state.has_account()) {
        return no_account();
    }
    Answer result = success("balance " + to_string(context_.state.totals.balance));
    return result.fact("balance", context_.state.totals.balance);
}

Answer Customer::status() const {
    const State& state = context_.state;
    Answer result = success("status " + (state.name.empty() ? "no account" : state.name));
    const auto add = [&](const std::string& what, const std::string& value) {
        result.line(what + std::string(what.size() < 12 ? 12 - what.size() : 1, ' ') + value);
        result.fact(what, value);
    };
    add("bank", to_string(context_.settings.bank) +
                    (bank_key_.was_heard() || bank_link_.heard() ? "" : ", not heard yet"));
    add("ports", std::to_string(context_.settings.port1) + " for the bank, " +
                     std::to_string(context_.settings.port2) + " for peers");
    if (context_.sealed()) {
        add("key", secure::fingerprint(context_.identity.keys()));
        add("bank key",
            context_.bank_keys ? secure::fingerprint(*context_.bank_keys) : "not known");
    } else {
        add("insecure", "everything goes in clear");
    }
    add("stable", context_.settings.stable == StableMode::journal ? "journal" : "checkpoint");
    add("signed in", session_.signed_in() ? std::string(session_.email()) : "nobody");
    if (!state.has_account()) return result;
    add("account", context_.other_key              ? "bound to another key"
                   : state.phase == Phase::open    ? "open"
                   : state.phase == Phase::exiting ? "being closed"
                                                   : "closed");
    add("balance", to_string(state.totals.balance));
    result.facts.back().is_number = true;
    add("permanent", to_string(state.permanent.totals.balance) + " at the last checkpoint");
    add("cohort", state.in_cohort() ? state.cohort_name : "none");
    add("epoch", std::to_string(state.epoch.value()));
    result.facts.back().is_number = true;
    const std::string operation = operations_.describe();
    add("under way", operation.empty() ? "nothing" : operation);
    if (bank_link_.busy()) add("at the bank", "a command has no answer yet");
    for (const HoldBack& hold : state.held_back) {
        add("holds back", "labels of " + hold.peer + " above " +
                              std::to_string(hold.label.value()) + " until " +
                              to_string(hold.operation) + " is decided");
    }
    return result;
}

Answer Customer::peers() const {
    const State& state = context_.state;
    Answer result = success("peers " + std::to_string(state.peers.size()));
    result.fact("count", state.peers.size());
    std::vector<std::vector<Answer::Fact>> rows;
    for (const auto& [peer_name, peer] : state.peers) {
        const Channels::View view = channels_.view(peer);
        const Address address{peer.ip, peer.port2};
        std::string line = peer_name + " at " + to_string(address) + ": sent " +
                           to_string(peer.channel.sent_sum) + " in " +
                           std::to_string(peer.channel.sent_last.value()) + ", received " +
                           to_string(peer.channel.received_sum) + " in " +
                           std::to_string(peer.channel.received.count());
        if (view.unacknowledged > 0) {
            line += ", not acknowledged " + to_string(view.unacknowledged_sum) + " in " +
                    std::to_string(view.unacknowledged);
        }
        if (!view.lost_sum.is_zero()) line += ", lost " + to_string(view.lost_sum);
        if (!view.confirmed) line += ", does not know this epoch yet";
        result.line(std::move(line));
        rows.push_back({{"name", peer_name, false},
                        {"address", to_string(address), false},
                        {"sent", to_string(peer.channel.sent_sum), true},
                        {"sent_count", std::to_string(peer.channel.sent_last.value()), true},
                        {"received", to_string(peer.channel.received_sum), true},
                        {"received_count", std::to_string(peer.channel.received.count()), true},
                        {"unacknowledged", to_string(view.unacknowledged_sum), true},
                        {"lost", to_string(view.lost_sum), true}});
    }
    result.tables.emplace_back("peers", std::move(rows));
    return result;
}

std::vector<MenuSection> Customer::menu() const {
    return menu_sections();
}

std::vector<std::string> Customer::complete(std::string_view line) const {
    const Words words = split_words(line);
    const bool new_word = line.empty() || line.back() == ' ';
    const size_t position = words.size() + (new_word ? 1 : 0);
    const std::string_view begun = new_word || words.empty() ? std::string_view() : words.back();
    std::vector<std::string> found = complete_line(command_table(), line);
    const auto offer = [&](std::string_view word) {
        if (word.substr(0, begun.size()) == begun) found.emplace_back(word);
    };
    if (position == 3 && (words[0] == "transfer" || words[0] == "lost-transfer")) {
        for (const auto& [peer_name, peer] : context_.state.peers) offer(peer_name);
    } else if (position == 2 && (words[0] == "new-cohort" || words[0] == "delete-cohort" ||
                                 words[0] == "exit" || words[0] == "bind")) {
        offer(context_.state.name);
    }
    return found;
}

}  // namespace p2pbank
