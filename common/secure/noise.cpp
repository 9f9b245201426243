#include "common/secure/noise.h"

#include <utility>

#include "common/secure/bytes.h"
#include "common/secure/packets.h"

namespace p2pbank::secure {
namespace {

constexpr size_t kHashBytes = 64;  // HASHLEN of BLAKE2b
constexpr size_t kBlockBytes = 128;
constexpr size_t kKeyBytes = sizeof(KeyBytes);
constexpr size_t kSealedKeyBytes = kKeyBytes + kTagBytes;
using Hash = std::array<unsigned char, kHashBytes>;

static_assert(NoiseIk::kMessage1Bytes == kKeyBytes + kSealedKeyBytes + kTagBytes);
static_assert(NoiseIk::kMessage2Bytes == kKeyBytes + kTagBytes);
static_assert(kProtocolName.size() <= kHashBytes, "a longer name would have to be hashed");

// HMAC as in RFC 2104, with BLAKE2b without a key as its hash. `key` is no longer than a block.
void hmac(const Hash& key, std::initializer_list<std::string_view> text, Hash& out) {
    std::array<unsigned char, kBlockBytes> inner{};
    std::array<unsigned char, kBlockBytes> outer{};
    for (size_t i = 0; i < kBlockBytes; ++i) {
        const unsigned char byte = i < key.size() ? key[i] : 0;
        inner[i] = byte ^ 0x36U;
        outer[i] = byte ^ 0x5cU;
    }
    crypto_generichash_state state;
    Hash hash;
    crypto_generichash_init(&state, nullptr, 0, hash.size());
    crypto_generichash_update(&state, inner.data(), inner.size());
    for (const std::string_view piece : text) {
        crypto_generichash_update(&state, bytes_of(piece), piece.size());
    }
    crypto_generichash_final(&state, hash.data(), hash.size());
    blake2b(out, {}, {text_of(outer), text_of(hash)});
    sodium_memzero(&state, sizeof state);
    wipe(hash);
    wipe(inner);
    wipe(outer);
}

// HKDF with two outputs (Noise, 4.3).
void hkdf(const Hash& chaining_key, std::string_view input, Hash& first, Hash& second) {
    Hash temp;
    hmac(chaining_key, {input}, temp);
    hmac(temp, {std::string_view("\1", 1)}, first);
    hmac(temp, {text_of(first), std::string_view("\2", 1)}, second);
    wipe(temp);
}

// A key is the first 32 of 64 bytes (Noise, 5.1).
void truncate(const Hash& hash, KeyBytes& key) {
    std::memcpy(key.data(), hash.data(), key.size());
}

std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> nonce_of(uint64_t number) {
    std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> nonce{};
    for (size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<unsigned char>(number >> (8 * i));
    return nonce;
}

}  // namespace

NoiseKeys::~NoiseKeys() {
    wipe(send);
    wipe(receive);
}

// --- the own static key

StaticKey::StaticKey(const KeyBytes& secret) : secret_(secret) {
    const int multiplied = crypto_scalarmult_base(public_key_.data(), secret_.data());
    P2PBANK_CHECK(multiplied == 0);
}

StaticKey::~StaticKey() {
    wipe(secret_);
    for (Known& known : known_) wipe(known.shared);
}

std::optional<KeyBytes> StaticKey::shared(const KeyBytes& other) const {
    const auto place = places_.find(other);
    if (place != places_.end()) return known_[place->second].shared;
    std::optional<KeyBytes> out(std::in_place);
    if (crypto_scalarmult(out->data(), secret_.data(), other.data()) != 0) out.reset();
    return out;
}

void StaticKey::remember(const KeyBytes& other, const KeyBytes& shared) {
    if (places_.contains(other)) return;
    if (known_.capacity() == 0) known_.reserve(kRemembered);  // moving would leave copies behind
    if (known_.size() < kRemembered) {
        known_.emplace_back();
        oldest_ = known_.size() - 1;
    } else {
        places_.erase(known_[oldest_].other);
    }
    known_[oldest_].other = other;
    known_[oldest_].shared = shared;
    places_.emplace(other, oldest_);
    oldest_ = (oldest_ + 1) % kRemembered;
}

// --- the handshake

NoiseIk::NoiseIk(bool initiator, StaticKey& own, std::string_view prologue)
    : initiator_(initiator), own_(&own) {
    std::memcpy(h_.data(), kProtocolName.data(), kProtocolName.size());
    ck_ = h_;
    mix_hash(prologue);
}

NoiseIk NoiseIk::initiator(StaticKey& own, const KeyBytes& remote_public,
                           std::string_view prologue) {
    NoiseIk noise(true, own, prologue);
    noise.remote_static_ = remote_public;
    noise.mix_hash(text_of(remote_public));
    return noise;
}

NoiseIk NoiseIk::responder(StaticKey& own, std::string_view prologue) {
    NoiseIk noise(false, own, prologue);
    noise.mix_hash(text_of(own.public_key()));
    return noise;
}

NoiseIk::~NoiseIk() {
    wipe(ephemeral_secret_);
    wipe(ck_);
    wipe(k_);
}

void NoiseIk::mix_hash(std::string_view data) {
    blake2b(h_, {}, {text_of(h_), data});
}

void NoiseIk::mix_key(const KeyBytes& dh) {
    Hash key;
    Hash before = ck_;
    hkdf(before, text_of(dh), ck_, key);
    truncate(key, k_);
    n_ = 0;
    wipe(key);
    wipe(before);
}

// False if the public key is of low order.
bool NoiseIk::mix_dh(const KeyBytes& secret, const KeyBytes& public_key) {
    KeyBytes dh;
    const bool good = crypto_scalarmult(dh.data(), secret.data(), public_key.data()) == 0;
    if (good) mix_key(dh);
    wipe(dh);
    return good;
}

std::string NoiseIk::encrypt(std::string_view plain) {
    std::string sealed(plain.size() + kTagBytes, '\0');
    const auto nonce = nonce_of(n_++);
    crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(sealed), nullptr, bytes_of(plain),
                                              plain.size(), h_.data(), h_.size(), nullptr,
                                              nonce.data(), k_.data());
    mix_hash(sealed);
    return sealed;
}

std::optional<std::string> NoiseIk::decrypt(std::string_view sealed) {
    P2PBANK_CHECK(sealed.size() >= kTagBytes);
    std::string plain(sealed.size() - kTagBytes, '\0');
    const auto nonce = nonce_of(n_++);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(bytes_of(plain), nullptr, nullptr,
                                                  bytes_of(sealed), sealed.size(), h_.data(),
                                                  h_.size(), nonce.data(), k_.data()) != 0) {
        return std::nullopt;
    }
    mix_hash(sealed);
    return plain;
}

