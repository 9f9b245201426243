// Key files: 32 bytes as one line of 64 hexadecimal digits, or two keys as one line of 128. For the
// mains and Store.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/runtime/posix_storage.h"
#include "common/secure/keyed_random.h"

namespace p2pbank {

using Key = KeyBytes;
using TwoKeys = std::array<unsigned char, 64>;

// The program's own secret (data/bank.key, state/<name>/key), as it is in the file; nothing if
// there is none. Errors: too-open, when others than its owner may read or write the file; bad-key,
// when it does not hold a key; io-error. The message says how to mend it.
Result<std::optional<Key>> existing_key(const std::string& path);
// The same; where there is none it is drawn and kept.
Result<Key> own_key(const std::string& path);
// Writes the secret to `path`, durably, where there is no file yet: one that is there stays.
// Errors: io-error.
Result<void> keep_key(const std::string& path, const Key& key);
// Writes a secret durably to the file, in place of what is there. Errors: io-error.
Result<void> write_key(PosixStorage& storage, const std::string& name, const Key& key);

// Somebody else's public keys (secure::keys_from_bytes reads them), nothing if there is no file.
// Errors: bad-key, also for a file of an earlier version, which holds one key; io-error.
Result<std::optional<TwoKeys>> remembered_keys(const std::string& path);

}  // namespace p2pbank
