#include <algorithm>
#include <new>
#include <set>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/secure/identity.h"
#include "common/secure/key_log.h"
#include "common/secure/packets.h"
#include "common/secure/sessions.h"

using namespace p2pbank;
using namespace p2pbank::secure;

namespace {

KeyBytes seed(unsigned char first) {
    KeyBytes bytes{};
    bytes.fill(first);
    return bytes;
}

}  // namespace

TEST_CASE("identity: the same seed gives the same keys, another seed others") {
    const Identity one(seed(1));
    const Identity again(seed(1));
    const Identity other(seed(2));
    CHECK(one.keys() == again.keys());
    CHECK(one.channel_secret() == again.channel_secret());
    CHECK(one.keys().channel != other.keys().channel);
    CHECK(one.keys().signing != other.keys().signing);
    CHECK_FALSE(one.keys().empty());
    CHECK(PublicKeys().empty());
}

TEST_CASE("identity: the keys are those that the header promises") {
    // BLAKE2b-256 of the label, keyed with the seed; then X25519 and Ed25519 as libsodium has them.
    const auto derived = [](std::string_view label) {
        KeyBytes out;
        const KeyBytes key = seed(3);
        crypto_generichash(out.data(), out.size(),
                           reinterpret_cast<const unsigned char*>(label.data()), label.size(),
                           key.data(), key.size());
        return out;
    };
    const Identity identity(seed(3));
    KeyBytes channel;
    CHECK(crypto_scalarmult_base(channel.data(), derived("p2pbank channel").data()) == 0);
    CHECK(identity.keys().channel == channel);
    KeyBytes signing;
    unsigned char secret[64];
    crypto_sign_seed_keypair(signing.data(), secret, derived("p2pbank signing").data());
    CHECK(identity.keys().signing == signing);
}

TEST_CASE("identity: a signature counts for its label, text and key only") {
    const Identity identity(seed(1));
    const KeyBytes& key = identity.keys().signing;
    const std::string signature = identity.sign("statement", "text");
    CHECK(signature.size() == Identity::kSignatureBytes);
    CHECK(signature == identity.sign("statement", "text"));
    CHECK(is_signed("statement", "text", signature, key));
    CHECK_FALSE(is_signed("roster", "text", signature, key));
    CHECK_FALSE(is_signed("statement", "texts", signature, key));
    CHECK_FALSE(is_signed("statementt", "ext", signature, key));
    CHECK_FALSE(is_signed("statement", "text", signature, Identity(seed(2)).keys().signing));
    CHECK_FALSE(is_signed("statement", "text", signature, KeyBytes{}));
    CHECK_FALSE(is_signed("statement", "text", signature.substr(1), key));
    CHECK_FALSE(is_signed("statement", "text", signature + '\0', key));
    CHECK_FALSE(is_signed("statement", "text", "", key));
    for (size_t bit = 0; bit < 8 * signature.size(); ++bit) {
        std::string changed = signature;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        CAPTURE(bit);
        CHECK_FALSE(is_signed("statement", "text", changed, key));
    }
    CHECK(is_signed("", "", identity.sign("", ""), key));
}

TEST_CASE("identity: the secret half is overwritten when it goes") {
    alignas(Identity) static unsigned char room[sizeof(Identity)];
    auto* identity = new (room) Identity(seed(1));
    const KeyBytes secret = identity->channel_secret();
    const auto is_there = [&](const KeyBytes& bytes) {
        return std::search(std::begin(room), std::end(room), bytes.begin(), bytes.end()) !=
               std::end(room);
    };
    KeyBytes signing_seed;
    const KeyBytes own_seed = seed(1);
    constexpr std::string_view kLabel = "p2pbank signing";
    crypto_generichash(signing_seed.data(), signing_seed.size(),
                       reinterpret_cast<const unsigned char*>(kLabel.data()), kLabel.size(),
                       own_seed.data(), own_seed.size());
    CHECK(is_there(secret));
    CHECK(is_there(signing_seed));
    identity->~Identity();
    CHECK_FALSE(is_there(secret));
    CHECK_FALSE(is_there(signing_seed));
}

