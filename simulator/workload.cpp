#include "simulator/workload.h"

#include <algorithm>
#include <cmath>

namespace p2pbank::simulator {

using customer::Phase;

namespace {

constexpr const char* kNames[] = {"alice", "bob",   "carol", "dave",
                                  "erin",  "frank", "grace", "heidi"};

const char* const kSilly[] = {
    "",
    "   ",
    "transfer",
    "transfer 5",
    "transfer five bob",
    "transfer -5 bob",
    "transfer 0 bob",
    "transfer 1.005 bob",
    "transfer 1e3 bob",
    "transfer 99999999999999999999 bob",
    "transfer 1000000000000000.01 bob",
    "transfer 5 nobody",
    "transfer 5 9lives",
    "transfer 5 bob carol",
    "lost-transfer 0.001 bob",
    "deposit",
    "deposit -1",
    "deposit 0",
    "deposit 1000000000000001",
    "withdrawal 999999999999999",
    "withdrawal .",
    "checkpoint now",
    "rollback everything",
    "open",
    "open x",
    "open bank 5",
    "open way-too-long-a-name-for-any-account-here 5",
    "open alice 10",
    "open zed 10 300.1.1.1 1 2",
    "new-cohort",
    "new-cohort alice",
    "new-cohort alice 1",
    "new-cohort alice 1000000",
    "new-cohort alice two",
    "delete-cohort",
    "delete-cohort nobody",
    "delete-cohort alice --farce",
    "exit nobody",
    "balance please",
    "selfdestruct",
    "\x01\x02\xff\xfe",
    "TRANSFER 5 bob",
};

}  // namespace

Workload::Workload(World& world, uint64_t seed, uint64_t steps, Selection only)
    : world_(world),
      random_(seed),
      pauses_(random_.next()),
      seed_(random_.next()),
      steps_(steps),
      only_(std::move(only)) {
    // From a millisecond to a second, evenly over the scales.
    average_pause_ = Duration(static_cast<int64_t>(1e3 * std::pow(1e3, random_.fraction())));
    lost_in_100_ = random_.below(30);
    in_cohort_ = {40, 8, 10, 7, 6, 0, 2, 1, 5, 5, 8, 16, 3, 2, 4};
    alone_ = {3, 10, 3, 2, 0, 30, 1, 4, 5, 5, 8, 12, 3, 3, 4};
    for (Weights* weights : {&in_cohort_, &alone_}) {
        for (uint64_t& weight : *weights) {
            if (random_.one_in(3)) weight = weight * random_.below(5) / 2;
        }
    }
    in_cohort_[transfer] += 10;
    alone_[new_cohort] += 5;
}

void Workload::begin() {
    stock_shop();
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) open_account(i);
    if (world_.machines() > 2) {
        world_.schedule().after(milliseconds(200), [this] {
            const size_t one = any_open();
            if (one == 0) return;
            const uint64_t others = world_.machines() - 2;
            const uint64_t size = 2 + random_.below(others);
            world_.type(one, "new-cohort " + world_.who(one) + " " + std::to_string(size));
        });
    }
    world_.schedule().after(milliseconds(400), [this] { plan(); });
}

void Workload::plan() {
    const double factor = -std::log(1 - pauses_.fraction());
    const auto pause = static_cast<double>(average_pause_.count()) * factor;
    world_.schedule().after(Duration(static_cast<int64_t>(pause)), [this] {
        if (done()) return;
        ++step_;
        if (!only_ || only_->contains(step_)) {
            random_ = Random(seed_ + step_);
            step();
        }
        plan();
    });
}

void Workload::open_account(size_t machine) {
    const size_t which = static_cast<size_t>(names_ % std::size(kNames));
    std::string name = kNames[which];
    if (names_ >= std::size(kNames)) name += std::to_string(names_ / std::size(kNames) + 1);
    ++names_;
    known_names_.push_back(name);
    const std::string opening = random_.one_in(10) ? "0" : std::to_string(random_.below(1'000));
    if (random_.one_in(6)) {
        const Address one = world_.address(machine, Socket::bank);
        const Address two = world_.address(machine, Socket::peer);
        world_.type(machine, "open " + name + " " + opening + " " + ip_to_string(one.ip) + " " +
                                 std::to_string(one.port) + " " + std::to_string(two.port));
    } else {
        world_.type(machine, "open " + name + " " + opening);
    }
}

// A process whose account is closed has ended: its user starts another one.
void Workload::keep_accounts() {
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        Machine& machine = world_.machine(i);
        const Customer* customer = world_.customer(i);
        const bool closed = customer != nullptr && customer->state().phase == Phase::exited;
        if (closed) machine.crash();
        if (closed || (!machine.running() && world_.last_status(i) == 0)) {
            machine.wipe();
            world_.start(i);
        }
        customer = world_.customer(i);
        if (customer == nullptr || customer->state().phase != Phase::none) continue;
        if (machine.unread() == 0 && random_.one_in(10)) open_account(i);
    }
}

size_t Workload::any_customer() {
    return 1 + static_cast<size_t>(random_.below(world_.machines() - 1));
}

size_t Workload::any_open() {
    for (int tries = 0; tries < 4; ++tries) {
        const size_t one = any_customer();
        const Customer* customer = world_.customer(one);
        if (customer != nullptr && customer->state().phase == Phase::open &&
            world_.machine(one).unread() < kMostUnread) {
            return one;
        }
    }
    return 0;
}

std::string Workload::amount() {
    const uint64_t most = random_.one_in(8) ? 100'000 : 2'000;
    return to_string(Money::from_cents(static_cast<int64_t>(1 + random_.below(most))));
}

std::string Workload::any_name() {
    return known_names_[static_cast<size_t>(random_.below(known_names_.size()))];
}

std::string Workload::peer_of(size_t machine) {
    const auto& peers = world_.customer(machine)->state().peers;
    if (peers.empty() || random_.one_in(30)) return any_name();
    auto at = peers.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(peers.size())));
    return at->first;
}

