// What somebody can do who sees, keeps, changes and makes packets, but has no key of others:
// nothing that lasts. How floods are met is in test_sessions_floods.cpp.
#include <algorithm>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/secure/noise.h"
#include "tests/unit/secure_helpers.h"

using namespace p2pbank;
using namespace p2pbank::secure;
using namespace p2pbank::testing;

namespace {

// Calls `check` with every packet that differs from `packet` in one bit.
void for_each_flip(const std::string& packet, auto check) {
    for (size_t bit = 0; bit < 8 * packet.size(); ++bit) {
        std::string changed = packet;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        CAPTURE(bit);
        check(changed);
    }
}

std::string noise(Random& random, size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    return bytes;
}

}  // namespace

TEST_CASE("attack: an initiation with one bit changed makes no session") {
    Two two;
    two.left.introduce(two.right);
    const Packet initiation = two.wire.take();
    for_each_flip(initiation.bytes, [&](const std::string& changed) {
        const auto opened = two.right.receive(initiation.from, changed);
        CHECK_FALSE(opened.introduced);
        CHECK(two.right.sessions->unconfirmed() == 0);
        // A cookie for one whose mac2 is wrong; nothing for the others.
        for (const Packet& answer : two.wire.packets) {
            CHECK(answer.bytes.size() <= kCookieBytes);
        }
        two.wire.packets.clear();
    });
    two.right.receive(initiation.from, initiation.bytes);
    two.wire.settle();
    CHECK(two.right.introduced == 1);
}

TEST_CASE("attack: a response with one bit changed confirms nothing, the right one still does") {
    Two two;
    two.left.introduce(two.right);
    two.wire.deliver_one();
    const Packet response = two.wire.take();
    for_each_flip(response.bytes, [&](const std::string& changed) {
        CHECK_FALSE(two.left.receive(response.from, changed).introduced);
        CHECK(two.left.sessions->confirmed() == 0);
        CHECK(two.wire.packets.empty());
    });
    CHECK_FALSE(two.left.receive({1, 2}, response.bytes).introduced);  // from elsewhere
    two.left.receive(response.from, response.bytes);
    two.wire.settle();
    CHECK(two.left.introduced == 1);
    CHECK(two.right.introduced == 1);
}

TEST_CASE("attack: a sealed packet with one bit changed is not opened, the right one still is") {
    Two two;
    two.connect();
    for (const char* text : {"", "100.00 to bob"}) {
        CHECK(two.left.send(two.right, text));
        const Packet sealed = two.wire.take();
        for_each_flip(sealed.bytes, [&](const std::string& changed) {
            const auto opened = two.right.receive(sealed.from, changed);
            CHECK_FALSE(opened.message);
            CHECK_FALSE(opened.introduced);
        });
        for (size_t size = 0; size < sealed.bytes.size(); ++size) {
            CHECK_FALSE(two.right.receive(sealed.from, sealed.bytes.substr(0, size)).message);
        }
        CHECK_FALSE(two.right.receive(sealed.from, sealed.bytes + '\0').message);
        CHECK(two.right.messages.empty());
        two.right.receive(sealed.from, sealed.bytes);
        two.wire.packets.clear();  // hints that there is no session with a changed index
    }
    CHECK(two.right.messages == std::vector<std::string>{"100.00 to bob"});
    CHECK(two.right.sessions->confirmed() == 1);
}

TEST_CASE("attack: a cookie with one bit changed is none") {
    Limits strict;
    strict.handshakes_per_second = 0;
    Two two(strict);
    two.left.introduce(two.right);
    two.wire.deliver_one();
    const Packet cookie = two.wire.take();
    REQUIRE(type(cookie) == PacketType::cookie);
    for_each_flip(cookie.bytes, [&](const std::string& changed) {
        two.left.receive(cookie.from, changed);
        two.left.introduce(two.right);
        CHECK(two.wire.packets.empty());  // its pause is not over
    });
    two.left.receive({1, 2}, cookie.bytes);
    two.left.introduce(two.right);
    CHECK(two.wire.packets.empty());
    two.left.receive(cookie.from, cookie.bytes);
    two.left.introduce(two.right);
    two.wire.settle();
    CHECK(two.right.introduced == 1);
    // The same again, for an initiation that is answered.
    CHECK_FALSE(two.left.receive(cookie.from, cookie.bytes).introduced);
}

TEST_CASE("attack: everything is sent again, to both sides, in the same run") {
    Two two;
    two.connect();
    for (int i = 0; i < 5; ++i) {
        two.say(two.left, two.right, "left " + std::to_string(i), seconds(1));
        two.say(two.right, two.left, "right " + std::to_string(i), seconds(1));
        two.wire.pass(seconds(100));
    }
    const auto seen = two.wire.seen;
    REQUIRE(seen.size() > 12);
    two.left.messages.clear();
    two.right.messages.clear();
    const size_t introduced = two.left.introduced + two.right.introduced;
    for (int round = 0; round < 20; ++round) {
        for (const Packet& packet : seen) {
            for (Party* party : {&two.left, &two.right}) {
                for (const Address& from : {packet.from, packet.to, Address{9, 9}}) {
                    CHECK_FALSE(party->receive(from, packet.bytes).message);
                }
            }
            // What they answer stays on the way, or arrives.
            if (round % 2 == 0) two.wire.packets.clear();
            two.wire.settle();
        }
    }
    CHECK(two.left.messages.empty());
    CHECK(two.right.messages.empty());
    CHECK(two.left.introduced + two.right.introduced == introduced);
    CHECK(two.left.has_session(two.right));
    CHECK(two.say(two.left, two.right, "still", seconds(0)));
    CHECK(two.say(two.right, two.left, "still", seconds(0)));
}

