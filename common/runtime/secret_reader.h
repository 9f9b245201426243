// Passwords of a script: lines from the descriptor of --password-fd, one for each question. Owned
// by the driver; loop's thread only. Nothing that was read stays behind in memory.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace p2pbank {

class SecretReader {
  public:
    static constexpr size_t kMaxLineBytes = 1'024;

    // `fd` stays the caller's. Errors: usage, when it cannot be read from, or is one that commands,
    // answers or the log have.
    static Result<SecretReader> open(int fd);
    SecretReader(SecretReader&& other) noexcept;
    SecretReader& operator=(SecretReader&&) = delete;
    ~SecretReader();

    // The next line, without its end, if it is there already; never waits. Errors: no-input, at the
    // end of the input or for a line that is too long, which is skipped.
    std::optional<Result<Secret>> next();
    int fd() const { return fd_; }

  private:
    explicit SecretReader(int fd) : fd_(fd) {}
    // False if there is nothing to read now.
    bool fill();
    void drop(size_t count);
    std::optional<Result<Secret>> take(size_t count, size_t end);

    int fd_;
    std::array<char, kMaxLineBytes + 2> buffer_{};  // a longest line with its end
    size_t filled_ = 0;
    bool at_end_ = false;
    bool skipping_ = false;  // inside a line that is too long
};

}  // namespace p2pbank
