// The oracles that hold a customer to its answers: what was answered with SUCCESS is kept. Part of
// Oracles.
#include "common/base/names.h"
#include "simulator/oracles.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using customer::Checkpoint;
using customer::Peer;
using customer::State;

namespace {

// The label in "transfer 10 to bob label 3 balance 90".
std::optional<Label> label_in(const std::string& text) {
    const auto words = split_words(text);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == "label") return Label(std::stoull(std::string(words[i + 1])));
    }
    return std::nullopt;
}

}  // namespace

Oracles::Marks Oracles::marks_of(const Checkpoint& checkpoint) {
    Marks out{checkpoint.totals.deposits, checkpoint.totals.withdrawals, {}};
    for (const auto& [peer_name, channel] : checkpoint.channels) {
        out.sent[peer_name] = channel.sent_last;
    }
    return out;
}

// A SUCCESS is the answer to this command and not to another.
void Oracles::check_fits(const Command& typed, const Answer& answer) const {
    if (answer.outcome != Outcome::success) return;
    const auto asked = split_words(typed.line);
    const auto told = split_words(answer.text);
    if (!asked.empty() && !told.empty() && asked[0] == told[0]) return;
    world_.violated("answers-once", typed.line + " is answered with " + to_lines(answer));
}

void Oracles::answer_made(CommandId command, const Answer& answer) {
    const Command& typed = world_.command(command);
    if (made_.size() <= command.value()) made_.resize(command.value() + 1);
    if (made_[command.value()]) {
        world_.violated("answers-once",
                        typed.line + " is answered a second time: " + to_lines(answer));
    }
    made_[command.value()] = true;
    check_fits(typed, answer);
    if (typed.machine == World::kBank) return;
    const Customer* customer = world_.customer(typed.machine);
    if (customer == nullptr) return;
    const State& state = customer->state();
    const auto words = split_words(typed.line);
    if (answer.outcome == Outcome::failure && !words.empty() &&
        (words[0] == "exit" || words[0] == "close")) {
        check_not_closed(state, answer);
    }
    if (answer.outcome != Outcome::success) return;
    static const std::set<std::string_view> promising{"deposit",       "withdrawal", "transfer",
                                                      "lost-transfer", "checkpoint", "rollback"};
    if (words.empty() || !promising.contains(words[0]) || !state.has_account()) return;
    // "deposit 50 balance 150": what is answered is what is there, so its record has been written.
    if (words[0] == "deposit" || words[0] == "withdrawal") {
        const auto told = split_words(answer.text);
        if (told.empty() || told.back() != to_string(state.totals.balance)) {
            world_.violated("success-is-kept", state.name + " answers " + answer.text +
                                                   ", and has " + to_string(state.totals.balance));
        }
    }
    Promise promise;
    promise.account = state.name;
    promise.epoch = state.epoch;
    promise.cohort = state.cohort;
    promise.given_up = account_of(state).given_up;
    promise.live = {state.totals.deposits, state.totals.withdrawals, {}};
    for (const auto& [peer_name, peer] : state.peers) {
        promise.live.sent[peer_name] = peer.channel.sent_last;
    }
    if (words[0] == "checkpoint") promise.permanent = marks_of(state.permanent);
    if (words[0] == "transfer" && words.size() == 3) {
        const Peer* peer = state.find_peer(words[2]);
        const auto label = label_in(answer.text);
        if (peer != nullptr && label) {
            promise.receiver = peer->name;
            promise.receipt = {state.cohort, peer->known_epoch, state.epoch, {}};
            promise.receipt.labels.add(*label);
        }
    }
    promises_[command] = std::move(promise);
}

void Oracles::answered(CommandId command) {
    const Command& typed = world_.command(command);
    const auto words = split_words(typed.line);
    if (typed.success() && !words.empty()) {
        if (words[0] == "open") opened_.emplace(words[1]);
        const auto answer = split_words(typed.answer->text);  // "exit alice balance 120"
        if ((words[0] == "exit" || words[0] == "close") && answer.size() > 1)
            exited_.emplace(answer[1]);
    }
    const auto found = promises_.find(command);
    if (found == promises_.end()) return;
    const Promise promise = std::move(found->second);
    promises_.erase(found);
    Account& account = accounts_[promise.account];
    if (promise.epoch >= account.floor_epoch && promise.cohort == account.cohort &&
        promise.given_up == account.given_up) {
        account.floor = promise.live;
        account.floor_epoch = promise.epoch;
        account.floor_cohort = promise.cohort;
    }
    if (promise.permanent && promise.cohort == account.cohort)
        account.promised = *promise.permanent;
    if (promise.receiver.empty()) return;
    Receipt& receipt = accounts_[promise.receiver].receipts[promise.account];
    if (receipt.cohort == promise.receipt.cohort && receipt.own == promise.receipt.own &&
        receipt.senders == promise.receipt.senders) {
        for (const auto& interval : promise.receipt.labels.intervals()) {
            receipt.labels.add(Label(interval.first));
        }
    } else {
        receipt = promise.receipt;
    }
}

void Oracles::check_kept(const State& state, Account& account) {
    const auto at_least = [&](const Marks& floor, const Totals& totals, const auto& sent_last,
                              const char* invariant, const char* what) {
        bool kept = totals.deposits >= floor.deposits && totals.withdrawals >= floor.withdrawals;
        for (const auto& [peer_name, label] : floor.sent) {
            kept = kept && (!state.in_cohort() || sent_last(peer_name) >= label);
        }
        if (!kept) world_.violated(invariant, state.name + ": " + what);
    };
    const auto covered_last = [&](const std::string& peer_name) {
        return state.permanent.channel(peer_name).sent_last;
    };
    at_least(account.covered, state.permanent.totals, covered_last, "checkpoints-go-forward",
             "its permanent checkpoint is older than the one before it");
    account.covered = marks_of(state.permanent);
    at_least(account.promised, state.permanent.totals, covered_last, "success-is-kept",
             "a checkpoint that was answered with SUCCESS is forgotten");
    if (account.floor_epoch == state.epoch && account.floor_cohort == state.cohort) {
        const auto live_last = [&](const std::string& peer_name) {
            const Peer* peer = state.find_peer(peer_name);
            return peer == nullptr ? Label() : peer->channel.sent_last;
        };
        at_least(account.floor, state.totals, live_last, "success-is-kept",
                 "something that was answered with SUCCESS is forgotten");
    }
    for (const auto& [sender, receipt] : account.receipts) {
        const Peer* peer = state.find_peer(sender);
        if (peer == nullptr || state.cohort != receipt.cohort || state.epoch != receipt.own ||
            peer->known_epoch != receipt.senders) {
            continue;
        }
        if (!peer->channel.received.contains_all(receipt.labels)) {
            world_.violated("success-is-kept", state.name + " has received " +
                                                   to_string(peer->channel.received) + " from " +
                                                   sender + ", who was answered SUCCESS for " +
                                                   to_string(receipt.labels));
        }
    }
}

}  // namespace p2pbank::simulator
