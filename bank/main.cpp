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
    bool new_key = false;
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

bool is_there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

// What the bank has to have before it reads its journal; whether it had its key already: one that
// is drawn is kept when the bank may start with it. Errors: io-error, bad-key, too-open.
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
    BankSettings settings;
    settings.seed = random_seed();
    settings.wall_offset_us = wall_offset_us();
    random_bytes(settings.secret_seed);
    random_bytes(settings.key_seed);
    if (had_key) settings.key_seed = *known.value();
    settings.require_verified = arguments.require_verified;
    settings.insecure = arguments.driver.insecure;
    return settings;
}

// Why the bank must not start with these data; nothing if it may. Says what follows from what was
// asked for all the same.
std::optional<std::string> misfit(const Bank& bank, const Arguments& arguments,
                                  const Places& places, bool had_key, Log& log) {
    const std::string data = arguments.data;
    switch (bank.fit(had_key)) {
        case Fit::sealed:
            return data +
                   " has accounts that are bound to keys, and with --insecure nobody has one: "
                   "start without --insecure, or give another folder with --data";
        case Fit::in_clear:
            return data +
                   " was made with --insecure, and its accounts have no keys: start with "
                   "--insecure, or give another folder with --data";
        case Fit::other_key:
            break;
        case Fit::fits:
            if (!had_key && bank.history_position() > 0 && !arguments.driver.insecure) {
                log.always(Severity::warning,
                           places.key +
                               " was missing: makes a new key. Programs that remember the old one "
                               "do not talk to this bank until their users confirm it");
            } else if (arguments.new_key && had_key) {
                log.always(Severity::info, "--new-key changes nothing: " + places.key +
                                               " is there, and no account knows another key");
            }
            return std::nullopt;
    }
    const std::string known = bank.known_key().empty() ? "" : " (" + bank.known_key() + ")";
    const std::string what =
        had_key ? places.key + " holds another key than the one that these accounts know" + known
                : places.key + " is missing: the accounts know the bank by its key" + known;
    const std::string follows =
        "customers then have to confirm the new key, for their programs refuse to talk to it, and "
        "what was signed so far names the old one";
    if (!arguments.new_key) {
        return what + ". Put a copy of the file back; or start with --new-key to go on with " +
               (had_key ? "this one" : "a new one") + ": " + follows;
    }
    log.always(Severity::warning, what + ". Goes on with " +
                                      (had_key ? "the one in the file" : "a new one") + ": " +
                                      follows);
    return std::nullopt;
}

// Where a bank has run and its journal is gone, the rows of the table are all that is left. Why it
// must not start from them; nothing if it may. `what`: "is missing".
std::optional<std::string> lost_journal(const Arguments& arguments, const Places& places,
                                        bool had_key, const std::string& what, Log& log) {
    const std::string journal = places.folder + "/" + places.table + ".journal";
    const bool ran_before = had_key || is_there(places.history);
    if (!ran_before || !is_there(arguments.data)) return std::nullopt;
    const std::string lost = journal + " " + what +
                             ", and with it the keys, owners and people of all accounts, what they "
                             "have bought, and their loans";
    const std::string given =
        "each row of " + arguments.data +
        " is a new account then, and the first program that comes from the IP address in the row "
        "takes it, with its balance";
    if (!arguments.new_history) {
        return lost +
               ". Put a copy of the whole folder back; or start with --new-history to begin "
               "anew from the table: " +
               given;
    }
    log.always(Severity::warning, lost + ". Begins anew from the table: " + given);
    if (!had_key && !arguments.driver.insecure) {
        log.always(Severity::warning, places.key +
                                          " is missing too: makes a new key, which customers have "
                                          "to confirm before their programs talk to this bank");
    }
    return std::nullopt;
}

