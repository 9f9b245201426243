// The program `scale`: tables of what checkpoints and rollbacks cost in cohorts of any size.
#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/base/limits.h"
#include "simulator/ideal_primitives.h"
#include "simulator/scale/report.h"
#include "simulator/world.h"

namespace p2pbank::simulator::scale {
namespace {

constexpr size_t kMostCustomers = 100'000;
constexpr size_t kMostTransfersPerCustomer = 100;
constexpr uint64_t kMostTransfers = 2'000'000;  // what fits in 2 GB

struct Arguments {
    std::string customers = "10,100,1000,10000";
    std::string patterns = "star,ring,random,power-law";
    std::string initiator = "first";
    Settings settings;
    bool full = false;
    bool csv = false;
};

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> out;
    while (true) {
        const size_t comma = text.find(',');
        out.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return out;
        text.remove_prefix(comma + 1);
    }
}

std::optional<std::vector<size_t>> parse_customers(std::string_view text) {
    std::vector<size_t> out;
    for (const std::string& word : split(text)) {
        if (word.empty() || word.size() > 6 ||
            word.find_first_not_of("0123456789") != std::string::npos) {
            return std::nullopt;
        }
        out.push_back(std::stoull(word));
        if (out.back() < limits::kMinCohort || out.back() > kMostCustomers) return std::nullopt;
    }
    return out;
}

std::optional<std::vector<Pattern>> parse_patterns(std::string_view text) {
    std::vector<Pattern> out;
    for (const std::string& word : split(text)) {
        const auto pattern = parse_pattern(word);
        if (!pattern) return std::nullopt;
        out.push_back(*pattern);
    }
    return out;
}

int fail(const std::string& text) {
    std::cerr << text << "\n";
    return 2;
}

int run(Arguments arguments) {
    Settings& settings = arguments.settings;
    if (arguments.full) arguments.customers += ",100000";
    const auto customers = parse_customers(arguments.customers);
    if (!customers) return fail("--customers is as in 10,100,1000: each from 2 to 100000");
    const auto patterns = parse_patterns(arguments.patterns);
    if (!patterns) return fail("--patterns is as in star,ring,random,power-law");
    settings.customers = *customers;
    settings.patterns = *patterns;
    const size_t most = *std::max_element(customers->begin(), customers->end());
    if (most * settings.transfers_per_customer > kMostTransfers) {
        return fail("customers times transfers per customer is 2000000 at most");
    }
    if (arguments.initiator == "second") {
        settings.initiator = 1;
    } else if (arguments.initiator != "first") {
        return fail("--initiator is first or second");
    }
    use_ideal_primitives(true);
    try {
        make_report(settings, [&](const Table& table) {
            if (arguments.csv) {
                print_csv(std::cout, table);
            } else {
                print(std::cout, table);
            }
            std::cout << "\n" << std::flush;
        });
    } catch (const Violation& violation) {
        std::cerr << violation.invariant << ": " << violation.text << "\n";
        return 1;
    }
    return std::cout ? 0 : 1;
}

}  // namespace
}  // namespace p2pbank::simulator::scale

int main(int argc, char** argv) {
    using namespace p2pbank::simulator::scale;
    Arguments arguments;
    CLI::App app(
        "What checkpoints and rollbacks cost in cohorts of 2 to 100,000 customers: by formula, by "
        "a model, and by the real bank and customers in the simulator; beside Chandy and Lamport's "
        "snapshots and uncoordinated checkpoints. The same seed gives the same tables.");
    app.add_option("--customers", arguments.customers, "How many, as in 10,100,1000")
        ->capture_default_str();
    app.add_flag("--full", arguments.full, "100,000 customers as well");
    app.add_option("--patterns", arguments.patterns, "Who pays whom")->capture_default_str();
    app.add_option("--transfers-per-customer", arguments.settings.transfers_per_customer,
                   "Half of them before the checkpoint, half after it")
        ->check(CLI::Range(size_t{2}, kMostTransfersPerCustomer))
        ->capture_default_str();
    app.add_option("--initiator", arguments.initiator,
                   "first: the shop of a star, who is paid most; second: who pays the shop")
        ->capture_default_str();
    app.add_option("--seed", arguments.settings.seed, "Of everything that is drawn")
        ->capture_default_str();
    app.add_option("--real-up-to", arguments.settings.real_up_to,
                   "The real objects too, up to so many customers; 0: not at all. Above 100 they "
                   "talk in clear, and 1000 take minutes for each pattern")
        ->check(CLI::Range(size_t{0}, p2pbank::limits::kMaxCohort))
        ->capture_default_str();
    app.add_flag("--csv", arguments.csv, "Comma-separated values, without explanations");
    app.failure_message(
        [](const CLI::App*, const CLI::Error& error) { return std::string(error.what()) + "\n"; });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return run(std::move(arguments));
}
