// The bank's daemon: flags, the port, the files beside the table; then the driver takes over. Or,
// with `verify`, the examination of a file of evidence, for which no bank is needed.
#include <cstdio>
#include <optional>
#include <string>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "bank/bank.h"
#include "bank/history/schema.h"
#include "bank/verify.h"
#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/history_start.h"
#include "common/runtime/jobs.h"
#include "common/runtime/keys.h"
#include "common/runtime/permissions.h"
#include "common/runtime/process.h"
#include "common/runtime/prompts.h"

namespace p2pbank {
namespace {

// Replacing the journal stops the bank for as long as it takes to write all accounts.
constexpr uint64_t kJournalMinBytes = 256 * 1'024 * 1'024;

struct Arguments {
    std::optional<std::string> port;
    bool any_port = false;
    std::string data = "data/data.csv";
    std::string log_level = "info";
    std::optional<int> password_fd;
    bool require_verified = false;
    bool new_history = false;
    DriverOptions driver;
};

int refuse(Log& log, const std::string& message) {
    log.always(Severity::error, message);
    return kExitUsage;
}

std::optional<uint16_t> choose_port(const Arguments& arguments, LineReader& input, Log& log) {
    const auto parse = arguments.any_port ? parse_own_port : parse_bank_port;
    if (!arguments.port) {
        const std::string prompt = arguments.any_port ? "Port: " : "Port (8500-8999): ";
        const auto asked = Prompts(input).ask(prompt, parse);
        if (!asked) log.always(Severity::error, "there is no port: give one with --port");
        return asked;
    }
    const Result<uint16_t> port = parse(*arguments.port);
    if (port) return port.value();
    log.always(Severity::error, "--port: " + port.error().message);
    return std::nullopt;
}

// The bank's files beside the table `table`.
std::string beside(const std::string& table, const std::string& ending) {
    return (table == "data.csv" ? "bank" : table) + ending;
}

// The bank's files, as the flags name them.
struct Places {
    std::string folder;
    std::string table;    // in the folder
    std::string key;      // with the folder
    std::string history;  // with the folder
};

// What the bank has to have before it reads its journal; whether it had its key already. Errors:
// io-error, bad-key, too-open.
Result<BankSettings> prepare(const Arguments& arguments, const Places& places, bool& had_key) {
    const Result<void> made = make_folder(places.folder, 0700);
    if (!made) return made.error();
    for (const std::string& path : {places.folder, places.folder + "/" + places.table}) {
        const Result<void> safe = check_not_writable_by_others(path);
        if (!safe) return safe.error();
    }
    const Result<std::optional<Key>> known = existing_key(places.key);
    if (!known) return known.error();
    had_key = known.value().has_value();
    const Result<Key> key = own_key(places.key);
    if (!key) return key.error();
    BankSettings settings;
    settings.seed = random_seed();
    settings.wall_offset_us = wall_offset_us();
    random_bytes(settings.secret_seed);
    settings.key_seed = key.value();
    settings.require_verified = arguments.require_verified;
    settings.insecure = arguments.driver.insecure;
    return settings;
}

int run(Arguments arguments) {
    Log log("bank", arguments.log_level);
    LineReader input(STDIN_FILENO);
    const auto [folder, file] = split_path(arguments.data);
    if (file.empty())
        return refuse(log, "--data: " + arguments.data + " is not the name of a file");
    const std::optional<uint16_t> port = choose_port(arguments, input, log);
    if (!port) return kExitUsage;
    if (arguments.driver.insecure) {
        log.always(Severity::warning,
                   "INSECURE: everything goes in clear and nobody is who they say; on this machine "
                   "only, for teaching");
    }

    const Places places{folder, file, folder + "/" + beside(file, ".key"),
                        folder + "/" + beside(file, ".db")};
    bool had_key = false;
    const auto settings = prepare(arguments, places, had_key);
    if (!settings) return refuse(log, settings.error().message);
    Bank bank(settings.value());
    HistoryStart history(places.history, bank::history_schema(), arguments.new_history);
    bank.tell_history(&history);
    const StoreFiles files{.folder = folder,
                           .journal = file + ".journal",
                           .lock = file + ".lock",
                           .shared_folder = true};
    auto store = Store::open(files, [&](std::string_view record) {
        Result<void> replayed = bank.replay(record);
        if (replayed) history.replayed(bank.history_position());
        return replayed;
    });
    if (!store) {
        if (store.error().code != "in-use")
            return refuse(log, folder + ": " + store.error().message);
        return refuse(log, "another bank is running on " + arguments.data + ": stop it first");
    }
    if (!had_key && store.value()->records_replayed() > 0) {
        log.always(Severity::warning,
                   places.key +
                       " was missing: made a new key. Customers who remember the old one do not "
                       "talk to this bank; put the old file back if there is one");
    }
    bank.tell_history(nullptr);
    auto database = history.finish(bank.history_position(), log);
    if (!database) return refuse(log, database.error().message);
    const Result<std::string> table = store.value()->storage().read_all(file);
    if (!table && table.error().code != "not-found") return refuse(log, table.error().message);
    const auto loaded =
        bank.load_table(table ? std::optional<std::string_view>(table.value()) : std::nullopt);
    if (!loaded) return refuse(log, arguments.data + ": " + loaded.error().message);

    arguments.driver.table_name = file;
    const Result<void> secrets = arguments.driver.take_passwords_from(arguments.password_fd);
    if (!secrets) return refuse(log, secrets.error().message);
    Driver driver(std::move(arguments.driver), input, log);
    driver.keep_history(std::move(database).value());
    const Result<uint16_t> bound = driver.bind(*port);
    if (!bound) return refuse(log, bound.error().message);
    return driver.run(bank, std::move(store).value(),
                      "ready on port " + std::to_string(bound.value()));
}

struct VerifyArguments {
    std::string file;
    std::string bank_key;
};

// Needs no bank: only the file.
int run_verify(const VerifyArguments& arguments, bool json) {
    constexpr size_t kMoreThanWritten = 1'024 * 1'024;
    const JobResult read =
        carry_out(ReadFile{arguments.file, limits::kMaxEvidenceFileBytes + kMoreThanWritten});
    const Answer answer = read.outcome ? bank::verify_answer(read.text, arguments.bank_key)
                                       : failure(read.outcome.error());
    const std::string text = json ? to_json(answer) : to_lines(answer);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return answer.outcome == Outcome::success ? 0 : 1;
}

}  // namespace
}  // namespace p2pbank

