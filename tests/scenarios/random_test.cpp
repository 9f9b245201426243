// A few random runs of every kind, so that a broken protocol does not pass the tests. Thousands are
// for the simulator's own program.
#include <doctest/doctest.h>

#include "simulator/run.h"

using namespace p2pbank::simulator;

namespace {

void run_seeds(FaultKinds faults, ModeChoice mode, uint64_t first, uint64_t last,
               bool liar = false) {
    for (uint64_t seed = first; seed <= last; ++seed) {
        RunSettings settings;
        settings.seed = seed;
        settings.steps = 150;
        settings.faults = faults;
        settings.mode = mode;
        settings.liar = liar;
        const RunResult result = run_seed(settings, nullptr);
        INFO("seed ", seed);
        if (!result.violation) continue;
        FAIL_CHECK(result.violation->invariant << ": " << result.violation->text);
    }
}

}  // namespace

TEST_CASE("random runs without faults hold every invariant") {
    run_seeds(FaultKinds::none, ModeChoice::mixed, 1, 40);
}

TEST_CASE("random runs with a bad network hold every invariant") {
    run_seeds(FaultKinds::network, ModeChoice::mixed, 1, 60);
}

TEST_CASE("random runs with crashes hold every invariant") {
    run_seeds(FaultKinds::crash, ModeChoice::mixed, 1, 60);
}

TEST_CASE("random runs with all faults hold every invariant, in each mode of stable storage") {
    run_seeds(FaultKinds::all, ModeChoice::journal, 1'000, 1'060);
    run_seeds(FaultKinds::all, ModeChoice::checkpoint, 2'000, 2'060);
    run_seeds(FaultKinds::all, ModeChoice::mixed, 3'000, 3'060);
}

TEST_CASE("random runs with an attacker who owns the network hold every invariant") {
    run_seeds(FaultKinds::attack, ModeChoice::mixed, 1, 40);
}

TEST_CASE("random runs with a customer who lies: no cent is made, and the others go on") {
    run_seeds(FaultKinds::attack, ModeChoice::mixed, 1, 30, true);
    run_seeds(FaultKinds::all, ModeChoice::mixed, 4'000, 4'030, true);
}
