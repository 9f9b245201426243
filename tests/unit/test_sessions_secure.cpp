// What sessions do between honest parties. What others cannot do to them is in
// test_sessions_attacks.cpp.
#include <algorithm>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/secure/key_log.h"
#include "tests/unit/secure_helpers.h"

using namespace p2pbank;
using namespace p2pbank::secure;
using namespace p2pbank::testing;

TEST_CASE("sessions: an initiation, a response and an empty packet, then both talk") {
    Two two;
    two.left.introduce(two.right);
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(two.wire.packets[0].bytes.size() == kInitiationBytes);
    CHECK(type(two.wire.packets[0]) == PacketType::initiation);
    CHECK(two.left.sessions->unconfirmed() == 1);
    two.wire.deliver_one();
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(two.wire.packets[0].bytes.size() == kResponseBytes);
    CHECK(two.right.introduced == 0);
    CHECK_FALSE(two.right.has_session(two.left));
    CHECK(two.right.sessions->unconfirmed() == 1);
    std::string packet;
    CHECK_FALSE(two.right.send(two.left, "not yet"));
    two.wire.deliver_one();
    CHECK(two.left.introduced == 1);
    CHECK(two.left.has_session(two.right));
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(two.wire.packets[0].bytes.size() == kSealedOverhead);
    two.wire.deliver_one();
    CHECK(two.wire.packets.empty());
    CHECK(two.right.introduced == 1);
    CHECK(two.right.messages.empty());  // it said nothing
    for (Party* party : {&two.left, &two.right}) {
        CHECK(party->sessions->confirmed() == 1);
        CHECK(party->sessions->unconfirmed() == 0);
    }
    CHECK(two.left.send(two.right, "one"));
    CHECK(two.right.send(two.left, "two"));
    CHECK(two.left.send(two.right, std::string(1'168, 'x')));
    two.wire.settle();
    CHECK(two.right.messages == std::vector<std::string>{"one", std::string(1'168, 'x')});
    CHECK(two.left.messages == std::vector<std::string>{"two"});
    CHECK(two.right.senders[0] == two.left.key());
    CHECK(two.left.senders[0] == two.right.key());
    CHECK_FALSE(two.left.sessions->has_session(two.wire.now, two.right.address(), seed_of(9)));
}

TEST_CASE("sessions: a message confirms a session as well as the empty packet") {
    Two two;
    two.wire.lose = [](const Packet& packet) { return packet.bytes.size() == kSealedOverhead; };
    two.left.introduce(two.right);
    two.wire.settle();
    CHECK_FALSE(two.right.has_session(two.left));
    CHECK(two.left.send(two.right, "hello"));
    two.wire.settle();
    CHECK(two.right.has_session(two.left));
    CHECK(two.right.introduced == 1);
    CHECK(two.right.messages == std::vector<std::string>{"hello"});
}

TEST_CASE("sessions: initiations are repeated after pauses that double, up to five seconds") {
    Two two;
    two.wire.lose = [](const Packet&) { return true; };
    std::vector<Duration> sent;
    for (; two.wire.now < TimePoint(seconds(40)); two.wire.pass(milliseconds(10))) {
        two.left.introduce(two.right);
        if (!two.wire.packets.empty()) sent.push_back(two.wire.now.time_since_epoch());
        two.wire.settle();
        CHECK(two.left.sessions->unconfirmed() == 1);
    }
    REQUIRE(sent.size() > 10);
    CHECK(sent[1] - sent[0] == milliseconds(50));
    CHECK(sent[2] - sent[1] == milliseconds(100));
    CHECK(sent[3] - sent[2] == milliseconds(200));
    CHECK(sent[10] - sent[9] == seconds(5));
    two.wire.pass(seconds(20));
    CHECK(two.left.sessions->unconfirmed() == 1);  // nobody called since
    CHECK_FALSE(two.left.send(two.right, "x"));
    CHECK(two.left.sessions->unconfirmed() == 0);
}

TEST_CASE("sessions: only the newest own initiation can be answered") {
    Two two;
    two.left.introduce(two.right);
    const Packet first = two.wire.take();
    two.wire.pass(milliseconds(60));
    two.left.introduce(two.right);
    const Packet second = two.wire.take();
    CHECK(first.bytes != second.bytes);
    two.right.receive(first.from, first.bytes);
    two.wire.settle();
    CHECK(two.left.introduced == 0);
    two.right.receive(second.from, second.bytes);
    two.wire.settle();
    CHECK(two.left.introduced == 1);
    CHECK(two.right.introduced == 1);
}

TEST_CASE("sessions: both begin at the same time") {
    Two two;
    two.left.introduce(two.right);
    two.right.introduce(two.left);
    two.wire.settle();
    for (int i = 0; i < 10; ++i) {
        CHECK(two.left.send(two.right, "to the right"));
        CHECK(two.right.send(two.left, "to the left"));
        two.wire.settle();
    }
    CHECK(two.left.messages.size() == 10);
    CHECK(two.right.messages.size() == 10);
    CHECK(two.left.sessions->unconfirmed() == 0);
    CHECK(two.right.sessions->unconfirmed() == 0);
}

TEST_CASE("sessions: whoever was started again is found again without help") {
    for (const bool left_restarts : {true, false}) {
        for (const bool left_talks : {true, false}) {
            CAPTURE(left_restarts);
            CAPTURE(left_talks);
            Two two;
            two.connect();
            CHECK(two.say(two.left, two.right, "before", seconds(1)));
            for (int i = 0; i < 20; ++i) {
                (left_restarts ? two.left : two.right).restart();
                Party& from = left_talks ? two.left : two.right;
                Party& to = left_talks ? two.right : two.left;
                CHECK(two.say(from, to, "after " + std::to_string(i), milliseconds(200)));
                CHECK(two.say(to, from, "back " + std::to_string(i), milliseconds(200)));
                two.wire.pass(milliseconds(500));
            }
            // What the other side does not know any more is not kept for ever.
            CHECK(two.left.sessions->confirmed() <= kMaxSessionsOfParty);
            CHECK(two.right.sessions->confirmed() <= kMaxSessionsOfParty);
        }
    }
}

TEST_CASE("sessions: a session that the other side has lost seals until there is another") {
    Two two;
    two.connect();
    two.right.restart();
    CHECK(two.left.send(two.right, "into the void"));
    two.wire.pass(seconds(1));
    two.wire.deliver_one();
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(type(two.wire.packets[0]) == PacketType::no_session);
    two.wire.deliver_one();
    CHECK(two.left.sessions->confirmed() == 1);
    CHECK(two.left.has_session(two.right));  // anybody could have said so
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(type(two.wire.packets[0]) == PacketType::initiation);
    two.wire.settle();
    CHECK(two.left.send(two.right, "there"));
    two.wire.settle();
    CHECK(two.right.messages == std::vector<std::string>{"there"});
}

TEST_CASE("sessions: whoever says that a session is lost does not take away what was sealed") {
    Two two;
    two.connect();
    // Sealed before, and on its way while somebody who reads the network sends a hint.
    CHECK(two.right.send(two.left, "slow"));
    REQUIRE(two.wire.packets.size() == 1);
    const Packet slow = two.wire.packets.front();
    two.wire.packets.clear();
    CHECK(two.left.send(two.right, "seen"));
    REQUIRE(two.wire.packets.size() == 1);
    Packet hint = two.wire.packets.front();
    std::swap(hint.from, hint.to);
    hint.bytes.resize(kHeaderBytes + sizeof(uint32_t));  // what it is, and the index
    hint.bytes[kHeaderBytes - 1] = static_cast<char>(PacketType::no_session);
    two.wire.pass(seconds(1));
    two.wire.packets.push_back(hint);
    two.wire.settle();
    REQUIRE(two.left.sessions->confirmed() == 2);
    two.wire.packets.push_back(slow);
    two.wire.settle();
    CHECK(two.left.messages == std::vector<std::string>{"slow"});
}

TEST_CASE("sessions: both are started again, over a network that loses a third") {
    Two two;
    Random random(5);
    two.wire.lose = [&](const Packet&) { return random.one_in(3); };
    for (int i = 0; i < 50; ++i) {
        CHECK(two.say(two.left, two.right, "left " + std::to_string(i), seconds(20)));
        CHECK(two.say(two.right, two.left, "right " + std::to_string(i), seconds(20)));
        if (random.one_in(2)) two.left.restart();
        if (random.one_in(2)) two.right.restart();
        two.wire.pass(seconds(1));
    }
}

TEST_CASE("sessions: whoever moves makes a new session") {
    Two two;
    two.connect();
    two.left.move({0x7f000003, 3'000});
    // It does not know that it moved: the other side says so.
    CHECK(two.left.send(two.right, "from elsewhere"));
    two.wire.pass(milliseconds(60));
    two.wire.settle();
    CHECK(two.right.messages.empty());
    CHECK(two.say(two.left, two.right, "hello", seconds(1)));
    CHECK(two.say(two.right, two.left, "hello", seconds(1)));
}

TEST_CASE("sessions: those of keys that are no longer accepted end") {
    Wire wire;
    Party middle(wire, {1, 1}, 1);
    wire.add(middle);
    std::vector<std::unique_ptr<Party>> others;
    for (int i = 0; i < 6; ++i) {
        others.push_back(std::make_unique<Party>(wire, Address{2, uint16_t(10 + i)}, 2 + i));
        wire.add(*others.back());
        if (i < 4) {
            others.back()->introduce(middle);
            wire.settle();
        }
    }
    middle.introduce(*others[4]);
    others[5]->introduce(middle);
    wire.deliver_one();  // to others[4]
    wire.deliver_one();
    CHECK(middle.sessions->confirmed() == 4);
    CHECK(middle.sessions->unconfirmed() == 2);
    for (const int i : {1, 2, 4, 5}) middle.refused.insert(others[size_t(i)]->key());
    middle.sessions->forget_refused();
    CHECK(middle.sessions->confirmed() == 2);
    CHECK(middle.sessions->unconfirmed() == 0);
    wire.packets.clear();
    for (auto& other : others) other->send(middle, "hello");
    wire.settle();
    CHECK(middle.messages.size() == 2);
    middle.introduce(*others[1]);
    CHECK(wire.packets.empty());
}

TEST_CASE("sessions: the same seed and the same calls give the same packets") {
    const auto run = [] {
        Two two;
        two.connect();
        for (int i = 0; i < 30; ++i) {
            two.say(two.left, two.right, "hello", seconds(1));
            two.wire.pass(seconds(30));
            if (i % 7 == 0) two.right.restart();
        }
        std::string all;
        for (const Packet& packet : two.wire.seen) all += packet.bytes;
        return all;
    };
    const std::string first = run();
    CHECK(first.size() > 2'000);
    CHECK(first == run());
}

TEST_CASE("sessions: the keys of a log open what was sealed, and nothing else") {
    Two two;
    two.connect();
    CHECK(two.left.send(two.right, "secret"));
    const Packet packet = two.wire.take();
    CHECK(packet.bytes.find("secret") == std::string::npos);
    CHECK_FALSE(KeyLog().open(packet.bytes));
    for (Party* party : {&two.left, &two.right}) {
        KeyLog log;
        for (const auto& [index, key] : party->logged)
            CHECK(log.add_line(key_log_line(index, key)));
        CHECK(log.open(packet.bytes) == "secret");
        CHECK_FALSE(log.open(packet.bytes.substr(0, packet.bytes.size() - 1)));
        CHECK_FALSE(log.open(packet.bytes.substr(0, 20)));
        CHECK_FALSE(log.open(two.wire.seen.front().bytes));
        // Two sessions may have the same index.
        log.add(two.left.logged[1].first, seed_of(1));
        CHECK(log.open(packet.bytes) == "secret");
        const auto changed = log.reseal(packet.bytes, "something else");
        REQUIRE(changed);
        CHECK(log.open(*changed) == "something else");
        CHECK(changed->substr(0, kSealedHeaderBytes) == packet.bytes.substr(0, kSealedHeaderBytes));
        CHECK_FALSE(log.reseal("packet", "something else"));
    }
}

TEST_CASE("sessions: who is confirmed is bounded, and whoever was silent longest goes") {
    Wire wire;
    Limits limits;
    limits.max_confirmed = 5;
    limits.handshakes_per_second = 1'000'000;
    Party middle(wire, {1, 1}, 1, limits);
    wire.add(middle);
    std::vector<std::unique_ptr<Party>> others;
    for (int i = 0; i < 20; ++i) {
        others.push_back(std::make_unique<Party>(wire, Address{2, uint16_t(10 + i)}, 2 + i));
        wire.add(*others.back());
        others.back()->introduce(middle);
        wire.settle();
        CHECK(others.front()->send(middle, "still here"));
        wire.settle();
        CHECK(middle.sessions->confirmed() <= 5);
    }
    CHECK(middle.messages.size() == 20);
    CHECK(middle.has_session(*others[0]));
    CHECK_FALSE(middle.has_session(*others[1]));
    CHECK_FALSE(middle.has_session(*others[15]));
    for (size_t i = 16; i < 20; ++i) CHECK(middle.has_session(*others[i]));
}

TEST_CASE("sessions: own initiations are bounded too") {
    Wire wire;
    Limits limits;
    limits.max_unconfirmed = 8;
    Party left(wire, {1, 1}, 1, limits);
    std::vector<std::unique_ptr<Party>> others;
    for (int i = 0; i < 20; ++i) {
        others.push_back(std::make_unique<Party>(wire, Address{2, uint16_t(10 + i)}, 2 + i));
        wire.add(*others.back());
        left.introduce(*others.back());
        CHECK(left.sessions->unconfirmed() == std::min<size_t>(8, others.size()));
    }
    wire.add(left);
    wire.settle();
    CHECK(left.sessions->confirmed() == 8);
    CHECK(left.sessions->unconfirmed() == 0);
}
