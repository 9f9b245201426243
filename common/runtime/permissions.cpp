#include "common/runtime/permissions.h"

#include <cerrno>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace p2pbank {
namespace {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
constexpr mode_t kOthersAnything = S_IRWXG | S_IRWXO;

// As it can be pasted behind a command: in quotes where a shell would see more in it.
std::string quoted(const std::string& path) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:=@%";
    if (path.find_first_not_of(kPlain) == std::string::npos) return path;
    std::string out = "'";
    for (const char c : path) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

// Nothing in `forbidden` may be allowed to others. `mended` is chmod's first argument.
Result<void> check(const std::string& path, mode_t forbidden, const std::string& what,
                   const std::string& mended) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return {};
        return Error{"io-error",
                     "cannot look at " + path + ": " + std::generic_category().message(errno)};
    }
    if (status.st_uid != ::geteuid() && status.st_uid != 0) {
        return Error{"too-open", path + " belongs to another user (number " +
                                     std::to_string(status.st_uid) +
                                     "), who could change it: run as that user, or run chown " +
                                     std::to_string(::geteuid()) + " " + quoted(path)};
    }
    const bool only_own_files = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if (only_own_files && forbidden == kOthersWrite) return {};
    if ((status.st_mode & forbidden) == 0) return {};
    return Error{"too-open",
                 path + " " + what + ": if nobody has, run chmod " + mended + " " + quoted(path)};
}

}  // namespace

Result<void> check_private_folder(const std::string& path) {
    return check(path, kOthersAnything,
                 "is the state of an account, and others than its owner may look into it", "700");
}

Result<void> check_private_file(const std::string& path) {
    return check(path, kOthersAnything,
                 "is private, and others than its owner may read or write it", "600");
}

Result<void> check_named_file(const std::string& path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        return Error{
            "bad-file",
            path +
                (S_ISDIR(status.st_mode) ? " is a folder" : " is a device or a pipe, and no file") +
                ": give the name of a file of your own"};
    }
    return check_private_file(path);
}

Result<void> check_not_writable_by_others(const std::string& path) {
    return check(path, kOthersWrite, "may be changed by others than its owner", "go-w");
}

}  // namespace p2pbank
