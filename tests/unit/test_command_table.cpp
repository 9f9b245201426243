#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "bank/command_list.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/core/command_table.h"
#include "customer/command_list.h"

using namespace p2pbank;

namespace {

using Words = std::vector<std::string_view>;
using Strings = std::vector<std::string>;

constexpr CommandSpec kTable[] = {
    {"deposit", "deposit <amount> [--note <text>]", "puts cash into the account", "deposit 100",
     "Account"},
    {"balance", "balance", "the balance at this moment", "balance", "Account"},
    {"loan", "loan <amount> <months>", "borrows", "loan 100 12", "Loans"},
    {"loans", "loans", "all loans", "loans", "Loans"},
    {"sign-in", "sign-in <email>", "signs in", "sign-in a@b.example", "Person"},
    {"sign-out", "sign-out", "ends being signed in", "sign-out", "Person"},
    {"purchases", "purchases [<customer>|--product <id>] [--csv]", "what was bought", "purchases",
     "Shop"},
    {"help", "help [<command>]", "this list", "help loan", "Program"},
};

std::string unknown_text(std::string_view verb) {
    const Answer answer = unknown_command(kTable, verb);
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.code == "unknown-command");
    return answer.text;
}

const std::map<std::string, CommandTable> kTables = {{"bank", bank::command_table()},
                                                     {"customer", customer::command_table()}};

