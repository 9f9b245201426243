// Sessions grow old: new keys in time, and the end of those that nobody made new.
#include <map>
#include <set>
#include <utility>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/secure_helpers.h"

using namespace p2pbank;
using namespace p2pbank::secure;
using namespace p2pbank::testing;

namespace {

// Both sides talk all the time over a network that takes 20 to 60 ms and keeps no order. Whatever
// was sealed has to arrive.
void talk(Two& two, Duration how_long, Duration pause, bool left_talks, bool right_talks) {
    Random random(1);
    std::multimap<TimePoint, Packet> under_way;
    size_t sent_left = 0;
    size_t sent_right = 0;
    const TimePoint end = two.wire.now + how_long;
    const auto step = [&] {
        while (!two.wire.packets.empty()) {
            const auto delay = milliseconds(20 + static_cast<int>(random.below(40)));
            under_way.emplace(two.wire.now + delay, two.wire.take());
        }
        while (!under_way.empty() && under_way.begin()->first <= two.wire.now) {
            const Packet packet = under_way.begin()->second;
            under_way.erase(under_way.begin());
            Party& to = packet.to == two.left.address() ? two.left : two.right;
            to.receive(packet.from, packet.bytes);
        }
        two.wire.pass(pause);
    };
    while (two.wire.now < end) {
        if (left_talks) {
            REQUIRE(two.left.send(two.right, std::to_string(sent_left++)));
        }
        if (right_talks) {
            REQUIRE(two.right.send(two.left, std::to_string(sent_right++)));
        }
        step();
    }
    while (!under_way.empty() || !two.wire.packets.empty()) step();
    CHECK(two.right.messages.size() == sent_left);
    CHECK(two.left.messages.size() == sent_right);
    CHECK(std::set<std::string>(two.right.messages.begin(), two.right.messages.end()).size() ==
          sent_left);
}

}  // namespace

TEST_CASE("sessions: new keys in time, and nothing that was sealed is lost on the way") {
    for (int who = 1; who <= 3; ++who) {
        const bool left_talks = (who & 1) != 0;
        const bool right_talks = (who & 2) != 0;
        CAPTURE(left_talks);
        CAPTURE(right_talks);
        Two two;
        two.connect();
        talk(two, seconds(610), milliseconds(50), left_talks, right_talks);
        // The first, and then who began every 120 s, or else the other every 135 s.
        CHECK(two.left.introduced >= 5);
        CHECK(two.left.introduced <= 7);
        CHECK(two.right.introduced == two.left.introduced);
        CHECK(two.left.sessions->confirmed() <= 2);
        CHECK(two.right.sessions->confirmed() <= 2);
    }
}

TEST_CASE("sessions: somebody who seldom talks loses nothing either") {
    Two two;
    two.connect();
    Random random(3);
    for (size_t i = 0; i < 200; ++i) {
        // Often shortly before the end of a session.
        two.wire.pass(random.one_in(2) ? milliseconds(164'990)
                                       : milliseconds(static_cast<int>(random.below(170'000))));
        Party& from = random.one_in(2) ? two.left : two.right;
        Party& to = &from == &two.left ? two.right : two.left;
        if (!from.send(to, "hello")) {
            from.introduce(to);
            two.wire.settle();
            REQUIRE(from.send(to, "hello"));
        }
        const size_t before = to.messages.size();
        const Packet packet = two.wire.packets.front();
        REQUIRE(type(packet) != PacketType::response);
        two.wire.pass(seconds(14));  // a slow network
        two.wire.settle();
        CHECK(to.messages.size() == before + 1);
    }
}

TEST_CASE("sessions: new keys after so many packets, none after more") {
    Limits limits;
    limits.rekey_after_packets = 100;
    limits.reject_after_packets = 200;
    Two two(limits);
    two.connect();
    talk(two, seconds(20), milliseconds(5), true, true);
    CHECK(two.left.introduced > 30);

    Two cut(limits);
    cut.connect();
    cut.wire.lose = [](const Packet& packet) { return type(packet) != PacketType::sealed; };
    size_t sent = 0;
    while (cut.left.send(cut.right, "x")) {
        ++sent;
        cut.wire.settle();
    }
    CHECK(sent == 199);  // and the one that confirmed
    CHECK_FALSE(cut.left.has_session(cut.right));
    CHECK(cut.right.messages.size() == sent);
}

TEST_CASE("sessions: a counter that is too high is refused, though it is genuine") {
    Wire wire;
    Limits few;
    few.reject_after_packets = 5;
    Party left(wire, {1, 1}, 1);
    Party right(wire, {2, 2}, 2, few);
    wire.add(left);
    wire.add(right);
    left.introduce(right);
    wire.settle();
    for (int i = 0; i < 10; ++i) CHECK(left.send(right, "x"));
    wire.settle();
    CHECK(right.messages.size() == 4);
}

TEST_CASE("sessions: after 180 seconds nothing is opened, after 165 nothing sealed") {
    Two two;
    two.connect();
    CHECK(two.left.send(two.right, "late"));
    const Packet late = two.wire.take();
    two.wire.pass(seconds(165) - microseconds(1));
    CHECK(two.left.has_session(two.right));
    two.wire.pass(microseconds(1));
    CHECK_FALSE(two.left.has_session(two.right));
    CHECK_FALSE(two.left.send(two.right, "x"));
    two.wire.pass(seconds(15));
    CHECK_FALSE(two.right.receive(late.from, late.bytes).message);
    CHECK(two.right.sessions->confirmed() == 0);
    CHECK(two.left.sessions->confirmed() == 1);  // until somebody calls
    CHECK_FALSE(two.left.send(two.right, "x"));
    CHECK(two.left.sessions->confirmed() == 0);
    CHECK(two.say(two.left, two.right, "again", seconds(1)));
}