TEST_CASE("attack: a whole conversation is sent again after both sides were started again") {
    Two two;
    two.connect();
    for (int i = 0; i < 5; ++i) {
        two.say(two.left, two.right, "left " + std::to_string(i), seconds(1));
        two.say(two.right, two.left, "right " + std::to_string(i), seconds(1));
    }
    const auto seen = two.wire.seen;
    two.left.restart();
    two.right.restart();
    two.left.messages.clear();
    two.right.messages.clear();
    for (const bool arrives : {false, true}) {
        for (const Packet& packet : seen) {
            Party& to = packet.to == two.left.address() ? two.left : two.right;
            const auto opened = to.receive(packet.from, packet.bytes);
            CHECK_FALSE(opened.message);
            CHECK_FALSE(opened.introduced);
            if (arrives) {
                two.wire.settle();
            } else {
                two.wire.packets.clear();
            }
        }
        CHECK(two.left.sessions->confirmed() == 0);
        CHECK(two.right.sessions->confirmed() == 0);
        // What the initiation that was sent again made waits for a confirmation that nobody has.
        CHECK(two.left.sessions->unconfirmed() == 0);
        CHECK(two.right.sessions->unconfirmed() <= 1);
    }
    CHECK(two.say(two.right, two.left, "new", seconds(1)));
    CHECK(two.left.messages == std::vector<std::string>{"new"});
}

