#include <functional>
#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "common/core/courier.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;

namespace {

const Address kLeft{0x7f000001, 1'000};
const Address kRight{0x7f000001, 2'000};

KeyBytes seed_of(unsigned char first) {
    KeyBytes seed{};
    seed[0] = first;
    return seed;
}

// Two couriers and a wire between them that can lose what the test wants lost.
struct Pair {
    const bool sealed;
    const secure::Identity left_identity{seed_of(1)};
    const secure::Identity right_identity{seed_of(2)};
    std::unique_ptr<Courier> left;
    std::unique_ptr<Courier> right;
    RecordedEffects from_left;
    RecordedEffects from_right;
    TimePoint now{};
    std::vector<std::string> at_left;  // the senders' texts: replies
    std::vector<std::string> at_right;
    std::function<bool(const std::string&)> lose = [](const std::string&) { return false; };
    size_t bytes_to_right = 0;
    size_t bytes_to_left = 0;

    explicit Pair(bool is_sealed) : sealed(is_sealed) {
        left = make(left_identity, 3);
        right = make(right_identity, 4);
        left->identify("left", 1);
        right->identify("right", 1);
    }

    std::unique_ptr<Courier> make(const secure::Identity& identity, unsigned char seed) const {
        return std::make_unique<Courier>(seed, sealed ? &identity : nullptr, seed_of(seed));
    }
    KeyBytes left_key() const { return sealed ? left_identity.keys().channel : KeyBytes{}; }
    KeyBytes right_key() const { return sealed ? right_identity.keys().channel : KeyBytes{}; }
    bool know_each_other() const {
        return left->is_introduced(now, Socket::bank, kRight, right_key()) &&
               right->is_introduced(now, Socket::bank, kLeft, left_key());
    }

    void deliver(Courier& to, RecordedEffects& out, RecordedEffects& in, Address from,
                 std::vector<std::string>& arrived, size_t& bytes) {
        const auto datagrams = std::move(in.sent);
        in.sent.clear();
        for (const auto& datagram : datagrams) {
            bytes += datagram.bytes.size();
            CHECK(datagram.bytes.size() <= limits::kMaxDatagramBytes);
            if (lose(datagram.bytes)) continue;
            if (to.receive(now, Socket::bank, from, datagram.bytes, out).message) {
                arrived.push_back(to.received().reply().text());
                CHECK(to.received_from() == (from == kLeft ? left_key() : right_key()));
            }
        }
        to.end_of_turn(now, out);
    }
    // Until nothing is on the wire.
    void settle() {
        while (!from_left.sent.empty() || !from_right.sent.empty()) {
            deliver(*right, from_right, from_left, kLeft, at_right, bytes_to_right);
            deliver(*left, from_left, from_right, kRight, at_left, bytes_to_left);
        }
    }
    bool say(const std::string& text) {
        wire::Datagram message;
        message.mutable_reply()->set_text(text);
        const bool out = left->send(now, Socket::bank, kRight, right_key(), message, from_left);
        settle();
        return out;
    }
    void introduce() {
        say("hello?");
        REQUIRE(say("hello!"));
        at_right.clear();
    }
};

template <class Test>
void for_both_modes(Test test) {
    for (const bool sealed : {false, true}) {
        CAPTURE(sealed);
        Pair pair(sealed);
        test(pair);
    }
}

std::string long_text(size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += "part " + std::to_string(text.size()) + " ";
    return text;
}

}  // namespace

TEST_CASE("courier: the first message only introduces, the next one arrives") {
    for_both_modes([](Pair& pair) {
        CHECK_FALSE(pair.say("first"));
        CHECK(pair.at_right.empty());
        CHECK(pair.know_each_other());
        CHECK(pair.say("second"));
        CHECK(pair.at_right == std::vector<std::string>{"second"});
    });
}

TEST_CASE("courier: two that introduce themselves to each other at the same time get there") {
    for_both_modes([](Pair& pair) {
        wire::Datagram message;
        message.mutable_reply()->set_text("x");
        for (int i = 0; i < 3; ++i) {  // Hellos of both on their way at once
            pair.left->send(pair.now, Socket::bank, kRight, pair.right_key(), message,
                            pair.from_left);
            pair.right->send(pair.now, Socket::bank, kLeft, pair.left_key(), message,
                             pair.from_right);
            pair.now += seconds(1);
        }
        pair.settle();
        for (int i = 0; i < 3 && !pair.know_each_other(); ++i) {  // with a cookie, if one was asked
            pair.now += seconds(6);
            pair.say("x");
        }
        CHECK(pair.know_each_other());
    });
}

TEST_CASE("courier: a stranger is never sent more bytes than it sent") {
    Courier courier(3);
    courier.identify("bank", 1);
    RecordedEffects out;
    Courier forger(4);
    forger.identify("mallory", 1);
    RecordedEffects forged;
    forger.trust(kRight);
    size_t in = 0;
    for (int i = 0; i < 100; ++i) {
        wire::Datagram message;
        message.mutable_probe()->set_nonce(static_cast<uint64_t>(i + 1));
        forger.send(TimePoint() + seconds(i), Socket::bank, kRight, KeyBytes{}, message, forged);
        for (const auto& datagram : forged.sent) {
            in += datagram.bytes.size();
            CHECK_FALSE(
                courier.receive(TimePoint() + seconds(i), Socket::bank, kLeft, datagram.bytes, out)
                    .message);
            size_t sent = 0;
            for (const auto& answer : out.sent) sent += answer.bytes.size();
            CHECK(sent <= in);
        }
        forged.sent.clear();
    }
    CHECK_FALSE(out.sent.empty());
}

TEST_CASE("courier: a message larger than a datagram arrives whole") {
    for_both_modes([](Pair& pair) {
        pair.introduce();
        const std::string text = long_text(40'000);
        pair.say(text);
        REQUIRE(pair.at_right.size() == 1);
        CHECK(pair.at_right[0] == text);
    });
}

TEST_CASE("courier: sending a large message again sends only what is missing") {
    for_both_modes([](Pair& pair) {
        pair.introduce();
        const std::string text = long_text(40'000);
        int count = 0;
        pair.lose = [&](const std::string& bytes) {
            return bytes.size() > 500 && ++count % 3 == 0;
        };
        pair.say(text);
        CHECK(pair.at_right.empty());
        pair.lose = [](const std::string&) { return false; };
        pair.bytes_to_right = 0;
        pair.say(text);
        REQUIRE(pair.at_right.size() == 1);
        CHECK(pair.at_right[0] == text);
        CHECK(pair.bytes_to_right < 20'000);
    });
}

TEST_CASE("courier: a large message that arrived is delivered again when it is sent again") {
    for_both_modes([](Pair& pair) {
        pair.introduce();
        const std::string text = long_text(10'000);
        pair.say(text);
        pair.bytes_to_right = 0;
        pair.say(text);
        CHECK(pair.at_right.size() == 2);
        CHECK(pair.bytes_to_right < 1'500);
    });
}

TEST_CASE("courier: a receiver that was started again gets all parts again") {
    for_both_modes([](Pair& pair) {
        pair.introduce();
        const std::string text = long_text(10'000);
        pair.say(text);
        pair.at_right.clear();
        pair.right = pair.make(pair.right_identity, 9);
        pair.right->identify("right", 2);
        for (int i = 0; i < 6 && pair.at_right.empty(); ++i) {
            pair.now += seconds(1);
            pair.say(text);
        }
        REQUIRE(pair.at_right.size() >= 1);
        CHECK(pair.at_right[0] == text);
    });
}

TEST_CASE("courier: a flood of strangers does not push out those it knows") {
    Pair pair(false);
    pair.introduce();
    RecordedEffects ignored;
    std::string bytes;
    RecordedEffects forged;
    Courier forger(4);
    wire::Datagram message;
    message.mutable_probe()->set_nonce(1);
    forger.trust(kRight);
    forger.send(TimePoint(), Socket::bank, kRight, KeyBytes{}, message, forged);
    for (uint32_t i = 0; i < limits::kMaxAddressesKnown + 100; ++i) {
        pair.right->receive(pair.now, Socket::bank, Address{0x0a000000 + i, 9},
                            forged.sent[0].bytes, ignored);
        ignored.sent.clear();
    }
    CHECK(pair.know_each_other());
    CHECK(pair.say("still here"));
    CHECK(pair.at_right == std::vector<std::string>{"still here"});
}
TEST_CASE("courier: the sealed and the clear do not talk, and say so") {
    Pair sealed(true);
    Pair clear(false);
    wire::Datagram message;
    message.mutable_reply()->set_text("x");
    const auto exchange = [&](Courier& from, const KeyBytes& key, Courier& to) {
        RecordedEffects out;
        RecordedEffects back;
        CHECK_FALSE(from.send(TimePoint(), Socket::bank, kRight, key, message, out));
        REQUIRE(out.sent.size() == 1);
        const auto arrival = to.receive(TimePoint(), Socket::bank, kLeft, out.sent[0].bytes, back);
        CHECK(arrival.other_mode);
        CHECK_FALSE(arrival.introduced);
        CHECK_FALSE(arrival.message);
        REQUIRE(back.sent.size() == 1);
        CHECK(back.sent[0].bytes.size() <= out.sent[0].bytes.size());
        out.sent.clear();
        const auto hint = from.receive(TimePoint(), Socket::bank, kRight, back.sent[0].bytes, out);
        CHECK(hint.other_mode);
        CHECK_FALSE(hint.message);
        CHECK(out.sent.empty());  // or the two would go on for ever
    };
    exchange(*sealed.left, sealed.right_key(), *clear.right);
    exchange(*clear.left, KeyBytes{}, *sealed.right);
}

TEST_CASE("courier: what is sealed shows nothing of what is in it") {
    Pair pair(true);
    pair.introduce();
    bool seen = false;
    pair.lose = [&](const std::string& bytes) {
        seen = seen || bytes.find("a secret text") != std::string::npos ||
               bytes.find("left") != std::string::npos;
        return false;
    };
    CHECK(pair.say("a secret text"));
    CHECK(pair.at_right == std::vector<std::string>{"a secret text"});
    CHECK_FALSE(seen);
}

TEST_CASE("courier: somebody else's key at the same address is somebody else") {
    Pair pair(true);
    pair.introduce();
    const secure::Identity mallory(seed_of(7));
    pair.left = pair.make(mallory, 8);
    pair.left->identify("left", 1);  // says that it is left
    RecordedEffects out;
    wire::Datagram message;
    message.mutable_reply()->set_text("it is me");
    std::vector<KeyBytes> from;
    for (int i = 0; i < 3; ++i) {
        pair.left->send(pair.now, Socket::bank, kRight, pair.right_key(), message, pair.from_left);
        while (!pair.from_left.sent.empty() || !pair.from_right.sent.empty()) {
            const auto to_right = std::exchange(pair.from_left.sent, {});
            for (const auto& sent : to_right) {
                const auto arrival =
                    pair.right->receive(pair.now, Socket::bank, kLeft, sent.bytes, pair.from_right);
                if (arrival.message) from.push_back(pair.right->received_from());
            }
            const auto to_left = std::exchange(pair.from_right.sent, {});
            for (const auto& sent : to_left) {
                pair.left->receive(pair.now, Socket::bank, kRight, sent.bytes, pair.from_left);
            }
        }
        pair.now += seconds(1);
    }
    REQUIRE_FALSE(from.empty());
    for (const KeyBytes& key : from) CHECK(key == mallory.keys().channel);
}

TEST_CASE("courier: keys are told to whoever asks, and to nobody else") {
    Pair pair(true);
    RecordedEffects out;
    RecordedEffects back;
    pair.left->ask_keys(Socket::bank, kRight, 77, out);
    REQUIRE(out.sent.size() == 1);
    pair.right->receive(pair.now, Socket::bank, kLeft, out.sent[0].bytes, back);
    CHECK(back.sent.empty());
    pair.right->answer_key_requests();
    pair.right->receive(pair.now, Socket::bank, kLeft, out.sent[0].bytes, back);
    REQUIRE(back.sent.size() == 1);
    CHECK(back.sent[0].bytes.size() <= out.sent[0].bytes.size());
    const auto arrival =
        pair.left->receive(pair.now, Socket::bank, kRight, back.sent[0].bytes, out);
    REQUIRE(arrival.keys.has_value());
    CHECK(arrival.keys->nonce == 77);
    CHECK(arrival.keys->keys == pair.right_identity.keys());
}

TEST_CASE("courier: who is no longer accepted is not heard any more") {
    Pair pair(true);
    pair.introduce();
    bool accepted = true;
    pair.right->accept_only([&](Socket, const KeyBytes&) { return accepted; });
    CHECK(pair.say("one"));
    accepted = false;
    pair.right->forget_refused();
    for (int i = 0; i < 4; ++i) {
        pair.now += seconds(6);
        pair.say("two");
    }
    CHECK(pair.at_right == std::vector<std::string>{"one"});
    accepted = true;
    for (int i = 0; i < 4; ++i) {
        pair.now += seconds(6);
        pair.say("three");
    }
    REQUIRE_FALSE(pair.at_right.empty());
    CHECK(pair.at_right.back() == "three");
}
