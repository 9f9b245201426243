// One random run, from a seed: a world, a workload, faults; then the faults stop, and everything
// has to come to rest and to add up. Owned by nobody; called by the program and by tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "simulator/faults.h"
#include "simulator/story.h"
#include "simulator/tally.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

enum class ModeChoice { journal, checkpoint, mixed };

std::optional<ModeChoice> parse_mode_choice(std::string_view text);
std::string_view name_of(ModeChoice mode);

struct RunSettings {
    uint64_t seed = 1;
    size_t customers = 0;  // 0: drawn from the seed
    uint64_t steps = 200;  // commands and bursts of commands
    ModeChoice mode = ModeChoice::mixed;
    FaultKinds faults = FaultKinds::all;
    bool liar = false;  // the first customer lies
    Selection only_steps;
    Selection only_faults;
};

struct RunResult {
    std::optional<Violation> violation;
    Tally tally;
    uint64_t digest = 0;
    uint64_t events = 0;
    Duration simulated{};
    size_t customers = 0;
    std::vector<FaultGate::Fired> faults;
};

// How each of the customers' machines keeps its state, drawn from `random`: `least` customers or up
// to `spread` - 1 more, unless the settings say how many.
std::vector<StableMode> draw_customers(const RunSettings& settings, uint64_t least, uint64_t spread,
                                       Random& random);

// The same with a customer who lies (liar_run.cpp).
RunResult run_liar_seed(const RunSettings& settings, Story* story);

// `story` may be null; it changes nothing in the run.
RunResult run_seed(const RunSettings& settings, Story* story);

}  // namespace p2pbank::simulator
