#include "simulator/oracles.h"

#include <algorithm>

#include "common/base/names.h"
#include "common/wire/convert.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using customer::Checkpoint;
using customer::Peer;
using customer::State;

namespace {

int64_t cents_sent(const ChannelMap& channels) {
    int64_t sum = 0;
    for (const auto& entry : channels) sum += entry.second.sent_sum.cents();
    return sum;
}

int64_t cents_received(const ChannelMap& channels) {
    int64_t sum = 0;
    for (const auto& entry : channels) sum += entry.second.received_sum.cents();
    return sum;
}

int64_t expected(const Totals& totals, int64_t sent, int64_t received) {
    return totals.opening.cents() + totals.deposits.cents() - totals.withdrawals.cents() +
           totals.adjustments.cents() + totals.carried.cents() - sent + received;
}

// The label in "transfer 10 to bob label 3 balance 90".
std::optional<Label> label_in(const std::string& text) {
    const auto words = split_words(text);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == "label") return Label(std::stoull(std::string(words[i + 1])));
    }
    return std::nullopt;
}

// What a customer in `checkpoint` mode has on stable storage, in words that can be compared.
std::string durable_part(const State& state) {
    customer_records::Record record;
    state.snapshot(record);
    customer_records::Snapshot* snapshot = record.mutable_snapshot();
    snapshot->clear_history();
    auto* live = snapshot->mutable_live();
    live->clear_totals();
    for (auto& peer : *live->mutable_peers()) {
        peer.clear_channel();
        peer.clear_sent_log();
    }
    return record.SerializeAsString();
}

}  // namespace

Oracles::Account& Oracles::account_of(const State& state) { return accounts_[state.name]; }

void Oracles::restored(size_t machine) {
    if (machine == World::kBank) {
        bank_restored();
        return;
    }
    const Customer* customer = world_.customer(machine);
    if (customer == nullptr || !customer->state().has_account()) return;
    const State& state = customer->state();
    Account& account = account_of(state);
    account.covered = account.promised;
    account.unsettled = true;  // what was live and not durable is gone
    // In `checkpoint` mode money is as it was at some record, until start() has made it whole.
    if (state.mode == StableMode::checkpoint) return;
    check_sums(state);
    follow_ledger(state, account);
    check_kept(state, account);
}

void Oracles::after_event(size_t machine) {
    if (machine == World::kBank) return;  // looked at as it decides
    const Customer* customer = world_.customer(machine);
    if (customer == nullptr || !customer->state().has_account()) return;
    const State& state = customer->state();
    Account& account = account_of(state);
    check_sums(state);
    follow_ledger(state, account);
    check_kept(state, account);
    if (!state.in_cohort() || state.restore_due) return;
    for (size_t other = World::kBank + 1; other < world_.machines(); ++other) {
        const Customer* peer = world_.customer(other);
        if (other == machine || peer == nullptr) continue;
        if (peer->state().cohort != state.cohort || peer->state().restore_due) continue;
        check_channel(state, peer->state());
        check_channel(peer->state(), state);
    }
}

void Oracles::check_sums(const State& state) const {
    int64_t sent = 0;
    int64_t received = 0;
    for (const auto& entry : state.peers) {
        sent += entry.second.channel.sent_sum.cents();
        received += entry.second.channel.received_sum.cents();
    }
    const auto check = [&](const Totals& totals, int64_t out, int64_t in,
                           const char* what) {
        if (totals.balance.cents() == expected(totals, out, in) && !totals.balance.is_negative()) {
            return;
        }
        world_.violated("accounts-add-up",
                        state.name + ", " + what + ": the balance is " +
                            to_string(totals.balance) + " and should be " +
                            to_string(Money::from_cents(expected(totals, out, in))));
    };
    check(state.totals, sent, received, "live");
    const Checkpoint& permanent = state.permanent;
    check(permanent.totals, cents_sent(permanent.channels), cents_received(permanent.channels),
          "permanent checkpoint");
    if (state.operation && state.operation->kind != wire::OPERATION_ROLLBACK) {
        const Checkpoint& tentative = state.operation->tentative;
        check(tentative.totals, cents_sent(tentative.channels), cents_received(tentative.channels),
              "tentative checkpoint");
    }
}