bool has_option(std::string_view usage, const std::string& flag) {
    for (const char* end : {" ", "]", ""}) {
        const std::string with_end = flag + end;
        if (*end == '\0' ? usage.ends_with(flag) : usage.find(with_end) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("commands: help lists every command with its usage, under its section") {
    const Answer answer = help_answer(kTable, Words{"help"});
    CHECK(to_lines(answer).starts_with("SUCCESS help\n  Account\n    deposit <amount>"));
    for (const CommandSpec& command : kTable) {
        CAPTURE(command.verb);
        CHECK(std::count(answer.lines.begin(), answer.lines.end(),
                         "  " + std::string(command.usage)) == 1);
        CHECK(std::count(answer.lines.begin(), answer.lines.end(), command.section) == 1);
    }
    REQUIRE(answer.tables.size() == 1);
    CHECK(answer.tables[0].second.size() == std::size(kTable));
    CHECK(to_json(answer).find(R"("example":"loan 100 12")") != std::string::npos);
}

TEST_CASE("commands: help of one command gives its usage, what it does and an example") {
    const Answer answer = help_answer(kTable, Words{"help", "deposit"});
    CHECK(to_lines(answer) ==
          "SUCCESS help\n"
          "  deposit <amount> [--note <text>]\n"
          "      puts cash into the account\n"
          "      for example: deposit 100\n");
    CHECK(to_lines(help_answer(kTable, Strings{"help", "deposit"})) == to_lines(answer));
}

TEST_CASE("commands: help of what is no command, or of two, is a wrong usage") {
    const Answer unknown = help_answer(kTable, Words{"help", "nonsense"});
    CHECK(unknown.code == "usage");
    CHECK(unknown.text == "'nonsense' is not a command; `help` lists them");
    CHECK(help_answer(kTable, Words{"help", "dpeosit"}).text ==
          "'dpeosit' is not a command; did you mean `deposit`? `help` lists them");
    const Answer two = help_answer(kTable, Words{"help", "loan", "loans"});
    CHECK(to_lines(two) == "FAILURE usage: write: help [<command>]\n");
}

TEST_CASE("commands: a wrong form is answered with the right one") {
    CHECK(usage_of(kTable, "loan") == "loan <amount> <months>");
    CHECK(to_lines(usage_failure(kTable, "loan")) ==
          "FAILURE usage: write: loan <amount> <months>\n");
}

TEST_CASE("commands: a mistyped command is answered with what was meant") {
    CHECK(unknown_text("dpeosit") ==
          "'dpeosit' is not a command; did you mean `deposit`? `help` lists the commands");
    for (const std::string_view typed :
         {"depsit", "depositt", "depozit", "dpoesit", "Deposit", "DEPOSIT", "dep", "depo"}) {
        CAPTURE(typed);
        CHECK(nearest_commands(kTable, typed) == Words{"deposit"});
    }
    CHECK(unknown_text("sign") ==
          "'sign' is not a command; did you mean `sign-in` or `sign-out`? "
          "`help` lists the commands");
    CHECK(nearest_commands(kTable, "laons") == Words{"loans"});
    CHECK(nearest_commands(kTable, "balnace") == Words{"balance"});
}

TEST_CASE("commands: nothing is suggested for a word that is near to none") {
    CHECK(unknown_text("frobnicate") == "'frobnicate' is not a command; `help` lists the commands");
    for (const std::string& typed :
         {std::string("xyz"), std::string("lxxn"), std::string("eposits-x"), std::string("-"),
          std::string("deposit-something"), std::string(1'000, 'd'), std::string("\xff\x00\x01", 3),
          std::string("d\033[2J")}) {
        CAPTURE(typed);
        CHECK(nearest_commands(kTable, typed).empty());
    }
    CHECK(unknown_text("\033[2J").find('\033') == std::string::npos);
    CHECK(to_lines(unknown_command(kTable, "")) ==
          "FAILURE usage: an empty line is no command; `help` lists the commands\n");
}

TEST_CASE("commands: a prefix of too many commands is no guess") {
    constexpr CommandSpec kMany[] = {{"add-a", "", "", "", ""},
                                     {"add-bb", "", "", "", ""},
                                     {"add-ccc", "", "", "", ""},
                                     {"add-dddd", "", "", "", ""}};
    CHECK(nearest_commands(std::span(kMany).first(3), "ad") == Words{"add-a", "add-bb", "add-ccc"});
    CHECK(nearest_commands(kMany, "ad").empty());
    CHECK(unknown_command(std::span(kMany).first(3), "ad").text ==
          "'ad' is not a command; did you mean `add-a`, `add-bb` or `add-ccc`? `help` lists the "
          "commands");
}

TEST_CASE("commands: the tab key completes verbs, and options behind a verb") {
    CHECK(complete_verb(kTable, "sig") == Strings{"sign-in", "sign-out"});
    CHECK(complete_verb(kTable, "").size() == std::size(kTable));
    CHECK(complete_line(kTable, "").size() == std::size(kTable));
    CHECK(complete_line(kTable, "lo") == Strings{"loan", "loans"});
    CHECK(complete_line(kTable, "help ba") == Strings{"balance"});
    CHECK(complete_line(kTable, "help ").size() == std::size(kTable));
    CHECK(complete_line(kTable, "deposit 5 ") == Strings{"--note"});
    CHECK(complete_line(kTable, "deposit 5 --n") == Strings{"--note"});
    CHECK(complete_line(kTable, "deposit 5 --note ").empty());
    CHECK(complete_line(kTable, "purchases ") == Strings{"--product", "--csv"});
    CHECK(complete_line(kTable, "purchases --csv --").size() == 1);
    CHECK(complete_line(kTable, "balance ").empty());
    CHECK(complete_line(kTable, "nonsense ").empty());
}

TEST_CASE("commands: each in the lists is told in full, once, with an example of its own") {
    for (const auto& entry : kTables) {
        const std::string& who = entry.first;
        const CommandTable table = entry.second;
        std::set<std::string_view> verbs;
        std::set<std::string_view> sections;
        std::string_view section;
        for (const CommandSpec& command : table) {
            CAPTURE(who);
            CAPTURE(command.verb);
            CHECK(verbs.insert(command.verb).second);
            CHECK(split_words(command.usage).at(0) == command.verb);
            CHECK(split_words(command.example).at(0) == command.verb);
            CHECK(command.example.size() <= limits::kMaxLineBytes);
            CHECK(std::count(command.example.begin(), command.example.end(), '"') % 2 == 0);
            CHECK_FALSE(command.summary.empty());
            CHECK_FALSE(command.summary.ends_with('.'));
            CHECK(command.usage.size() < 96);
            CHECK(command.summary.size() < 90);
            if (command.section != section) CHECK(sections.insert(command.section).second);
            section = command.section;
            CHECK(nearest_commands(table, command.verb) == Words{command.verb});
        }
    }
}

TEST_CASE("commands: an example has as many words as its usage asks for") {
    for (const auto& entry : kTables) {
        const std::string& who = entry.first;
        const CommandTable table = entry.second;
        for (const CommandSpec& command : table) {
            CAPTURE(who);
            CAPTURE(command.verb);
            // What is in quotes is one word, what is in brackets may be left out.
            std::string example(command.example);
            for (size_t open = 0; (open = example.find('"')) != std::string::npos;) {
                const size_t close = example.find('"', open + 1);
                example.replace(open, close - open + 1, "x");
            }
            const std::string needed(command.usage.substr(0, command.usage.find('[')));
            const size_t least = split_words(needed).size();
            const size_t most = split_words(command.usage).size();
            CHECK(split_words(example).size() >= least);
            CHECK(split_words(example).size() <= most);
        }
    }
}

TEST_CASE("commands: what a teller types at either prompt is written in the same way") {
    const CommandTable staff = bank::command_table();
    for (const std::string_view verb :
         {"add-product", "edit-product", "remove-product", "restock", "report", "add-biller",
          "remove-biller", "people", "role", "settings", "set", "refusals", "products", "search",
          "services", "bills", "purchases", "schedule"}) {
        CAPTURE(verb);
        CHECK(usage_of(staff, verb) == usage_of(customer::command_table(), verb));
    }
}

TEST_CASE("commands: the least role is what the command can do harm with") {
    using bank::least_role;
    using bank::Role;
    using bank::Whose;
    for (const std::string_view verb :
         {"products", "search", "services", "bills", "statement", "purchases", "tokens", "loans",
          "schedule", "register", "verify", "sign-in", "sign-out", "passwd"}) {
        CAPTURE(verb);
        CHECK(least_role(verb) == Role::customer);
    }
    for (const std::string_view verb :
         {"add-product", "edit-product", "remove-product", "restock", "report"}) {
        CAPTURE(verb);
        CHECK(least_role(verb) == Role::teller);
    }
    for (const std::string_view verb :
         {"role", "people", "set", "add-biller", "remove-biller", "refusals"}) {
        CAPTURE(verb);
        CHECK(least_role(verb) == Role::admin);
    }
    for (const std::string_view verb : {"statement", "purchases", "loans", "schedule"}) {
        CAPTURE(verb);
        CHECK(least_role(verb, Whose::another) == Role::teller);
    }
    CHECK(least_role("tokens", Whose::another) == Role::admin);
    for (const std::string_view verb :
         {"import", "export", "save", "customers", "cohorts", "audit", "quit", "", "nonsense"}) {
        CAPTURE(verb);
        CHECK_FALSE(least_role(verb).has_value());
    }
}

TEST_CASE("menu: everything in it is a command, filled in as its usage says") {
    const std::map<std::string, std::vector<MenuSection>> menus = {
        {"bank", bank::menu_sections()}, {"customer", customer::menu_sections()}};
    for (const auto& menu : menus) {
        const std::string& who = menu.first;
        const CommandTable table = kTables.at(who);
        for (const MenuSection& section : menu.second) {
            CHECK_FALSE(section.entries.empty());
            for (const MenuEntry& entry : section.entries) {
                CAPTURE(who);
                CAPTURE(entry.title);
                REQUIRE(find_command(table, entry.verb) != nullptr);
                const std::string_view usage = usage_of(table, entry.verb);
                size_t words = 1;
                size_t least = 1;
                for (const MenuField& field : entry.fields) {
                    if (!field.flag.empty()) CHECK(has_option(usage, field.flag));
                    words += field.flag.empty() ? 1 : 2;
                    if (!field.optional) least += field.flag.empty() ? 1 : 2;
                }
                CHECK(least >= split_words(usage.substr(0, usage.find('['))).size());
                CHECK(words <= split_words(usage).size());
            }
        }
    }
}

TEST_CASE("menu: it asks before money moves") {
    std::set<std::string> asked;
    for (const MenuSection& section : customer::menu_sections()) {
        for (const MenuEntry& entry : section.entries) {
            if (entry.moves_money) asked.insert(entry.verb);
        }
    }
    CHECK(asked == std::set<std::string>{"buy", "deposit", "exit", "loan", "lost-transfer", "pay",
                                         "repay", "rollback", "transfer", "withdrawal"});
}
