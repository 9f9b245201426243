// What a node's commands are called and how they are written, as a table of constants: `help`, the
// answer to a word that is no command, and completion follow from it. A node has one table; this
// knows neither bank nor customer. What a command does is the node's own business.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/answer.h"

namespace p2pbank {

struct CommandSpec {
    std::string_view verb;
    std::string_view usage;    // "deposit <amount> [--note <text>]"
    std::string_view summary;  // one line, without a full stop
    std::string_view example;  // a line that could be typed
    std::string_view section;  // commands of one section stand together in the table
};

using CommandTable = std::span<const CommandSpec>;

// nullptr if there is no such command.
const CommandSpec* find_command(CommandTable table, std::string_view verb);

// How `verb` is written. Requires that the table has it.
std::string_view usage_of(CommandTable table, std::string_view verb);
// FAILURE usage: write: deposit <amount> [--note <text>]. Requires that the table has the verb.
Answer usage_failure(CommandTable table, std::string_view verb);

// FAILURE unknown-command, with the commands that may have been meant; or, for one of `elsewhere`,
// the program that has it ("at the bank's prompt"). An empty verb, of an empty line, is FAILURE
// usage.
Answer unknown_command(CommandTable table, std::string_view verb,
                       std::span<const std::string_view> elsewhere = {},
                       std::string_view where = {});

// The answer to `help` and `help <command>`: `words` are all words of the line.
Answer help_answer(CommandTable table, std::span<const std::string_view> words);
Answer help_answer(CommandTable table, std::span<const std::string> words);

// The commands that may have been meant by a word that is none: those with the fewest letters
// wrong, missing, too many or swapped (two at most, and fewer than half of them); else those that
// begin with it. Empty if there is none, or if there are too many to guess.
std::vector<std::string_view> nearest_commands(CommandTable table, std::string_view verb);

// The verbs that begin with `begun`.
std::vector<std::string> complete_verb(CommandTable table, std::string_view begun);
// Words that could follow what is typed, as far as the table knows: verbs first and behind `help`,
// the options of a command behind its verb. Names of accounts and the like are the node's to add.
std::vector<std::string> complete_line(CommandTable table, std::string_view line);

}  // namespace p2pbank
