#include "simulator/swarm.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <poll.h>
#include <vector>

#include "simulator/isolated.h"

namespace p2pbank::simulator {
namespace {

constexpr double kBetweenLines = 10;  // seconds
constexpr int kPollMs = 200;

std::string with_commas(uint64_t value) {
    std::string digits = std::to_string(value);
    for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
    return digits;
}

void take_in(SwarmResult& result, uint64_t seed, RunResult& one) {
    ++(one.violation ? result.failed : result.passed);
    result.events += one.events;
    result.simulated += one.simulated;
    result.tally.add(one.tally);
    if (one.violation && (!result.failed_seed || seed < *result.failed_seed)) {
        result.failed_seed = seed;
        result.failure = std::move(one);
    }
}

}  // namespace

SwarmResult run_swarm(const std::function<RunResult(const RunSettings&)>& run,
                      const RunSettings& settings, const SwarmSettings& swarm) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    SwarmResult result;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<uint64_t> next;  // by worker: what it will do after a death
    const unsigned jobs = std::max(swarm.jobs, 1U);
    const auto start = [&](uint64_t seed) {
        return seed > swarm.last || seed < swarm.first
                   ? nullptr
                   : std::make_unique<Worker>(run, settings, seed, jobs, swarm.last);
    };
    for (unsigned i = 0; i < jobs; ++i) {
        next.push_back(swarm.first + i);
        workers.push_back(start(next.back()));
    }
    double told = 0;
    bool stop = false;
    while (!stop && std::any_of(workers.begin(), workers.end(), [](auto& w) { return !!w; })) {
        std::vector<pollfd> handles;
        for (const auto& worker : workers) {
            handles.push_back({worker ? worker->handle() : -1, POLLIN, 0});
        }
        static_cast<void>(::poll(handles.data(), handles.size(), kPollMs));
        for (size_t i = 0; i < workers.size(); ++i) {
            if (!workers[i] || handles[i].revents == 0) continue;
            for (auto& [seed, one] : workers[i]->take()) {
                next[i] = seed + jobs;
                if (swarm.on_result) swarm.on_result(seed, one);
                if (one.violation && swarm.stop_at_failure) stop = true;
                take_in(result, seed, one);
            }
            if (workers[i]->ended()) workers[i] = start(next[i]);
        }
        result.seconds = elapsed();
        if (swarm.minutes && result.seconds >= *swarm.minutes * 60) stop = true;
        if (swarm.on_progress && result.seconds - told >= kBetweenLines) {
            told = result.seconds;
            swarm.on_progress(to_text(result));
        }
    }
    result.seconds = elapsed();
    return result;
}

std::string to_text(const SwarmResult& result) {
    const double rate = static_cast<double>(result.events) / std::max(result.seconds, 1e-3);
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(result.simulated).count();
    return with_commas(result.passed + result.failed) + " runs, " + with_commas(result.events) +
           " events (" + with_commas(static_cast<uint64_t>(std::llround(rate))) + " a second), " +
           with_commas(static_cast<uint64_t>(hours)) + " h simulated, " +
           with_commas(faults_in(result.tally)) + " faults";
}

}  // namespace p2pbank::simulator
