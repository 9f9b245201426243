#include "common/core/command_table.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

constexpr size_t kMostLettersWrong = 2;
constexpr size_t kMostSuggested = 3;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
    return result;
}

// How many letters are wrong, missing, too many, or swapped with their neighbour (Damerau and
// Levenshtein, each letter changed once at most).
size_t letters_wrong(std::string_view a, std::string_view b) {
    std::vector<size_t> before_last(b.size() + 1);
    std::vector<size_t> last(b.size() + 1);
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, changed});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

// "'dpeosit' is not a command; did you mean `deposit`? "
std::string not_a_command(CommandTable table, std::string_view verb) {
    std::string text = quote(verb) + " is not a command; ";
    const std::vector<std::string_view> meant = nearest_commands(table, verb);
    for (size_t i = 0; i < meant.size(); ++i) {
        text += i == 0 ? "did you mean `" : i + 1 < meant.size() ? ", `" : " or `";
        text += meant[i];
        text += '`';
    }
    return meant.empty() ? text : text + "? ";
}

Answer::Fact text_fact(std::string name, std::string_view value) {
    return {std::move(name), std::string(value), false};
}

std::vector<Answer::Fact> facts_of(const CommandSpec& command) {
    return {text_fact("command", command.verb), text_fact("usage", command.usage),
            text_fact("summary", command.summary), text_fact("example", command.example),
            text_fact("section", command.section)};
}

Answer all_commands(CommandTable table) {
    Answer answer = success("help");
    std::vector<std::vector<Answer::Fact>> rows;
    std::string_view section;
    for (const CommandSpec& command : table) {
        if (command.section != section) answer.line(std::string(command.section));
        section = command.section;
        answer.line("  " + std::string(command.usage));
        answer.line("      " + std::string(command.summary));
        rows.push_back(facts_of(command));
    }
    answer.tables.emplace_back("commands", std::move(rows));
    return answer;
}

}  // namespace

const CommandSpec* find_command(CommandTable table, std::string_view verb) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const CommandSpec& command) {
        return command.verb == verb;
    });
    return found == table.end() ? nullptr : &*found;
}

std::string_view usage_of(CommandTable table, std::string_view verb) {
    const CommandSpec* command = find_command(table, verb);
    P2PBANK_CHECK(command != nullptr);
    return command->usage;
}

Answer usage_failure(CommandTable table, std::string_view verb) {
    return failure("usage", "write: " + std::string(usage_of(table, verb)));
}

Answer unknown_command(CommandTable table, std::string_view verb,
                       std::span<const std::string_view> elsewhere, std::string_view where) {
    if (verb.empty()) {
        return failure("usage", "an empty line is no command; `help` lists the commands");
    }
    if (std::find(elsewhere.begin(), elsewhere.end(), verb) != elsewhere.end()) {
        return failure("unknown-command", quote(verb) + " is typed " + std::string(where) +
                                              ", not here; `help` lists the commands");
    }
    return failure("unknown-command", not_a_command(table, verb) + "`help` lists the commands");
}

Answer help_answer(CommandTable table, std::span<const std::string_view> words) {
    if (words.size() <= 1) return all_commands(table);
    if (words.size() > 2) return failure("usage", "write: help [<command>]");
    const CommandSpec* command = find_command(table, words[1]);
    if (command == nullptr) {
        return failure("usage", not_a_command(table, words[1]) + "`help` lists them");
    }
    Answer answer = success("help");
    answer.line(std::string(command->usage));
    answer.line("    " + std::string(command->summary));
    answer.line("    for example: " + std::string(command->example));
    answer.tables.emplace_back("commands",
                               std::vector<std::vector<Answer::Fact>>{facts_of(*command)});
    return answer;
}

Answer help_answer(CommandTable table, std::span<const std::string> words) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    return help_answer(table, std::span<const std::string_view>(views));
}

std::vector<std::string_view> nearest_commands(CommandTable table, std::string_view verb) {
    const std::string typed = lower(verb);
    std::vector<std::string_view> nearest;
    size_t fewest = kMostLettersWrong;
    for (const CommandSpec& command : table) {
        const size_t longer = std::max(typed.size(), command.verb.size());
        const size_t shorter = std::min(typed.size(), command.verb.size());
        if (longer - shorter > fewest) continue;
        const size_t wrong = letters_wrong(typed, command.verb);
        if (wrong > fewest || 2 * wrong >= longer) continue;
        if (wrong < fewest) nearest.clear();
        fewest = wrong;
        nearest.push_back(command.verb);
    }
    if (nearest.empty() && !typed.empty()) {
        for (const CommandSpec& command : table) {
            if (command.verb.starts_with(typed)) nearest.push_back(command.verb);
        }
    }
    if (nearest.size() > kMostSuggested) nearest.clear();
    return nearest;
}

std::vector<std::string> complete_verb(CommandTable table, std::string_view begun) {
    std::vector<std::string> found;
    for (const CommandSpec& command : table) {
        if (command.verb.starts_with(begun)) found.emplace_back(command.verb);
    }
    return found;
}

std::vector<std::string> complete_line(CommandTable table, std::string_view line) {
    const std::vector<std::string_view> words = split_words(line);
    const bool new_word = words.empty() || line.back() == ' ' || line.back() == '\t';
    const std::string_view begun = new_word ? std::string_view() : words.back();
    const size_t position = words.size() + (new_word ? 1 : 0);
    if (position <= 1 || (position == 2 && words[0] == "help")) return complete_verb(table, begun);
    std::vector<std::string> found;
    const CommandSpec* command = find_command(table, words[0]);
    if (command == nullptr) return found;
    const auto typed_end = words.end() - (new_word ? 0 : 1);
    // "[--from" and "customer|--product" hold an option too.
    for (const std::string_view part : split_words(command->usage)) {
        const size_t start = part.find("--");
        if (start == std::string_view::npos) continue;
        const std::string_view option = part.substr(start, part.find(']', start) - start);
        const bool typed = std::find(words.begin() + 1, typed_end, option) != typed_end;
        if (!typed && option.starts_with(begun)) found.emplace_back(option);
    }
    return found;
}

}  // namespace p2pbank
