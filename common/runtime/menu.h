// The dialogue of `menu` at a terminal: sections, numbered choices, one question for each word of a
// command, a last question before money moves. It only turns lines into text and at last into a
// command line; showing, reading and executing are the driver's, which makes one when somebody
// types `menu` and drops it when it is left. No terminal in here: it is tested like a function.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/menu_items.h"

namespace p2pbank {

class Menu {
  public:
    struct Style {
        bool colour = false;  // where the terminal has it and the person has not declined it
    };

    // What comes next: text to show, whole lines; then a line to read under `prompt` and to give to
    // take(); or a command to execute, after which continued() goes on; or the end.
    struct Step {
        std::string text;
        std::string prompt;
        std::optional<std::string> command;
        bool left = false;
    };

    // Requires that every section has an entry.
    Menu(std::vector<MenuSection> sections, Style style);

    // The first step.
    Step begin() const;
    // Any line that a person typed. Requires that the step before asked for one.
    Step take(std::string_view line);
    // After the answer to a command: back in its section.
    Step continued() const;

  private:
    const MenuSection& section() const { return sections_[*section_]; }
    const MenuEntry& entry() const { return section().entries[*entry_]; }

    Step show_sections() const;
    Step show_entries() const;
    Step choose_section(std::string_view line);
    Step choose_entry(std::string_view line);
    Step take_field(std::string_view line);
    Step next_field();
    Step back_to_entries(const std::string& why);
    Step execute();
    std::string header(std::string_view text) const;
    std::string choice(size_t number, std::string_view text) const;
    std::string complaint(const std::string& text) const;

    std::vector<MenuSection> sections_;
    Style style_;
    std::optional<size_t> section_;
    std::optional<size_t> entry_;  // being filled in
    size_t field_ = 0;             // the next to be asked for; behind the last: whether to do it
    std::string line_;             // of the command so far
};

}  // namespace p2pbank
