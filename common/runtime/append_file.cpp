#include "common/runtime/append_file.h"

#include <cerrno>
#include <fcntl.h>
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

Error AppendFile::failed(const std::string& doing) const {
    return {"io-error", "cannot " + doing + " " + what_ + " " + path_ + ": " +
                            std::generic_category().message(errno)};
}

}  // namespace p2pbank
