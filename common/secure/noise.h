// The handshake Noise_IK_25519_ChaChaPoly_BLAKE2b: the Noise Protocol Framework, revision 34
// (https://noiseprotocol.org/noise.html), sections 5 to 7. Two messages; afterwards both sides have
// the same two keys, one for each direction, and know each other's static key.
//
// Proven against published test vectors (tests/unit/test_noise.cpp). Used by
// common/secure/sessions.h only.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/secure/identity.h"

namespace p2pbank::secure {

struct NoiseKeys {
    NoiseKeys() = default;
    ~NoiseKeys();
    NoiseKeys(const NoiseKeys&) = default;
    NoiseKeys& operator=(const NoiseKeys&) = default;
    KeyBytes send{};
    KeyBytes receive{};
};

// The own static X25519 key, one object for all handshakes with it. Remembers the shared secrets of
// the last kRemembered other static keys: a quarter of the work of a handshake with one of them.
class StaticKey {
  public:
    static constexpr size_t kRemembered = 1'024;

    explicit StaticKey(const KeyBytes& secret);
    ~StaticKey();
    StaticKey(const StaticKey&) = delete;
    StaticKey& operator=(const StaticKey&) = delete;

    const KeyBytes& secret() const { return secret_; }
    const KeyBytes& public_key() const { return public_key_; }

    // The shared secret with the owner of another static key; nothing if that is of low order.
    std::optional<KeyBytes> shared(const KeyBytes& other) const;
    // For keys that the own side chose to talk to, and those that have proven to be somebody's.
    void remember(const KeyBytes& other, const KeyBytes& shared);

  private:
    struct Known {
        KeyBytes other{};
        KeyBytes shared{};
    };
    KeyBytes secret_;
    KeyBytes public_key_{};
    std::vector<Known> known_;  // a ring: the oldest is replaced
    size_t oldest_ = 0;
    std::unordered_map<KeyBytes, size_t, KeyHash> places_;
};

class NoiseIk {
  public:
    static constexpr size_t kMessage1Bytes = 96;  // with an empty payload
    static constexpr size_t kMessage2Bytes = 48;
    static constexpr size_t kMaxMessageBytes = 65'535;

    // `own` outlives the object.
    static NoiseIk initiator(StaticKey& own, const KeyBytes& remote_public,
                             std::string_view prologue);
    static NoiseIk responder(StaticKey& own, std::string_view prologue);
    ~NoiseIk();
    NoiseIk(NoiseIk&&) noexcept = default;  // leaves a copy behind, which its destructor overwrites
    NoiseIk& operator=(NoiseIk&&) noexcept = default;

    // Message 1 (initiator) or 2 (responder, after read). `ephemeral_secret`: 32 random bytes, used
    // once. Nothing if the other side's key is of low order: no secret can come of it; the object
    // is then of no use any more.
    std::optional<std::string> write(const KeyBytes& ephemeral_secret, std::string_view payload);
    // The payload of message 1 (responder) or 2 (initiator, after write). Nothing if it is not what
    // it should be: then it is as if it had not come, and the right one may still come.
    std::optional<std::string> read(std::string_view message);

    // After read: of a responder, whose message that was.
    const KeyBytes& remote_public() const { return remote_static_; }
    // After read: the other side's key of this handshake alone.
    const KeyBytes& remote_ephemeral() const { return remote_ephemeral_; }
    // After both messages.
    NoiseKeys split() const;
    // The handshake hash h after both messages.
    const std::array<unsigned char, 64>& hash() const { return h_; }

  private:
    NoiseIk(bool initiator, StaticKey& own, std::string_view prologue);
    NoiseIk(const NoiseIk&) = default;

    std::optional<std::string> read_first(std::string_view message);
    std::optional<std::string> read_second(std::string_view message);
    void mix_hash(std::string_view data);
    void mix_key(const KeyBytes& dh);
    bool mix_dh(const KeyBytes& secret, const KeyBytes& public_key);
    std::string encrypt(std::string_view plain);
    std::optional<std::string> decrypt(std::string_view sealed);

    bool initiator_;
    int messages_ = 0;  // written and read
    StaticKey* own_;
    KeyBytes ephemeral_secret_{};
    KeyBytes ephemeral_public_{};
    KeyBytes remote_static_{};
    KeyBytes remote_ephemeral_{};
    std::array<unsigned char, 64> h_{};
    std::array<unsigned char, 64> ck_{};
    KeyBytes k_{};
    uint64_t n_ = 0;
};

}  // namespace p2pbank::secure
