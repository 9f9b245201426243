// The log: what happens on its own, for the person who watches. Goes to standard error, and while a
// person edits a line at a terminal, above that line. Made by main, used on the loop's thread only.
// A reader that does not read makes lines get lost, never the program wait.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/core/effects.h"

namespace p2pbank {

class Log {
  public:
    // `level` is one of levels().
    Log(const std::string& name, const std::string& level);
    ~Log();
    static const std::vector<std::string>& levels();

    void notice(Severity severity, std::string_view text);
    // What other programs wait for, and why a program does not start: not subject to the level.
    void always(Severity severity, std::string_view text);
    bool debugging() const;
    void debug(std::string_view text);

    // Lines go to `show` instead, with their newline; nullptr: to standard error again.
    void show_with(std::function<void(std::string_view)> show);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace p2pbank
