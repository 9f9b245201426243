#include "common/secure/identity.h"

#include <cstring>

#include "common/secure/bytes.h"

namespace p2pbank::secure {
namespace {

static_assert(sizeof(KeyBytes) == crypto_scalarmult_BYTES);
static_assert(sizeof(KeyBytes) == crypto_scalarmult_SCALARBYTES);
static_assert(sizeof(KeyBytes) == crypto_sign_PUBLICKEYBYTES);
static_assert(sizeof(KeyBytes) == crypto_sign_SEEDBYTES);
static_assert(Identity::kSignatureBytes == crypto_sign_BYTES);

constexpr size_t kFingerprintBytes = 16;
constexpr size_t kDigitsInGroup = 4;
constexpr std::string_view kDigits = "0123456789abcdef";

// The zero keeps a label from running into the text.
KeyBytes digest(std::string_view label, std::string_view text) {
    KeyBytes out;
    blake2b(out, {}, {label, std::string_view("\0", 1), text});
    return out;
}

std::string in_groups(std::string_view digits) {
    std::string text;
    for (size_t i = 0; i < digits.size(); i += kDigitsInGroup) {
        if (i > 0) text += '-';
        text += digits.substr(i, kDigitsInGroup);
    }
    return text;
}

}  // namespace

Identity::Identity(const KeyBytes& seed) {
    // Chooses the fastest implementation for this processor; all give the same results.
    P2PBANK_CHECK(sodium_init() >= 0);
    blake2b(channel_secret_, text_of(seed), {"p2pbank channel"});
    const int multiplied = crypto_scalarmult_base(keys_.channel.data(), channel_secret_.data());
    P2PBANK_CHECK(multiplied == 0);
    KeyBytes signing_seed;
    blake2b(signing_seed, text_of(seed), {"p2pbank signing"});
    const int made =
        crypto_sign_seed_keypair(keys_.signing.data(), signing_secret_.data(), signing_seed.data());
    P2PBANK_CHECK(made == 0);
    wipe(signing_seed);
    word_ = sign(kKeysLabel, to_bytes(keys_));
}

Identity::~Identity() {
    wipe(channel_secret_);
    wipe(signing_secret_);
}

std::string Identity::sign(std::string_view label, std::string_view text) const {
    const KeyBytes signed_digest = digest(label, text);
    std::string signature(kSignatureBytes, '\0');
    const int made = crypto_sign_detached(bytes_of(signature), nullptr, signed_digest.data(),
                                          signed_digest.size(), signing_secret_.data());
    P2PBANK_CHECK(made == 0);
    return signature;
}

bool is_signed(std::string_view label, std::string_view text, std::string_view signature,
               const KeyBytes& signing_key) {
    if (signature.size() != Identity::kSignatureBytes) return false;
    const KeyBytes signed_digest = digest(label, text);
    return crypto_sign_verify_detached(bytes_of(signature), signed_digest.data(),
                                       signed_digest.size(), signing_key.data()) == 0;
}

std::string fingerprint(const PublicKeys& keys) {
    std::array<unsigned char, kFingerprintBytes> hash;
    blake2b(hash, {}, {text_of(keys.channel), text_of(keys.signing)});
    std::string digits;
    for (const unsigned char byte : hash) {
        digits += kDigits[byte >> 4U];
        digits += kDigits[byte & 15U];
    }
    return in_groups(digits);
}

std::optional<std::string> parse_fingerprint(std::string_view text) {
    std::string lower;
    std::string digits;
    for (const char c : text) {
        lower += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
        if (kDigits.find(lower.back()) != std::string_view::npos) digits += lower.back();
    }
    if (digits.size() != 2 * kFingerprintBytes) return std::nullopt;
    std::string grouped = in_groups(digits);
    if (lower != digits && lower != grouped) return std::nullopt;
    return grouped;
}

std::string to_bytes(const PublicKeys& keys) {
    return to_bytes(keys.channel) + to_bytes(keys.signing);
}

std::optional<PublicKeys> keys_from_bytes(std::string_view bytes) {
    PublicKeys keys;
    if (bytes.size() != keys.channel.size() + keys.signing.size()) return std::nullopt;
    take(bytes, 0, keys.channel);
    take(bytes, keys.channel.size(), keys.signing);
    return keys;
}

std::optional<KeyBytes> key_from_bytes(std::string_view bytes) {
    KeyBytes key;
    if (bytes.size() != key.size()) return std::nullopt;
    take(bytes, 0, key);
    return key;
}

std::string to_bytes(const KeyBytes& key) {
    return std::string(text_of(key));
}

size_t KeyHash::operator()(const KeyBytes& key) const {
    size_t hash;
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
}

}  // namespace p2pbank::secure
