// What goes wrong in a random run, and when.
//
// Fault model: a run draws its rates once, from its seed, so that some runs are calm and some are
// hopeless for a while. Network faults are network.h's, and partitions: all links of one machine, a
// split of the machines into two halves, or one direction of one link, for a time between a
// hundredth of a second and twelve seconds; or these links are clogged instead, and what is sent
// comes at the end. Crashes are machine.h's: at once, after a number of effects, in disk work, in
// the disk work of the next start; of one machine or several together; or the process is asked to
// end and does so in order, and then somebody may edit the bank's table; or its disk fails, or it
// is stopped for a while and goes on. The machine comes back after a time from at once to many
// seconds, which is longer than the time limit of an operation. A machine that comes back may have
// changed its mode of stable storage; and before it does, bits are flipped in a copy of its
// journal, which must be noticed. A machine's wall clock is set, by a second or by a month, either
// way, while its program runs or does not.
//
// Each fault has dice of its own, so that one that is kept back (fault_gate.h) changes no other.
//
// Owned by the runner of one seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "simulator/attacker.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

enum class FaultKinds { none, network, crash, attack, all };

std::optional<FaultKinds> parse_fault_kinds(std::string_view text);
std::string_view name_of(FaultKinds kinds);

struct FaultRates {
    NetworkFaults network;
    Duration between_partitions{};  // on average; zero: none
    Duration between_clogs{};
    Duration between_crashes{};
    Duration between_disk_errors{};
    Duration between_freezes{};
    Duration between_clock_jumps{};
    Duration shortest_outage{};
    Duration longest_outage{};
    bool change_modes = false;
    AttackRates attack;
    double slow_disk = 0;

    static FaultRates draw(FaultKinds kinds, Random& random);
};

class FaultInjector {
  public:
    FaultInjector(World& world, const FaultRates& rates, uint64_t seed)
        : world_(world), rates_(rates), random_(seed) {}

    // Plans the first faults; each plans the next.
    void begin();
    // No more faults: the network is whole, and every machine runs.
    void end();

  private:
    using Links = std::vector<std::pair<uint32_t, uint32_t>>;

    // Lets `what` happen again and again, `between` apart on average, if the gate lets it.
    void plan(Duration between, Fault kind, void (FaultInjector::*what)(Random& dice));
    void partition(Random& dice);
    void clog(Random& dice);
    void crash(Random& dice);
    void fail_disk(Random& dice);
    void freeze(Random& dice);
    void jump_clock(Random& dice);
    // Some of the links, and what one says of them.
    Links draw_links(Random& dice, std::string_view fate);
    void crash_one(size_t machine, Random& dice);
    void edit_table(Random& dice);
    void plan_return(size_t machine, Random& dice);
    void come_back(size_t machine, Random& dice);
    void flip_bits(size_t machine, Random& dice);

    World& world_;
    FaultRates rates_;
    Random random_;
    bool ended_ = false;
};

}  // namespace p2pbank::simulator
