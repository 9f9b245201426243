// Sealed packets: what is sealed comes out, what was touched does not, and nothing twice.
#include <set>

#include <doctest/doctest.h>

#include "common/secure/packets.h"
#include "common/secure/replay_window.h"
#include "common/secure/sealing.h"
#include "tests/unit/properties.h"
#include "tests/unit/secure_helpers.h"

using namespace p2pbank;
using namespace p2pbank::secure;
using p2pbank::testing::any_bytes;
using p2pbank::testing::any_number;
using p2pbank::testing::holds;
using p2pbank::testing::Two;

namespace {

std::string flipped(std::string bytes, size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    return bytes;
}

KeyBytes any_key() {
    KeyBytes key{};
    for (unsigned char& byte : key) {
        byte = static_cast<unsigned char>(*rc::gen::inRange(0, 256));
    }
    return key;
}

}  // namespace

TEST_CASE("properties: what is sealed comes out, under that key and untouched only") {
    CHECK(holds("one packet", {800, 100}, [] {
        const KeyBytes key = any_key();
        const auto index = *rc::gen::arbitrary<uint32_t>();
        const uint64_t counter = *any_number();
        const std::string plain = *any_bytes(1'200);
        std::string packet = "what was here before";
        seal_packet(key, index, counter, plain, packet);
        RC_ASSERT(packet.size() == plain.size() + kSealedOverhead);
        RC_ASSERT(type_of(packet) == static_cast<unsigned char>(PacketType::sealed));
        std::string out = "what was here before";
        RC_ASSERT(open_packet(key, packet, out));
        RC_ASSERT(out == plain);

        const auto bit = *rc::gen::inRange<size_t>(0, packet.size() * 8);
        RC_ASSERT(!open_packet(key, flipped(packet, bit), out));
        const auto shorter = *rc::gen::inRange<size_t>(kSealedOverhead, packet.size() + 1);
        RC_ASSERT(open_packet(key, packet.substr(0, shorter), out) == (shorter == packet.size()));
        RC_ASSERT(!open_packet(key, packet + static_cast<char>(*rc::gen::inRange(0, 256)), out));
        KeyBytes other = key;
        const auto other_bit = *rc::gen::inRange<size_t>(0, other.size() * 8);
        other[other_bit / 8] ^= static_cast<unsigned char>(1U << other_bit % 8);
        RC_ASSERT(!open_packet(other, packet, out));
    }));
}

TEST_CASE("properties: the replay window is the set of all counters that have come") {
    // From the highest so far: a little back or on, around the window's edge, far, or anywhere.
    const auto steps = rc::gen::container<std::vector<std::pair<bool, uint64_t>>>(rc::gen::pair(
        rc::gen::arbitrary<bool>(),
        rc::gen::oneOf(rc::gen::inRange<uint64_t>(0, 4), rc::gen::inRange<uint64_t>(0, 130),
                       rc::gen::inRange(ReplayWindow::kSize - 65, ReplayWindow::kSize + 66),
                       rc::gen::map(rc::gen::inRange<uint64_t>(0, 70),
                                    [](uint64_t words) { return words * 64; }),
                       any_number())));
    CHECK(holds("counters in any order", {1'500, 150}, [&] {
        ReplayWindow window;
        std::set<uint64_t> taken;
        for (const auto& [back, by] : *steps) {
            const uint64_t highest = taken.empty() ? 0 : *taken.rbegin();
            const uint64_t most = back ? highest : UINT64_MAX - highest;
            const uint64_t step = by <= most ? by : by % (most / 2 + 1);
            const uint64_t counter = back ? highest - step : highest + step;
            const bool good = counter != UINT64_MAX && !taken.contains(counter) &&
                              (counter >= highest || highest - counter <= ReplayWindow::kSize);
            RC_ASSERT(window.is_new(counter) == good);
            RC_ASSERT(window.accept(counter) == good);
            RC_ASSERT(!window.is_new(counter));
            if (good) taken.insert(counter);
        }
    }));
}

TEST_CASE("properties: a session gives each message once, in whatever order packets come") {
    CHECK(holds("packets of a session", {250, 60}, [] {
        Two two;
        two.connect();
        const auto count = *rc::gen::inRange<size_t>(1, 12);
        std::vector<std::string> texts;
        std::vector<std::string> packets;
        for (size_t i = 0; i < count; ++i) {
            texts.push_back(std::to_string(i) + *any_bytes(60));
            RC_ASSERT(two.left.send(two.right, texts.back()));
            packets.push_back(two.wire.take().bytes);
        }
        const auto script = *rc::gen::container<std::vector<std::pair<size_t, int>>>(
            rc::gen::pair(rc::gen::inRange<size_t>(0, count), rc::gen::inRange(-3, 1'000)));
        std::set<size_t> arrived;
        std::vector<std::string> expected;
        for (const auto& [message, flip] : script) {
            std::string packet = packets[message];
            if (flip >= 0)
                packet = flipped(packet, static_cast<size_t>(flip) % (packet.size() * 8));
            const bool good = flip < 0 && arrived.insert(message).second;
            if (good) expected.push_back(texts[message]);
            RC_ASSERT(two.right.receive(two.left.address(), packet).message == good);
            RC_ASSERT(two.right.messages == expected);
            // To the one who sealed it, it is nothing in any case.
            RC_ASSERT(!two.left.receive(two.right.address(), packet).message);
        }
        for (size_t i = 0; i < count; ++i) {  // what was lost and touched is good all the same
            const bool missing = !arrived.contains(i);
            RC_ASSERT(two.right.receive(two.left.address(), packets[i]).message == missing);
        }
    }));
}
