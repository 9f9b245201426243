// Many initiations: what they cost stays bounded, and honest parties get through.
#include <algorithm>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/secure_helpers.h"

using namespace p2pbank;
using namespace p2pbank::secure;
using namespace p2pbank::testing;

namespace {

// Whoever knows a key can make an initiation up to its mac1.
std::string forged_initiation(Random& random, const KeyBytes& receiver) {
    std::string packet("PB\2\1", 4);
    while (packet.size() < kInitiationBytes - kMacsBytes) {
        packet += static_cast<char>(random.below(256));
    }
    add_macs(packet, receiver, std::nullopt);
    return packet;
}

struct Flood {
    std::function<Address(Random&)> from;
    const char* what;
};

}  // namespace

TEST_CASE("flood: 100,000 forged initiations; an honest party gets through") {
    const Flood floods[] = {
        {[](Random& random) {
             return Address{static_cast<uint32_t>(random.next()),
                            static_cast<uint16_t>(random.below(65'536))};
         },
         "from many addresses"},
        {[](Random&) {
             return Address{0x0a000001, 4'000};
         },
         "from one address"},
        {[](Random& random) {
             return Address{0x7f000001, static_cast<uint16_t>(random.below(65'536))};
         },
         "from the honest party's IP address"},
        {[](Random&) {
             return Address{0x7f000001, 1'000};
         },
         "in the honest party's name"},
    };
    for (const Flood& flood : floods) {
        CAPTURE(flood.what);
        Two two;
        Random random(1);
        std::vector<std::string> forged;
        for (int i = 0; i < 1'000; ++i) {
            forged.push_back(forged_initiation(random, two.right.key()));
        }
        // A second of nothing else, then the honest party comes.
        size_t cookies = 0;
        TimePoint connected{};
        for (int i = 0; i < 100'000; ++i) {
            std::string& packet = forged[size_t(i) % forged.size()];
            two.right.receive(flood.from(random), packet);
            if (!two.wire.packets.empty()) {
                REQUIRE(type(two.wire.packets.front()) == PacketType::cookie);
                ++cookies;
            }
            two.wire.packets.clear();
            two.wire.seen.clear();
            CHECK(two.right.sessions->unconfirmed() <= 2);
            two.wire.pass(microseconds(20));  // 50,000 in a second
            if (i >= 50'000 && i % 500 == 0 && connected == TimePoint()) {
                CHECK(two.right.sessions->under_load());
                two.left.introduce(two.right);
                two.wire.settle();
                if (two.left.has_session(two.right)) connected = two.wire.now;
            }
        }
        CHECK(cookies > 90'000);
        CHECK(connected > TimePoint(seconds(1)));
        CHECK(connected < TimePoint(milliseconds(1'100)));
        CHECK(two.left.send(two.right, "hello"));
        two.wire.settle();
        CHECK(two.right.messages == std::vector<std::string>{"hello"});
        two.wire.pass(seconds(3));
        two.right.receive({1, 1}, "");
        CHECK_FALSE(two.right.sessions->under_load());
    }
}

TEST_CASE("flood: under load a cookie counts for its address and its time") {
    Limits strict;
    strict.handshakes_per_second = 0;
    Two two(strict);
    two.left.introduce(two.right);
    two.wire.settle();
    CHECK(two.right.sessions->unconfirmed() == 0);
    two.left.introduce(two.right);  // at once: the cookie says that it is due
    REQUIRE(two.wire.packets.size() == 1);
    const Packet with_cookie = two.wire.take();
    // Not for another address.
    two.right.receive({with_cookie.from.ip, 1}, with_cookie.bytes);
    two.right.receive({1, with_cookie.from.port}, with_cookie.bytes);
    CHECK(two.right.sessions->unconfirmed() == 0);
    two.wire.packets.clear();
    two.right.receive(with_cookie.from, with_cookie.bytes);
    CHECK(two.right.sessions->unconfirmed() == 1);
    two.wire.settle();
    CHECK(two.right.introduced == 1);

    // Two minutes later there is another secret, and with it another cookie.
    two.wire.pass(kCookieLife);
    two.right.receive(with_cookie.from, with_cookie.bytes);
    CHECK(two.right.sessions->unconfirmed() == 0);
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(type(two.wire.packets[0]) == PacketType::cookie);
    two.wire.packets.clear();
    two.left.restart();
    two.right.restart();
    CHECK(two.say(two.left, two.right, "hello", seconds(1)));
}

TEST_CASE("flood: an IP address has its share, others theirs") {
    Wire wire;
    Limits strict;
    strict.handshakes_per_second = 0;
    Party middle(wire, {1, 1}, 1, strict);
    wire.add(middle);
    std::vector<std::unique_ptr<Party>> others;
    const auto come = [&](uint32_t ip, int number) {
        others.push_back(std::make_unique<Party>(
            wire, Address{ip, static_cast<uint16_t>(1'000 + number)}, number));
        wire.add(*others.back());
        others.back()->introduce(middle);
        wire.settle();
        others.back()->introduce(middle);
        wire.settle();
    };
    for (int i = 0; i < 150; ++i) come(77, 2 + i);
    CHECK(middle.sessions->confirmed() == kHandshakesPerIpPerSecond);
    come(78, 500);
    CHECK(middle.sessions->confirmed() == kHandshakesPerIpPerSecond + 1);
    wire.pass(seconds(1));
    come(77, 501);
    CHECK(middle.sessions->confirmed() == kHandshakesPerIpPerSecond + 2);
}

TEST_CASE("flood: genuine initiations that are never confirmed take bounded memory") {
    Wire wire;
    Limits limits;
    limits.handshakes_per_second = 1'000'000;
    limits.max_unconfirmed = 32;
    Party middle(wire, {1, 1}, 1, limits);
    Party friendly(wire, {2, 2}, 2, limits);
    wire.add(middle);
    wire.add(friendly);
    friendly.introduce(middle);
    wire.settle();
    for (int i = 0; i < 1'000; ++i) {
        Party other(wire, Address{uint32_t(100 + i), 9}, 3 + i);
        other.introduce(middle);
        wire.deliver_one();
        wire.packets.clear();
        CHECK(middle.sessions->unconfirmed() == std::min<size_t>(32, size_t(i) + 1));
        wire.pass(milliseconds(1));
    }
    CHECK(middle.has_session(friendly));
    CHECK(friendly.send(middle, "hello"));
    wire.settle();
    CHECK(middle.messages.size() == 1);
    wire.pass(seconds(60));
    middle.receive({9, 9}, "");
    CHECK(middle.sessions->unconfirmed() == 0);
    CHECK(middle.sessions->confirmed() == 1);
}

TEST_CASE("flood: one party has so many sessions, and what it once sent ends none") {
    Two two;
    std::vector<Packet> kept;
    two.wire.lose = [&](const Packet& packet) {
        if (type(packet) != PacketType::initiation) return false;
        kept.push_back(packet);
        return kept.size() <= 100;
    };
    // Somebody keeps a hundred initiations that never arrived.
    for (int i = 0; i < 100; ++i) {
        two.left.introduce(two.right);
        two.wire.settle();
        two.wire.pass(seconds(6));
    }
    REQUIRE(kept.size() == 100);
    two.left.introduce(two.right);
    two.wire.settle();
    REQUIRE(two.left.has_session(two.right));
    for (int round = 0; round < 3; ++round) {
        for (const Packet& packet : std::vector<Packet>(kept)) {
            two.right.receive(packet.from, packet.bytes);
            CHECK(two.right.sessions->unconfirmed() <= kMaxSessionsOfParty);
            two.wire.settle();
        }
        CHECK(two.left.send(two.right, "still"));
        two.wire.settle();
        CHECK(two.right.messages.size() == size_t(round) + 1);
        // Meanwhile the party that they are repeated from can begin anew.
        two.left.restart();
        CHECK(two.say(two.left, two.right, "begun anew", milliseconds(100)));
        two.right.messages.resize(size_t(round) + 1);
    }
    CHECK(two.right.sessions->confirmed() <= kMaxSessionsOfParty);
}

TEST_CASE("flood: of one party the oldest session that is not confirmed goes first") {
    Limits strict;
    strict.handshakes_per_second = 0;
    Two two(strict);
    // With cookies each of these counts.
    for (size_t i = 0; i < kMaxSessionsOfParty + 2; ++i) {
        two.left.introduce(two.right);
        two.wire.deliver_one();
        const Packet answer = two.wire.take();
        if (type(answer) == PacketType::cookie) {
            two.left.receive(answer.from, answer.bytes);
            two.left.introduce(two.right);
            two.wire.deliver_one();
            CHECK(type(two.wire.take()) == PacketType::response);
        }
        two.wire.pass(seconds(2));
        CHECK(two.right.sessions->unconfirmed() <= kMaxSessionsOfParty);
    }
    CHECK(two.right.sessions->confirmed() == 0);
    CHECK(two.say(two.left, two.right, "hello", seconds(10)));
}
