// The simulator's program: runs seeds, and tells the story of the first one that fails.
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "simulator/ideal_primitives.h"
#include "simulator/run.h"

namespace p2pbank::simulator {
namespace {

constexpr size_t kLinesOfStory = 200;
// One seed in so many runs with the real curves, if the user does not choose.
constexpr uint64_t kRealKeysEvery = 16;

struct Arguments {
    uint64_t seed = 1;
    std::string seeds;
    RunSettings run;
    std::string mode = "mixed";
    std::string faults = "all";
    std::string trace;
    std::string keys = "mixed";
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

// Runs the seed once more, with somebody listening.
void tell_story(const RunSettings& settings) {
    Story story(nullptr, nullptr, kLinesOfStory);
    const RunResult again = run_seed(settings, &story);
    std::cout << "what happened last:\n";
    for (const std::string& line : story.last()) std::cout << "  " << line << "\n";
    if (!again.violation) std::cout << "  (and this time it did not fail!)\n";
}

void report_failure(const RunSettings& settings, const RunResult& result) {
    const Violation& violation = *result.violation;
    std::cout << "seed " << settings.seed << " broke " << violation.invariant << " at "
              << static_cast<double>(violation.when.time_since_epoch().count()) / 1e6 << " s:\n  "
              << violation.text << "\n";
}

int run(Arguments arguments) {
    const auto mode = parse_mode_choice(arguments.mode);
    const auto faults = parse_fault_kinds(arguments.faults);
    const auto range = arguments.seeds.empty()
                           ? std::optional(std::pair(arguments.seed, arguments.seed))
                           : parse_range(arguments.seeds);
    if (!mode || !faults || !range) {
        std::cerr << "--mode is journal, checkpoint or mixed; --faults is none, network, crash, "
                     "attack or "
                     "all; --seeds is as in 1..100\n";
        return 2;
    }
    arguments.run.mode = *mode;
    arguments.run.faults = *faults;
    if (arguments.keys != "mixed" && arguments.keys != "real" && arguments.keys != "ideal") {
        std::cerr << "--keys is real, ideal or mixed\n";
        return 2;
    }
    const bool one = range->first == range->second;
    std::ofstream trace;
    if (!arguments.trace.empty()) {
        trace.open(arguments.trace, std::ios::trunc);
        if (!trace || !one) {
            std::cerr << "--trace takes a file that can be written, and one seed\n";
            return 2;
        }
    }
    std::signal(SIGABRT, on_abort);
    uint64_t passed = 0;
    uint64_t failed = 0;
    Tally total;
    for (uint64_t seed = range->first;; ++seed) {
        arguments.run.seed = seed;
        note_seed(seed);
        use_ideal_primitives(arguments.keys == "ideal" ||
                             (arguments.keys == "mixed" && seed % kRealKeysEvery != 0));
        if (one) std::cout << "seed " << seed << "\n" << std::flush;
        Story story(arguments.verbose ? &std::cout : nullptr, trace.is_open() ? &trace : nullptr,
                    0);
        const RunResult result = run_seed(arguments.run, &story);
        total.add(result.tally);
        ++(result.violation ? failed : passed);
        if (!arguments.quiet || result.violation) {
            std::cout << summary(arguments.run, result, arguments.digest) << "\n" << std::flush;
        }
        if (result.violation) {
            if (failed == 1 && !arguments.verbose) tell_story(arguments.run);
            report_failure(arguments.run, result);
        }
        if (seed == range->second) break;
    }
    std::cout << to_text(total) << passed << " seeds passed, " << failed << " failed\n";
    return failed == 0 ? 0 : 1;
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
    app.add_option("--seed", arguments.seed, "Run this seed")->capture_default_str();
    app.add_option("--seeds", arguments.seeds, "Run these, as in 1..100");
    app.add_option("--customers", arguments.run.customers, "How many; by default the seed decides")
        ->check(CLI::Range(1, 200));
    app.add_option("--steps", arguments.run.steps, "Commands, and bursts of commands, to type")
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