TEST_CASE("attack: a session counts from its address only, and is not taken elsewhere") {
    Two two;
    two.connect();
    CHECK(two.left.send(two.right, "hello"));
    const Packet sealed = two.wire.take();
    const Address elsewhere{0x7f000009, 1'000};
    CHECK_FALSE(two.right.receive(elsewhere, sealed.bytes).message);
    CHECK_FALSE(two.right.receive({sealed.from.ip, 1'001}, sealed.bytes).message);
    REQUIRE(two.wire.packets.size() == 2);
    const Packet hint = two.wire.take();
    CHECK(type(hint) == PacketType::no_session);
    CHECK(hint.to == elsewhere);
    CHECK(hint.bytes.substr(4) == sealed.bytes.substr(4, 4));
    two.wire.packets.clear();
    CHECK(two.right.send(two.left, "to where it was"));
    CHECK(two.wire.take().to == two.left.address());
    CHECK(two.right.receive(sealed.from, sealed.bytes).message);
    // A hint from elsewhere, or of another index, does nothing.
    two.wire.pass(seconds(1));
    two.left.receive(elsewhere, hint.bytes);
    std::string other = hint.bytes;
    other[5] = static_cast<char>(other[5] ^ 1);
    two.left.receive(two.right.address(), other);
    two.left.receive(two.right.address(), hint.bytes + '\0');
    CHECK(two.wire.packets.empty());
}

TEST_CASE("attack: hints that lie cost one initiation in a pause, and no session") {
    Two two;
    two.connect();
    CHECK(two.left.send(two.right, "hello"));
    std::string hint = two.wire.take().bytes.substr(0, kNoSessionBytes);
    hint[3] = static_cast<char>(PacketType::no_session);
    two.wire.pass(seconds(1));
    for (int i = 0; i < 1'000; ++i) {
        two.left.receive(two.right.address(), hint);
        two.wire.pass(milliseconds(1));
    }
    CHECK(two.wire.packets.size() <= 6);  // at 0, 50, 150, 350, 750 ms
    CHECK(two.wire.packets.size() >= 4);
    two.wire.packets.clear();
    CHECK(two.left.has_session(two.right));
    CHECK(two.left.send(two.right, "still"));
    two.wire.deliver_one();
    CHECK(two.right.messages == std::vector<std::string>{"still"});
}

TEST_CASE("attack: own packets sent back do nothing") {
    Two two;
    two.wire.lose = [&](const Packet& packet) {
        Party& sender = packet.from == two.left.address() ? two.left : two.right;
        const auto opened = sender.receive(packet.to, packet.bytes);
        CHECK_FALSE(opened.message);
        CHECK_FALSE(opened.introduced);
        CHECK_FALSE(opened.other_mode);
        return type(packet) == PacketType::no_session;  // that is all that they were answered with
    };
    two.left.introduce(two.right);
    two.wire.settle();
    CHECK(two.left.introduced == 1);
    CHECK(two.right.introduced == 1);
    CHECK(two.say(two.left, two.right, "hello", seconds(0)));
    CHECK(two.say(two.right, two.left, "hello", seconds(0)));
    CHECK(two.left.sessions->confirmed() == 1);
    CHECK(two.right.sessions->confirmed() == 1);
    CHECK(two.left.sessions->unconfirmed() + two.right.sessions->unconfirmed() == 0);
}

TEST_CASE("attack: nobody has a session with the own key") {
    Wire wire;
    Party one(wire, {1, 1}, 1);
    Party same(wire, {2, 2}, 1);
    one.introduce(same);
    CHECK(wire.packets.empty());
    // Made by hand: it knows the key, and is refused nevertheless.
    StaticKey key(one.identity.channel_secret());
    NoiseIk by_hand = NoiseIk::initiator(key, one.key(), kPrologue);
    std::string packet = std::string("PB\2\1", 4) + std::string(4, 'x');
    packet += by_hand.write(seed_of(7), {}).value();
    add_macs(packet, one.key(), std::nullopt);
    one.receive({2, 2}, packet);
    CHECK(wire.packets.empty());
    CHECK(one.sessions->unconfirmed() == 0);
}

TEST_CASE("attack: refused keys get nothing") {
    Two two;
    two.right.refused.insert(two.left.key());
    two.left.introduce(two.right);
    two.wire.deliver_one();
    CHECK(two.wire.packets.empty());
    CHECK(two.right.sessions->unconfirmed() == 0);
    two.right.introduce(two.left);
    CHECK(two.wire.packets.empty());
    // Refused while its response is on the way.
    Two late;
    late.left.introduce(late.right);
    late.wire.deliver_one();
    late.left.refused.insert(late.right.key());
    late.wire.settle();
    CHECK(late.left.introduced == 0);
    CHECK(late.left.sessions->confirmed() == 0);
    CHECK(late.left.sessions->unconfirmed() == 0);
}

TEST_CASE("attack: nothing goes to a key of low order") {
    Two two;
    for (const bool one : {false, true}) {
        KeyBytes low{};
        low[0] = one;
        two.left.sessions->introduce(two.wire.now, two.right.address(), low);
        CHECK(two.wire.packets.empty());
        CHECK(two.left.sessions->unconfirmed() == 0);
    }
}

TEST_CASE("attack: whoever talks in clear is told so once for each packet, and never a hint") {
    Two two;
    const std::string clear = std::string("PB\1\0", 4) + std::string(60, 'x');
    auto opened = two.right.receive(two.left.address(), clear);
    CHECK(opened.other_mode);
    CHECK_FALSE(opened.message);
    REQUIRE(two.wire.packets.size() == 1);
    CHECK(two.wire.take().bytes == other_mode());
    CHECK(two.right.receive(two.left.address(), clear.substr(0, 63)).other_mode);
    CHECK(two.wire.packets.empty());
    CHECK(two.right.receive(two.left.address(), other_mode()).other_mode);
    CHECK_FALSE(
        two.right.receive(two.left.address(), other_mode() + std::string(96, 'x')).other_mode);
    CHECK_FALSE(two.right.receive(two.left.address(), "PB\3" + std::string(96, 'x')).other_mode);
    CHECK(two.wire.packets.empty());
}

TEST_CASE("attack: no packet is answered with more bytes than it has") {
    // Party::receive checks it, for every packet here and elsewhere.
    Limits limits;
    limits.handshakes_per_second = 20;  // with and without load
    Two two(limits);
    two.connect();
    Random random(7);
    std::vector<std::string> models;
    for (const Packet& packet : two.wire.seen) models.push_back(packet.bytes);
    models.push_back(key_request(1));
    models.push_back(other_mode());
    models.push_back(std::string("PB\1\0", 4) + std::string(100, 'x'));
    size_t answered = 0;
    for (int type = 0; type < 256; ++type) {
        for (size_t size = 0; size <= 2'048; size += type < 16 ? 1 : 61) {
            std::string packet = noise(random, size);
            const char header[] = {'P', 'B', random.one_in(8) ? '\1' : '\2',
                                   static_cast<char>(type)};
            std::copy_n(header, std::min(size, sizeof header), packet.begin());
            // Its mac is right: it goes further.
            if (size == kInitiationBytes && type == 1) {
                packet.resize(size - kMacsBytes);
                add_macs(packet, two.right.key(), std::nullopt);
            }
            two.right.receive(random.one_in(2) ? two.left.address() : Address{8, 8}, packet);
            answered += two.wire.packets.size();
            two.wire.packets.clear();
            two.wire.pass(milliseconds(random.one_in(50) ? 100 : 0));
        }
    }
    for (int i = 0; i < 50'000; ++i) {
        std::string packet = models[random.below(models.size())];
        for (uint64_t changes = random.below(4); changes > 0; --changes) {
            packet[random.below(packet.size())] = static_cast<char>(random.below(256));
        }
        if (random.one_in(4)) packet.resize(random.below(200));
        two.right.receive(random.one_in(2) ? two.left.address() : Address{8, 8}, packet);
        answered += two.wire.packets.size();
        two.wire.packets.clear();
        two.wire.pass(milliseconds(random.one_in(100) ? 100 : 0));
    }
    CHECK(answered > 10'000);
    CHECK(two.right.messages.empty());
}
