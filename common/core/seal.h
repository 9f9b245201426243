// Secrets on their way to the bank: sealed to its public key, so that nobody else reads them, not
// even who sealed them. The form is libsodium's sealed box (X25519, XSalsa20, Poly1305).
//
// Customers seal, the bank opens. What is sealed is padded, so that the length of a password does
// not show.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/core/keyed_random.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

// Its secret half is overwritten when it goes.
struct KeyPair {
    KeyPair() = default;
    ~KeyPair();
    KeyPair(const KeyPair&) = default;
    KeyPair& operator=(const KeyPair&) = default;

    KeyBytes public_key{};
    KeyBytes secret_key{};
};

// The same seed gives the same pair.
KeyPair make_key_pair(const KeyBytes& seed);

// What people compare: 32 hexadecimal digits of BLAKE2b in groups of 4, "3f2a-90cc-...".
std::string fingerprint(const KeyBytes& public_key);

// A key as it is written down and sent. Nothing for what is no key.
std::string key_to_hex(const KeyBytes& key);
std::optional<KeyBytes> key_from_bytes(std::string_view bytes);

// Errors: bad-key, when nothing can be sealed to that key.
Result<std::string> seal(std::string_view message, const KeyBytes& public_key, KeyedRandom& random);
// Nothing for what was not sealed to that key or has been changed.
std::optional<Secret> unseal(std::string_view sealed, const KeyPair& pair);

// The same for Secrets, with padding.
Result<std::string> seal_secrets(const wire::Secrets& secrets, const KeyBytes& public_key,
                                 KeyedRandom& random);
std::optional<wire::Secrets> unseal_secrets(std::string_view sealed, const KeyPair& pair);

// Overwrites what is secret in it.
void wipe(wire::Secrets& secrets);

}  // namespace p2pbank
