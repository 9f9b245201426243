// The commands that only look. Part of Customer.
#include "common/base/names.h"
#include "customer/customer.h"

namespace p2pbank {

using namespace customer;

namespace {

struct Help {
    std::string_view verb;
    std::string_view usage;
    std::string_view text;
};

constexpr Help kHelp[] = {
    {"open", "open <name> <balance> [<ip_address> <port1> <port2>]",
     "opens an account at the bank; the address is this program's own if left out"},
    {"deposit", "deposit <amount>", "puts cash into the account"},
    {"withdrawal", "withdrawal <amount>", "takes cash out of the account"},
    {"transfer", "transfer <amount> <receiver_name>", "sends money to a member of the cohort"},
    {"lost-transfer", "lost-transfer <amount> <receiver_name>",
     "debits and loses the message on purpose; a rollback brings the money back"},
    {"checkpoint", "checkpoint",
     "takes a permanent checkpoint, together with all who have to take part"},
    {"rollback", "rollback",
     "goes back to the permanent checkpoint, together with all who have to"},
    {"new-cohort", "new-cohort <name> <number_of_customers>",
     "forms a cohort with others that the bank picks; <name> is the own name"},
    {"delete-cohort", "delete-cohort <name> [--force]",
     "ends the cohort with a last checkpoint; --force: at its last cut, whoever answers"},
    {"exit", "exit [<name>]", "closes the account and ends the program"},
    {"balance", "balance", "the balance at this moment"},
    {"status", "status", "name, cohort, epoch, what is under way"},
    {"peers", "peers", "the members of the cohort, what was sent and received"},
    {"history", "history", "what happened to the account, newest last"},
    {"help", "help [<command>]", "this list"},
    {"quit", "quit", "ends the program; the account stays"},
};

std::string to_text(const HistoryEntry& entry) {
    const std::string amount = to_string(entry.amount);
    const std::string label = " (transfer " + std::to_string(entry.label.value()) + ")";
    switch (entry.kind) {
        case HistoryEntry::opened:
            return "opened with " + amount;
        case HistoryEntry::deposited:
            return "deposited " + amount;
        case HistoryEntry::withdrew:
            return "withdrew " + amount.substr(1);
        case HistoryEntry::sent:
            return "sent " + amount + " to " + entry.peer + label;
        case HistoryEntry::lost:
            return "lost " + amount + " on the way to " + entry.peer + label;
        case HistoryEntry::received:
            return "received " + amount + " from " + entry.peer + label;
        case HistoryEntry::checkpoint:
            return "checkpoint became permanent";
        case HistoryEntry::rolled_back:
            return "rolled back to the permanent checkpoint";
        case HistoryEntry::adjusted:
            return "corrected by the operator by " + amount;
        case HistoryEntry::cohort_started:
            return "joined " + entry.peer;
        case HistoryEntry::cohort_ended:
            return "the cohort ended";
    }
    return "";
}

}  // namespace

Answer Customer::balance() const {
    if (!context_.state.has_account()) {
        return failure("no-account", "there is no account yet; `open <name> <balance>`");
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
    add("bank", to_string(context_.settings.bank) + (bank_link_.heard() ? "" : ", not heard yet"));
    add("ports", std::to_string(context_.settings.port1) + " for the bank, " +
                     std::to_string(context_.settings.port2) + " for peers");
    add("stable", context_.settings.stable == StableMode::journal ? "journal" : "checkpoint");
    if (!state.has_account()) return result;
    add("account", state.phase == Phase::open      ? "open"
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

Answer Customer::history() const {
    const State& state = context_.state;
    Answer result = success("history " + std::to_string(state.history.size()));
    result.fact("count", state.history.size());
    std::vector<std::vector<Answer::Fact>> rows;
    for (const HistoryEntry& entry : state.history) {
        result.line(to_text(entry) + ", balance " + to_string(entry.balance));
        rows.push_back(
            {{"what", to_text(entry), false}, {"balance", to_string(entry.balance), true}});
    }
    result.tables.emplace_back("history", std::move(rows));
    return result;
}

Answer Customer::help(const Words& words) const {
    Answer result = success("help");
    for (const Help& help : kHelp) {
        if (words.size() == 2 && words[1] != help.verb) continue;
        result.line(std::string(help.usage));
        result.line("    " + std::string(help.text));
    }
    if (words.size() > 2 || result.lines.empty()) {
        return failure("usage", words.size() == 2
                                    ? quote(words[1]) + " is not a command; `help` lists them"
                                    : "write: help [<command>]");
    }
    return result;
}

std::vector<std::string> Customer::complete(std::string_view line) const {
    const Words words = split_words(line);
    const bool new_word = line.empty() || line.back() == ' ';
    const size_t position = words.size() + (new_word ? 1 : 0);
    const std::string_view begun = new_word || words.empty() ? std::string_view() : words.back();
    std::vector<std::string> found;
    const auto offer = [&](std::string_view word) {
        if (word.substr(0, begun.size()) == begun) found.emplace_back(word);
    };
    if (position <= 1) {
        for (const Help& help : kHelp) offer(help.verb);
    } else if (position == 3 && (words[0] == "transfer" || words[0] == "lost-transfer")) {
        for (const auto& [peer_name, peer] : context_.state.peers) offer(peer_name);
    } else if (position == 2 &&
               (words[0] == "new-cohort" || words[0] == "delete-cohort" || words[0] == "exit")) {
        offer(context_.state.name);
    } else if (position == 2 && words[0] == "help") {
        for (const Help& help : kHelp) offer(help.verb);
    }
    return found;
}

}  // namespace p2pbank
