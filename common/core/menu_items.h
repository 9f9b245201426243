// What a node offers in its menu: plain data, from which the runtime makes a dialogue at a terminal
// (common/runtime/menu.h). Everything in it is also a command: an entry is filled in to a line that
// could have been typed.
#pragma once

#include <string>
#include <vector>

namespace p2pbank {

// One word of the command, typed by the person.
struct MenuField {
    std::string prompt;     // "Amount"
    bool optional = false;  // may be left empty, and is then left out of the line
    std::string flag = {};  // stands before it: "--note"; empty: the word stands alone
};

struct MenuEntry {
    std::string title;  // "Put cash into the account"
    std::string verb;
    // In the order of the command line. One that is optional and has no flag is the last of those
    // that have none.
    std::vector<MenuField> fields = {};
    bool moves_money = false;  // is asked about before it is done
};

struct MenuSection {
    std::string title;
    std::vector<MenuEntry> entries;
};

}  // namespace p2pbank
