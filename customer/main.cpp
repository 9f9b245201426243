// The customer's program: flags, what is missing of them, the account's key and journal if there is
// one; then the driver takes over.
#include <optional>
#include <string>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "common/base/names.h"
#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/keys.h"
#include "common/runtime/permissions.h"
#include "common/runtime/process.h"
#include "common/runtime/prompts.h"
#include "customer/customer.h"

namespace p2pbank {
namespace {

struct Arguments {
    std::optional<std::string> bank;
    std::optional<std::string> port1;
    std::optional<std::string> port2;
    std::optional<std::string> name;
    std::optional<std::string> ip;
    std::optional<std::string> bank_key;
    std::optional<int> password_fd;
    bool new_key = false;
    std::string stable = "journal";
    std::string log_level = "info";
    DriverOptions driver;
};

// What flags and prompts have given so far.
struct Choices {
    std::optional<uint32_t> bank_ip;
    std::optional<uint16_t> bank_port;
    std::optional<uint16_t> port1;
    std::optional<uint16_t> port2;
    std::optional<uint32_t> own_ip;
    std::optional<std::string> bank_key;  // as secure::fingerprint() writes it
};

Result<void> check_different(uint16_t port1, uint16_t port2) {
    if (port1 == 0 || port1 != port2) return {};
    return Error{"ports-differ", "the port for the bank and the port for peers must differ"};
}

Result<std::string> parse_bank_key(std::string_view text) {
    auto fingerprint = secure::parse_fingerprint(text);
    if (fingerprint) return std::move(*fingerprint);
    return Error{"bad-key",
                 quote(text) + " is no fingerprint: 32 hexadecimal digits, as the bank shows them"};
}

bool is_loopback(uint32_t ip) {
    return ip >> 24U == 127;
}

template <class Value, class Parse>
Result<void> take_flag(const char* flag, const std::optional<std::string>& text, Parse parse,
                       std::optional<Value>& out) {
    if (!text) return {};
    const auto value = parse(*text);
    if (!value) return Error{value.error().code, flag + (": " + value.error().message)};
    out = value.value();
    return {};
}

Result<Choices> take_flags(const Arguments& arguments) {
    Choices choices;
    if (arguments.bank && arguments.bank->find(':') != std::string::npos) {
        std::optional<Address> bank;
        const auto taken = take_flag("--bank", arguments.bank, parse_address_or_localhost, bank);
        if (!taken) return taken.error();
        choices.bank_ip = bank->ip;
        choices.bank_port = bank->port;
    } else {
        const auto taken =
            take_flag("--bank", arguments.bank, parse_ip_or_localhost, choices.bank_ip);
        if (!taken) return taken.error();
    }
    for (const Result<void>& taken :
         {take_flag("--port1", arguments.port1, parse_own_port, choices.port1),
          take_flag("--port2", arguments.port2, parse_own_port, choices.port2),
          take_flag("--ip", arguments.ip, parse_ip_or_localhost, choices.own_ip),
          take_flag("--bank-key", arguments.bank_key, parse_bank_key, choices.bank_key),
          arguments.name ? check_name(*arguments.name) : Result<void>(),
          choices.port1 && choices.port2 ? check_different(*choices.port1, *choices.port2)
                                         : Result<void>()}) {
        if (!taken) return taken.error();
    }
    return choices;
}

// Asks for what is missing. False at the end of the input.
bool ask_for_missing(Choices& choices, LineReader& input) {
    Prompts prompts(input);
    const auto need = [&](auto& choice, std::string_view prompt, auto parse) {
        if (!choice) choice = prompts.ask(prompt, parse);
        return choice.has_value();
    };
    const auto parse_port2 = [&](std::string_view text) {
        const Result<uint16_t> port = parse_own_port(text);
        if (!port) return port;
        const Result<void> different = check_different(*choices.port1, port.value());
        return different ? port : Result<uint16_t>(different.error());
    };
    const auto parse_port1 = [&](std::string_view text) {
        const Result<uint16_t> port = parse_own_port(text);
        if (!port || !choices.port2) return port;
        const Result<void> different = check_different(port.value(), *choices.port2);
        return different ? port : Result<uint16_t>(different.error());
    };
    return need(choices.bank_ip, "Bank address: ", parse_ip_or_localhost) &&
           need(choices.bank_port, "Bank port (8500-8999): ", parse_bank_port) &&
           need(choices.port1, "Port for the bank: ", parse_port1) &&
           need(choices.port2, "Port for peers: ", parse_port2);
}

int refuse(Log& log, const std::string& message) {
    log.always(Severity::error, message);
    return kExitUsage;
}

// Takes the key of the account under `folder`. Where there is none the key of the settings stays:
// false. The error says what is wrong.
Result<bool> take_key(const std::string& folder, CustomerSettings& settings) {
    const auto safe = check_private_folder(folder);
    if (!safe) return safe.error();
    const auto key = existing_key(folder + "/key");
    if (!key) return key.error();
    if (key.value()) settings.key_seed = *key.value();
    return key.value().has_value();
}

// Makes the customer, from its journal if the account has one. The error says why not.
Result<std::unique_ptr<Store>> resume(const std::string& state, const std::string& name,
                                      bool new_key, CustomerSettings settings,
                                      std::optional<Customer>& customer, Log& log) {
    customer.emplace(settings);
    if (name.empty()) return std::unique_ptr<Store>();
    if (!Store::exists(state, name)) {
        log.notice(
            Severity::info,
            "there is no account " + name + " under " + state +
                " yet. The bank is asked whether it has one for this program; if not, open it "
                "with: open " +
                name +
                " <balance>. Or, if it is yours and was another program's: sign-in <email>, "
                "then bind " +
                name);
        return std::unique_ptr<Store>();
    }
    const std::string folder = state + "/" + name;
    const CustomerSettings without_account = settings;
    bool is_missing = false;
    if (settings.insecure) {
        if (::access((folder + "/key").c_str(), F_OK) == 0) {
            return Error{"other-mode",
                         folder +
                             " is of an account that is bound to the key in it, and with "
                             "--insecure nobody has one: start without --insecure, or give another "
                             "folder with --state"};
        }
    } else {
        const auto taken = take_key(folder, settings);
        if (!taken) return taken.error();
        is_missing = !taken.value();
    }
    settings.name = name;
    customer.emplace(settings);
    auto store = Store::open({.folder = folder},
                             [&](std::string_view record) { return customer->replay(record); });
    if (!store && store.error().code == "in-use") {
        return Error{"state-in-use",
                     "account " + name + " is running already: another program has " + folder};
    }
    if (!store) return Error{store.error().code, folder + ": " + store.error().message};
    if (store.value()->records_replayed() > 0) {
        if (customer->state().in_clear && !settings.insecure) {
            return Error{"other-mode",
                         folder +
                             " was made with --insecure, and its account has no key: start with "
                             "--insecure, or give another folder with --state"};
        }
        if (is_missing && new_key) {
            const auto kept = keep_key(folder + "/key", settings.key_seed);
            if (!kept) return kept.error();
        } else if (is_missing) {
            return Error{"bad-key",
                         folder +
                             "/key is missing: the bank knows the account by it. Put a copy "
                             "of it back; or start with --name " +
                             name +
                             " --new-key, and then either sign in as the account's owner and "
                             "type: bind " +
                             name + ", or have the bank's operator type: unbind " + name};
        }
        log.always(Severity::info, "resumed account " + name);
        return store;
    }
    // The program was ended before the account was opened.
    Store::remove(std::move(store).value());
    customer.emplace(without_account);
    return std::unique_ptr<Store>();
}

// The keys of the bank as an earlier run has written them down.
Result<std::optional<secure::PublicKeys>> read_bank_keys(const std::string& folder, Address bank) {
    const std::string path =
        folder + "/" + ip_to_string(bank.ip) + "_" + std::to_string(bank.port) + ".key";
    for (const std::string& place : {folder, path}) {
        const auto safe = check_not_writable_by_others(place);
        if (!safe) return safe.error();
    }
    const auto bytes = remembered_keys(path);
    if (!bytes) return bytes.error();
    if (!bytes.value()) return std::optional<secure::PublicKeys>();
    return secure::keys_from_bytes(
        {reinterpret_cast<const char*>(bytes.value()->data()), bytes.value()->size()});
}

// What is the same whatever the account. The error says which file is wrong.
Result<CustomerSettings> make_settings(const Arguments& arguments, const Choices& choices) {
    CustomerSettings settings;
    settings.bank = {*choices.bank_ip, *choices.bank_port};
    settings.stable =
        arguments.stable == "checkpoint" ? StableMode::checkpoint : StableMode::journal;
    settings.seed = random_seed();
    settings.wall_offset_us = wall_offset_us();
    random_bytes(settings.secret_seed);
    random_bytes(settings.key_seed);
    settings.insecure = arguments.driver.insecure;
    settings.wanted = arguments.name.value_or("");
    settings.key_folder = arguments.driver.state_folder + "/banks";
    settings.bank_fingerprint = choices.bank_key;
    const auto safe = check_not_writable_by_others(arguments.driver.state_folder);
    if (!safe) return safe.error();
    if (settings.insecure) return settings;
    const auto keys = read_bank_keys(settings.key_folder, settings.bank);
    if (!keys) return keys.error();
    settings.bank_keys = keys.value();
    return settings;
}

// Without keys only this machine is safe from others.
Result<void> check_insecure(const Arguments& arguments, Address bank, uint32_t own_ip) {
    if (!arguments.driver.insecure) return {};
    if (arguments.bank_key || arguments.new_key) {
        return Error{"usage",
                     "with --insecure nobody has a key: leave --bank-key and --new-key out"};
    }
    if (is_loopback(bank.ip) && is_loopback(own_ip)) return {};
    return Error{"not-loopback",
                 "--insecure is for this machine only: the bank's address and --ip have to be "
                 "127.0.0.1 or another loopback address"};
}

int run(Arguments arguments) {
    Log log("customer", arguments.log_level);
    LineReader input(STDIN_FILENO);
    Result<Choices> flags = take_flags(arguments);
    if (!flags) return refuse(log, flags.error().message);
    if (arguments.new_key && !arguments.name) {
        return refuse(log,
                      "--new-key needs --name, the account whose key is lost, as in: --name carol "
                      "--new-key. Where the whole folder is lost, leave --new-key out");
    }
    Choices choices = flags.value();
    if (!ask_for_missing(choices, input)) return kExitUsage;
    const Address bank{*choices.bank_ip, *choices.bank_port};
    const Result<uint32_t> own_ip =
        choices.own_ip ? Result<uint32_t>(*choices.own_ip) : own_ip_towards(bank);
    if (!own_ip) return refuse(log, own_ip.error().message);
    const Result<void> local = check_insecure(arguments, bank, own_ip.value());
    if (!local) return refuse(log, local.error().message);
    if (arguments.driver.insecure) {
        log.always(Severity::warning,
                   "INSECURE: everything goes in clear and nobody is who they say; on this machine "
                   "only, for teaching");
    }

    const Result<CustomerSettings> prepared = make_settings(arguments, choices);
    if (!prepared) return refuse(log, prepared.error().message);
    const Result<void> secrets = arguments.driver.take_passwords_from(arguments.password_fd);
    if (!secrets) return refuse(log, secrets.error().message);

    const std::string name = arguments.name.value_or("");
    const std::string state = arguments.driver.state_folder;
    const bool new_key = arguments.new_key;
    arguments.driver.name = name;
    Driver driver(std::move(arguments.driver), input, log);
    const Result<uint16_t> port1 = driver.bind(*choices.port1, choices.own_ip.value_or(0));
    if (!port1) return refuse(log, port1.error().message);
    const Result<uint16_t> port2 = driver.bind(*choices.port2, choices.own_ip.value_or(0));
    if (!port2) return refuse(log, port2.error().message);
    if (name.empty()) driver.name("customer@" + std::to_string(port1.value()));

    CustomerSettings settings = prepared.value();
    settings.accounts = Store::names(state);
    settings.own_ip = own_ip.value();
    settings.port1 = port1.value();
    settings.port2 = port2.value();
    std::optional<Customer> customer;
    auto store = resume(state, name, new_key, settings, customer, log);
    if (!store) return refuse(log, store.error().message);
    return driver.run(
        *customer, std::move(store).value(),
        "ready on ports " + std::to_string(port1.value()) + " " + std::to_string(port2.value()));
}

}  // namespace
}  // namespace p2pbank

