// What goes wrong in a random run, and when.
//
// Fault model: a run draws its rates once, from its seed, so that some runs are calm and some are
// hopeless for a while. Network faults are network.h's, and partitions: all links of one machine, a
// split of the machines into two halves, or one direction of one link, for a time between a
// hundredth of a second and twelve seconds. Crashes are machine.h's: at once, after a number of
// effects, in disk work, in the disk work of the next start; of one machine or several together; or
// the process is asked to end and does so in order, and then somebody may edit the bank's table.
// The machine comes back after a time from at once to many seconds, which is longer than the time
// limit of an operation. A machine that comes back may have changed its mode of stable storage.
//
// Owned by the runner of one seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/random.h"
#include "simulator/attacker.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

enum class FaultKinds { none, network, crash, attack, all };

std::optional<FaultKinds> parse_fault_kinds(std::string_view text);

struct FaultRates {
    NetworkFaults network;
    Duration between_partitions{};  // on average; zero: none
    Duration between_crashes{};
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
    void plan_partition();
    void partition();
    void plan_crash();
    void crash();
    void crash_one(size_t machine);
    void edit_table();
    void plan_return(size_t machine);
    void come_back(size_t machine);
    // Exponentially distributed.
    Duration draw(Duration average);
    // Evenly distributed over the scales from `least` to `most`.
    Duration draw_scale(Duration least, Duration most);

    World& world_;
    FaultRates rates_;
    Random random_;
    bool ended_ = false;
};

}  // namespace p2pbank::simulator
