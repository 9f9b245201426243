#include "common/runtime/menu.h"

#include <algorithm>
#include <charconv>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

constexpr std::string_view kHeader = "\033[1;36m";
constexpr std::string_view kNumber = "\033[1m";
constexpr std::string_view kComplaint = "\033[31m";
constexpr std::string_view kPlain = "\033[0m";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kChoicePrompt = "Choice: ";

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_control(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// As one word of a command line, which is what it has to be whatever was typed.
std::string as_word(std::string_view text) {
    if (text.find_first_of(" \t\"\\") == std::string_view::npos) return std::string(text);
    std::string word = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') word += '\\';
        word += c;
    }
    return word + '"';
}

// 1 to `most`, or 0; nothing if it is not one of these.
std::optional<size_t> parse_choice(std::string_view text, size_t most) {
    size_t number = 0;
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number > most) return std::nullopt;
    return number;
}

}  // namespace

Menu::Menu(std::vector<MenuSection> sections, Style style)
    : sections_(std::move(sections)), style_(style) {
    for (const MenuSection& one : sections_) P2PBANK_CHECK(!one.entries.empty());
}

Menu::Step Menu::begin() const {
    return show_sections();
}

Menu::Step Menu::continued() const {
    return section_ ? show_entries() : show_sections();
}

Menu::Step Menu::take(std::string_view line) {
    line = trimmed(line);
    if (!section_) return choose_section(line);
    if (!entry_) return choose_entry(line);
    return take_field(line);
}

Menu::Step Menu::show_sections() const {
    Step step;
    step.text = header("Menu");
    for (size_t i = 0; i < sections_.size(); ++i) step.text += choice(i + 1, sections_[i].title);
    step.text += choice(0, "Leave the menu");
    step.prompt = kChoicePrompt;
    return step;
}

Menu::Step Menu::show_entries() const {
    const std::vector<MenuEntry>& entries = section().entries;
    Step step;
    step.text = header(section().title);
    for (size_t i = 0; i < entries.size(); ++i) step.text += choice(i + 1, entries[i].title);
    step.text += choice(0, "Back");
    step.prompt = kChoicePrompt;
    return step;
}

Menu::Step Menu::choose_section(std::string_view line) {
    const std::optional<size_t> number = line.empty() ? 0 : parse_choice(line, sections_.size());
    if (!number) {
        Step step;
        step.text = complaint(quote(line) + " is not a choice; 1 to " +
                              std::to_string(sections_.size()) + ", or 0 to leave the menu");
        step.prompt = kChoicePrompt;
        return step;
    }
    if (*number == 0) {
        Step step;
        step.left = true;
        return step;
    }
    section_ = *number - 1;
    return show_entries();
}

Menu::Step Menu::choose_entry(std::string_view line) {
    const size_t most = section().entries.size();
    const std::optional<size_t> number = line.empty() ? 0 : parse_choice(line, most);
    if (!number) {
        Step step;
        step.text = complaint(quote(line) + " is not a choice; 1 to " + std::to_string(most) +
                              ", or 0 to go back");
        step.prompt = kChoicePrompt;
        return step;
    }
    if (*number == 0) {
        section_.reset();
        return show_sections();
    }
    entry_ = *number - 1;
    field_ = 0;
    line_ = entry().verb;
    return next_field();
}

Menu::Step Menu::take_field(std::string_view line) {
    if (field_ == entry().fields.size()) {
        if (line == "y" || line == "Y" || line == "yes" || line == "Yes") return execute();
        return back_to_entries("Nothing was done.");
    }
    const MenuField& field = entry().fields[field_];
    if (line.empty() && !field.optional) return back_to_entries("Nothing was done.");
    if (std::any_of(line.begin(), line.end(), is_control)) {
        Step step = next_field();
        step.text = complaint("that holds characters that cannot be shown");
        return step;
    }
    if (!line.empty()) {
        if (!field.flag.empty()) line_ += ' ' + field.flag;
        line_ += ' ' + as_word(line);
        if (line_.size() > limits::kMaxLineBytes) {
            return back_to_entries("Nothing was done: a command has at most " +
                                   std::to_string(limits::kMaxLineBytes) + " bytes.");
        }
    }
    ++field_;
    return next_field();
}

// Asks for what is missing; when nothing is, the command is complete.
Menu::Step Menu::next_field() {
    Step step;
    if (field_ < entry().fields.size()) {
        const MenuField& field = entry().fields[field_];
        step.prompt = field.prompt + (field.optional ? " (may be left empty): " : ": ");
        return step;
    }
    if (!entry().moves_money) return execute();
    step.prompt = line_ + "? [y/N] ";
    return step;
}

Menu::Step Menu::back_to_entries(const std::string& why) {
    entry_.reset();
    Step step = show_entries();
    step.text = complaint(why) + step.text;
    return step;
}

Menu::Step Menu::execute() {
    entry_.reset();
    Step step;
    step.command = line_;
    return step;
}

std::string Menu::header(std::string_view text) const {
    std::string line = "\n";
    if (style_.colour) line += kHeader;
    line.append("== ").append(text).append(" ==");
    if (style_.colour) line += kPlain;
    return line + '\n';
}

std::string Menu::choice(size_t number, std::string_view text) const {
    const std::string digits = std::to_string(number);
    std::string line(digits.size() < 2 ? 2 : 1, ' ');
    if (style_.colour) line += kNumber;
    line += digits;
    if (style_.colour) line += kPlain;
    return line.append("  ").append(text).append("\n");
}

std::string Menu::complaint(const std::string& text) const {
    if (!style_.colour) return text + '\n';
    return std::string(kComplaint) + text + std::string(kPlain) + '\n';
}

}  // namespace p2pbank
