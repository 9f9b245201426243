#include <memory>

#include <doctest/doctest.h>

#include "bank/bank.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;

namespace {

// A bank at its console, with a journal and a table that a next run can begin from.
struct Console {
    RecordedEffects effects;
    std::unique_ptr<Bank> bank;
    TimePoint now{};
    uint64_t next_command = 1;
    std::optional<std::string> table;

    Result<void> start(std::optional<std::string> on_disk) {
        const auto journal = effects.records;
        effects = RecordedEffects();
        effects.records = journal;
        bank = std::make_unique<Bank>(BankSettings{7});
        for (const std::string& record : journal) REQUIRE(bank->replay(record).ok());
        const auto loaded =
            bank->load_table(on_disk ? std::optional<std::string_view>(*on_disk) : std::nullopt);
        if (!loaded) return loaded;
        bank->start(now, effects);
        bank->end_of_turn(now, effects);
        keep_table();
        return {};
    }
    void keep_table() {
        if (!effects.tables.empty()) table = effects.tables.back();
    }
    void quit() {
        for (int step = 0; step < 2; ++step) {
            bank->on_close(now, step, effects);
            bank->end_of_turn(now, effects);
        }
        keep_table();
    }
    Answer type(const std::string& line) {
        const CommandId id(next_command++);
        bank->on_command(now, id, line, effects);
        bank->end_of_turn(now, effects);
        keep_table();
        // What asks customers gives up in time: there are none here.
        for (int i = 0; i < 100 && !effects.answers.contains(id); ++i) {
            const auto wake = bank->next_wake();
            REQUIRE(wake.has_value());
            now = std::max(now, *wake);
            bank->on_timer(now, effects);
            bank->end_of_turn(now, effects);
        }
        REQUIRE(effects.answers.contains(id));
        return effects.answers.at(id);
    }
    std::string code(const std::string& line) {
        const Answer answer = type(line);
        return answer.outcome == Outcome::success ? "success" : answer.code;
    }
};

const std::string kHeader = "name,balance,ip_address,port1,port2,cohort,exit_state\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("bank: an account is opened once, and stands in the table") {
    Console console;
    REQUIRE(console.start(std::nullopt).ok());
    CHECK(console.table == kHeader);
    CHECK(console.type("open alice 100.50 127.0.0.1 9001 9002").text ==
          "open alice balance 100.50");
    CHECK(console.table == kHeader + "alice,100.50,127.0.0.1,9001,9002,,active\n");
    CHECK(console.code("open alice 7 127.0.0.1 9003 9004") == "name-taken");
    CHECK(console.table == kHeader + "alice,100.50,127.0.0.1,9001,9002,,active\n");
}

TEST_CASE("bank: bad commands are answered with a code and change nothing") {
    Console console;
    REQUIRE(console.start(std::nullopt).ok());
    console.type("open alice 100 127.0.0.1 9001 9002");
    const std::string before = *console.table;
    const std::pair<const char*, const char*> cases[] = {
        {"", "usage"},
        {"nonsense", "unknown-command"},
        {"open bob 100", "usage"},
        {"open 9bob 100 127.0.0.1 9001 9002", "bad-name"},
        {"open bank 100 127.0.0.1 9001 9002", "bad-name"},
        {"open bob -1 127.0.0.1 9001 9002", "bad-amount"},
        {"open bob 1e3 127.0.0.1 9001 9002", "bad-amount"},
        {"open bob 1000000000000001 127.0.0.1 9001 9002", "bad-amount"},
        {"open bob 1 127.0.0.256 9001 9002", "bad-address"},
        {"open bob 1 127.0.0.1 0 9002", "bad-port"},
        {"open bob 1 127.0.0.1 9001 65536", "bad-port"},
        {"open bob 1 127.0.0.1 9001 9001", "bad-port"},
        {"exit", "usage"},
        {"exit zed", "unknown-customer"},
        {"new-cohort alice", "usage"},
        {"new-cohort alice 1", "bad-count"},
        {"new-cohort alice 99999999999999999999", "bad-count"},
        {"new-cohort alice 2", "too-few"},
        {"delete-cohort alice", "not-in-cohort"},
        {"delete-cohort alice --forse", "usage"},
        {"customers all", "usage"},
        {"help nonsense", "usage"},
    };
    for (const auto& bad : cases) {
        CAPTURE(bad.first);
        CHECK(console.code(bad.first) == bad.second);
    }
    CHECK(*console.table == before);
}

