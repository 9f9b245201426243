#include "common/runtime/keys.h"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include <sodium.h>

#include "common/base/secret.h"
#include "common/runtime/fd.h"
#include "common/runtime/permissions.h"
#include "common/runtime/process.h"

namespace p2pbank {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
Error io_error(const std::string& doing, const std::string& path) {
    return {"io-error",
            "cannot " + doing + " " + path + ": " + std::generic_category().message(errno)};
}

// Nothing if the text is not exactly that.
template <size_t Bytes>
std::optional<std::array<unsigned char, Bytes>> parse(std::string_view text) {
    if (text.size() != 2 * Bytes) return std::nullopt;
    std::array<unsigned char, Bytes> key{};
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const size_t digit =
            kHexDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
        if (digit == std::string_view::npos) return std::nullopt;
        key[i / 2] = static_cast<unsigned char>(unsigned{key[i / 2]} << 4U | digit);
    }
    return key;
}

// The file's line, without its end; nothing if there is no file. A longer file is cut off, and then
// holds no key.
Result<std::optional<Secret>> read_line(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd && errno == ENOENT) return std::optional<Secret>();
    if (!fd) return io_error("open the key", path);
    std::string text(4 * sizeof(TwoKeys), '\0');
    const ssize_t n = ::read(fd.get(), text.data(), text.size());
    if (n < 0) {
        Secret::wipe(text);
        return io_error("read the key", path);
    }
    text.resize(static_cast<size_t>(n));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return std::optional<Secret>(Secret(std::move(text)));
}

Secret line_of(const Key& key) {
    std::string line;
    line.reserve(2 * sizeof key + 1);  // growing would leave copies behind
    for (const unsigned char byte : key) {
        line += kHexDigits[byte >> 4U];
        line += kHexDigits[byte & 0xFU];
    }
    line += '\n';
    return Secret(std::move(line));
}

Result<void> write_file(PosixStorage& storage, const std::string& name, const Key& key) {
    if (auto removed = storage.remove(name); !removed) return removed;  // it may have another mode
    auto file = storage.create(name);
    if (!file) return file.error();
    if (auto written = file.value()->write(0, line_of(key).view()); !written) return written;
    return file.value()->sync();
}

}  // namespace

Result<void> keep_key(const std::string& path, const Key& key) {
    const auto [folder, name] = split_path(path);
    auto storage = PosixStorage::open_folder(folder);
    if (!storage) return storage.error();
    const std::string fresh = name + ".new-" + std::to_string(::getpid());
    Result<void> done = write_file(*storage.value(), fresh, key);
    // Another program may be making one at the same time: the first stays.
    if (done && ::link((folder + "/" + fresh).c_str(), path.c_str()) != 0 && errno != EEXIST) {
        done = io_error("make the key", path);
    }
    const Result<void> tidied = storage.value()->remove(fresh);
    if (done) done = tidied;
    if (done) done = storage.value()->sync_folder();
    return done;
}

Result<Key> own_key(const std::string& path) {
    for (;;) {
        const Result<std::optional<Key>> there = existing_key(path);
        if (!there) return there.error();
        if (there.value()) return *there.value();
        Key key{};
        random_bytes(key);
        const Result<void> written = keep_key(path, key);
        sodium_memzero(key.data(), key.size());
        if (!written) return written.error();
    }
}

Result<std::optional<Key>> existing_key(const std::string& path) {
    if (auto mine = check_private_file(path); !mine) return mine.error();
    const Result<std::optional<Secret>> line = read_line(path);
    if (!line) return line.error();
    if (!line.value()) return std::optional<Key>();
    if (const std::optional<Key> key = parse<sizeof(Key)>(line.value()->view())) return key;
    return Error{"bad-key", path +
                                " does not hold a key, which is one line of 64 hexadecimal "
                                "digits: put a copy of the file back. If there is none, remove "
                                "it and start with --new-key; what follows from that is said "
                                "then"};
}

Result<void> write_key(PosixStorage& storage, const std::string& name, const Key& key) {
    const std::string fresh = name + ".new";
    Result<void> done = write_file(storage, fresh, key);
    if (done) done = storage.rename(fresh, name);
    if (done) done = storage.sync_folder();
    if (!done) (void)storage.remove(fresh);
    return done;
}

Result<std::optional<TwoKeys>> remembered_keys(const std::string& path) {
    if (auto mine = check_not_writable_by_others(path); !mine) return mine.error();
    const Result<std::optional<Secret>> line = read_line(path);
    if (!line) return line.error();
    if (!line.value()) return std::optional<TwoKeys>();
    const std::string_view text = line.value()->view();
    if (const std::optional<TwoKeys> keys = parse<sizeof(TwoKeys)>(text)) return keys;
    const bool of_before = parse<sizeof(Key)>(text).has_value();
    return Error{"bad-key",
                 path + (of_before ? " is of an earlier version of the program, whose banks had "
                                     "one key: remove it to meet the bank anew"
                                   : " does not hold two keys, which are one line of 128 "
                                     "hexadecimal digits: put a copy of the file back, or remove "
                                     "it to meet the bank anew")};
}

}  // namespace p2pbank
