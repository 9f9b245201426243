// Editing of a command line at a terminal: libedit with history and completion. Owned by the
// driver, and only there when standard input and output both are a terminal; loop's thread only.
//
// Waiting for a key is the driver's business: read_line() calls wait_for_key(), which runs the
// event loop meanwhile. So nothing that a person does or leaves undone, a lone escape, a search in
// the history, keeps the node waiting.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/jobs.h"

namespace p2pbank {

class Terminal {
  public:
    struct Hooks {
        // Blocks until `fd` may have something to read: true; or until the program ends: false.
        std::function<bool()> wait_for_key;
        // Words that could follow what is typed.
        std::function<std::vector<std::string>(std::string_view line)> complete;
    };

    // Reads keys from `fd`, which does not block. Loads the history, if there is one.
    Terminal(std::string prompt, int fd, Hooks hooks);
    ~Terminal();  // saves the history, gives the terminal back as it was

    // One command line without its newline; nothing at the end of the input or of the program.
    std::optional<std::string> read_line();
    // The same for text that is no command: under a prompt of its own, without completion, and not
    // remembered.
    std::optional<std::string> read_text(std::string prompt);

    // Asks, and reads one line without editing or history; hidden: without showing what is typed.
    // Requires that read_line() has been called before. Nothing at the end of the input or of the
    // program.
    std::optional<Secret> ask(const Question& question);

    // Whether people want colours here: NO_COLOR is not set, and TERM is one that has them.
    static bool has_colour();

    // Writes text that ends in a newline; while a line is edited, above it.
    void show(std::string_view text);

    void window_changed();
    void continued();  // after the program was stopped from the keyboard

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace p2pbank