std::optional<std::string> NoiseIk::write(const KeyBytes& ephemeral_secret,
                                          std::string_view payload) {
    P2PBANK_CHECK(messages_ == (initiator_ ? 0 : 1));
    P2PBANK_CHECK(payload.size() <= kMaxMessageBytes - kMessage1Bytes);
    ephemeral_secret_ = ephemeral_secret;
    const int multiplied =
        crypto_scalarmult_base(ephemeral_public_.data(), ephemeral_secret_.data());
    P2PBANK_CHECK(multiplied == 0);
    std::string message(text_of(ephemeral_public_));
    mix_hash(message);
    if (initiator_) {  // -> e, es, s, ss
        if (!mix_dh(ephemeral_secret_, remote_static_)) return std::nullopt;
        message += encrypt(text_of(own_->public_key()));
        std::optional<KeyBytes> dh = own_->shared(remote_static_);
        if (!dh) return std::nullopt;
        mix_key(*dh);
        own_->remember(remote_static_, *dh);
        wipe(*dh);
    } else {  // <- e, ee, se
        if (!mix_dh(ephemeral_secret_, remote_ephemeral_)) return std::nullopt;
        if (!mix_dh(ephemeral_secret_, remote_static_)) return std::nullopt;
    }
    message += encrypt(payload);
    ++messages_;
    return message;
}

std::optional<std::string> NoiseIk::read(std::string_view message) {
    P2PBANK_CHECK(messages_ == (initiator_ ? 1 : 0));
    if (message.size() < (initiator_ ? kMessage2Bytes : kMessage1Bytes) ||
        message.size() > kMaxMessageBytes) {
        return std::nullopt;
    }
    NoiseIk next(*this);
    std::optional<std::string> payload =
        initiator_ ? next.read_second(message) : next.read_first(message);
    if (payload) *this = std::move(next);
    return payload;
}

std::optional<std::string> NoiseIk::read_first(std::string_view message) {
    take(message, 0, remote_ephemeral_);
    mix_hash(text_of(remote_ephemeral_));
    if (!mix_dh(own_->secret(), remote_ephemeral_)) return std::nullopt;
    const auto sender = decrypt(message.substr(kKeyBytes, kSealedKeyBytes));
    if (!sender) return std::nullopt;
    take(*sender, 0, remote_static_);
    std::optional<KeyBytes> dh = own_->shared(remote_static_);
    if (!dh) return std::nullopt;
    mix_key(*dh);
    auto payload = decrypt(message.substr(kKeyBytes + kSealedKeyBytes));
    if (payload) own_->remember(remote_static_, *dh);
    wipe(*dh);
    ++messages_;
    return payload;
}

std::optional<std::string> NoiseIk::read_second(std::string_view message) {
    take(message, 0, remote_ephemeral_);
    mix_hash(text_of(remote_ephemeral_));
    if (!mix_dh(ephemeral_secret_, remote_ephemeral_)) return std::nullopt;
    if (!mix_dh(own_->secret(), remote_ephemeral_)) return std::nullopt;
    ++messages_;
    return decrypt(message.substr(kKeyBytes));
}

NoiseKeys NoiseIk::split() const {
    P2PBANK_CHECK(messages_ == 2);
    Hash first;
    Hash second;
    hkdf(ck_, {}, first, second);
    NoiseKeys keys;
    truncate(initiator_ ? first : second, keys.send);
    truncate(initiator_ ? second : first, keys.receive);
    wipe(first);
    wipe(second);
    return keys;
}

}  // namespace p2pbank::secure