TEST_CASE("identity: fingerprints are groups of digits, and are read as people type them") {
    const PublicKeys keys = Identity(seed(1)).keys();
    const std::string text = fingerprint(keys);
    CHECK(text.size() == 39);
    CHECK(std::count(text.begin(), text.end(), '-') == 7);
    CHECK(text.find_first_not_of("0123456789abcdef-") == std::string::npos);
    CHECK(text == fingerprint(keys));
    PublicKeys changed = keys;
    changed.channel[0] ^= 1;
    CHECK(fingerprint(changed) != text);
    changed = keys;
    changed.signing[31] ^= 1;
    CHECK(fingerprint(changed) != text);

    std::string upper = text;
    std::string digits;
    for (char& c : upper) {
        if (c != '-') digits += c;
        if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
    }
    CHECK(parse_fingerprint(text) == text);
    CHECK(parse_fingerprint(upper) == text);
    CHECK(parse_fingerprint(digits) == text);
    CHECK_FALSE(parse_fingerprint(""));
    CHECK_FALSE(parse_fingerprint(text.substr(1)));
    CHECK_FALSE(parse_fingerprint(text + "0"));
    CHECK_FALSE(parse_fingerprint(" " + text));
    CHECK_FALSE(parse_fingerprint("g" + text.substr(1)));
    CHECK_FALSE(parse_fingerprint("-" + digits));
    CHECK_FALSE(parse_fingerprint(text.substr(0, 3) + "-" + text.substr(3, 1) + text.substr(5)));
    CHECK_FALSE(parse_fingerprint(std::string(39, '-')));
}

TEST_CASE("identity: keys come back from their bytes, of the right length only") {
    const PublicKeys keys = Identity(seed(1)).keys();
    const std::string bytes = to_bytes(keys);
    CHECK(bytes.size() == 64);
    CHECK(bytes.substr(0, 32) == to_bytes(keys.channel));
    CHECK(keys_from_bytes(bytes) == keys);
    CHECK_FALSE(keys_from_bytes(bytes.substr(1)));
    CHECK_FALSE(keys_from_bytes(bytes + '\0'));
    CHECK(key_from_bytes(to_bytes(keys.signing)) == keys.signing);
    CHECK_FALSE(key_from_bytes(""));
    CHECK_FALSE(key_from_bytes(bytes));
    CHECK(KeyHash()(keys.channel) == KeyHash()(keys.channel));
    CHECK(KeyHash()(keys.channel) != KeyHash()(keys.signing));
}

TEST_CASE("key log: lines are written and read, others are none") {
    const std::string line = key_log_line(0x1f2e3d4c, seed(0xab));
    CHECK(line == "p2pbank-key 1f2e3d4c " + [] {
        std::string digits;
        for (int i = 0; i < 32; ++i) digits += "ab";
        return digits;
    }());
    KeyLog log;
    CHECK(log.add_line(line));
    CHECK(log.add_line(key_log_line(0, KeyBytes{})));
    CHECK_FALSE(log.add_line(""));
    CHECK_FALSE(log.add_line(line + "\n"));
    CHECK_FALSE(log.add_line(line.substr(1)));
    CHECK_FALSE(log.add_line("P" + line.substr(1)));
    std::string changed = line;
    changed[13] = 'g';
    CHECK_FALSE(log.add_line(changed));
    changed = line;
    changed.back() = 'X';
    CHECK_FALSE(log.add_line(changed));
    CHECK_FALSE(log.open(""));
    CHECK_FALSE(log.open(std::string(100, 'x')));
}

TEST_CASE("key requests: the answer is the nonce and the keys, no longer than the request") {
    const Identity identity(seed(1));
    const std::string request = key_request(0x0102030405060708);
    CHECK(request.size() == kKeyRequestBytes);
    const std::string answer = key_answer(request, identity);
    CHECK(answer.size() == kKeyAnswerBytes);
    const auto read = read_key_answer(answer);
    REQUIRE(read);
    CHECK(read->nonce == 0x0102030405060708);
    CHECK(read->keys == identity.keys());
    CHECK(key_answer(answer, identity).empty());
    CHECK(key_answer(request.substr(0, kKeyRequestBytes - 1), identity).empty());
    CHECK(key_answer(request + '\0', identity).empty());
    CHECK(key_answer("", identity).empty());
    CHECK_FALSE(read_key_answer(request));
    CHECK_FALSE(read_key_answer(answer.substr(1)));
    CHECK_FALSE(read_key_answer(answer + '\0'));
    CHECK_FALSE(read_key_answer(other_mode()));
    // A wrong bit in the keys, or half of somebody else's, is noticed.
    for (size_t i = kHeaderBytes + 8; i < answer.size(); ++i) {
        std::string damaged = answer;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        CAPTURE(i);
        CHECK_FALSE(read_key_answer(damaged));
    }
}
