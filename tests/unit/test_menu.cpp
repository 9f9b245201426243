#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/runtime/menu.h"

using namespace p2pbank;

namespace {

std::vector<MenuSection> sections() {
    return {{"Account",
             {{"Balance", "balance"},
              {"Deposit", "deposit", {{"Amount"}, {"Note", true, "--note"}}, true}}},
            {"Shop",
             {{"Search", "search", {{"Category"}}},
              {"Purchases", "purchases", {{"Name", true}}},
              {"Roll back", "rollback", {}, true}}}};
}

Menu plain() {
    return Menu(sections(), {});
}

const std::string kSections =
    "\n== Menu ==\n"
    "  1  Account\n"
    "  2  Shop\n"
    "  0  Leave the menu\n";
const std::string kAccount =
    "\n== Account ==\n"
    "  1  Balance\n"
    "  2  Deposit\n"
    "  0  Back\n";
const std::string kShop =
    "\n== Shop ==\n"
    "  1  Search\n"
    "  2  Purchases\n"
    "  3  Roll back\n"
    "  0  Back\n";

// Takes each line; the last step.
Menu::Step after(Menu& menu, const std::vector<std::string>& lines) {
    Menu::Step step = menu.begin();
    for (const std::string& line : lines) {
        REQUIRE_FALSE(step.left);
        step = step.command ? menu.continued() : std::move(step);
        step = menu.take(line);
    }
    return step;
}

std::string command_after(const std::vector<std::string>& lines) {
    Menu menu = plain();
    return after(menu, lines).command.value_or("");
}

}  // namespace

TEST_CASE("menu: begins with the sections, numbered") {
    Menu menu = plain();
    const Menu::Step step = menu.begin();
    CHECK(step.text == kSections);
    CHECK(step.prompt == "Choice: ");
    CHECK_FALSE(step.command);
    CHECK_FALSE(step.left);
}

TEST_CASE("menu: a number opens a section, 0 or an empty line goes back, and then leaves") {
    for (const std::string& back : {std::string("0"), std::string(), std::string("  ")}) {
        Menu menu = plain();
        CHECK(menu.take("1").text == kAccount);
        CHECK(menu.take(back).text == kSections);
        CHECK(menu.take(" 2 ").text == kShop);
        CHECK(menu.take(back).text == kSections);
        CHECK(menu.take(back).left);
    }
}

TEST_CASE("menu: what is no choice is told, and asked again") {
    for (const std::string& line : {std::string("3"), std::string("-1"), std::string("1x"),
                                    std::string("deposit"), std::string("1 2"), std::string("1.0"),
                                    std::string("99999999999999999999999"), std::string("+1")}) {
        CAPTURE(line);
        Menu menu = plain();
        const Menu::Step step = menu.take(line);
        CHECK(step.text.ends_with(" is not a choice; 1 to 2, or 0 to leave the menu\n"));
        CHECK(step.prompt == "Choice: ");
        CHECK_FALSE(step.left);
        CHECK(menu.take("1").text == kAccount);
        CHECK(menu.take(line).text.ends_with(" is not a choice; 1 to 2, or 0 to go back\n"));
        CHECK(menu.take("1").command == "balance");
    }
    Menu menu = plain();
    CHECK(menu.take("\033[2J").text.find('\033') == std::string::npos);
}

TEST_CASE("menu: a command without fields is executed at once, and its section comes back") {
    Menu menu = plain();
    const Menu::Step step = after(menu, {"1", "1"});
    CHECK(step.command == "balance");
    CHECK(step.text.empty());
    CHECK_FALSE(step.left);
    CHECK(menu.continued().text == kAccount);
    CHECK(menu.take("1").command == "balance");
}

TEST_CASE("menu: fields are asked for one by one, and money moves only after a yes") {
    Menu menu = plain();
    CHECK(after(menu, {"1", "2"}).prompt == "Amount: ");
    CHECK(menu.take("100").prompt == "Note (may be left empty): ");
    const Menu::Step asked = menu.take("");
    CHECK(asked.prompt == "deposit 100? [y/N] ");
    CHECK_FALSE(asked.command);
    CHECK(menu.take("y").command == "deposit 100");

    for (const std::string yes : {"y", "Y", "yes", " yes "}) {
        CHECK(command_after({"1", "2", "100", "", yes}) == "deposit 100");
    }
    for (const std::string no : {"", "n", "no", "0", "1", "yy", "maybe"}) {
        CAPTURE(no);
        Menu other = plain();
        const Menu::Step step = after(other, {"1", "2", "100", "", no});
        CHECK_FALSE(step.command);
        CHECK(step.text == "Nothing was done.\n" + kAccount);
        CHECK(other.take("1").command == "balance");
    }
    Menu without_fields = plain();
    CHECK(after(without_fields, {"2", "3"}).prompt == "rollback? [y/N] ");
}

