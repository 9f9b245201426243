#include <deque>
#include <map>

#include <doctest/doctest.h>

#include "common/core/courier.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;

namespace {

const Address kLeft{0x7f000001, 1'000};
const Address kRight{0x7f000001, 2'000};

// Two couriers and a wire between them that can lose what the test wants lost.
struct Pair {
    Courier left{1};
    Courier right{2};
    RecordedEffects from_left;
    RecordedEffects from_right;
    TimePoint now{};
    std::vector<std::string> at_left;  // the senders' texts: replies
    std::vector<std::string> at_right;
    std::function<bool(const std::string&)> lose = [](const std::string&) { return false; };
    size_t bytes_to_right = 0;
    size_t bytes_to_left = 0;

    Pair() {
        left.identify("left", 1);
        right.identify("right", 1);
    }

    void deliver(Courier& to, RecordedEffects& out, RecordedEffects& in, Address from,
                 std::vector<std::string>& arrived, size_t& bytes) {
        const auto datagrams = std::move(in.sent);
        in.sent.clear();
        for (const auto& datagram : datagrams) {
            bytes += datagram.bytes.size();
            CHECK(datagram.bytes.size() <= limits::kMaxDatagramBytes);
            if (lose(datagram.bytes)) continue;
            if (to.receive(now, Socket::bank, from, datagram.bytes, out) ==
                Courier::Arrival::message) {
                arrived.push_back(to.received().reply().text());
            }
        }
        to.end_of_turn(out);
    }
    // Until nothing is on the wire.
    void settle() {
        while (!from_left.sent.empty() || !from_right.sent.empty()) {
            deliver(right, from_right, from_left, kLeft, at_right, bytes_to_right);
            deliver(left, from_left, from_right, kRight, at_left, bytes_to_left);
        }
    }
    bool say(const std::string& text) {
        wire::Datagram message;
        message.mutable_reply()->set_text(text);
        const bool out = left.send(now, Socket::bank, kRight, message, from_left);
        settle();
        return out;
    }
    void introduce() {
        say("hello?");
        REQUIRE(say("hello!"));
        at_right.clear();
    }
};

std::string long_text(size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += "part " + std::to_string(text.size()) + " ";
    return text;
}

}  // namespace

TEST_CASE("courier: the first message only introduces, the next one arrives") {
    Pair pair;
    CHECK_FALSE(pair.say("first"));
    CHECK(pair.at_right.empty());
    CHECK(pair.left.is_proven(kRight));
    CHECK(pair.right.is_proven(kLeft));
    CHECK(pair.say("second"));
    CHECK(pair.at_right == std::vector<std::string>{"second"});
}

TEST_CASE("courier: two that introduce themselves to each other at the same time get there") {
    Pair pair;
    wire::Datagram message;
    message.mutable_reply()->set_text("x");
    for (int i = 0; i < 3; ++i) {  // Hellos of both on their way at once
        pair.left.send(pair.now, Socket::bank, kRight, message, pair.from_left);
        pair.right.send(pair.now, Socket::bank, kLeft, message, pair.from_right);
        pair.now += seconds(1);
    }
    pair.settle();
    CHECK(pair.left.is_proven(kRight));
    CHECK(pair.right.is_proven(kLeft));
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
        forger.send(TimePoint() + seconds(i), Socket::bank, kRight, message, forged);
        for (const auto& datagram : forged.sent) {
            in += datagram.bytes.size();
            CHECK(courier.receive(TimePoint() + seconds(i), Socket::bank, kLeft, datagram.bytes,
                                  out) == Courier::Arrival::nothing);
            size_t sent = 0;
            for (const auto& answer : out.sent) sent += answer.bytes.size();
            CHECK(sent <= in);
        }
        forged.sent.clear();
    }
    CHECK_FALSE(out.sent.empty());
}

TEST_CASE("courier: a message larger than a datagram arrives whole") {
    Pair pair;
    pair.introduce();
    const std::string text = long_text(40'000);
    pair.say(text);
    REQUIRE(pair.at_right.size() == 1);
    CHECK(pair.at_right[0] == text);
}

TEST_CASE("courier: sending a large message again sends only what is missing") {
    Pair pair;
    pair.introduce();
    const std::string text = long_text(40'000);
    int count = 0;
    pair.lose = [&](const std::string& bytes) { return bytes.size() > 500 && ++count % 3 == 0; };
    pair.say(text);
    CHECK(pair.at_right.empty());
    pair.lose = [](const std::string&) { return false; };
    pair.bytes_to_right = 0;
    pair.say(text);
    REQUIRE(pair.at_right.size() == 1);
    CHECK(pair.at_right[0] == text);
    CHECK(pair.bytes_to_right < 20'000);
}

TEST_CASE("courier: a large message that arrived is delivered again when it is sent again") {
    Pair pair;
    pair.introduce();
    const std::string text = long_text(10'000);
    pair.say(text);
    pair.bytes_to_right = 0;
    pair.say(text);
    CHECK(pair.at_right.size() == 2);
    CHECK(pair.bytes_to_right < 1'500);
}

TEST_CASE("courier: a receiver that was started again gets all parts again") {
    Pair pair;
    pair.introduce();
    const std::string text = long_text(10'000);
    pair.say(text);
    pair.at_right.clear();
    pair.right = Courier(9);
    pair.right.identify("right", 2);
    for (int i = 0; i < 6 && pair.at_right.empty(); ++i) {
        pair.now += seconds(1);
        pair.say(text);
    }
    REQUIRE(pair.at_right.size() >= 1);
    CHECK(pair.at_right[0] == text);
}

TEST_CASE("courier: a flood of strangers does not push out those it knows") {
    Pair pair;
    pair.introduce();
    RecordedEffects ignored;
    std::string bytes;
    RecordedEffects forged;
    Courier forger(4);
    wire::Datagram message;
    message.mutable_probe()->set_nonce(1);
    forger.trust(kRight);
    forger.send(TimePoint(), Socket::bank, kRight, message, forged);
    for (uint32_t i = 0; i < limits::kMaxAddressesKnown + 100; ++i) {
        pair.right.receive(pair.now, Socket::bank, Address{0x0a000000 + i, 9}, forged.sent[0].bytes,
                           ignored);
        ignored.sent.clear();
    }
    CHECK(pair.right.is_proven(kLeft));
    CHECK(pair.say("still here"));
    CHECK(pair.at_right == std::vector<std::string>{"still here"});
}
