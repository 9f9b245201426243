#include "common/runtime/keys.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/base/secret.h"
#include "common/runtime/fd.h"
#include "common/runtime/posix_storage.h"
#include "common/runtime/process.h"

namespace p2pbank {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr size_t kHexBytes = 2 * sizeof(Key);

Error io_error(const std::string& doing, const std::string& path) {
    return {"io-error",
            "cannot " + doing + " " + path + ": " + std::generic_category().message(errno)};
}

// Nothing if the text is no key.
std::optional<Key> parse(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (text.size() != kHexBytes) return std::nullopt;
    Key key{};
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const size_t digit =
            kHexDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
        if (digit == std::string_view::npos) return std::nullopt;
        key[i / 2] = static_cast<unsigned char>(unsigned{key[i / 2]} << 4U | digit);
    }
    return key;
}

// Nothing if there is no file.
Result<std::optional<Key>> read(const std::string& path, bool secret) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd && errno == ENOENT) return std::optional<Key>();
    if (!fd) return io_error("open the key", path);
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) return io_error("read the key", path);
    if (secret && (status.st_mode & 0077U) != 0) {
        return Error{"bad-key", path +
                                    " is a secret, and others than its owner may read it: if "
                                    "nobody has, run chmod 600 " +
                                    path};
    }
    std::string text(kHexBytes + 8, '\0');
    const ssize_t n = ::read(fd.get(), text.data(), text.size());
    if (n < 0) return io_error("read the key", path);
    const std::optional<Key> key = parse(std::string_view(text).substr(0, static_cast<size_t>(n)));
    Secret::wipe(text);
    if (key) return key;
    return Error{"bad-key", path +
                                " does not hold a key, which is one line of 64 hexadecimal "
                                "digits: put a copy of the file back, or remove it" +
                                (secret ? " for a new key, which customers will ask about"
                                        : " to meet the bank anew")};
}

Result<void> write_new(const std::string& path, const Key& key) {
    const auto [folder, name] = split_path(path);
    auto storage = PosixStorage::open_folder(folder);
    if (!storage) return storage.error();
    std::string line;
    for (const unsigned char byte : key) {
        line += kHexDigits[byte >> 4U];
        line += kHexDigits[byte & 0xFU];
    }
    line += '\n';
    const std::string fresh = name + ".new-" + std::to_string(::getpid());
    const Result<void> removed = storage.value()->remove(fresh);  // it may have another mode
    if (!removed) return removed;
    auto file = storage.value()->create(fresh);
    Result<void> done = file ? file.value()->write(0, line) : Result<void>(file.error());
    Secret::wipe(line);
    if (done) done = file.value()->sync();
    // Another program may be making one at the same time: the first stays.
    if (done && ::link((folder + "/" + fresh).c_str(), path.c_str()) != 0 && errno != EEXIST) {
        done = io_error("make the key", path);
    }
    const Result<void> tidied = storage.value()->remove(fresh);
    if (done) done = tidied;
    if (done) done = storage.value()->sync_folder();
    return done;
}

}  // namespace

Result<Key> own_key(const std::string& path) {
    for (;;) {
        const Result<std::optional<Key>> there = read(path, true);
        if (!there) return there.error();
        if (there.value()) return *there.value();
        Key key{};
        random_bytes(key);
        if (auto written = write_new(path, key); !written) return written.error();
    }
}

Result<std::optional<Key>> remembered_key(const std::string& path) {
    return read(path, false);
}

}  // namespace p2pbank
