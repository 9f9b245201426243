// Key files: 32 bytes as one line of 64 hexadecimal digits. For the mains.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "common/base/result.h"

namespace p2pbank {

using Key = std::array<unsigned char, 32>;

// The program's own secret: read from `path`, or drawn and written there, durably, where there is
// none. Errors: bad-key, when others than its owner may read the file, or it does not hold a key;
// io-error. The message says how to mend it.
Result<Key> own_key(const std::string& path);

// Somebody else's public key, nothing if there is no file. Errors: bad-key, io-error.
Result<std::optional<Key>> remembered_key(const std::string& path);

}  // namespace p2pbank
