#include "common/runtime/secret_reader.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace p2pbank {
namespace {

void wipe(char* bytes, size_t count) {
    volatile char* all = bytes;
    for (size_t i = 0; i < count; ++i) all[i] = 0;
}

}  // namespace

Result<SecretReader> SecretReader::open(int fd) {
    const int mode = ::fcntl(fd, F_GETFL);
    if (fd <= STDERR_FILENO || mode < 0 || (mode & O_ACCMODE) == O_WRONLY) {
        return Error{"usage", "--password-fd: descriptor " + std::to_string(fd) +
                                  " is not one to read passwords from: open it in the shell, as in "
                                  "--password-fd 3 3<passwords"};
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return SecretReader(fd);
}

SecretReader::SecretReader(SecretReader&& other) noexcept
    : fd_(other.fd_),
      buffer_(other.buffer_),
      filled_(other.filled_),
      at_end_(other.at_end_),
      skipping_(other.skipping_) {
    other.drop(other.filled_);
}

SecretReader::~SecretReader() {
    wipe(buffer_.data(), buffer_.size());
}

std::optional<Result<Secret>> SecretReader::next() {
    for (;;) {
        const auto* const begin = buffer_.data();
        const auto* const newline = std::find(begin, begin + filled_, '\n');
        const auto length = static_cast<size_t>(newline - begin);
        if (length < filled_) {
            auto line = take(length, length + 1);
            if (line) return line;
        } else if (filled_ == buffer_.size()) {
            const bool reported = std::exchange(skipping_, true);
            drop(filled_);
            if (!reported) return take(buffer_.size(), 0);
        } else if (at_end_) {
            if (filled_ > 0) {
                auto line = take(filled_, filled_);
                if (line) return line;
            }
            return Result<Secret>(Error{"no-input", "there is no further line at --password-fd"});
        } else if (!fill()) {
            return std::nullopt;
        }
    }
}

// A line of `count` bytes, `end` with its end. Nothing for the rest of one that was reported.
std::optional<Result<Secret>> SecretReader::take(size_t count, size_t end) {
    if (end > 0 && std::exchange(skipping_, false)) {
        drop(end);
        return std::nullopt;
    }
    if (count > 0 && count < end && buffer_[count - 1] == '\r') --count;
    if (count > kMaxLineBytes) {
        drop(end);
        return Result<Secret>(Error{"no-input", "a line at --password-fd has more than " +
                                                    std::to_string(kMaxLineBytes) + " bytes"});
    }
    Secret line(std::string(buffer_.data(), count));
    drop(end);
    return Result<Secret>(std::move(line));
}

bool SecretReader::fill() {
    pollfd ready = {fd_, POLLIN, 0};
    if (::poll(&ready, 1, 0) == 0) return false;
    const ssize_t n = ::read(fd_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return errno == EINTR;
    if (n <= 0) at_end_ = true;
    if (n > 0) filled_ += static_cast<size_t>(n);
    return true;
}

void SecretReader::drop(size_t count) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(count),
              buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
    filled_ -= count;
    wipe(buffer_.data() + filled_, buffer_.size() - filled_);
}

}  // namespace p2pbank
