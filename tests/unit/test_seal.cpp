#include <rapidcheck.h>
#include <set>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/base/limits.h"
#include "common/core/authority.h"
#include "common/core/seal.h"

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

wire::Ask sign_in_ask() {
    wire::Ask ask;
    ask.set_nonce(7);
    ask.add_words("sign-in");
    ask.add_words("ann@example.org");
    ask.set_sealed("sealed");
    return ask;
}

wire::Deal purchase() {
    wire::Deal deal;
    deal.set_number(3);
    deal.set_kind(wire::DEAL_PURCHASE);
    deal.set_what("apple");
    deal.set_quantity(2);
    deal.set_amount(500);
    return deal;
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

TEST_CASE("seal: what is sealed is a sealed box of libsodium, and the other way round") {
    KeyedRandom random(seed(1));
    const KeyPair pair = make_key_pair(seed(2));
    CHECK(rc::check(
        "libsodium opens what we seal, we open what it seals", [&](const std::string& text) {
            const std::string sealed = seal(text, pair.public_key, random).value();
            RC_ASSERT(sealed.size() == text.size() + crypto_box_SEALBYTES);
            std::string opened(text.size(), '\0');
            RC_ASSERT(crypto_box_seal_open(reinterpret_cast<unsigned char*>(opened.data()),
                                           reinterpret_cast<const unsigned char*>(sealed.data()),
                                           sealed.size(), pair.public_key.data(),
                                           pair.secret_key.data()) == 0);
            RC_ASSERT(opened == text);

            std::string theirs(text.size() + crypto_box_SEALBYTES, '\0');
            crypto_box_seal(reinterpret_cast<unsigned char*>(theirs.data()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                            pair.public_key.data());
            const auto ours = unseal(theirs, pair);
            RC_ASSERT(ours.has_value());
            RC_ASSERT(ours->view() == text);
        }));
}

TEST_CASE("seal: only the owner of the key opens it, and only as it was sealed") {
    KeyedRandom random(seed(1));
    const KeyPair pair = make_key_pair(seed(2));
    std::string sealed = seal("hunter2 hunter2", pair.public_key, random).value();
    CHECK(sealed != seal("hunter2 hunter2", pair.public_key, random).value());
    CHECK_FALSE(unseal(sealed, make_key_pair(seed(3))));
    for (size_t i = 0; i < sealed.size(); ++i) {
        sealed[i] = static_cast<char>(sealed[i] ^ 1);
        CHECK_FALSE(unseal(sealed, pair));
        sealed[i] = static_cast<char>(sealed[i] ^ 1);
    }
    CHECK(unseal(sealed, pair));
    CHECK_FALSE(unseal("", pair));
    CHECK_FALSE(unseal(std::string(crypto_box_SEALBYTES - 1, 'x'), pair));
    CHECK_FALSE(unseal(std::string(limits::kMaxSealedBytes + 1, 'x'), pair));
}

TEST_CASE("seal: a key of zeros, which would hide nothing, is refused") {
    KeyedRandom random(seed(1));
    CHECK(seal("hunter2", KeyBytes{}, random).error().code == "bad-key");
}

TEST_CASE("seal: the length of a password does not show") {
    KeyedRandom random(seed(1));
    const KeyPair pair = make_key_pair(seed(2));
    wire::Secrets secrets;
    secrets.set_nonce(UINT64_MAX);
    const size_t empty = seal_secrets(secrets, pair.public_key, random).value().size();
    secrets.set_name(std::string(limits::kMaxPersonNameBytes, 'n'));
    secrets.set_password(std::string(limits::kMaxPasswordBytes, 'p'));
    secrets.set_new_password(std::string(limits::kMaxPasswordBytes, 'q'));
    secrets.set_session_key(std::string(32, '\0'));
    const std::string full = seal_secrets(secrets, pair.public_key, random).value();
    CHECK(full.size() == empty);
    CHECK(full.size() <= limits::kMaxSealedBytes);
    const auto opened = unseal_secrets(full, pair);
    REQUIRE(opened.has_value());
    CHECK(opened->SerializeAsString() == secrets.SerializeAsString());
}

TEST_CASE("seal: sealed bytes that are no secrets are refused") {
    KeyedRandom random(seed(1));
    const KeyPair pair = make_key_pair(seed(2));
    for (const std::string& text : {std::string(), std::string(10, '\0'), std::string("\xff\x80"),
                                    std::string("no padding")}) {
        CHECK_FALSE(unseal_secrets(seal(text, pair.public_key, random).value(), pair));
    }
}

TEST_CASE("seal: wiping leaves no secret behind") {
    wire::Secrets secrets;
    secrets.set_name("Ann");
    secrets.set_password("hunter2 hunter2");
    secrets.set_new_password("hunter3 hunter3");
    secrets.set_session_key("key");
    wipe(secrets);
    CHECK(secrets.SerializeAsString().empty());
}

TEST_CASE("fingerprint: groups of hexadecimal digits, another for another key") {
    const std::string text = fingerprint(make_key_pair(seed(1)).public_key);
    CHECK(text.size() == 39);
    CHECK(text.find_first_not_of("0123456789abcdef-") == std::string::npos);
    CHECK(text == fingerprint(make_key_pair(seed(1)).public_key));
    CHECK(text != fingerprint(make_key_pair(seed(2)).public_key));
}

TEST_CASE("key: it is read from 32 bytes and written as hexadecimal digits") {
    CHECK(key_to_hex(seed(0xab)).substr(0, 4) == "ab00");
    CHECK(key_to_hex(seed(0xab)).size() == 64);
    CHECK(key_from_bytes(std::string(32, '\1')).has_value());
    CHECK_FALSE(key_from_bytes(std::string(31, '\1')));
    CHECK_FALSE(key_from_bytes(""));
}

TEST_CASE("authority: a request is signed with its sender, counter and everything in it") {
    const KeyBytes key = seed(4);
    const wire::Ask ask = sign_in_ask();
    const std::string text = signed_text("alice", 2, ask);
    wire::Authority authority;
    sign(11, 5, key, text, &authority);
    CHECK(is_signed(authority, key, text));
    CHECK_FALSE(is_signed(authority, seed(5), text));
    CHECK_FALSE(is_signed(authority, key, signed_text("bob", 2, ask)));
    CHECK_FALSE(is_signed(authority, key, signed_text("alice", 3, ask)));

    wire::Authority changed = authority;
    changed.set_counter(6);
    CHECK_FALSE(is_signed(changed, key, text));
    changed = authority;
    changed.set_session(12);
    CHECK_FALSE(is_signed(changed, key, text));
    changed = authority;
    changed.mutable_mac()->pop_back();
    CHECK_FALSE(is_signed(changed, key, text));
    changed.clear_mac();
    CHECK_FALSE(is_signed(changed, key, text));
}

TEST_CASE("authority: requests that differ are different texts") {
    std::set<std::string> texts;
    const wire::Ask ask = sign_in_ask();
    texts.insert(signed_text("", 0, ask));
    wire::Ask other = ask;
    other.set_nonce(8);
    texts.insert(signed_text("", 0, other));
    other = ask;
    other.set_words(1, "bob@example.org");
    texts.insert(signed_text("", 0, other));
    other = ask;
    other.set_words(0, "sign-ina");
    other.set_words(1, "nn@example.org");
    texts.insert(signed_text("", 0, other));
    other = ask;
    other.add_words("");
    texts.insert(signed_text("", 0, other));
    other = ask;
    other.clear_sealed();
    texts.insert(signed_text("", 0, other));

    const wire::Deal deal = purchase();
    texts.insert(signed_text("", 0, 1, deal));
    texts.insert(signed_text("", 0, 2, deal));
    const auto differing = [&](auto change) {
        wire::Deal changed = deal;
        change(changed);
        texts.insert(signed_text("", 0, 1, changed));
    };
    differing([](wire::Deal& d) { d.set_number(4); });
    differing([](wire::Deal& d) { d.set_nonce(4); });
    differing([](wire::Deal& d) { d.set_kind(wire::DEAL_PAYMENT); });
    differing([](wire::Deal& d) { d.set_what("pear"); });
    differing([](wire::Deal& d) { d.set_quantity(3); });
    differing([](wire::Deal& d) { d.set_amount(499); });
    differing([](wire::Deal& d) { d.set_months(1); });

    wire::Open open;
    open.set_name("alice");
    texts.insert(signed_text("", 0, open));
    open.set_balance(1);
    texts.insert(signed_text("", 0, open));
    open.set_opener(1);
    texts.insert(signed_text("", 0, open));
    CHECK(texts.size() == 18);
}

TEST_CASE("authority: what is signed does not contain the signature") {
    wire::Ask ask = sign_in_ask();
    const std::string before = signed_text("alice", 2, ask);
    sign(11, 5, seed(4), before, ask.mutable_authority());
    CHECK(signed_text("alice", 2, ask) == before);
}
