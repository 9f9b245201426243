// Standard output that never makes the loop wait, and the book that puts answers in the order of
// their commands. Owned by the driver; loop's thread only.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/core/answer.h"
#include "common/runtime/fd.h"

namespace p2pbank {

// Writes to a descriptor what fits, and keeps the rest. Used for answers and for the log.
class Output {
  public:
    // `fd` stays the caller's. A pipe is opened once more, so that not waiting for it is not forced
    // upon the other programs that share it.
    explicit Output(int fd);

    void write(std::string_view text) { kept_ += text; }
    // Writes what the reader takes now. True if nothing is left to write.
    bool flush();
    // What is left to write.
    std::string_view kept() const { return std::string_view(kept_).substr(written_); }
    bool empty() const { return written_ == kept_.size(); }
    void drop();
    // The reader is gone; what is written from now on is dropped.
    bool broken() const { return broken_; }
    int fd() const { return fd_; }

  private:
    Fd reopened_;
    int fd_;
    bool ask_first_ = false;  // could not be opened once more: ask each time whether it has room
    bool broken_ = false;
    std::string kept_;
    size_t written_ = 0;  // bytes of kept_
};

class AnswerBook {
  public:
    // The id of the next command.
    CommandId open();
    // Its answer. Requires that it has none yet.
    void put(CommandId command, Outcome outcome, std::string text);
    // Moves the answers that are next in order to `out`.
    void move_to(Output& out);

    // Commands whose answer has not been moved out yet.
    size_t outstanding() const { return answers_.size(); }
    // The first command without an answer.
    std::optional<CommandId> first_unanswered() const;
    bool all_succeeded() const { return all_succeeded_; }

  private:
    std::deque<std::optional<std::string>> answers_;
    uint64_t first_ = 1;  // the id of answers_.front()
    bool all_succeeded_ = true;
};

}  // namespace p2pbank