TEST_CASE("menu: a needed field left empty goes back without doing anything") {
    Menu menu = plain();
    const Menu::Step step = after(menu, {"1", "2", ""});
    CHECK_FALSE(step.command);
    CHECK(step.text == "Nothing was done.\n" + kAccount);
    CHECK(menu.take("0").text == kSections);
}

TEST_CASE("menu: what was begun and dropped leaves nothing in the next command") {
    CHECK(command_after({"1", "2", "100", "old", "n", "2", "7", "", "y"}) == "deposit 7");
    CHECK(command_after({"1", "2", "100", "", "y", "1"}) == "balance");
}

TEST_CASE("menu: an optional field is left out, or stands behind its flag") {
    CHECK(command_after({"2", "2", ""}) == "purchases");
    CHECK(command_after({"2", "2", "alice"}) == "purchases alice");
    CHECK(command_after({"1", "2", "5", "salary", "y"}) == "deposit 5 --note salary");
}

TEST_CASE("menu: what was typed into a field stays one word of the command") {
    CHECK(command_after({"2", "1", "home and garden"}) == "search \"home and garden\"");
    CHECK(command_after({"2", "1", "  light  "}) == "search light");
    CHECK(command_after({"2", "1", "a \"b\" \\c"}) == R"(search "a \"b\" \\c")");
    CHECK(command_after({"2", "1", "\""}) == R"(search "\"")");
    CHECK(command_after({"2", "1", "a\tb"}) == "search \"a\tb\"");
    CHECK(command_after({"2", "1",
                         "Stra\xc3\x9f"
                         "e"}) ==
          "search Stra\xc3\x9f"
          "e");
    CHECK(command_after({"1", "2", "5", "rent, May", "y"}) == "deposit 5 --note \"rent, May\"");
    Menu menu = plain();
    CHECK(after(menu, {"1", "2", "5", "rent, May"}).prompt ==
          "deposit 5 --note \"rent, May\"? [y/N] ");
}

TEST_CASE("menu: control characters in a field are refused and asked again") {
    Menu menu = plain();
    const Menu::Step step = after(menu, {"2", "1", "a\033[2Jb"});
    CHECK_FALSE(step.command);
    CHECK(step.text == "that holds characters that cannot be shown\n");
    CHECK(step.prompt == "Category: ");
    CHECK(menu.take("ab").command == "search ab");
}

TEST_CASE("menu: a command is never longer than a line may be") {
    const std::string most(limits::kMaxLineBytes - std::string("search ").size(), 'x');
    CHECK(command_after({"2", "1", most}).size() == limits::kMaxLineBytes);
    Menu menu = plain();
    const Menu::Step step = after(menu, {"2", "1", most + "x"});
    CHECK_FALSE(step.command);
    CHECK(step.text.starts_with("Nothing was done: a command has at most 1024 bytes."));
    CHECK(step.text.ends_with(kShop));
}

TEST_CASE("menu: colours only where they are wanted, and never in a prompt or a command") {
    const auto coloured = [](const std::string& text) {
        return text.find('\033') != std::string::npos;
    };
    Menu colour(sections(), {true});
    Menu without = plain();
    CHECK(coloured(colour.begin().text));
    CHECK(colour.begin().text.find("== Menu ==") != std::string::npos);
    CHECK(coloured(colour.take("9").text));
    for (const std::string line : {"9", "1", "x", "2", "100", "", "n", "2", "100", "", "y"}) {
        CHECK_FALSE(coloured(without.take(line).text));
    }
    Menu again(sections(), {true});
    for (const std::string line : {"1", "2", "100", "", "y"}) {
        const Menu::Step step = again.take(line);
        CHECK_FALSE(coloured(step.prompt));
        CHECK_FALSE(coloured(step.command.value_or("")));
    }
}
