#include "common/runtime/posix_storage.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>

namespace p2pbank {
namespace {

Error io_error(const std::string& what, const std::string& path) {
    const int reason = errno;
    return Error{reason == ENOENT ? "not-found" : "io-error",
                 "cannot " + what + " " + path + ": " + std::generic_category().message(reason)};
}

class PosixFile final : public File {
  public:
    PosixFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    Result<uint64_t> size() override {
        struct stat status = {};
        if (::fstat(fd_.get(), &status) != 0) return io_error("look at", path_);
        return static_cast<uint64_t>(status.st_size);
    }

    Result<std::string> read(uint64_t offset, size_t count) override {
        std::string bytes(count, '\0');
        size_t done = 0;
        while (done < count) {
            const ssize_t n = ::pread(fd_.get(), bytes.data() + done, count - done,
                                      static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return io_error("read", path_);
            if (n == 0) break;
            done += static_cast<size_t>(n);
        }
        bytes.resize(done);
        return bytes;
    }

    Result<void> write(uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t n =
                ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return io_error("write", path_);
            bytes.remove_prefix(static_cast<size_t>(n));
            offset += static_cast<uint64_t>(n);
        }
        return {};
    }

    Result<void> truncate(uint64_t size) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
            return io_error("truncate", path_);
        }
        return {};
    }

    // Not repeated after an error, not even EINTR: the kernel may have dropped the pages by then,
    // and a second call would report a success that is none.
    Result<void> sync() override {
        if (::fdatasync(fd_.get()) != 0) return io_error("sync", path_);
        return {};
    }

  private:
    std::string path_;
    Fd fd_;
};

}  // namespace

Result<std::unique_ptr<PosixStorage>> PosixStorage::open_folder(const std::string& path) {
    Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return io_error("open the folder", path);
    return std::unique_ptr<PosixStorage>(new PosixStorage(path, std::move(folder)));
}

Result<std::unique_ptr<File>> PosixStorage::open_with(const std::string& name, int flags) {
    const std::string path = path_ + "/" + name;
    Fd fd(::openat(folder_.get(), name.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd) return io_error("open", path);
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) return io_error("look at", path);
    if (!S_ISREG(status.st_mode)) return Error{"io-error", path + " is not a regular file"};
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(fd)));
}

Result<std::unique_ptr<File>> PosixStorage::open(const std::string& name) {
    return open_with(name, O_RDWR);
}

Result<std::unique_ptr<File>> PosixStorage::create(const std::string& name) {
    return open_with(name, O_RDWR | O_CREAT | O_TRUNC);
}

Result<void> PosixStorage::rename(const std::string& from, const std::string& to) {
    if (::renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str()) != 0) {
        return io_error("rename to " + to + " the file", path_ + "/" + from);
    }
    return {};
}

Result<void> PosixStorage::remove(const std::string& name) {
    if (::unlinkat(folder_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        return io_error("remove", path_ + "/" + name);
    }
    return {};
}

Result<void> PosixStorage::sync_folder() {
    if (::fsync(folder_.get()) != 0) return io_error("sync the folder", path_);
    return {};
}

bool PosixStorage::has(const std::string& name) const {
    struct stat status = {};
    return ::fstatat(folder_.get(), name.c_str(), &status, 0) == 0;
}

Result<std::string> PosixStorage::read_all(const std::string& name) {
    // A table may be write-protected by the person who edits it: reading is enough here.
    Result<std::unique_ptr<File>> file = open_with(name, O_RDONLY);
    if (!file) return file.error();
    const Result<uint64_t> size = file.value()->size();
    if (!size) return size.error();
    return file.value()->read(0, size.value());
}

std::pair<std::string, std::string> split_path(const std::string& path) {
    const size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return {".", path};
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

Result<void> make_folder(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0) return sync_folder_at(split_path(path).first);
    if (errno == EEXIST) {
        struct stat status = {};
        if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
        return Error{"io-error", path + " is not a folder"};
    }
    const std::string above = split_path(path).first;
    if (errno != ENOENT || above == path) return io_error("make the folder", path);
    const Result<void> made = make_folder(above, 0755);
    if (!made) return made;
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return io_error("make the folder", path);
    }
    return sync_folder_at(above);
}

Result<void> sync_folder_at(const std::string& path) {
    Result<std::unique_ptr<PosixStorage>> folder = PosixStorage::open_folder(path);
    if (!folder) return folder.error();
    return folder.value()->sync_folder();
}

Result<FolderLock> FolderLock::take(const std::string& path) {
    for (;;) {
        Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!fd) return io_error("open", path);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EINTR) continue;
            if (errno == EWOULDBLOCK) {
                return Error{"in-use", path + " is locked by another running program"};
            }
            return io_error("lock", path);
        }
        // The holder before us may have removed the file while we waited for nothing: a lock on a
        // file that is no longer there keeps nobody out.
        struct stat held = {};
        struct stat there = {};
        if (::fstat(fd.get(), &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
            held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
            return FolderLock(std::move(fd));
        }
    }
}

}  // namespace p2pbank
