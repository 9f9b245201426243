// Makes a failing run smaller while it breaks the same invariant: fewer customers, fewer steps,
// fewer faults. Delta debugging after A. Zeller and R. Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002 (algorithm ddmin).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "simulator/run.h"

namespace p2pbank::simulator {

// A subset of `all` for which `fails` still holds, from which no single number can be taken away
// unless `fails` stopped being asked: it is asked while `go_on` says so. Requires fails(all).
std::set<uint64_t> minimized(const std::set<uint64_t>& all,
                             const std::function<bool(const std::set<uint64_t>&)>& fails,
                             const std::function<bool()>& go_on);

struct Shrunk {
    RunSettings settings;
    RunResult result;  // of these settings
    uint64_t runs = 0;
};

// `failed` is what run(settings) gave, with a violation. Tries at most `most_runs` runs.
Shrunk shrink(const RunSettings& settings, const RunResult& failed,
              const std::function<RunResult(const RunSettings&)>& run, uint64_t most_runs);

// "--customers 3 --steps 40 --only-steps 3,17 --only-faults 2": what makes the simulator's program
// run these settings, with the seed and all that is not as usual.
std::string command_line(const RunSettings& settings);

}  // namespace p2pbank::simulator
