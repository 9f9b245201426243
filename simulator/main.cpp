// The simulator's program: runs seeds, and tells the story of the first one that fails.
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "simulator/ideal_primitives.h"
#include "simulator/isolated.h"
#include "simulator/run.h"
#include "simulator/shrink.h"
#include "simulator/swarm.h"

namespace p2pbank::simulator {
namespace {

constexpr size_t kLinesOfStory = 100;
// One seed in so many runs with the real curves, if the user does not choose.
constexpr uint64_t kRealKeysEvery = 16;
constexpr double kMostSwarmMinutes = 1e6;

struct Arguments {
    uint64_t seed = 1;
    std::string seeds;
    RunSettings run;
    std::string mode = "mixed";
    std::string faults = "all";
    std::string trace;
    std::string keys = "mixed";
    std::string only_steps;
    std::string only_faults;
    std::optional<double> swarm;  // minutes
    unsigned jobs = 0;            // as many as there are processors for a swarm, else one
    uint64_t most_shrinking = 2'000;
    bool verbose = false;
    bool quiet = false;
    bool digest = false;
};

// A check inside a node that fails ends the process: then this says in which run.
char g_current_seed[64];

void on_abort(int) {
    const ssize_t ignored = ::write(STDERR_FILENO, g_current_seed, std::strlen(g_current_seed));
    static_cast<void>(ignored);
}

void note_seed(uint64_t seed) {
    const std::string text = "in the run of seed " + std::to_string(seed) + "\n";
    std::strncpy(g_current_seed, text.c_str(), sizeof g_current_seed - 1);
}

// "7" or "1..100".
std::optional<std::pair<uint64_t, uint64_t>> parse_range(const std::string& text) {
    const size_t dots = text.find("..");
    const auto number = [](const std::string& digits) -> std::optional<uint64_t> {
        if (digits.empty() || digits.size() > 19 ||
            digits.find_first_not_of("0123456789") != std::string::npos) {
            return std::nullopt;
        }
        return std::stoull(digits);
    };
    const auto first = number(text.substr(0, dots));
    const auto last = dots == std::string::npos ? first : number(text.substr(dots + 2));
    if (!first || !last || *last < *first) return std::nullopt;
    return std::pair(*first, *last);
}

std::string summary(const RunSettings& settings, const RunResult& result, bool with_digest) {
    std::string out = "seed " + std::to_string(settings.seed) + ": ";
    out += result.violation ? "FAILED " + result.violation->invariant : "passed";
    out += ", " + std::to_string(result.customers) + " customers, " +
           std::to_string(result.events) + " events, " +
           std::to_string(duration_cast<seconds>(result.simulated).count()) + " s simulated, " +
           std::to_string(result.tally.crashes) + " crashes";
    if (with_digest) {
        char hex[32];
        std::snprintf(hex, sizeof hex, ", digest %016llx",
                      static_cast<unsigned long long>(result.digest));
        out += hex;
    }
    return out;
}

// Which primitives a seed has is part of the seed, unless the user says otherwise.
RunResult run_with_keys(const std::string& keys, const RunSettings& settings, Story* story) {
    use_ideal_primitives(keys == "ideal" ||
                         (keys == "mixed" && settings.seed % kRealKeysEvery != 0));
    return run_seed(settings, story);
}

void report_failure(uint64_t seed, const Violation& violation) {
    std::cout << "seed " << seed << " broke " << violation.invariant << " at "
              << static_cast<double>(violation.when.time_since_epoch().count()) / 1e6 << " s:\n  "
              << violation.text << "\n";
    if (!violation.cause.empty()) std::cout << "  just then: " << violation.cause << "\n";
}

std::string how_to_repeat(const Arguments& arguments, const RunSettings& settings) {
    std::string out = "simulator " + command_line(settings);
    if (arguments.keys != "mixed") out += " --keys " + arguments.keys;
    return out + " --verbose";
}

// Makes the run smaller and tells what is left of it.
void tell_story(const Arguments& arguments, RunSettings settings, RunResult result) {
    const auto run = [&](const RunSettings& one) {
        return run_with_keys(arguments.keys, one, nullptr);
    };
    const auto apart = [&](const RunSettings& one) { return run_isolated(run, one); };
    if (arguments.most_shrinking > 0) {
        std::cout << "making it smaller ..." << std::endl;
        const Shrunk shrunk = shrink(settings, result, apart, arguments.most_shrinking);
        settings = shrunk.settings;
        result = shrunk.result;
        std::cout << "after " << shrunk.runs << " runs: " << result.customers << " customers, "
                  << (settings.only_steps ? settings.only_steps->size() : settings.steps)
                  << " steps, " << result.faults.size() << " faults";
        std::map<std::string_view, int> kinds;
        for (const FaultGate::Fired& fault : result.faults) ++kinds[name_of(fault.kind)];
        for (const auto& [name, count] : kinds) std::cout << "; " << count << " x " << name;
        std::cout << "\n";
    }
    if (result.violation->invariant != kDied) {
        Story story(nullptr, nullptr, SIZE_MAX);
        const RunResult again = run_with_keys(arguments.keys, settings, &story);
        std::cout << "what led to it:\n";
        for (const std::string& line : short_story(
                 story.last(), again.violation ? again.violation->text : "", kLinesOfStory)) {
            std::cout << "  " << line << "\n";
        }
        if (!again.violation) std::cout << "  (and this time it did not fail!)\n";
    }
    report_failure(settings.seed, *result.violation);
    std::cout << "to see it again: " << how_to_repeat(arguments, settings) << "\n";
}

std::optional<std::string> complaint_about(Arguments& arguments) {
    const auto mode = parse_mode_choice(arguments.mode);
    const auto faults = parse_fault_kinds(arguments.faults);
    if (!mode) return "--mode is journal, checkpoint or mixed";
    if (!faults) return "--faults is none, network, crash, attack or all";
    if (arguments.keys != "mixed" && arguments.keys != "real" && arguments.keys != "ideal") {
        return "--keys is real, ideal or mixed";
    }
    // Also "not a number".
    if (arguments.swarm && !(*arguments.swarm > 0 && *arguments.swarm <= kMostSwarmMinutes)) {
        return "--swarm takes minutes, more than 0";
    }
    if (!arguments.seeds.empty() && !parse_range(arguments.seeds)) return "--seeds is as in 1..100";
    arguments.run.mode = *mode;
    arguments.run.faults = *faults;
    for (auto [text, selection] : {std::pair(&arguments.only_steps, &arguments.run.only_steps),
                                   std::pair(&arguments.only_faults, &arguments.run.only_faults)}) {
        if (text->empty()) continue;
        const auto parsed = parse_selection(*text);
        if (!parsed) return "--only-steps and --only-faults are as in 1,4..7, or none";
        *selection = *parsed;
    }
    if (!arguments.seeds.empty() && arguments.swarm) {
        return "--swarm takes seeds from --seed on until its time is over; --seeds says which";
    }
    return std::nullopt;
}

// One seed, in this process: it can be watched.
int run_one(const Arguments& arguments) {
    std::ofstream trace;
    if (!arguments.trace.empty()) {
        trace.open(arguments.trace, std::ios::trunc);
        if (!trace) {
            std::cerr << "--trace takes a file that can be written\n";
            return 2;
        }
    }
    std::signal(SIGABRT, on_abort);
    RunSettings settings = arguments.run;
    settings.seed = arguments.seed;
    note_seed(settings.seed);
    std::cout << "seed " << settings.seed << "\n" << std::flush;
    Story story(arguments.verbose ? &std::cout : nullptr, trace.is_open() ? &trace : nullptr, 0);
    const RunResult result = run_with_keys(arguments.keys, settings, &story);
    std::cout << summary(settings, result, arguments.digest) << "\n";
    if (result.violation) {
        report_failure(settings.seed, *result.violation);
        if (!arguments.verbose) tell_story(arguments, settings, result);
    }
    if (trace.is_open() && !trace.flush()) {
        std::cerr << "the trace could not be written to " << arguments.trace << "\n";
        return 2;
    }
    std::cout << to_text(result.tally)
              << (result.violation ? "0 seeds passed, 1 failed\n" : "1 seeds passed, 0 failed\n");
    return result.violation ? 1 : 0;
}

int run_many(const Arguments& arguments) {
    SwarmSettings swarm;
    swarm.first = arguments.seed;
    if (const auto range = parse_range(arguments.seeds)) {
        std::tie(swarm.first, swarm.last) = *range;
    }
    swarm.jobs = arguments.jobs;
    if (swarm.jobs == 0) swarm.jobs = arguments.swarm ? std::thread::hardware_concurrency() : 1;
    swarm.minutes = arguments.swarm;
    swarm.stop_at_failure = arguments.swarm.has_value();
    RunSettings settings = arguments.run;
    swarm.on_result = [&](uint64_t seed, const RunResult& result) {
        settings.seed = seed;
        if (!arguments.quiet || result.violation) {
            std::cout << summary(settings, result, arguments.digest) << "\n" << std::flush;
        }
    };
    if (arguments.swarm) {
        std::cout << "seeds from " << swarm.first << " on, in " << swarm.jobs << " processes\n";
        swarm.on_progress = [](const std::string& line) { std::cout << line << std::endl; };
    }
    const auto run = [&](const RunSettings& one) {
        return run_with_keys(arguments.keys, one, nullptr);
    };
    const SwarmResult result = run_swarm(run, arguments.run, swarm);
    if (result.failed_seed) {
        settings.seed = *result.failed_seed;
        tell_story(arguments, settings, result.failure);
    }
    std::cout << to_text(result.tally) << to_text(result) << "\n"
              << result.passed << " seeds passed, " << result.failed << " failed\n";
    return result.failed == 0 ? 0 : 1;
}

int run(Arguments arguments) {
    if (const auto complaint = complaint_about(arguments)) {
        std::cerr << *complaint << "\n";
        return 2;
    }
    const auto range = parse_range(arguments.seeds);
    if (range && range->first == range->second) arguments.seed = range->first;
    const bool one = !arguments.swarm && (!range || range->first == range->second);
    if (!one && (!arguments.trace.empty() || arguments.verbose)) {
        std::cerr << "--verbose and --trace take one seed\n";
        return 2;
    }
    return one ? run_one(arguments) : run_many(arguments);
}

}  // namespace
}  // namespace p2pbank::simulator

