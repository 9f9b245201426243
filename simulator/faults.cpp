#include "simulator/faults.h"

#include <cmath>
#include <vector>

#include "common/stable/table.h"

namespace p2pbank::simulator {
namespace {

constexpr Duration kShortestPartition = milliseconds(10);
constexpr Duration kLongestPartition = seconds(12);
constexpr Duration kCrashWithin = milliseconds(50);

}  // namespace

std::optional<FaultKinds> parse_fault_kinds(std::string_view text) {
    if (text == "none") return FaultKinds::none;
    if (text == "network") return FaultKinds::network;
    if (text == "crash") return FaultKinds::crash;
    if (text == "attack") return FaultKinds::attack;
    if (text == "all") return FaultKinds::all;
    return std::nullopt;
}

FaultRates FaultRates::draw(FaultKinds kinds, Random& random) {
    FaultRates out;
    // Often nothing of a kind, else something between a little and `most`.
    const auto rate = [&](double most) {
        return random.one_in(3) ? 0 : most * std::pow(random.fraction(), 3);
    };
    const bool network = kinds == FaultKinds::network || kinds == FaultKinds::all;
    const bool crashes = kinds == FaultKinds::crash || kinds == FaultKinds::all;
    if (network) {
        out.network.loss = rate(0.5);
        out.network.duplicate = rate(0.3);
        out.network.late_duplicate = rate(0.05);
        out.network.slow = rate(0.5);
        // From two milliseconds to four seconds, over all scales.
        out.network.most_slow_delay =
            microseconds(static_cast<int64_t>(2e3 * std::pow(2e3, random.fraction())));
        if (random.one_in(3)) {
            out.network.most_delay =
                microseconds(static_cast<int64_t>(200 * std::pow(100, random.fraction())));
        }
        out.network.corrupt = rate(0.2);
        out.network.truncate = rate(0.1);
        if (!random.one_in(3)) {
            out.between_partitions = milliseconds(500 + static_cast<int64_t>(random.below(20'000)));
        }
    }
    if (crashes) {
        out.between_crashes = milliseconds(50 + static_cast<int64_t>(random.below(10'000)));
        out.shortest_outage = milliseconds(1);
        out.longest_outage = random.one_in(2) ? seconds(1) : seconds(20);
        out.change_modes = random.one_in(4);
        out.slow_disk = rate(0.2);
    }
    // Last, so that runs without it stay what they were.
    if (kinds == FaultKinds::attack || kinds == FaultKinds::all) {
        out.attack = AttackRates::draw(random);
    }
    return out;
}

Duration FaultInjector::draw(Duration average) {
    const double factor = -std::log(1 - random_.fraction());
    return Duration(static_cast<int64_t>(static_cast<double>(average.count()) * factor));
}

Duration FaultInjector::draw_scale(Duration least, Duration most) {
    const double low = static_cast<double>(least.count());
    const double ratio = static_cast<double>(most.count()) / low;
    return Duration(static_cast<int64_t>(low * std::pow(ratio, random_.fraction())));
}

void FaultInjector::begin() {
    world_.network().set_faults(rates_.network);
    world_.attacker().set_rates(rates_.attack);
    plan_partition();
    plan_crash();
}

void FaultInjector::end() {
    ended_ = true;
    NetworkFaults calm;
    world_.network().set_faults(calm);
    world_.attacker().set_rates({});
    world_.network().reopen_all();
    for (size_t i = 0; i < world_.machines(); ++i) {
        world_.machine(i).spare();
        world_.machine(i).set_slow_disk(0);
    }
    world_.start_all();
}

void FaultInjector::plan_partition() {
    if (rates_.between_partitions == Duration()) return;
    world_.schedule().after(draw(rates_.between_partitions), [this] {
        if (ended_) return;
        partition();
        plan_partition();
    });
}

void FaultInjector::partition() {
    const size_t count = world_.machines();
    ++world_.tally().partitions;
    std::vector<std::pair<uint32_t, uint32_t>> links;
    const auto ip = [&](size_t index) { return world_.address(index, Socket::bank).ip; };
    const auto both = [&](size_t a, size_t b) {
        links.emplace_back(ip(a), ip(b));
        links.emplace_back(ip(b), ip(a));
    };
    const size_t one = static_cast<size_t>(random_.below(count));
    switch (random_.below(3)) {
        case 0:
            world_.tell(one, "is cut off from all others");
            for (size_t other = 0; other < count; ++other) {
                if (other != one) both(one, other);
            }
            break;
        case 1: {
            const uint64_t half = random_.next();
            world_.tell(one, "the network falls into two halves");
            for (size_t a = 0; a < count; ++a) {
                for (size_t b = a + 1; b < count; ++b) {
                    if (((half >> a ^ half >> b) & 1) != 0) both(a, b);
                }
            }
            break;
        }
        default: {
            size_t other = static_cast<size_t>(random_.below(count - 1));
            if (other >= one) ++other;
            world_.tell(one, "can no longer reach " + world_.who(other));
            links.emplace_back(ip(one), ip(other));
        }
    }
    for (const auto& [from, to] : links) world_.network().shut(from, to);
    world_.schedule().after(draw_scale(kShortestPartition, kLongestPartition), [this, links] {
        for (const auto& [from, to] : links) world_.network().reopen(from, to);
        world_.tell(World::kBank, "(a partition heals)");
    });
}

void FaultInjector::plan_crash() {
    if (rates_.between_crashes == Duration()) return;
    world_.schedule().after(draw(rates_.between_crashes), [this] {
        if (ended_) return;
        crash();
        plan_crash();
    });
}

void FaultInjector::crash() {
    const size_t count = world_.machines();
    size_t victims = 1;
    if (random_.one_in(8)) victims = 1 + static_cast<size_t>(random_.below(count));
    const size_t first = static_cast<size_t>(random_.below(count));
    for (size_t i = 0; i < victims; ++i) crash_one((first + i) % count);
}

void FaultInjector::crash_one(size_t index) {
    Machine& machine = world_.machine(index);
    if (!machine.running()) return;
    switch (random_.below(6)) {
        case 0:
        case 1:
            machine.crash();
            break;
        case 2:
            machine.quit();
            break;
        case 3:
            machine.crash_after_effects(random_.below(8), kCrashWithin);
            break;
        default:
            machine.crash_in_disk_work(random_.below(12), kCrashWithin);
            break;
    }
    plan_return(index);
}

// The balances of some rows.
void FaultInjector::edit_table() {
    auto rows = parse_table(world_.table());
    if (!rows || rows.value().empty()) return;
    std::string content(kTableHeader);
    content += '\n';
    for (TableRow& row : rows.value()) {
        if (!row.exited && random_.one_in(2)) {
            const auto most = static_cast<uint64_t>(row.balance.cents() + 1'000);
            row.balance = Money::from_cents(static_cast<int64_t>(random_.below(most)));
        }
        append_row(content, row);
    }
    world_.edit_table(content);
}

void FaultInjector::plan_return(size_t index) {
    const Duration outage = draw_scale(rates_.shortest_outage, rates_.longest_outage);
    world_.schedule().after(kCrashWithin + outage, [this, index] { come_back(index); });
}

void FaultInjector::come_back(size_t index) {
    Machine& machine = world_.machine(index);
    if (ended_ || machine.running()) return;
    if (index == World::kBank && world_.last_status(index) == Machine::kQuit && random_.one_in(2)) {
        edit_table();
    }
    if (index != World::kBank && rates_.change_modes && random_.one_in(4)) {
        world_.set_mode(index, world_.mode(index) == StableMode::journal ? StableMode::checkpoint
                                                                         : StableMode::journal);
    }
    // Now and then it dies again while it starts, or right after.
    const bool in_start = random_.one_in(6);
    if (in_start) machine.crash_in_disk_work(random_.below(6), kCrashWithin);
    world_.start(index);
    if (in_start && machine.running()) machine.crash_in_disk_work(random_.below(6), kCrashWithin);
    if (machine.running() && random_.one_in(6)) {
        machine.crash_after_effects(random_.below(6), kCrashWithin);
    }
    plan_return(index);
}

}  // namespace p2pbank::simulator
