// Every message of the schema, with whatever in it, there and back; and bytes that are none.
#include <zlib.h>

#include <doctest/doctest.h>

#include "common/core/courier.h"
#include "common/core/describe.h"
#include "common/wire/envelope.h"
#include "tests/unit/properties_schema.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;
using namespace p2pbank::testing;

namespace {

// The kinds of messages that a datagram can carry.
std::vector<std::string> kinds() {
    std::vector<std::string> out;
    for (const Schema::Field& field : wire_schema().fields("Datagram")) {
        if (wire_schema().is_message(field.type)) out.push_back(field.name);
    }
    return out;
}

Drawn datagram_of(const std::set<std::string>& wanted) {
    return Drawing(wire_schema()).message("Datagram", wanted, false);
}

// An envelope that is right, whatever is in it. Not from envelope.h: that one takes messages only.
std::string in_envelope(const std::string& body) {
    std::string out("PB\1\0", 4);
    append_fixed(
        out, crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())),
        4);
    return out + body;
}

// A few bytes changed, taken out or put in.
std::string damaged(std::string bytes) {
    const int changes = *rc::gen::inRange(1, 5);
    for (int i = 0; i < changes; ++i) {
        const size_t at = *rc::gen::inRange<size_t>(0, bytes.size() + 1);
        const auto byte = static_cast<char>(*rc::gen::inRange(0, 256));
        const int how = *rc::gen::inRange(0, 4);
        if (how == 0) {
            bytes.insert(at, 1, byte);
        } else if (how == 1) {
            bytes.erase(at, *rc::gen::inRange<size_t>(1, 4));
        } else if (how == 2) {
            bytes.resize(at);
        } else if (at < bytes.size()) {
            bytes[at] = byte;
        }
    }
    return bytes;
}

}  // namespace

TEST_CASE("properties: each kind of message is written as the schema says, and read back") {
    REQUIRE(kinds().size() >= 45);
    for (const std::string& kind : kinds()) {
        CAPTURE(kind);
        CHECK(holds("a datagram with " + kind, {50, 50}, [&] {
            const std::string bytes = encode(datagram_of({kind}));
            wire::Datagram message;
            RC_ASSERT(message.ParseFromString(bytes));
            std::string packet;
            seal(message, packet);
            RC_ASSERT(packet == in_envelope(bytes));
            wire::Datagram again;
            again.set_sender("what was here before");
            RC_ASSERT(unseal(packet, again));
            RC_ASSERT(again.SerializeAsString() == bytes);
            RC_ASSERT(!describe(again).empty());
        }));
    }
}

TEST_CASE("properties: a datagram means the same in whatever order its fields come") {
    CHECK(holds("fields in any order", {400, 50}, [] {
        const auto some =
            *rc::gen::container<std::set<std::string>>(2, rc::gen::elementOf(kinds()));
        const Drawn drawn = datagram_of(some);
        std::mt19937_64 shuffle(*rc::gen::arbitrary<uint64_t>());
        wire::Datagram message;
        RC_ASSERT(unseal(in_envelope(encode(drawn, &shuffle)), message));
        RC_ASSERT(message.SerializeAsString() == encode(drawn));
    }));
}

TEST_CASE("properties: any bytes are refused, or mean what they are written as again") {
    size_t accepted = 0;
    size_t refused = 0;
    CHECK(holds("bytes that nobody who keeps to the protocol sends", {5'000, 50}, [&] {
        const bool any = *rc::gen::inRange(0, 4) == 0;
        const std::string body =
            any ? *any_bytes(40) : damaged(encode(datagram_of({*rc::gen::elementOf(kinds())})));
        wire::Datagram message;
        if (!unseal(in_envelope(body), message)) {
            ++refused;
            return;
        }
        ++accepted;
        const std::string meant = message.SerializeAsString();
        wire::Datagram again;
        RC_ASSERT(unseal(in_envelope(meant), again));
        RC_ASSERT(again.SerializeAsString() == meant);
        RC_ASSERT(describe(again) == describe(message));
    }));
    CHECK(accepted > 0);
    CHECK(refused > 0);
}

TEST_CASE("properties: no bytes are a message of an address that has not introduced itself") {
    CHECK(holds("bytes to a courier", {800, 50}, [] {
        const bool known = *rc::gen::arbitrary<bool>();
        const Address from{0x7f000001, 2'000};
        Courier courier(1);
        courier.identify("bank", 1);
        RecordedEffects effects;
        if (known) courier.trust(from);
        const auto kind = *rc::gen::elementOf(kinds());
        const Drawn drawn = datagram_of({kind});
        const bool whole = *rc::gen::arbitrary<bool>();
        const std::string bytes = in_envelope(whole ? encode(drawn) : damaged(encode(drawn)));
        const auto arrival = courier.receive(TimePoint(), Socket::bank, from, bytes, effects);
        courier.end_of_turn(TimePoint(), effects);
        if (arrival.message) {
            RC_ASSERT(known);
        } else if (known && whole && bytes.size() <= limits::kMaxDatagramBytes) {
            RC_ASSERT(kind == "hello" || kind == "fragment" || kind == "fragment_ack");
        }
        size_t answered = 0;
        for (const auto& sent : effects.sent) answered += sent.bytes.size();
        if (!known) RC_ASSERT(answered <= bytes.size());
    }));
}