TEST_CASE("bank: everything is there again after a kill") {
    Console console;
    REQUIRE(console.start(std::nullopt).ok());
    console.type("open alice 100 127.0.0.1 9001 9002");
    console.type("open bob 50 127.0.0.1 9003 9004");
    console.type("exit bob");
    const std::string before = *console.table;
    REQUIRE(console.start(console.table).ok());
    CHECK(*console.table == before);
    CHECK(console.code("exit bob") == "exited");
    CHECK(console.type("audit").text ==
          "audit balances 150 in-transit 0 expected 150 difference 0");
}

TEST_CASE("bank: a table that it was killed before replacing is brought up to date") {
    Console console;
    REQUIRE(console.start(std::nullopt).ok());
    console.type("open alice 100 127.0.0.1 9001 9002");
    const std::string stale = *console.table;
    console.type("open bob 50 127.0.0.1 9003 9004");
    const std::string newest = *console.table;
    REQUIRE(console.start(stale).ok());
    CHECK(*console.table == newest);
}

TEST_CASE("bank: rows that a person adds and balances that a person changes are taken over") {
    Console console;
    REQUIRE(console.start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n").ok());
    console.quit();
    const std::string edited = replaced(*console.table, "alice,100,", "alice,70.25,") +
                               "bob,5,127.0.0.1,9003,9004,,active\n";
    REQUIRE(console.start(edited).ok());
    CHECK(*console.table == edited);
    CHECK(console.type("audit").text ==
          "audit balances 75.25 in-transit 0 expected 75.25 difference 0");
}

TEST_CASE("bank: an edit back to an older table is an edit too") {
    Console console;
    REQUIRE(console.start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n").ok());
    console.quit();
    const std::string before = *console.table;
    REQUIRE(console.start(replaced(before, "alice,100,", "alice,150,")).ok());
    console.quit();
    REQUIRE(console.start(before).ok());
    CHECK(*console.table == before);
}

TEST_CASE("bank: an edit after a kill is refused, because it may rest on old balances") {
    Console console;
    REQUIRE(console.start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n").ok());
    const auto refused = console.start(replaced(*console.table, "alice,100,", "alice,150,"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == "bad-csv");
}

TEST_CASE("bank: killed right after it took an edit over, it does not take it over twice") {
    Console console;
    REQUIRE(console.start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n").ok());
    console.quit();
    const std::string edited = replaced(*console.table, "alice,100,", "alice,150.00,");
    REQUIRE(console.start(edited).ok());
    REQUIRE(console.start(edited).ok());  // the edited file still stands on the disk
    CHECK(console.type("audit").text ==
          "audit balances 150 in-transit 0 expected 150 difference 0");
}

TEST_CASE("bank: edits that no person may make are refused with the line") {
    Console console;
    REQUIRE(console
                .start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n" +
                       "bob,1,127.0.0.1,9003,9004,,exited\n")
                .ok());
    console.quit();
    const std::string table = *console.table;
    const std::pair<std::string, std::string> cases[] = {
        {replaced(table, "9002,,active", "9002,cohort-9,active"), "line 2"},
        {replaced(table, "9002,,active", "9002,,exited"), "line 2"},
        {replaced(table, "bob,1,", "bob,2,"), "line 3"},
        {replaced(table, "alice,100,127.0.0.1,9001,9002,,active\n", ""), "alice"},
        {table + "carol,1,127.0.0.1,9005,9005,,active\n", "line 4"},
        {table + "carol,1,127.0.0.1,9005,9006,cohort-1,active\n", "line 4"},
        {table + "carol,-1,127.0.0.1,9005,9006,,active\n", "line 4"},
        {table + "alice,1,127.0.0.1,9005,9006,,active\n", "line 4"},
    };
    for (const auto& edit : cases) {
        CAPTURE(edit.first);
        Console copy;
        copy.effects.records = console.effects.records;
        const auto refused = copy.start(edit.first);
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().message.find(edit.second) != std::string::npos);
    }
}

TEST_CASE("bank: its snapshot alone gives the same bank") {
    Console console;
    REQUIRE(console.start(kHeader + "alice,100,127.0.0.1,9001,9002,,active\n").ok());
    console.type("open bob 5 127.0.0.1 9003 9004");
    const auto records_of = [](const Bank& bank) {
        std::vector<std::string> records;
        bank.snapshot([&](std::string record) { records.push_back(std::move(record)); });
        return records;
    };
    const auto records = records_of(*console.bank);
    Bank copy(BankSettings{8});
    for (const std::string& record : records) REQUIRE(copy.replay(record).ok());
    CHECK(records_of(copy) == records);
}

TEST_CASE("bank: a record that is none of its own is refused") {
    Bank bank(BankSettings{1});
    CHECK_FALSE(bank.replay("\x01garbage").ok());
    CHECK_FALSE(bank.replay("").ok());
}