void Oracles::follow_ledger(const State& state, Account& account) {
    if (account.cohort != state.cohort) {
        account.cohort = state.cohort;
        account.unsettled = true;
        account.covered.sent.clear();
        account.promised.sent.clear();
        // Neither the beginning of a cohort nor its end takes anything back; what it did with its
        // transfers the bank's books show.
        account.floor.sent.clear();
        account.floor_cohort = state.cohort;
    }
    if (state.restore_due) {
        account.unsettled = true;
        return;
    }
    if (state.epoch < account.epoch && !account.unsettled) {
        world_.violated("labels-follow", state.name + ": its epoch went from " +
                                             std::to_string(account.epoch.value()) + " to " +
                                             std::to_string(state.epoch.value()));
    }
    auto& ledgers = account.sent[state.cohort];
    for (auto& [peer_name, ledger] : ledgers) {
        const Peer* peer = state.find_peer(peer_name);
        if (state.epoch != account.epoch) {
            ledger.shorten(state.permanent.channel(peer_name).sent_last);
        } else if (account.unsettled) {
            ledger.shorten(peer == nullptr ? Label() : peer->channel.sent_last);
        }
    }
    account.unsettled = false;
    account.epoch = state.epoch;
    for (const auto& [peer_name, peer] : state.peers) {
        const Label last = peer.channel.sent_last;
        const auto found = ledgers.find(peer_name);
        if (found == ledgers.end() && last.value() == 0) continue;
        Ledger& ledger = found == ledgers.end() ? ledgers[peer_name] : found->second;
        const std::string channel = state.name + " -> " + peer_name;
        if (last < ledger.last()) {
            world_.violated("labels-follow",
                            channel + ": within epoch " + std::to_string(state.epoch.value()) +
                                " the last label went from " +
                                std::to_string(ledger.last().value()) + " to " +
                                std::to_string(last.value()));
        }
        if (last > ledger.last()) {
            const uint64_t fresh = last.value() - ledger.last().value();
            const auto& log = peer.sent_log;
            if (fresh > log.size() ||
                log[log.size() - static_cast<size_t>(fresh)].label != ledger.last().next()) {
                world_.violated("labels-follow", channel + ": labels up to " +
                                                     std::to_string(last.value()) +
                                                     " are not in the sent log");
            }
            for (size_t i = log.size() - static_cast<size_t>(fresh); i < log.size(); ++i) {
                ledger.add(log[i].amount.cents());
            }
        }
        if (ledger.sum() != peer.channel.sent_sum.cents()) {
            world_.violated("labels-follow", channel + ": the sum sent is " +
                                                 to_string(peer.channel.sent_sum) +
                                                 ", its transfers amount to " +
                                                 to_string(Money::from_cents(ledger.sum())));
        }
    }
}

void Oracles::check_kept(const State& state, Account& account) {
    const auto at_least = [&](const Marks& floor, const Totals& totals,
                              const auto& sent_last, const char* invariant, const char* what) {
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
            world_.violated("success-is-kept",
                            state.name + " has received " + to_string(peer->channel.received) +
                                " from " + sender + ", who was answered SUCCESS for " +
                                to_string(receipt.labels));
        }
    }
}

