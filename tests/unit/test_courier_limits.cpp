// Messages in parts, as somebody makes them who means no good: parts that do not fit, and so many
// messages that only some can be kept.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/core/courier.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;

namespace {

const Address kSender{0x7f000001, 1'000};
const Address kReceiver{0x7f000001, 2'000};

// As a courier makes the id of a message in parts of all its bytes.
uint64_t id_of(std::string_view bytes) {
    constexpr unsigned char kKey[crypto_shorthash_KEYBYTES] = {'p', '2', 'p', 'b', 'a', 'n', 'k'};
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kKey);
    uint64_t value = 0;
    for (const unsigned char byte : out) value = value << 8 | byte;
    return value;
}

// A message and its parts.
struct Parts {
    uint64_t id;
    std::vector<std::string> pieces;

    explicit Parts(const wire::Datagram& message) {
        const std::string bytes = message.SerializeAsString();
        id = id_of(bytes);
        for (size_t at = 0; at < bytes.size(); at += limits::kMaxFragmentBytes) {
            pieces.push_back(bytes.substr(at, limits::kMaxFragmentBytes));
        }
    }
    static Parts of_text(size_t bytes, char fill, uint64_t number = 0) {
        wire::Datagram message;
        message.mutable_reply()->set_request(number);
        message.mutable_reply()->set_text(std::string(bytes, fill));
        return Parts(message);
    }
    wire::Datagram part(size_t index) const {
        wire::Datagram message;
        message.mutable_fragment()->set_id(id);
        message.mutable_fragment()->set_index(static_cast<uint32_t>(index));
        message.mutable_fragment()->set_count(static_cast<uint32_t>(pieces.size()));
        message.mutable_fragment()->set_bytes(pieces[index]);
        return message;
    }
};

// Two who know each other, in clear; one of them says what it likes.
struct Line {
    Courier sender{3, nullptr, KeyBytes{3}};
    Courier receiver{4, nullptr, KeyBytes{4}};
    RecordedEffects out;
    RecordedEffects back;
    TimePoint now{};

    Line() {
        sender.identify("sender", 1);
        receiver.identify("receiver", 1);
        wire::Datagram hello;
        hello.mutable_probe();
        for (int i = 0; i < 3; ++i) {
            sender.send(now, Socket::bank, kReceiver, KeyBytes{}, hello, out);
            deliver();
        }
        REQUIRE(deliver(hello));
    }
    // How many messages arrive.
    int deliver() {
        int arrived = 0;
        while (!out.sent.empty() || !back.sent.empty()) {
            for (const auto& packet : std::exchange(out.sent, {})) {
                arrived += receiver.receive(now, Socket::bank, kSender, packet.bytes, back).message;
            }
            receiver.end_of_turn(now, back);
            for (const auto& packet : std::exchange(back.sent, {})) {
                sender.receive(now, Socket::bank, kReceiver, packet.bytes, out);
            }
            sender.end_of_turn(now, out);
        }
        return arrived;
    }
    // True if it makes a message complete.
    bool deliver(wire::Datagram message) {
        REQUIRE(sender.send(now, Socket::bank, kReceiver, KeyBytes{}, message, out));
        return deliver() == 1;
    }
    bool deliver(const Parts& parts, size_t first, size_t end) {
        bool any = false;
        for (size_t i = first; i < end; ++i) any = deliver(parts.part(i)) || any;
        return any;
    }
};

}  // namespace

TEST_CASE("courier limits: parts that are none make no message") {
    Line line;
    const Parts parts = Parts::of_text(2'500, 'a');
    REQUIRE(parts.pieces.size() == 3);
    const auto refused = [&](auto change) {
        wire::Datagram message = parts.part(2);
        change(*message.mutable_fragment());
        return !line.deliver(message);
    };
    REQUIRE_FALSE(line.deliver(parts, 0, 2));
    CHECK(refused([](wire::Fragment& part) { part.set_count(0); }));
    CHECK(refused([](wire::Fragment& part) { part.set_count(UINT32_MAX); }));
    CHECK(refused([](wire::Fragment& part) { part.set_count(limits::kMaxFragments + 1); }));
    CHECK(refused([](wire::Fragment& part) { part.set_index(3); }));
    CHECK(refused([](wire::Fragment& part) { part.set_index(UINT32_MAX); }));
    CHECK(refused([](wire::Fragment& part) { part.clear_bytes(); }));
    CHECK(refused([](wire::Fragment& part) { part.set_count(4); }));  // the others said 3
    CHECK(refused([](wire::Fragment& part) { part.set_id(part.id() + 1); }));
    CHECK(line.deliver(parts.part(2)));
    CHECK(line.receiver.received().reply().text() == std::string(2'500, 'a'));
}

TEST_CASE("courier limits: parts that were exchanged are thrown away, and the right ones arrive") {
    Line line;
    const Parts parts = Parts::of_text(2'500, 'a');
    wire::Datagram other = parts.part(1);
    other.mutable_fragment()->set_bytes(std::string(limits::kMaxFragmentBytes, 'b'));
    REQUIRE_FALSE(line.deliver(parts.part(0)));
    REQUIRE_FALSE(line.deliver(other));
    CHECK_FALSE(line.deliver(parts.part(2)));
    CHECK(line.deliver(parts, 0, 3));
    CHECK(line.receiver.received().reply().text() == std::string(2'500, 'a'));
}

TEST_CASE("courier limits: no message in parts is itself a part, an introduction, or no message") {
    Line line;
    wire::Datagram part;
    part.mutable_fragment()->set_count(1);
    part.mutable_fragment()->set_bytes(std::string(1'500, 'x'));
    CHECK_FALSE(line.deliver(Parts(part), 0, 2));
    wire::Datagram hello;
    hello.mutable_hello()->set_padding(std::string(1'500, 'x'));
    CHECK_FALSE(line.deliver(Parts(hello), 0, 2));
    Parts noise = Parts::of_text(1'500, 'a');
    const std::string bytes(1'500, '\xff');
    noise.id = id_of(bytes);
    noise.pieces = {bytes.substr(0, limits::kMaxFragmentBytes),
                    bytes.substr(limits::kMaxFragmentBytes)};
    CHECK_FALSE(line.deliver(noise, 0, 2));
    CHECK(line.deliver(Parts::of_text(1'500, 'a'), 0, 2));
}

TEST_CASE(
    "courier limits: of more messages than are put together at once the oldest is forgotten") {
    Line line;
    std::vector<Parts> all;
    for (size_t i = 0; i <= limits::kMaxReassembliesInProgress; ++i) {
        all.push_back(Parts::of_text(1'500, 'a', i + 1));
        REQUIRE(all.back().pieces.size() == 2);
        REQUIRE_FALSE(line.deliver(all.back().part(0)));
    }
    CHECK(line.deliver(all[1].part(1)));
    CHECK(line.receiver.received().reply().request() == 2);
    CHECK(line.deliver(all.back().part(1)));
    CHECK_FALSE(line.deliver(all[0].part(1)));
    CHECK(line.deliver(all[0].part(0)));  // sent again
    CHECK(line.receiver.received().reply().request() == 1);
}

TEST_CASE("courier limits: what is too large is not sent, and that is told") {
    Line line;
    wire::Datagram message;
    message.mutable_reply()->set_text(std::string(limits::kMaxMessageBytes, 'a'));
    CHECK_FALSE(line.sender.send(line.now, Socket::bank, kReceiver, KeyBytes{}, message, line.out));
    CHECK(line.out.sent.empty());
    REQUIRE(line.out.notices.size() == 1);
    CHECK(line.out.notices[0].find("a message is too large to be sent") == 0);
    message.mutable_reply()->set_text(std::string(limits::kMaxMessageBytes - 200, 'a'));
    CHECK(line.deliver(message));
}

TEST_CASE("courier limits: of more large messages than are kept the oldest is sent whole again") {
    Line line;
    const auto message = [](size_t number) {
        wire::Datagram made;
        made.mutable_reply()->set_request(number);
        made.mutable_reply()->set_text(std::string(1'500, 'a'));
        return made;
    };
    REQUIRE(line.deliver(message(1)));
    wire::Datagram again = message(1);
    REQUIRE(line.sender.send(line.now, Socket::bank, kReceiver, KeyBytes{}, again, line.out));
    CHECK(line.out.sent.size() == 1);  // it has arrived: its last part asks for the answer
    line.deliver();
    for (size_t i = 2; i <= limits::kMaxOutgoingMessages + 1; ++i)
        REQUIRE(line.deliver(message(i)));
    again = message(1);
    REQUIRE(line.sender.send(line.now, Socket::bank, kReceiver, KeyBytes{}, again, line.out));
    CHECK(line.out.sent.size() == 2);
}
TEST_CASE(
    "courier limits: the bytes of messages that are put together are limited, however they "
    "come") {
    Line line;
    // All are begun before any of them grows.
    const size_t many = limits::kMaxReassemblyBytes / limits::kMaxMessageBytes + 20;
    std::vector<Parts> all;
    for (size_t i = 0; i < many; ++i) {
        all.push_back(Parts::of_text(limits::kMaxMessageBytes - 200, 'a', i + 1));
        REQUIRE_FALSE(line.deliver(all.back().part(0)));
    }
    size_t arrived = 0;
    for (const Parts& parts : all) line.deliver(parts, 1, parts.pieces.size() - 1);
    for (const Parts& parts : all) arrived += line.deliver(parts.part(parts.pieces.size() - 1));
    CHECK(arrived * (limits::kMaxMessageBytes - 200) <= limits::kMaxReassemblyBytes);
    CHECK(arrived + 1 >= limits::kMaxReassemblyBytes / limits::kMaxMessageBytes);
}
