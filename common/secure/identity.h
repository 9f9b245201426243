// Who somebody is: two key pairs from one secret seed of 32 bytes, which is all that is kept on
// disk. X25519 for channels (common/secure/sessions.h), Ed25519 for signatures. The seed of each is
// BLAKE2b-256 of a label ("p2pbank channel", "p2pbank signing") with the identity's seed as key.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/secure/keyed_random.h"

namespace p2pbank::secure {

// The public half. All zeros is nobody.
struct PublicKeys {
    KeyBytes channel{};
    KeyBytes signing{};
    friend bool operator==(const PublicKeys&, const PublicKeys&) = default;
    bool empty() const { return *this == PublicKeys(); }
};

// The secret half is overwritten when it goes.
class Identity {
  public:
    static constexpr size_t kSignatureBytes = 64;

    explicit Identity(const KeyBytes& seed);
    ~Identity();
    Identity(const Identity&) = delete;
    Identity& operator=(const Identity&) = delete;

    const PublicKeys& keys() const { return keys_; }
    const KeyBytes& channel_secret() const { return channel_secret_; }
    // Ed25519 over BLAKE2b-256(label || 0 || text): a signature for one purpose is none for
    // another. Labels: common/core/statement.h, common/core/roster.h. 64 bytes.
    std::string sign(std::string_view label, std::string_view text) const;
    // Its signature on its own public keys: the two belong together, and no bit of them is wrong.
    const std::string& word() const { return word_; }

  private:
    PublicKeys keys_;
    KeyBytes channel_secret_{};
    std::array<unsigned char, 64> signing_secret_{};
    std::string word_;
};

inline constexpr std::string_view kKeysLabel = "p2pbank keys";

bool is_signed(std::string_view label, std::string_view text, std::string_view signature,
               const KeyBytes& signing_key);

// What people compare: 32 hexadecimal digits of BLAKE2b over both keys in groups of 4,
// "3f2a-90cc-...".
std::string fingerprint(const PublicKeys& keys);
// The same as it may be typed: with or without the lines, in either case. Nothing for what is none.
std::optional<std::string> parse_fingerprint(std::string_view text);

// 64 bytes, channel first.
std::string to_bytes(const PublicKeys& keys);
std::optional<PublicKeys> keys_from_bytes(std::string_view bytes);
// One key of 32 bytes; nothing for another length.
std::optional<KeyBytes> key_from_bytes(std::string_view bytes);
std::string to_bytes(const KeyBytes& key);

// For keys in hash tables: they are random already.
struct KeyHash {
    size_t operator()(const KeyBytes& key) const;
};

}  // namespace p2pbank::secure
