#include <algorithm>
#include <set>
#include <string>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/secure/keyed_random.h"

using namespace p2pbank;

namespace {

KeyBytes seed(unsigned char first) {
    KeyBytes bytes{};
    bytes[0] = first;
    return bytes;
}

std::string drawn(KeyedRandom& random, size_t count) {
    std::string bytes(count, '\0');
    random.fill({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
    return bytes;
}

}  // namespace

TEST_CASE("keyed random: the same seed gives the same bytes, another seed others") {
    KeyedRandom one(seed(1));
    KeyedRandom again(seed(1));
    KeyedRandom other(seed(2));
    const std::string bytes = drawn(one, 2'000);
    CHECK(bytes == drawn(again, 2'000));
    CHECK(bytes != drawn(other, 2'000));
    CHECK(one.next64() == again.next64());
    CHECK(one.key() == again.key());
}

TEST_CASE("keyed random: nothing comes twice, and every byte comes") {
    KeyedRandom random(seed(1));
    std::set<uint64_t> seen;
    for (int i = 0; i < 10'000; ++i) seen.insert(random.next64());
    CHECK(seen.size() == 10'000);
    const std::string bytes = drawn(random, 10'000);
    CHECK(std::set<char>(bytes.begin(), bytes.end()).size() == 256);
}

TEST_CASE("keyed random: a choice is below its bound and reaches all of it") {
    KeyedRandom random(seed(1));
    std::set<uint64_t> seen;
    for (int i = 0; i < 1'000; ++i) seen.insert(random.below(31));
    CHECK(seen.size() == 31);
    CHECK(*seen.rbegin() == 30);
}

TEST_CASE("keyed random: it is the keystream of ChaCha20, the next key first") {
    const KeyBytes key = seed(9);
    unsigned char stream[512];
    const unsigned char nonce[crypto_stream_chacha20_NONCEBYTES] = {};
    crypto_stream_chacha20(stream, sizeof stream, nonce, key.data());
    KeyedRandom random(key);
    CHECK(drawn(random, 100) == std::string(reinterpret_cast<char*>(stream) + 32, 100));
    KeyBytes next;
    std::copy_n(stream, next.size(), next.begin());
    KeyedRandom following(next);
    CHECK(drawn(random, 100) == drawn(following, 100));
}