int main(int argc, char** argv) {
    using namespace p2pbank;
    prepare_process();
    Arguments arguments;
    arguments.driver.name = "bank";
    arguments.driver.prompt = "bank> ";
    arguments.driver.journal_min_bytes = kJournalMinBytes;
    CLI::App app("The bank: keeps customers and cohorts, and decides. Type help for its commands.");
    app.add_option("--port", arguments.port,
                   "UDP port, 8500 to 8999; asked for where it is missing");
    app.add_flag("--any-port", arguments.any_port, "Accept any port; 0 is one the system gives");
    app.add_option("--data", arguments.data, "The table of accounts")->capture_default_str();
    app.add_flag("--json", arguments.driver.json, "Answers as one JSON object a line");
    app.add_option("--trace", arguments.driver.trace_file, "Append what happens to this file");
    app.add_option("--key-log", arguments.driver.key_log,
                   "Append the keys of sessions to this file: whoever has it can read everything");
    app.add_option("--pcap", arguments.driver.pcap, "Record all datagrams in this file");
    app.add_flag("--insecure", arguments.driver.insecure,
                 "In clear, on 127.0.0.1 only; for teaching");
    app.add_flag("--serve", arguments.driver.serve, "Keep running at the end of standard input");
    app.add_flag("--require-verified", arguments.require_verified,
                 "Open accounts only for people who have verified their e-mail");
    app.add_flag("--new-history", arguments.new_history,
                 "Move the history database aside and begin a new one");
    app.add_option("--password-fd", arguments.password_fd,
                   "Read passwords from this descriptor, one a line, where no terminal asks");
    app.add_option("--log-level", arguments.log_level, "What standard error shows")
        ->check(CLI::IsMember(Log::levels()))
        ->capture_default_str();
    VerifyArguments verifying;
    CLI::App* verify =
        app.add_subcommand("verify", "Checks a file of evidence that `audit --evidence` wrote");
    verify->add_option("file", verifying.file, "The file")->required();
    verify->add_option("--bank-key", verifying.bank_key,
                       "The fingerprint that the bank has to have");
    verify->fallthrough();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    if (verify->parsed()) return run_verify(verifying, arguments.driver.json);
    return run(std::move(arguments));
}
