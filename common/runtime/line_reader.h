// Commands as lines from standard input, from a pipe, a file or a terminal in its ordinary mode.
// Made by main, which reads what it has to ask for; the driver goes on with the same reader, so
// that nothing that was read ahead is lost. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/runtime/fd.h"

namespace p2pbank {

class LineReader {
  public:
    struct Line {
        std::string_view text;  // without its end; valid until the next call of fill()
        bool too_long = false;  // more than limits::kMaxLineBytes: text is empty
    };

    // Reads from `fd`, which stays the caller's. Where it is a pipe or a terminal, it is opened
    // once more, so that not waiting for it is not forced upon the other programs that share it.
    explicit LineReader(int fd);

    // The next line read so far. The last one of the input needs no newline.
    std::optional<Line> next();
    // As next(), and waits for it where needed. Nothing at the end of the input.
    std::optional<Line> wait_next();

    // Reads once more. Requires that next() has nothing to give. False if there was nothing to read
    // for now.
    bool fill();
    // Nothing more will be read; next() may still have lines.
    bool at_end() const { return at_end_; }
    // A file, or something like it: never makes anybody wait, and cannot be waited for.
    bool always_ready() const { return always_ready_; }
    int fd() const { return fd_; }

  private:
    std::string_view filled() const { return {buffer_.data(), end_}; }

    Fd reopened_;
    int fd_;
    bool always_ready_ = false;
    bool at_end_ = false;
    bool skipping_ = false;  // inside a line that is too long
    std::string buffer_;
    size_t begin_ = 0;     // of what next() has not given out
    size_t searched_ = 0;  // no newline from begin_ up to here
    size_t end_ = 0;       // of what was read
};

}  // namespace p2pbank
