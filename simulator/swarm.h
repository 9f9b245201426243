// Many seeds at once, in as many processes as wanted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "simulator/run.h"

namespace p2pbank::simulator {

struct SwarmSettings {
    uint64_t first = 1;
    uint64_t last = UINT64_MAX;
    unsigned jobs = 1;
    std::optional<double> minutes;  // then it stops
    bool stop_at_failure = false;
    // Called with each result as it comes, and now and then with how far it is, in a line.
    std::function<void(uint64_t seed, const RunResult&)> on_result;
    std::function<void(const std::string& line)> on_progress;
};

struct SwarmResult {
    uint64_t passed = 0;
    uint64_t failed = 0;
    uint64_t events = 0;
    Duration simulated{};
    double seconds = 0;  // of real time
    Tally tally;
    // The failed run with the lowest seed among those that were made.
    std::optional<uint64_t> failed_seed;
    RunResult failure;
};

// `run` is called in the other processes.
SwarmResult run_swarm(const std::function<RunResult(const RunSettings&)>& run,
                      const RunSettings& settings, const SwarmSettings& swarm);

// "12,000 runs, 3,456,789 events (234,567 a second), 34 h simulated, 5,678 faults".
std::string to_text(const SwarmResult& result);

}  // namespace p2pbank::simulator