void Oracles::check_channel(const State& sender, const State& receiver) {
    const Peer* peer = receiver.find_peer(sender.name);
    // Who recovers stands at its checkpoint, sends nothing, and its peers have not followed yet.
    if (peer == nullptr || peer->known_epoch != sender.epoch || sender.recovering) return;
    const Channel& channel = peer->channel;
    if (channel.received.empty()) return;
    const auto& ledgers = accounts_[sender.name].sent[sender.cohort];
    const auto found = ledgers.find(receiver.name);
    const std::string name = sender.name + " -> " + receiver.name;
    const Label last = found == ledgers.end() ? Label() : found->second.last();
    if (channel.received.highest() > last) {
        world_.violated("no-orphan", name + ": received " + to_string(channel.received) +
                                         ", and the last one sent is " +
                                         std::to_string(last.value()));
    }
    const int64_t cents = found->second.sum(channel.received);
    if (cents != channel.received_sum.cents()) {
        world_.violated("no-orphan", name + ": received " + to_string(channel.received) +
                                         " amount to " + to_string(channel.received_sum) +
                                         ", sent were " + to_string(Money::from_cents(cents)));
    }
}

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
        world_.violated("answers-once", typed.line + " is answered a second time: " +
                                            to_lines(answer));
    }
    made_[command.value()] = true;
    check_fits(typed, answer);
    if (answer.outcome != Outcome::success || typed.machine == World::kBank) return;
    const Customer* customer = world_.customer(typed.machine);
    if (customer == nullptr) return;
    const State& state = customer->state();
    const auto words = split_words(typed.line);
    static const std::set<std::string_view> promising{"deposit",       "withdrawal", "transfer",
                                                      "lost-transfer", "checkpoint", "rollback"};
    if (words.empty() || !promising.contains(words[0]) || !state.has_account()) return;
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
        if (words[0] == "exit" && answer.size() > 1) exited_.emplace(answer[1]);
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
    if (promise.permanent && promise.cohort == account.cohort) account.promised = *promise.permanent;
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

void Oracles::customer_persisted(size_t machine, std::string_view bytes) {
    customer_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (!record.has_cohort_ended()) return;
    // By force it ends at its last cut: what came after is given up.
    if (forced_.contains(CohortId(record.cohort_ended().cohort()))) {
        Account& account = account_of(world_.customer(machine)->state());
        account.floor_epoch = Epoch();
        ++account.given_up;
    }
}

void Oracles::made_durable(size_t machine, std::string_view bytes) {
    if (machine == World::kBank) {
        bank_records::Record record;
        if (record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
            record.has_decided()) {
            decided(from_wire(record.decided().operation()), record.decided().commit(),
                    "the bank");
        }
        return;
    }
    customer_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    const std::string who = world_.who(machine);
    switch (record.kind_case()) {
        case State::Record::kPermanent:
            decided(from_wire(record.permanent().operation()), true, who);
            break;
        case State::Record::kUndone:
            decided(from_wire(record.undone().operation()), false, who);
            break;
        case State::Record::kRolledBack:
            decided(from_wire(record.rolled_back().operation()), true, who);
            break;
        case State::Record::kReleased:
            decided(from_wire(record.released().operation()), record.released().commit(), who);
            break;
        case State::Record::kCohortStarted:
            decided(from_wire(record.cohort_started().operation()), true, who);
            break;
        default: break;
    }
}

void Oracles::check_replay(size_t machine) {
    const Machine& checked = world_.machine(machine);
    const Node* live = checked.node();
    if (live == nullptr || checked.turn_open()) return;
    const std::unique_ptr<Node> again = world_.node_like(machine);
    checked.each_record([&](const std::string& record) {
        if (const auto applied = again->replay(record); !applied) {
            world_.violated("replay-equals-live",
                            checked.label() + ": a record cannot be replayed: " +
                                applied.error().message);
        }
    });
    std::vector<std::string> records[2];
    if (world_.mode(machine) == StableMode::checkpoint && machine != World::kBank) {
        // What is about money is not journalled: compared is what both would restart with.
        records[0] = {durable_part(static_cast<const Customer*>(live)->state())};
        records[1] = {durable_part(static_cast<const Customer*>(again.get())->state())};
    } else {
        live->snapshot([&](std::string record) { records[0].push_back(std::move(record)); });
        again->snapshot([&](std::string record) { records[1].push_back(std::move(record)); });
    }
    if (records[0] != records[1]) {
        world_.violated("replay-equals-live",
                        checked.label() + ": the journal's records give back another state");
    }
}

void Oracles::decided(const OperationId& operation, bool commit, const std::string& who) {
    if (operation.empty()) return;
    const auto [at, fresh] = decisions_.try_emplace(operation, Decided{commit, who});
    if (!fresh && at->second.commit != commit) {
        const auto word = [](bool c) { return c ? "COMMIT" : "ABORT"; };
        world_.violated("decide-alike", "operation " + to_string(operation) + " is " +
                                            word(at->second.commit) + " for " + at->second.first +
                                            " and " + word(commit) + " for " + who);
    }
}

}  // namespace p2pbank::simulator
