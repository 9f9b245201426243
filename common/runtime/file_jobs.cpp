#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/runtime/fd.h"
#include "common/runtime/jobs.h"
#include "common/runtime/posix_storage.h"

namespace p2pbank {
namespace {

Error io_error(const std::string& doing, const std::string& path) {
    return {"io-error",
            "cannot " + doing + " " + path + ": " + std::generic_category().message(errno)};
}

Result<std::string> read_whole(const ReadFile& job) {
    // A pipe or a device without a reader on its other end must not make us wait.
    const Fd fd(::open(job.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd && errno == ENOENT) return Error{"not-found", "there is no file " + job.path};
    if (!fd) return io_error("open", job.path);
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) return io_error("read", job.path);
    if (!S_ISREG(status.st_mode)) return Error{"io-error", job.path + " is not a regular file"};
    std::string text;
    // It may grow while it is read: one byte more than allowed shows that.
    constexpr size_t kPieceBytes = 1'024 * 1'024;
    while (text.size() <= job.max_bytes) {
        const size_t before = text.size();
        text.resize(std::min(before + kPieceBytes, job.max_bytes + 1));
        const ssize_t n = ::read(fd.get(), text.data() + before, text.size() - before);
        text.resize(before + (n > 0 ? static_cast<size_t>(n) : 0));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error("read", job.path);
        if (n == 0) return text;
    }
    return Error{"too-large",
                 job.path + " has more than " + std::to_string(job.max_bytes) + " bytes"};
}

Result<void> write_new(const std::string& path, std::string_view content) {
    // It may hold the amounts of everybody: whoever exports it decides who else may read it.
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return io_error("write", path);
    while (!content.empty()) {
        const ssize_t n = ::write(fd.get(), content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return io_error("write", path);
        content.remove_prefix(static_cast<size_t>(n));
    }
    if (::fsync(fd.get()) != 0) return io_error("sync", path);
    return {};
}

// One file on its way into its place, and back out of it where another one cannot follow.
struct Replacement {
    explicit Replacement(std::string in_place) : path(std::move(in_place)) {}

    std::string path;
    std::string fresh = path + ".new";
    std::string before = path + ".before";  // a second name of what was there
    bool kept = false;
    bool placed = false;

    Result<void> place() {
        ::unlink(before.c_str());
        kept = ::link(path.c_str(), before.c_str()) == 0;
        if (!kept && errno != ENOENT) {  // not every file system gives a file a second name
            kept = ::rename(path.c_str(), before.c_str()) == 0;
            if (!kept && errno != ENOENT) return io_error("keep", path);
        }
        if (::rename(fresh.c_str(), path.c_str()) != 0) return io_error("replace", path);
        placed = true;
        return {};
    }
    void undo() const {
        ::unlink(fresh.c_str());
        if (kept) {
            ::rename(before.c_str(), path.c_str());  // nothing happens between names of one file
            ::unlink(before.c_str());
        } else if (placed) {
            ::unlink(path.c_str());
        }
    }
    void settle() const {
        if (kept) ::unlink(before.c_str());
    }
};

Result<void> write_all(const WriteFiles& job, std::vector<Replacement>& replacements) {
    for (const auto& [name, content] : job.files) {
        if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) {
            return Error{"io-error", "\"" + name + "\" cannot be the name of a file here"};
        }
        Replacement& one = replacements.emplace_back(job.folder + "/" + name);
        struct stat status = {};
        if (::stat(one.path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
            return Error{"io-error", one.path + " is there and is not a regular file"};
        }
        if (auto written = write_new(one.fresh, content); !written) return written;
    }
    for (Replacement& one : replacements) {
        if (auto placed = one.place(); !placed) return placed;
    }
    return sync_folder_at(job.folder);
}

}  // namespace

JobResult carry_out(const ReadFile& job) {
    JobResult result;
    Result<std::string> text = read_whole(job);
    if (text) {
        result.text = std::move(text).value();
    } else {
        result.outcome = text.error();
    }
    return result;
}

JobResult carry_out(const WriteFiles& job) {
    JobResult result;
    result.outcome = make_folder(job.folder, 0700);
    if (!result.outcome) return result;
    std::vector<Replacement> replacements;
    result.outcome = write_all(job, replacements);
    for (const Replacement& one : replacements) {
        if (result.outcome) {
            one.settle();
        } else {
            one.undo();
        }
    }
    return result;
}

}  // namespace p2pbank
