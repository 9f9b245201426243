#include <algorithm>
#include <new>
#include <type_traits>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/secure/noise.h"
#include "common/secure/packets.h"
#include "tests/unit/noise_vectors.h"

using namespace p2pbank;
using namespace p2pbank::secure;

namespace {

std::string from_hex(std::string_view digits) {
    std::string bytes(digits.size() / 2, '\0');
    size_t written = 0;
    REQUIRE(sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                           digits.data(), digits.size(), nullptr, &written, nullptr) == 0);
    REQUIRE(written == bytes.size());
    return bytes;
}

KeyBytes key_of(std::string_view digits) {
    return key_from_bytes(from_hex(digits)).value();
}

KeyBytes key_of(unsigned char first) {
    KeyBytes key{};
    key.fill(first);
    return key;
}

std::string bytes_of(const auto& array) {
    return std::string(reinterpret_cast<const char*>(array.data()), array.size());
}

// A transport message of Noise (5.1), with nothing but libsodium.
std::string transport(const KeyBytes& key, uint64_t number, std::string_view plain) {
    unsigned char nonce[12] = {};
    for (size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<unsigned char>(number >> (8 * i));
    std::string sealed(plain.size() + 16, '\0');
    crypto_aead_chacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.data()),
                                              nullptr,
                                              reinterpret_cast<const unsigned char*>(plain.data()),
                                              plain.size(), nullptr, 0, nullptr, nonce, key.data());
    return sealed;
}

// Both sides up to the point where one of them reads.
struct Handshake {
    StaticKey initiator_key{key_of(0x11)};
    StaticKey responder_key{key_of(0x22)};
    NoiseIk initiator = NoiseIk::initiator(initiator_key, responder_key.public_key(), kPrologue);
    NoiseIk responder = NoiseIk::responder(responder_key, kPrologue);
    std::string first = initiator.write(key_of(0x33), {}).value();
    std::string second;

    void answer() {
        REQUIRE(responder.read(first));
        second = responder.write(key_of(0x44), {}).value();
    }
};

// The seven points of X25519 that give no secret (https://cr.yp.to/ecdh.html#validate), but for the
// highest bit, which is not looked at.
constexpr std::string_view kLowOrder[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

}  // namespace

TEST_CASE("noise: published vectors, both sides, message by message") {
    for (const testing::NoiseVector& vector : testing::kNoiseVectors) {
        CAPTURE(vector.source);
        const std::string prologue = from_hex(vector.prologue);
        StaticKey initiator_key(key_of(vector.initiator_static));
        StaticKey responder_key(key_of(vector.responder_static));
        CHECK(responder_key.public_key() == key_of(vector.responder_public));
        NoiseIk initiator =
            NoiseIk::initiator(initiator_key, key_of(vector.responder_public), prologue);
        NoiseIk responder = NoiseIk::responder(responder_key, prologue);

        const auto first = initiator.write(key_of(vector.initiator_ephemeral),
                                           from_hex(vector.messages[0].payload));
        REQUIRE(first);
        CHECK(*first == from_hex(vector.messages[0].ciphertext));
        CHECK(responder.read(*first) == from_hex(vector.messages[0].payload));
        CHECK(responder.remote_public() == initiator_key.public_key());

        const auto second = responder.write(key_of(vector.responder_ephemeral),
                                            from_hex(vector.messages[1].payload));
        REQUIRE(second);
        CHECK(*second == from_hex(vector.messages[1].ciphertext));
        CHECK(initiator.read(*second) == from_hex(vector.messages[1].payload));

        CHECK(initiator.hash() == responder.hash());
        if (!vector.handshake_hash.empty()) {
            CHECK(bytes_of(initiator.hash()) == from_hex(vector.handshake_hash));
        }
        const NoiseKeys left = initiator.split();
        const NoiseKeys right = responder.split();
        CHECK(left.send == right.receive);
        CHECK(left.receive == right.send);
        CHECK(left.send != left.receive);
        for (size_t i = 2; i < std::size(vector.messages); ++i) {
            CAPTURE(i);
            CHECK(transport(i % 2 == 0 ? left.send : right.send, (i - 2) / 2,
                            from_hex(vector.messages[i].payload)) ==
                  from_hex(vector.messages[i].ciphertext));
        }
    }
}

TEST_CASE("noise: messages with empty payloads have the sizes that packets give them") {
    Handshake handshake;
    CHECK(handshake.first.size() == NoiseIk::kMessage1Bytes);
    handshake.answer();
    CHECK(handshake.second.size() == NoiseIk::kMessage2Bytes);
    CHECK(handshake.initiator.read(handshake.second) == "");
}