int main(int argc, char** argv) {
    using namespace p2pbank::simulator;
    Arguments arguments;
    CLI::App app(
        "Runs the real bank and customers in a simulated world that loses, delays and corrupts "
        "datagrams and kills processes at any moment, and looks after every event whether money "
        "was lost or made. The same seed gives the same run.");
    // Below zero a number would be taken for a very large one.
    const CLI::Range counts(int64_t{0}, INT64_MAX - 1);
    const auto some = [](const std::string& text) {
        return text.empty() ? "is empty: leave it out, or say which" : "";
    };
    auto* seed = app.add_option("--seed", arguments.seed, "Run this seed")
                     ->check(counts)
                     ->capture_default_str();
    app.add_option("--seeds", arguments.seeds, "Run these, as in 1..100")
        ->check(some)
        ->excludes(seed);
    app.add_option("--customers", arguments.run.customers, "How many; by default the seed decides")
        ->check(CLI::Range(1, 200));
    app.add_option("--steps", arguments.run.steps, "Commands, and bursts of commands, to type")
        ->check(counts)
        ->capture_default_str();
    app.add_option("--mode", arguments.mode, "Stable storage: journal, checkpoint or mixed")
        ->capture_default_str();
    app.add_option("--faults", arguments.faults, "none, network, crash, attack or all")
        ->capture_default_str();
    app.add_option(
           "--keys", arguments.keys,
           "real: X25519 and Ed25519; ideal: hashes in their place, which is three times as "
           "fast; mixed: one seed in 16 with the real ones")
        ->capture_default_str();
    app.add_flag("--liar", arguments.run.liar, "The first customer lies to the bank and its peers");
    app.add_option("--swarm", arguments.swarm,
                   "For so many minutes: seeds from --seed on, on all processors, until one fails");
    app.add_option("--jobs", arguments.jobs, "Processes for --seeds and --swarm")
        ->check(CLI::Range(1, 1'024));
    app.add_option("--shrink", arguments.most_shrinking,
                   "Runs to spend on making a failing one smaller; 0: none")
        ->check(counts)
        ->capture_default_str();
    app.add_option("--only-steps", arguments.only_steps,
                   "Of the steps only these happen, as in 1,4..7, or none")
        ->check(some);
    app.add_option("--only-faults", arguments.only_faults, "The same for faults")->check(some);
    app.add_flag("--verbose", arguments.verbose, "Tell everything that happens");
    app.add_option("--trace", arguments.trace,
                   "Write what the nodes do to this file, as they would");
    app.add_flag("--quiet", arguments.quiet, "Only failures and the last lines");
    app.add_flag("--digest", arguments.digest, "Show a hash of everything that happened");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return run(std::move(arguments));
}