int main(int argc, char** argv) {
    using namespace p2pbank;
    prepare_process();
    Arguments arguments;
    arguments.driver.prompt = "customer> ";
    arguments.driver.state_folder = "state";
    const auto is_named = [](const std::string& path) {
        return path.empty() ? std::string("the name of a file is missing") : std::string();
    };
    CLI::App app(
        "A customer of the bank. What is missing is asked for. Type help for its commands.");
    app.add_option("--bank", arguments.bank, "The bank's address, as in 127.0.0.1:8500");
    app.add_option("--port1", arguments.port1,
                   "Own UDP port for the bank; 0: the system gives one");
    app.add_option("--port2", arguments.port2, "Own UDP port for peers; 0: the system gives one");
    app.add_option("--name", arguments.name,
                   "Resume this account if its state is there; otherwise take it over if the bank "
                   "has it for this program");
    app.add_option("--state", arguments.driver.state_folder, "Folder of the accounts' states")
        ->capture_default_str();
    app.add_option("--stable", arguments.stable, "What is durable: every step, or checkpoints only")
        ->check(CLI::IsMember({"journal", "checkpoint"}))
        ->capture_default_str();
    app.add_option("--ip", arguments.ip, "Own address, where it is not the one towards the bank");
    app.add_option("--bank-key", arguments.bank_key,
                   "Talk only to the bank with this fingerprint, as the bank shows it");
    app.add_flag("--new-key", arguments.new_key,
                 "Draw a new key for the account of --name, whose key file is missing");
    app.add_flag("--insecure", arguments.driver.insecure,
                 "In clear, on loopback addresses only; for teaching");
    app.add_flag("--json", arguments.driver.json, "Answers as one JSON object a line");
    app.add_option("--trace", arguments.driver.trace_file, "Append what happens to this file")
        ->check(is_named);
    app.add_option("--key-log", arguments.driver.key_log,
                   "Append the keys of sessions to this file: whoever has it can read everything")
        ->check(is_named);
    app.add_option("--pcap", arguments.driver.pcap, "Record all datagrams in this file")
        ->check(is_named);
    app.add_flag("--serve", arguments.driver.serve, "Keep running at the end of standard input");
    app.add_option("--password-fd", arguments.password_fd,
                   "Read passwords from this descriptor, one a line, where no terminal asks");
    app.add_option("--log-level", arguments.log_level, "What standard error shows")
        ->check(CLI::IsMember(Log::levels()))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    return run(std::move(arguments));
}