TEST_CASE("noise: a message with one bit changed, cut off or longer is none") {
    Handshake handshake;
    const auto check = [](NoiseIk& reader, const std::string& message) {
        for (size_t bit = 0; bit < 8 * message.size(); ++bit) {
            std::string changed = message;
            changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
            CAPTURE(bit);
            CHECK_FALSE(reader.read(changed));
        }
        for (size_t size = 0; size < message.size(); ++size) {
            CHECK_FALSE(reader.read(message.substr(0, size)));
        }
        CHECK_FALSE(reader.read(message + '\0'));
        CHECK_FALSE(reader.read(std::string(70'000, 'x')));
    };
    check(handshake.responder, handshake.first);
    // What was refused left nothing behind: the right one still does.
    handshake.answer();
    check(handshake.initiator, handshake.second);
    REQUIRE(handshake.initiator.read(handshake.second));
    CHECK(handshake.initiator.split().send == handshake.responder.split().receive);
}

TEST_CASE("noise: for another responder, prologue or direction a message is none") {
    Handshake handshake;
    StaticKey other(key_of(0x55));
    CHECK_FALSE(NoiseIk::responder(other, kPrologue).read(handshake.first));
    CHECK_FALSE(NoiseIk::responder(handshake.responder_key, "p2pbank/3").read(handshake.first));
    handshake.answer();
    CHECK_FALSE(NoiseIk::responder(handshake.initiator_key, kPrologue).read(handshake.second));
    // The answer to another initiation of the same two.
    NoiseIk again = NoiseIk::initiator(handshake.initiator_key,
                                       handshake.responder_key.public_key(), kPrologue);
    REQUIRE(again.write(key_of(0x66), {}));
    CHECK_FALSE(again.read(handshake.second));
}

TEST_CASE("noise: keys of low order are refused") {
    for (const std::string_view digits : kLowOrder) {
        CAPTURE(digits);
        for (const bool high : {false, true}) {
            KeyBytes low = key_of(digits);
            if (high) low.back() |= 0x80U;
            StaticKey own(key_of(0x11));
            CHECK_FALSE(own.shared(low));
            NoiseIk initiator = NoiseIk::initiator(own, low, kPrologue);
            CHECK_FALSE(initiator.write(key_of(0x33), {}));

            // As the ephemeral key of either message.
            Handshake handshake;
            std::string first = handshake.first;
            std::copy(low.begin(), low.end(), first.begin());
            CHECK_FALSE(handshake.responder.read(first));
            handshake.answer();
            std::string second = handshake.second;
            std::copy(low.begin(), low.end(), second.begin());
            CHECK_FALSE(handshake.initiator.read(second));
        }
    }
}

TEST_CASE("noise: shared secrets are the same remembered and worked out, and forgotten in turn") {
    StaticKey own(key_of(0x11));
    StaticKey fresh(key_of(0x11));
    std::vector<KeyBytes> others;
    for (size_t i = 0; i < StaticKey::kRemembered + 50; ++i) {
        KeyBytes other = key_of(9);
        other[0] = static_cast<unsigned char>(i);
        other[1] = static_cast<unsigned char>(i >> 8);
        others.push_back(other);
        KeyBytes marked{};  // so that it shows where it comes from
        marked[0] = static_cast<unsigned char>(i + 1);
        own.remember(other, marked);
        own.remember(other, KeyBytes{});  // known already
    }
    size_t remembered = 0;
    for (size_t i = 0; i < others.size(); ++i) {
        const auto shared = own.shared(others[i]);
        REQUIRE(shared);
        const bool is_remembered = *shared != fresh.shared(others[i]);
        CHECK(is_remembered == (i >= 50));
        remembered += is_remembered;
    }
    CHECK(remembered == StaticKey::kRemembered);

    Handshake handshake;
    handshake.answer();
    CHECK(handshake.responder_key.shared(handshake.initiator_key.public_key()) ==
          StaticKey(key_of(0x22)).shared(handshake.initiator_key.public_key()));
}

TEST_CASE("noise: keys are overwritten when they go") {
    // The object goes, its memory stays for us to look at.
    const auto leaves = [](auto make, const KeyBytes& secret) {
        using Object = decltype(make());
        alignas(Object) static unsigned char room[sizeof(Object)];
        Object* object = new (room) Object(make());
        const auto is_there = [&] {
            return std::search(std::begin(room), std::end(room), secret.begin(), secret.end()) !=
                   std::end(room);
        };
        const bool was_there = is_there();
        object->~Object();
        CHECK(was_there);
        return is_there();
    };
    CHECK_FALSE(leaves(
        [] {
            NoiseKeys keys;
            keys.send = key_of(0x77);
            return keys;
        },
        key_of(0x77)));
    StaticKey own(key_of(0x11));
    StaticKey other(key_of(0x22));
    CHECK_FALSE(leaves(
        [&] {
            NoiseIk noise = NoiseIk::initiator(own, other.public_key(), kPrologue);
            REQUIRE(noise.write(key_of(0x33), {}));
            return noise;
        },
        key_of(0x33)));
    static_assert(!std::is_copy_constructible_v<NoiseIk>);
    static_assert(!std::is_copy_constructible_v<StaticKey>);
}
