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
           totals.adjustments.cents() + totals.carried.cents() + totals.dealings.cents() - sent +
           received;
}

// Where a peer was heard in this run is not written down: no money rests on it.
void clear_addresses(customer_records::Snapshot& snapshot) {
    for (auto& peer : *snapshot.mutable_live()->mutable_peers()) {
        peer.mutable_member()->clear_ip();
        peer.mutable_member()->clear_port2();
    }
}

// A customer's state, in words that can be compared.
std::string all_but_addresses(const State& state) {
    customer_records::Record record;
    state.snapshot(record);
    clear_addresses(*record.mutable_snapshot());
    return record.SerializeAsString();
}

// What a customer in `checkpoint` mode has on stable storage, in words that can be compared.
std::string durable_part(const State& state) {
    customer_records::Record record;
    state.snapshot(record);
    customer_records::Snapshot* snapshot = record.mutable_snapshot();
    snapshot->clear_activity();
    snapshot->clear_dropped_activity();
    snapshot->clear_settled_activity();
    snapshot->clear_tentative_activity();
    snapshot->clear_deal();
    snapshot->clear_deals();
    clear_addresses(*snapshot);
    auto* live = snapshot->mutable_live();
    live->clear_totals();
    for (auto& peer : *live->mutable_peers()) {
        peer.clear_channel();
        peer.clear_sent_log();
        peer.clear_received_log();
    }
    return record.SerializeAsString();
}

}  // namespace

Oracles::Account& Oracles::account_of(const State& state) {
    return accounts_[state.name];
}

void Oracles::restored(size_t machine) {
    if (machine == World::kBank) {
        bank_restored();
        return;
    }
    const Customer* customer = world_.customer(machine);
    if (customer == nullptr) return;
    // It may have died before its record was durable: then the bank was not asked.
    if (customer->state().phase == customer::Phase::none) opening_.erase(machine);
    if (!customer->state().has_account()) return;
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
    if (customer == nullptr) return;
    check_opening(machine, customer->state().phase);
    if (!customer->state().has_account()) return;
    const State& state = customer->state();
    Account& account = account_of(state);
    check_sums(state);
    check_limits(state);
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
    const auto check = [&](const Totals& totals, int64_t out, int64_t in, const char* what) {
        if (totals.balance.cents() == expected(totals, out, in) && !totals.balance.is_negative()) {
            return;
        }
        world_.violated("accounts-add-up",
                        state.name + ", " + what + ": the balance is " + to_string(totals.balance) +
                            " and should be " +
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
    // When others say that it was aborted, only the bank's word for that is missing.
    const bool may_send = account.unsettled || !state.operation ||
                          state.operation->id != account.operation ||
                          state.operation->said_to_be_aborted;
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
    account.operation = state.operation ? state.operation->id : OperationId();
    for (const auto& [peer_name, peer] : state.peers) {
        const Label last = peer.channel.sent_last;
        const auto found = ledgers.find(peer_name);
        if (found == ledgers.end() && last.value() == 0) continue;
        Ledger& ledger = found == ledgers.end() ? ledgers[peer_name] : found->second;
        const std::string channel = state.name + " -> " + peer_name;
        if (last < ledger.last()) {
            world_.violated("labels-follow", channel + ": within epoch " +
                                                 std::to_string(state.epoch.value()) +
                                                 " the last label went from " +
                                                 std::to_string(ledger.last().value()) + " to " +
                                                 std::to_string(last.value()));
        }
        if (last > ledger.last() && !may_send) {
            world_.violated("sending-stops", channel + ": label " + std::to_string(last.value()) +
                                                 " while " + to_string(account.operation) +
                                                 " is undecided");
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

void Oracles::customer_persisted(size_t machine, std::string_view bytes) {
    customer_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (record.has_opening()) follow_opening(machine, record.opening());
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
            decided(from_wire(record.decided().operation()), record.decided().commit(), "the bank");
        }
        return;
    }
    customer_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    const std::string who = world_.who(machine);
    follow_tentative(who, record);
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
        default:
            break;
    }
}

void Oracles::check_replay(size_t machine) {
    const Machine& checked = world_.machine(machine);
    const Node* live = checked.node();
    if (live == nullptr || checked.turn_open()) return;
    const std::unique_ptr<Node> again = world_.node_like(machine);
    checked.each_record([&](const std::string& record) {
        if (const auto applied = again->replay(record); !applied) {
            world_.violated(
                "replay-equals-live",
                checked.label() + ": a record cannot be replayed: " + applied.error().message);
        }
    });
    std::vector<std::string> records[2];
    if (machine != World::kBank) {
        // What is about money is not journalled in `checkpoint` mode: compared is then what both
        // would restart with.
        const auto part =
            world_.mode(machine) == StableMode::checkpoint ? durable_part : all_but_addresses;
        records[0] = {part(static_cast<const Customer*>(live)->state())};
        records[1] = {part(static_cast<const Customer*>(again.get())->state())};
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
