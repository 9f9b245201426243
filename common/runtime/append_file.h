// A file to which a program adds while it runs: a trace, a recording, a log of keys. Nobody else's
// to read: it is made with mode 0600. Owned by the driver; loop's thread only.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/runtime/fd.h"

namespace p2pbank {

class AppendFile {
  public:
    // `what` it is, for messages: "the trace". Errors: io-error.
    static Result<AppendFile> open(const std::string& what, const std::string& path);

    void write(std::string_view bytes) { kept_ += bytes; }
    // Hands to the system what was written. Errors: io-error; the file then has a gap, and nothing
    // else is wrong.
    Result<void> flush();
    // At once, and without a copy. Requires that everything is flushed. Errors: as flush().
    Result<void> write_now(std::string_view bytes);

    int fd() const { return fd_.get(); }
    // Refuses to add to what is of another kind: a file that has a content that does not begin so.
    // Errors: bad-file, io-error.
    Result<void> check_begins_with(std::string_view beginning) const;
    // "cannot <doing> the trace <path>: <the system's reason>"
    Error failed(const std::string& doing) const;

  private:
    AppendFile(std::string what, std::string path, Fd fd)
        : what_(std::move(what)), path_(std::move(path)), fd_(std::move(fd)) {}

    std::string what_;
    std::string path_;
    Fd fd_;
    std::string kept_;
};

}  // namespace p2pbank