std::string Workload::balance_of(size_t machine) {
    return to_string(world_.customer(machine)->state().totals.balance);
}

std::string Workload::silly() {
    return kSilly[static_cast<size_t>(random_.below(std::size(kSilly)))];
}

void Workload::transfers(size_t machine) {
    const uint64_t count = random_.one_in(4) ? 1 + random_.below(12) : 1;
    const std::string peer = peer_of(machine);
    for (uint64_t i = 0; i < count; ++i) {
        const bool lost = random_.below(100) < lost_in_100_;
        world_.type(machine, (lost ? "lost-transfer " : "transfer ") + amount() + " " +
                                 (random_.one_in(4) ? peer_of(machine) : peer));
    }
}

Workload::Act Workload::choose(const Weights& weights) {
    uint64_t sum = 0;
    for (const uint64_t weight : weights) sum += weight;
    uint64_t dice = random_.below(sum);
    size_t act = 0;
    while (dice >= weights[act]) dice -= weights[act++];
    return static_cast<Act>(act);
}

void Workload::at_customer(size_t machine, Act act) {
    const std::string own = world_.who(machine);
    const auto type = [&](const std::string& line) { world_.type(machine, line); };
    switch (act) {
        case transfer:
            return transfers(machine);
        case cash:
            return type((random_.one_in(2) ? "deposit " : "withdrawal ") + amount() +
                        (random_.one_in(5) ? " --note \"for the cat\"" : ""));
        case checkpoint:
            return type("checkpoint");
        case rollback:
            return type("rollback");
        case two_at_once: {
            const size_t other = any_open();
            type(random_.one_in(2) ? "checkpoint" : "rollback");
            if (other != 0) world_.type(other, random_.one_in(2) ? "checkpoint" : "rollback");
            return;
        }
        case new_cohort: {
            const uint64_t most = std::max<uint64_t>(2, world_.machines() - 1);
            return type("new-cohort " + own + " " + std::to_string(2 + random_.below(most)));
        }
        case delete_cohort:
            return type("delete-cohort " + own + (random_.one_in(4) ? " --force" : ""));
        case exit:
            if (random_.one_in(3)) type("withdrawal " + balance_of(machine));
            return type((random_.one_in(3) ? "close" : "exit") +
                        (random_.one_in(2) ? "" : " " + own));
        case query: {
            static const char* const kQueries[] = {"balance", "status", "peers", "history", "help"};
            return type(kQueries[static_cast<size_t>(random_.below(std::size(kQueries)))]);
        }
        case nonsense:
            return type(silly());
        case at_the_bank:
            if (world_.machine(World::kBank).unread() < kMostUnread) at_bank();
            return;
        case deals:
            return deal(machine);
        case question:
            return ask_bank(machine);
        case people:
            return person(machine);
        case counter:
            return at_counter();
        case kActs:
            return;
    }
}

void Workload::at_bank() {
    const std::string name = any_name();
    switch (random_.below(10)) {
        case 0:
            world_.type(World::kBank, "audit");
            break;
        case 1:
            world_.type(World::kBank, "customers");
            break;
        case 2:
            world_.type(World::kBank, "cohorts");
            break;
        case 3:
            world_.type(World::kBank,
                        "new-cohort " + name + " " + std::to_string(2 + random_.below(4)));
            break;
        case 4:
            world_.type(World::kBank, "delete-cohort " + name);
            break;
        case 5:
            if (random_.one_in(3)) world_.type(World::kBank, "delete-cohort " + name + " --force");
            break;
        case 6:
            if (random_.one_in(3)) world_.type(World::kBank, "exit " + name);
            break;
        default:
            world_.type(World::kBank, silly());
            break;
    }
}

void Workload::step() {
    keep_accounts();
    const size_t machine = any_open();
    if (machine == 0) {
        if (random_.one_in(4)) world_.type(any_customer(), silly());
        return;
    }
    const bool in_cohort = world_.customer(machine)->state().in_cohort();
    at_customer(machine, choose(in_cohort ? in_cohort_ : alone_));
}

}  // namespace p2pbank::simulator
