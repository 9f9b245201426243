#include "simulator/faults.h"

#include <cmath>
#include <vector>

#include "common/stable/table.h"

namespace p2pbank::simulator {
namespace {

constexpr Duration kShortestPartition = milliseconds(10);
constexpr Duration kLongestPartition = seconds(12);
constexpr Duration kCrashWithin = milliseconds(50);
constexpr Duration kDiskFailsWithin = milliseconds(500);
constexpr Duration kLongestJump = seconds(30 * 24 * 3'600);
constexpr uint64_t kFlips = 4;

constexpr std::pair<std::string_view, FaultKinds> kFaultKinds[] = {
    {"none", FaultKinds::none},     {"network", FaultKinds::network}, {"crash", FaultKinds::crash},
    {"attack", FaultKinds::attack}, {"all", FaultKinds::all},
};

// Exponentially distributed.
Duration draw(Random& random, Duration average) {
    const double factor = -std::log(1 - random.fraction());
    return Duration(static_cast<int64_t>(static_cast<double>(average.count()) * factor));
}

// Evenly distributed over the scales from `least` to `most`.
Duration draw_scale(Random& random, Duration least, Duration most) {
    const double low = static_cast<double>(least.count());
    const double ratio = static_cast<double>(most.count()) / low;
    return Duration(static_cast<int64_t>(low * std::pow(ratio, random.fraction())));
}

}  // namespace

std::optional<FaultKinds> parse_fault_kinds(std::string_view text) {
    for (const auto& [name, kinds] : kFaultKinds) {
        if (name == text) return kinds;
    }
    return std::nullopt;
}

std::string_view name_of(FaultKinds kinds) {
    for (const auto& [name, known] : kFaultKinds) {
        if (known == kinds) return name;
    }
    return "";
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
        if (random.one_in(3)) {
            out.between_clogs = milliseconds(500 + static_cast<int64_t>(random.below(20'000)));
        }
    }
    if (crashes) {
        out.between_crashes = milliseconds(50 + static_cast<int64_t>(random.below(10'000)));
        out.shortest_outage = milliseconds(1);
        out.longest_outage = random.one_in(2) ? seconds(1) : seconds(20);
        out.change_modes = random.one_in(4);
        out.slow_disk = rate(0.2);
        const auto sometimes = [&](uint64_t one_in) {
            return random.one_in(one_in)
                       ? milliseconds(500 + static_cast<int64_t>(random.below(20'000)))
                       : milliseconds(0);
        };
        out.between_disk_errors = sometimes(3);
        out.between_freezes = sometimes(3);
        out.between_clock_jumps = sometimes(4);
    }
    if (kinds == FaultKinds::attack || kinds == FaultKinds::all) {
        out.attack = AttackRates::draw(random);
    }
    return out;
}

void FaultInjector::begin() {
    world_.network().set_faults(rates_.network);
    world_.attacker().set_rates(rates_.attack);
    plan(rates_.between_partitions, Fault::partition, &FaultInjector::partition);
    plan(rates_.between_clogs, Fault::clog, &FaultInjector::clog);
    plan(rates_.between_crashes, Fault::crash, &FaultInjector::crash);
    plan(rates_.between_disk_errors, Fault::disk_error, &FaultInjector::fail_disk);
    plan(rates_.between_freezes, Fault::freeze, &FaultInjector::freeze);
    plan(rates_.between_clock_jumps, Fault::clock_jump, &FaultInjector::jump_clock);
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
        world_.set_clock(i, Duration());
    }
    world_.start_all();
}

void FaultInjector::plan(Duration between, Fault kind, void (FaultInjector::*what)(Random& dice)) {
    if (between == Duration()) return;
    const Duration pause = draw(random_, between);
    world_.schedule().after(pause, [this, between, kind, what, seed = random_.next()] {
        if (ended_) return;
        Random dice(seed);
        if (world_.gate().fires(kind)) (this->*what)(dice);
        plan(between, kind, what);
    });
}

FaultInjector::Links FaultInjector::draw_links(Random& dice, std::string_view fate) {
    const size_t count = world_.machines();
    Links links;
    const auto ip = [&](size_t index) { return world_.address(index, Socket::bank).ip; };
    const auto both = [&](size_t a, size_t b) {
        links.emplace_back(ip(a), ip(b));
        links.emplace_back(ip(b), ip(a));
    };
    const size_t one = static_cast<size_t>(dice.below(count));
    switch (dice.below(3)) {
        case 0:
            world_.tell(one, "(the links to all others are " + std::string(fate) + ")");
            for (size_t other = 0; other < count; ++other) {
                if (other != one) both(one, other);
            }
            break;
        case 1: {
            const uint64_t half = dice.next();
            std::string side;
            for (size_t a = 0; a < count; ++a) {
                if ((half >> a & 1) != 0) side += " " + world_.who(a);
                for (size_t b = a + 1; b < count; ++b) {
                    if (((half >> a ^ half >> b) & 1) != 0) both(a, b);
                }
            }
            world_.tell(one, "(the links between" + side + " and the others are " +
                                 std::string(fate) + ")");
            break;
        }
        default: {
            size_t other = static_cast<size_t>(dice.below(count - 1));
            if (other >= one) ++other;
            world_.tell(one,
                        "(the link to " + world_.who(other) + " is " + std::string(fate) + ")");
            links.emplace_back(ip(one), ip(other));
        }
    }
    return links;
}

void FaultInjector::partition(Random& dice) {
    ++world_.tally().partitions;
    const Links links = draw_links(dice, "shut");
    for (const auto& [from, to] : links) world_.network().shut(from, to);
    const Duration length = draw_scale(dice, kShortestPartition, kLongestPartition);
    world_.schedule().after(length, [this, links] {
        for (const auto& [from, to] : links) world_.network().reopen(from, to);
        world_.tell(World::kBank, "(a partition heals)");
    });
}

void FaultInjector::clog(Random& dice) {
    ++world_.tally().clogs;
    const Links links = draw_links(dice, "clogged");
    const TimePoint until = world_.now() + draw_scale(dice, kShortestPartition, kLongestPartition);
    for (const auto& [from, to] : links) world_.network().clog(from, to, until);
}

void FaultInjector::crash(Random& dice) {
    const size_t count = world_.machines();
    size_t victims = 1;
    if (dice.one_in(8)) victims = 1 + static_cast<size_t>(dice.below(count));
    const size_t first = static_cast<size_t>(dice.below(count));
    for (size_t i = 0; i < victims; ++i) crash_one((first + i) % count, dice);
}

void FaultInjector::crash_one(size_t index, Random& dice) {
    Machine& machine = world_.machine(index);
    if (!machine.running()) return;
    switch (dice.below(6)) {
        case 0:
        case 1:
            machine.crash();
            break;
        case 2:
            machine.quit();
            break;
        case 3:
            machine.crash_after_effects(dice.below(8), kCrashWithin);
            break;
        default:
            machine.crash_in_disk_work(dice.below(12), kCrashWithin);
            break;
    }
    plan_return(index, dice);
}

void FaultInjector::fail_disk(Random& dice) {
    const size_t index = static_cast<size_t>(dice.below(world_.machines()));
    world_.machine(index).fail_disk(dice.below(12), kDiskFailsWithin);
    world_.tell(index, "(its disk is about to fail)");
    plan_return(index, dice);
}

void FaultInjector::freeze(Random& dice) {
    const size_t index = static_cast<size_t>(dice.below(world_.machines()));
    ++world_.tally().freezes;
    const Duration length = draw_scale(dice, kShortestPartition, kLongestPartition);
    world_.tell(index, "(is stopped for " + std::to_string(length.count() / 1'000) + " ms)");
    world_.machine(index).freeze(length);
}

void FaultInjector::jump_clock(Random& dice) {
    const size_t index = static_cast<size_t>(dice.below(world_.machines()));
    ++world_.tally().clock_jumps;
    const Duration by = draw_scale(dice, seconds(1), kLongestJump);
    const bool back = dice.one_in(2);
    world_.set_clock(index, back ? -by : by);
    world_.tell(index, "(its wall clock is set " + std::to_string(by.count() / 1'000'000) +
                           (back ? " s back)" : " s ahead)"));
}

// The balances of some rows, and where some of them are.
void FaultInjector::edit_table(Random& dice) {
    auto rows = parse_table(world_.table());
    if (!rows || rows.value().empty()) return;
    std::string content(kTableHeader);
    content += '\n';
    for (TableRow& row : rows.value()) {
        if (!row.exited && dice.one_in(2)) {
            const auto most = static_cast<uint64_t>(row.balance.cents() + 1'000);
            row.balance = Money::from_cents(static_cast<int64_t>(dice.below(most)));
        }
        if (!row.exited && dice.one_in(4)) {
            row.port1 = static_cast<uint16_t>(row.port1 + 100);
            row.port2 = static_cast<uint16_t>(row.port2 + 100);
        }
        append_row(content, row);
    }
    world_.edit_table(content);
}

void FaultInjector::plan_return(size_t index, Random& dice) {
    const Duration outage = draw_scale(dice, rates_.shortest_outage, rates_.longest_outage);
    world_.schedule().after(kCrashWithin + outage, [this, index, seed = dice.next()] {
        Random own(seed);
        come_back(index, own);
    });
}

void FaultInjector::flip_bits(size_t index, Random& dice) {
    const auto unnoticed = world_.machine(index).flipped_bit_unnoticed(kFlips, dice);
    if (unnoticed) world_.violated("flips-are-noticed", *unnoticed);
}

void FaultInjector::come_back(size_t index, Random& dice) {
    Machine& machine = world_.machine(index);
    if (ended_ || machine.running()) return;
    const bool edit =
        index == World::kBank && world_.last_status(index) == Machine::kQuit && dice.one_in(2);
    if (edit && world_.gate().fires(Fault::table_edit)) edit_table(dice);
    if (index != World::kBank && rates_.change_modes && dice.one_in(4) &&
        world_.gate().fires(Fault::mode_change)) {
        world_.set_mode(index, world_.mode(index) == StableMode::journal ? StableMode::checkpoint
                                                                         : StableMode::journal);
    }
    if (dice.one_in(16)) flip_bits(index, dice);
    // Now and then it dies again while it starts, or right after.
    const bool in_start = dice.one_in(6) && world_.gate().fires(Fault::crash);
    if (in_start) machine.crash_in_disk_work(dice.below(6), kCrashWithin);
    world_.start(index);
    if (in_start && machine.running()) machine.crash_in_disk_work(dice.below(6), kCrashWithin);
    if (machine.running() && dice.one_in(6) && world_.gate().fires(Fault::crash)) {
        machine.crash_after_effects(dice.below(6), kCrashWithin);
    }
    plan_return(index, dice);
}

}  // namespace p2pbank::simulator
