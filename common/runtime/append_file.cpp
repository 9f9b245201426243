#include "common/runtime/append_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace p2pbank {

Result<AppendFile> AppendFile::open(const std::string& what, const std::string& path) {
    AppendFile file(what, path,
                    Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)));
    if (!file.fd_) return file.failed("open");
    return file;
}

Result<void> AppendFile::flush() {
    Result<void> written = write_now(kept_);
    kept_.clear();
    return written;
}

Result<void> AppendFile::write_now(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return failed("write");
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

Result<void> AppendFile::check_begins_with(std::string_view beginning) const {
    struct stat status = {};
    if (::fstat(fd_.get(), &status) != 0) return failed("look at");
    if (!S_ISREG(status.st_mode) || status.st_size == 0) return {};
    std::string found(beginning.size(), '\0');
    const ssize_t n = ::pread(fd_.get(), found.data(), found.size(), 0);
    if (n < 0) return failed("read");
    found.resize(static_cast<size_t>(n));
    // A program that was killed may have left a part of its first line.
    if (beginning.starts_with(found)) return {};
    return Error{"bad-file", path_ + ": " + what_ +
                                 " would be added to a file of another kind: move it away, or "
                                 "give another name"};
}

Error AppendFile::failed(const std::string& doing) const {
    return {"io-error", "cannot " + doing + " " + what_ + " " + path_ + ": " +
                            std::generic_category().message(errno)};
}

}  // namespace p2pbank
