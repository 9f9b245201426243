#include "common/runtime/output.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <utility>

#include "common/base/check.h"

namespace p2pbank {
namespace {

constexpr size_t kMostCapacityKept = 64 * 1'024;  // after a long answer

}  // namespace

Output::Output(int fd) : fd_(fd) {
    struct stat status = {};
    if (::fstat(fd, &status) != 0) {
        broken_ = true;
        return;
    }
    // A file is never opened again: that would start at its beginning.
    if (S_ISREG(status.st_mode) || S_ISCHR(status.st_mode)) return;
    if (S_ISFIFO(status.st_mode)) {
        const std::string name = "/proc/self/fd/" + std::to_string(fd);
        reopened_ = Fd(::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    }
    ask_first_ = !reopened_;
    if (reopened_) fd_ = reopened_.get();
}

bool Output::flush() {
    while (!empty() && !broken_) {
        size_t count = kept().size();
        if (ask_first_) {
            // What has room at all takes this much without waiting.
            count = std::min<size_t>(count, PIPE_BUF);
            pollfd ready = {fd_, POLLOUT, 0};
            if (::poll(&ready, 1, 0) == 0) return false;
        }
        const ssize_t n = ::write(fd_, kept().data(), count);
        if (n >= 0) {
            written_ += static_cast<size_t>(n);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            broken_ = true;
        }
    }
    drop();
    return true;
}

void Output::drop() {
    written_ = 0;
    kept_.clear();
    if (kept_.capacity() > kMostCapacityKept) kept_.shrink_to_fit();
}

CommandId AnswerBook::open() {
    answers_.emplace_back();
    return CommandId(first_ + answers_.size() - 1);
}

void AnswerBook::put(CommandId command, Outcome outcome, std::string text) {
    P2PBANK_CHECK(command.value() >= first_ && command.value() - first_ < answers_.size());
    std::optional<std::string>& answer = answers_[command.value() - first_];
    P2PBANK_CHECK(!answer);
    answer = std::move(text);
    if (outcome != Outcome::success) all_succeeded_ = false;
}

void AnswerBook::move_to(Output& out) {
    while (!answers_.empty() && answers_.front()) {
        out.write(*answers_.front());
        answers_.pop_front();
        ++first_;
    }
}

std::optional<CommandId> AnswerBook::first_unanswered() const {
    for (size_t i = 0; i < answers_.size(); ++i) {
        if (!answers_[i]) return CommandId(first_ + i);
    }
    return std::nullopt;
}

}  // namespace p2pbank
