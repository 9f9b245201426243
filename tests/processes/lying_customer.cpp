// A customer that lies, as a real program: the customer and the driver of the real one, with the
// simulator's Liar between them (simulator/liar.h says what it changes). At its prompt it is a
// customer as any other, and its answers are what they would be without the lies. An account cannot
// be resumed with it.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/process.h"
#include "common/runtime/prompts.h"
#include "customer/customer.h"
#include "simulator/liar.h"

namespace p2pbank {
namespace {

struct Lies {
    double rate = 0;
    uint64_t seed = 1;
    bool in_settlements_only = false;
    std::optional<simulator::ChosenLie> chosen;
};

int run(const std::string& bank, const Lies& lies, DriverOptions options) {
    Log log("customer", "info");
    LineReader input(STDIN_FILENO);
    CustomerSettings settings;
    settings.key_folder = options.state_folder + "/banks";
    Driver driver(std::move(options), input, log);
    const Result<uint16_t> port1 = driver.bind(0);
    const Result<uint16_t> port2 = driver.bind(0);
    const Result<Address> address = parse_address_or_localhost(bank);
    if (!port1 || !port2 || !address) return kExitUsage;
    settings.bank = address.value();
    settings.own_ip = address.value().ip;
    settings.port1 = port1.value();
    settings.port2 = port2.value();
    settings.seed = random_seed();
    settings.wall_offset_us = wall_offset_us();
    random_bytes(settings.secret_seed);
    random_bytes(settings.key_seed);
    simulator::Liar liar(std::make_unique<Customer>(settings), settings.key_seed, lies.seed,
                         lies.rate);
    if (lies.in_settlements_only) liar.lie_in_settlements_only();
    if (lies.chosen) liar.choose(*lies.chosen);
    return driver.run(
        liar, nullptr,
        "ready on ports " + std::to_string(port1.value()) + " " + std::to_string(port2.value()));
}

}  // namespace
}  // namespace p2pbank

int main(int argc, char** argv) {
    using p2pbank::simulator::ChosenLie;
    p2pbank::prepare_process();
    CLI::App app("A customer on this machine that lies to the bank and to its peers");
    std::string bank;
    p2pbank::Lies lies;
    p2pbank::DriverOptions options;
    options.name = "customer";
    app.add_option("--bank", bank)->required();
    app.add_option("--state", options.state_folder)->required();
    app.add_option("--lies", lies.rate, "Of what it sends, the part that is changed")
        ->check(CLI::Range(0.0, 1.0));
    app.add_flag("--in-settlements", lies.in_settlements_only, "Those are the only ones changed");
    app.add_option("--seed", lies.seed, "Of what is drawn for that");
    app.add_option("--lie", lies.chosen, "One lie, told once, at the next checkpoint")
        ->transform(CLI::CheckedTransformer(std::map<std::string, ChosenLie>{
            {"deny", ChosenLie::deny}, {"invent", ChosenLie::invent}}));
    CLI11_PARSE(app, argc, argv);
    return p2pbank::run(bank, lies, std::move(options));
}
