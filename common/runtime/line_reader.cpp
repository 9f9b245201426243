#include "common/runtime/line_reader.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "common/base/check.h"
#include "common/base/limits.h"

namespace p2pbank {
namespace {

constexpr size_t kBufferBytes = 16 * 1'024;
static_assert(kBufferBytes > 2 * limits::kMaxLineBytes, "there must be room behind a partial line");

}  // namespace

LineReader::LineReader(int fd) : fd_(fd) {
    struct stat status = {};
    if (::fstat(fd, &status) != 0) {
        at_end_ = true;
        always_ready_ = true;
        return;
    }
    const bool terminal = ::isatty(fd) == 1;
    always_ready_ = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) ||
                    (S_ISCHR(status.st_mode) && !terminal);
    if (S_ISFIFO(status.st_mode) || terminal) {
        const std::string name = "/proc/self/fd/" + std::to_string(fd);
        reopened_ = Fd(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        if (reopened_) fd_ = reopened_.get();
    }
}

std::optional<LineReader::Line> LineReader::next() {
    for (;;) {
        const size_t newline = filled().find('\n', searched_);
        if (newline == std::string_view::npos) break;
        std::string_view text = filled().substr(begin_, newline - begin_);
        begin_ = searched_ = newline + 1;
        if (std::exchange(skipping_, false)) continue;  // the end of one that was reported already
        if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
        if (text.size() > limits::kMaxLineBytes) return Line{{}, true};
        return Line{text, false};
    }
    searched_ = end_;
    const std::string_view rest = filled().substr(begin_);
    if (rest.size() > limits::kMaxLineBytes + 1 || skipping_) {  // + 1: a carriage return
        begin_ = end_;
        if (std::exchange(skipping_, true)) return std::nullopt;
        return Line{{}, true};
    }
    if (!at_end_ || rest.empty()) return std::nullopt;
    begin_ = end_;
    return Line{rest, false};
}

bool LineReader::fill() {
    if (at_end_) return false;
    buffer_.resize(kBufferBytes);
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    searched_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
    P2PBANK_CHECK(end_ < kBufferBytes);
    ssize_t n = 0;
    do {
        n = ::read(fd_, buffer_.data() + end_, kBufferBytes - end_);
    } while (n < 0 && errno == EINTR);
    if (n > 0) end_ += static_cast<size_t>(n);
    // An error other than "not now" ends the input: a terminal that is gone, a closed descriptor.
    const bool nothing_yet = n < 0 && errno == EAGAIN;
    if (n <= 0 && !nothing_yet) at_end_ = true;
    return !nothing_yet;
}

std::optional<LineReader::Line> LineReader::wait_next() {
    for (;;) {
        if (std::optional<Line> line = next()) return line;
        if (at_end_) return std::nullopt;
        if (!fill()) {
            pollfd ready = {fd_, POLLIN, 0};
            ::poll(&ready, 1, -1);
        }
    }
}

}  // namespace p2pbank