int run(Arguments arguments) {
    Log log("bank", arguments.log_level);
    LineReader input(STDIN_FILENO);
    const auto [folder, file] = split_path(arguments.data);
    if (file.empty())
        return refuse(log, "--data: " + arguments.data + " is not the name of a file");
    if (arguments.driver.insecure && arguments.new_key) {
        return refuse(log, "with --insecure nobody has a key: leave --new-key out");
    }
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
    // Before the store is opened, which makes a journal.
    const bool had_journal = is_there(folder + "/" + file + ".journal");
    if (const auto lost = had_journal
                              ? std::nullopt
                              : lost_journal(arguments, places, had_key, "is missing", log)) {
        return refuse(log, *lost);
    }
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
    bank.tell_history(nullptr);
    // The key is written when a bank begins to run: then it has written records too.
    if (had_journal && had_key && bank.history_position() == 0) {
        if (const auto lost = lost_journal(arguments, places, had_key, "is empty", log)) {
            return refuse(log, *lost);
        }
    }
    if (const auto wrong = misfit(bank, arguments, places, had_key, log)) {
        return refuse(log, *wrong);
    }
    auto database = history.finish(bank.history_position(), log);
    if (!database) return refuse(log, database.error().message);
    const Result<std::string> table = store.value()->storage().read_all(file);
    if (!table && table.error().code != "not-found") return refuse(log, table.error().message);
    const auto loaded =
        bank.load_table(table ? std::optional<std::string_view>(table.value()) : std::nullopt);
    if (!loaded) return refuse(log, arguments.data + ": " + loaded.error().message);

    const bool insecure = arguments.driver.insecure;
    arguments.driver.table_name = file;
    const Result<void> secrets = arguments.driver.take_passwords_from(arguments.password_fd);
    if (!secrets) return refuse(log, secrets.error().message);
    Driver driver(std::move(arguments.driver), input, log);
    driver.keep_history(std::move(database).value());
    const Result<uint16_t> bound = driver.bind(*port);
    if (!bound) return refuse(log, bound.error().message);
    if (!had_key && !insecure) {
        const Result<void> kept = keep_key(places.key, settings.value().key_seed);
        if (!kept) return refuse(log, kept.error().message);
    }
    return driver.run(bank, std::move(store).value(),
                      "ready on port " + std::to_string(bound.value()));
}

struct VerifyArguments {
    std::string file;
    std::string bank_key;
};

// Needs no bank: only the file.
int run_verify(const VerifyArguments& arguments, bool json) {
    if (!arguments.bank_key.empty() && !secure::parse_fingerprint(arguments.bank_key)) {
        std::fputs(
            "--bank-key: that is no fingerprint: 32 hexadecimal digits, as the bank shows "
            "them\n",
            stderr);
        return kExitUsage;
    }
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
    const auto is_named = [](const std::string& path) {
        return path.empty() ? std::string("the name of a file is missing") : std::string();
    };
    CLI::App app("The bank: keeps customers and cohorts, and decides. Type help for its commands.");
    app.add_option("--port", arguments.port,
                   "UDP port, 8500 to 8999; asked for where it is missing");
    app.add_flag("--any-port", arguments.any_port, "Accept any port; 0 is one the system gives");
    app.add_option("--data", arguments.data, "The table of accounts")->capture_default_str();
    app.add_flag("--json", arguments.driver.json, "Answers as one JSON object a line");
    app.add_option("--trace", arguments.driver.trace_file, "Append what happens to this file")
        ->check(is_named);
    app.add_option("--key-log", arguments.driver.key_log,
                   "Append the keys of sessions to this file: whoever has it can read everything")
        ->check(is_named);
    app.add_option("--pcap", arguments.driver.pcap, "Record all datagrams in this file")
        ->check(is_named);
    app.add_flag("--insecure", arguments.driver.insecure,
                 "In clear, on 127.0.0.1 only; for teaching");
    app.add_flag("--serve", arguments.driver.serve, "Keep running at the end of standard input");
    app.add_flag("--require-verified", arguments.require_verified,
                 "Open accounts only for people who have verified their e-mail");
    app.add_flag(
        "--new-history", arguments.new_history,
        "Move the history database aside and begin a new one. Where the journal is missing "
        "too, go on from the table alone: keys, owners and people are lost, and each "
        "account is for whoever comes first from its address");
    app.add_flag("--new-key", arguments.new_key,
                 "Go on with another key where the bank's is lost: customers have to confirm it");
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
