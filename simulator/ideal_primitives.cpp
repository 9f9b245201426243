#include "simulator/ideal_primitives.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include <sodium.h>

namespace p2pbank::simulator {
namespace {

thread_local bool t_ideal = false;

using Key = std::array<unsigned char, crypto_scalarmult_BYTES>;
static_assert(sizeof(Key) == crypto_sign_PUBLICKEYBYTES && sizeof(Key) == crypto_sign_SEEDBYTES);
static_assert(sizeof(Key) == crypto_scalarmult_SCALARBYTES);
// As libsodium has it, the secret is the seed and the public key.
static_assert(2 * sizeof(Key) == crypto_sign_SECRETKEYBYTES);

Key key_at(const unsigned char* bytes) {
    Key key;
    std::memcpy(key.data(), bytes, key.size());
    return key;
}

// BLAKE2b with the label as its key.
void hash(unsigned char* out, size_t size, std::string_view label,
          std::initializer_list<std::basic_string_view<unsigned char>> pieces) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, reinterpret_cast<const unsigned char*>(label.data()),
                            label.size(), size);
    for (const auto& piece : pieces) {
        crypto_generichash_update(&state, piece.data(), piece.size());
    }
    crypto_generichash_final(&state, out, size);
}

std::basic_string_view<unsigned char> piece(const Key& key) {
    return {key.data(), key.size()};
}

Key ideal_public_key(const Key& secret) {
    Key key;
    hash(key.data(), key.size(), "ideal channel key", {piece(secret)});
    return key;
}

void ideal_signature(unsigned char* out, const Key& public_key, const unsigned char* message,
                     unsigned long long size) {
    hash(out, crypto_sign_BYTES, "ideal signature", {piece(public_key), {message, size}});
}

}  // namespace

void use_ideal_primitives(bool ideal) {
    t_ideal = ideal;
}

}  // namespace p2pbank::simulator

// NOLINTBEGIN: the names are the linker's.
using namespace p2pbank::simulator;

extern "C" {

int __real_crypto_scalarmult_base(unsigned char* q, const unsigned char* n);
int __real_crypto_scalarmult(unsigned char* q, const unsigned char* n, const unsigned char* p);
int __real_crypto_sign_seed_keypair(unsigned char* pk, unsigned char* sk,
                                    const unsigned char* seed);
int __real_crypto_sign_detached(unsigned char* sig, unsigned long long* siglen,
                                const unsigned char* m, unsigned long long mlen,
                                const unsigned char* sk);
int __real_crypto_sign_verify_detached(const unsigned char* sig, const unsigned char* m,
                                       unsigned long long mlen, const unsigned char* pk);

int __wrap_crypto_scalarmult_base(unsigned char* q, const unsigned char* n) {
    if (!t_ideal) return __real_crypto_scalarmult_base(q, n);
    const Key key = ideal_public_key(key_at(n));
    std::memcpy(q, key.data(), key.size());
    return 0;
}

int __wrap_crypto_scalarmult(unsigned char* q, const unsigned char* n, const unsigned char* p) {
    if (!t_ideal) return __real_crypto_scalarmult(q, n, p);
    const Key other = key_at(p);
    if (other == Key{}) return -1;  // of low order
    const Key own = ideal_public_key(key_at(n));
    hash(q, crypto_scalarmult_BYTES, "ideal shared secret",
         {piece(std::min(own, other)), piece(std::max(own, other))});
    return 0;
}

int __wrap_crypto_sign_seed_keypair(unsigned char* pk, unsigned char* sk,
                                    const unsigned char* seed) {
    if (!t_ideal) return __real_crypto_sign_seed_keypair(pk, sk, seed);
    hash(pk, sizeof(Key), "ideal signing key", {piece(key_at(seed))});
    std::memcpy(sk, seed, sizeof(Key));
    std::memcpy(sk + sizeof(Key), pk, sizeof(Key));
    return 0;
}

int __wrap_crypto_sign_detached(unsigned char* sig, unsigned long long* siglen,
                                const unsigned char* m, unsigned long long mlen,
                                const unsigned char* sk) {
    if (!t_ideal) return __real_crypto_sign_detached(sig, siglen, m, mlen, sk);
    ideal_signature(sig, key_at(sk + sizeof(Key)), m, mlen);
    if (siglen != nullptr) *siglen = crypto_sign_BYTES;
    return 0;
}

int __wrap_crypto_sign_verify_detached(const unsigned char* sig, const unsigned char* m,
                                       unsigned long long mlen, const unsigned char* pk) {
    if (!t_ideal) return __real_crypto_sign_verify_detached(sig, m, mlen, pk);
    unsigned char expected[crypto_sign_BYTES];
    ideal_signature(expected, key_at(pk), m, mlen);
    return std::memcmp(sig, expected, sizeof expected) == 0 ? 0 : -1;
}

}  // extern "C"
// NOLINTEND
