#include "common/core/seal.h"

#include <algorithm>
#include <array>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/limits.h"

namespace p2pbank {
namespace {

static_assert(sizeof(KeyBytes) == crypto_box_PUBLICKEYBYTES);
static_assert(sizeof(KeyBytes) == crypto_box_SECRETKEYBYTES);
static_assert(sizeof(KeyBytes) == crypto_box_SEEDBYTES);

constexpr size_t kFingerprintBytes = 16;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

std::string to_hex(const unsigned char* bytes, size_t size) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (size_t i = 0; i < size; ++i) {
        text += kDigits[bytes[i] >> 4U];
        text += kDigits[bytes[i] & 15U];
    }
    return text;
}

}  // namespace

KeyPair::~KeyPair() {
    sodium_memzero(secret_key.data(), secret_key.size());
}

KeyPair make_key_pair(const KeyBytes& seed) {
    KeyPair pair;
    const int made =
        crypto_box_seed_keypair(pair.public_key.data(), pair.secret_key.data(), seed.data());
    P2PBANK_CHECK(made == 0);
    return pair;
}

std::string fingerprint(const KeyBytes& public_key) {
    std::array<unsigned char, kFingerprintBytes> hash;
    const int hashed = crypto_generichash(hash.data(), hash.size(), public_key.data(),
                                          public_key.size(), nullptr, 0);
    P2PBANK_CHECK(hashed == 0);
    const std::string digits = to_hex(hash.data(), hash.size());
    std::string text;
    for (size_t i = 0; i < digits.size(); i += 4) {
        if (i > 0) text += '-';
        text.append(digits, i, 4);
    }
    return text;
}

std::string key_to_hex(const KeyBytes& key) {
    return to_hex(key.data(), key.size());
}

std::optional<KeyBytes> key_from_bytes(std::string_view bytes) {
    KeyBytes key;
    if (bytes.size() != key.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), key.begin());
    return key;
}

Result<std::string> seal(std::string_view message, const KeyBytes& public_key,
                         KeyedRandom& random) {
    KeyBytes seed = random.key();
    const KeyPair own = make_key_pair(seed);
    sodium_memzero(seed.data(), seed.size());

    std::array<unsigned char, crypto_box_NONCEBYTES> nonce;
    std::array<unsigned char, 2 * sizeof(KeyBytes)> both;
    std::copy(own.public_key.begin(), own.public_key.end(), both.begin());
    std::copy(public_key.begin(), public_key.end(), both.begin() + sizeof(KeyBytes));
    const int hashed =
        crypto_generichash(nonce.data(), nonce.size(), both.data(), both.size(), nullptr, 0);
    P2PBANK_CHECK(hashed == 0);

    std::string sealed(message.size() + crypto_box_SEALBYTES, '\0');
    std::copy(own.public_key.begin(), own.public_key.end(), sealed.begin());
    if (crypto_box_easy(bytes_of(sealed) + own.public_key.size(), bytes_of(message), message.size(),
                        nonce.data(), public_key.data(), own.secret_key.data()) != 0) {
        return Error{"bad-key", "nothing can be sealed to this key"};
    }
    return sealed;
}

std::optional<Secret> unseal(std::string_view sealed, const KeyPair& pair) {
    if (sealed.size() < crypto_box_SEALBYTES || sealed.size() > limits::kMaxSealedBytes) {
        return std::nullopt;
    }
    std::string message(sealed.size() - crypto_box_SEALBYTES, '\0');
    if (crypto_box_seal_open(bytes_of(message), bytes_of(sealed), sealed.size(),
                             pair.public_key.data(), pair.secret_key.data()) != 0) {
        return std::nullopt;
    }
    return Secret(std::move(message));
}

Result<std::string> seal_secrets(const wire::Secrets& secrets, const KeyBytes& public_key,
                                 KeyedRandom& random) {
    const size_t size = secrets.ByteSizeLong();
    // As sodium_pad does it: a byte 0x80, then zeros up to a whole number of blocks.
    const size_t padded = (size / limits::kSealedBlockBytes + 1) * limits::kSealedBlockBytes;
    std::string text(padded, '\0');
    const bool written = secrets.SerializeToArray(text.data(), static_cast<int>(size));
    P2PBANK_CHECK(written);
    text[size] = '\x80';
    auto sealed = seal(text, public_key, random);
    Secret::wipe(text);
    return sealed;
}

std::optional<wire::Secrets> unseal_secrets(std::string_view sealed, const KeyPair& pair) {
    const auto text = unseal(sealed, pair);
    if (!text) return std::nullopt;
    const size_t end = text->view().find_last_not_of('\0');
    if (end == std::string_view::npos || text->view()[end] != '\x80') return std::nullopt;
    std::optional<wire::Secrets> secrets(std::in_place);
    if (!secrets->ParseFromArray(text->view().data(), static_cast<int>(end))) {
        wipe(*secrets);
        secrets.reset();
    }
    return secrets;
}

void wipe(wire::Secrets& secrets) {
    Secret::wipe(*secrets.mutable_name());
    Secret::wipe(*secrets.mutable_password());
    Secret::wipe(*secrets.mutable_new_password());
    Secret::wipe(*secrets.mutable_session_key());
}

}  // namespace p2pbank
