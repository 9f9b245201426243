// Large messages in parts, on a wire that loses, doubles and reorders: against a list of which
// parts have come.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/core/courier.h"
#include "common/wire/envelope.h"
#include "tests/unit/properties.h"
#include "tests/unit/recorded_effects.h"

using namespace p2pbank;
using p2pbank::testing::any_bytes;
using p2pbank::testing::holds;

namespace {

const Address kLeft{0x7f000001, 1'000};
const Address kRight{0x7f000001, 2'000};

KeyBytes seed_of(unsigned char first) {
    KeyBytes seed{};
    seed[0] = first;
    return seed;
}

struct Pair {
    explicit Pair(bool is_sealed) : sealed(is_sealed) {
        left.identify("left", 1);
        right.identify("right", 1);
        for (int i = 0; i < 5 && !send("hello"); ++i) settle();
        settle();
        RC_ASSERT(arrived.size() == 1U);
        arrived.clear();
    }

    KeyBytes key(const secure::Identity& of) const {
        return sealed ? of.keys().channel : KeyBytes{};
    }
    bool send(const std::string& text) {
        wire::Datagram message;
        message.mutable_reply()->set_text(text);
        return left.send(now, Socket::bank, kRight, key(right_identity), message, from_left);
    }
    // One datagram to the right; true if a message arrived.
    bool receive(const std::string& bytes) {
        if (!right.receive(now, Socket::bank, kLeft, bytes, from_right).message) return false;
        arrived.push_back(right.received().reply().text());
        return true;
    }
    void end_turn() { right.end_of_turn(now, from_right); }
    // Until nothing is on the wire.
    void settle() {
        while (!from_left.sent.empty() || !from_right.sent.empty()) {
            for (const auto& sent : std::exchange(from_left.sent, {})) receive(sent.bytes);
            end_turn();
            for (const auto& sent : std::exchange(from_right.sent, {})) {
                left.receive(now, Socket::bank, kRight, sent.bytes, from_left);
            }
        }
    }

    const bool sealed;
    const secure::Identity left_identity{seed_of(1)};
    const secure::Identity right_identity{seed_of(2)};
    Courier left{3, sealed ? &left_identity : nullptr, seed_of(3)};
    Courier right{4, sealed ? &right_identity : nullptr, seed_of(4)};
    RecordedEffects from_left;
    RecordedEffects from_right;
    TimePoint now{};
    std::vector<std::string> arrived;
};

// Texts that differ, each of a few parts.
std::vector<std::string> any_texts() {
    std::vector<std::string> texts;
    const auto sizes =
        *rc::gen::resize(3, rc::gen::container<std::vector<size_t>>(rc::gen::oneOf(
                                rc::gen::inRange<size_t>(1'200, 9'000),
                                rc::gen::element<size_t>(1'999, 2'000, 2'001, 3'000))));
    for (const size_t size : sizes) {
        std::string text = std::to_string(texts.size());
        while (text.size() < size) text += std::to_string(text.size() % 977);
        texts.push_back(std::move(text));
    }
    if (texts.empty()) texts.emplace_back(1'500, 'x');
    return texts;
}

// Which parts have come, and what follows from the next.
struct Model {
    bool arrives(const wire::Fragment& part) {
        std::set<uint32_t>& here = parts[part.id()];
        const bool is_new = here.insert(part.index()).second;
        return here.size() == part.count() && (is_new || part.index() + 1 == part.count());
    }
    std::map<uint64_t, std::set<uint32_t>> parts;
};

}  // namespace

TEST_CASE("properties: parts in any order, doubled and lost, are a message when all are there") {
    CHECK(holds("in clear, part by part", {400, 80}, [] {
        Pair pair(false);
        Model model;
        const std::vector<std::string> texts = any_texts();
        for (const std::string& text : texts) RC_ASSERT(pair.send(text));
        std::vector<std::string> wire;
        const auto script = *rc::gen::container<std::vector<std::pair<int, size_t>>>(
            rc::gen::pair(rc::gen::inRange(0, 10), rc::gen::inRange<size_t>(0, 1'000)));
        for (const auto& [what, which] : script) {
            for (const auto& sent : std::exchange(pair.from_left.sent, {})) {
                wire.push_back(sent.bytes);
            }
            if (what == 0) {  // what is lost is sent again
                pair.now += milliseconds(40);
                RC_ASSERT(pair.send(texts[which % texts.size()]));
            } else if (what == 1) {  // acknowledgements arrive
                pair.end_turn();
                pair.now += milliseconds(static_cast<int64_t>(which % 50));
                for (const auto& sent : std::exchange(pair.from_right.sent, {})) {
                    pair.left.receive(pair.now, Socket::bank, kRight, sent.bytes, pair.from_left);
                }
            } else if (!wire.empty()) {
                const size_t at = which % wire.size();
                const std::string packet = wire[at];
                if (what < 8) wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(at));
                if (what == 2) continue;  // lost
                wire::Datagram datagram;
                RC_ASSERT(unseal(packet, datagram));
                RC_ASSERT(datagram.has_fragment());
                const bool arrives = model.arrives(datagram.fragment());
                RC_ASSERT(pair.receive(packet) == arrives);
            }
        }
        for (const std::string& text : pair.arrived) {
            RC_ASSERT(std::find(texts.begin(), texts.end(), text) != texts.end());
        }
    }));
}

TEST_CASE("properties: a message in parts arrives once if it is sent once and nothing is lost") {
    CHECK(holds("in any order, doubled", {250, 60}, [] {
        Pair pair(*rc::gen::arbitrary<bool>());
        const std::vector<std::string> texts = any_texts();
        for (const std::string& text : texts) RC_ASSERT(pair.send(text));
        std::vector<size_t> order;
        for (size_t i = 0; i < pair.from_left.sent.size(); ++i) order.push_back(i);
        // In clear the last part stands for the message, once all are there: not doubled here.
        const auto doubled =
            *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, order.size()));
        for (const size_t i : doubled) {
            wire::Datagram datagram;
            const bool clear = unseal(pair.from_left.sent[i].bytes, datagram);
            RC_ASSERT(clear != pair.sealed);
            const wire::Fragment& part = datagram.fragment();
            if (pair.sealed || part.index() + 1 < part.count()) order.push_back(i);
        }
        const auto sent = std::exchange(pair.from_left.sent, {});
        std::mt19937_64 shuffle(*rc::gen::arbitrary<uint64_t>());
        std::shuffle(order.begin(), order.end(), shuffle);
        for (const size_t i : order) {
            pair.receive(sent[i].bytes);
            if (*rc::gen::inRange(0, 4) == 0) pair.end_turn();
        }
        std::sort(pair.arrived.begin(), pair.arrived.end());
        std::vector<std::string> expected = texts;
        std::sort(expected.begin(), expected.end());
        RC_ASSERT(pair.arrived == expected);
    }));
}

TEST_CASE("properties: whatever was lost, sending again gets a message in parts through") {
    CHECK(holds("lost, then sent again", {250, 60}, [] {
        Pair pair(*rc::gen::arbitrary<bool>());
        const std::vector<std::string> texts = any_texts();
        const auto lossy_rounds = *rc::gen::inRange(1, 6);
        for (int round = 0; round < lossy_rounds; ++round) {
            const auto keep_of_4 = *rc::gen::inRange(0, 4);
            for (const std::string& text : texts) pair.send(text);
            for (const auto& sent : std::exchange(pair.from_left.sent, {})) {
                if (*rc::gen::inRange(0, 4) < keep_of_4) pair.receive(sent.bytes);
            }
            pair.end_turn();
            for (const auto& sent : std::exchange(pair.from_right.sent, {})) {
                if (*rc::gen::inRange(0, 4) >= keep_of_4) continue;
                pair.left.receive(pair.now, Socket::bank, kRight, sent.bytes, pair.from_left);
            }
            pair.now += milliseconds(40);
        }
        for (const std::string& text : texts) {
            const size_t before = pair.arrived.size();
            // Once at most is not enough: what the left knows of the right may be out of date.
            for (int i = 0; i < 2 && pair.arrived.size() == before; ++i) {
                RC_ASSERT(pair.send(text));
                pair.settle();
                pair.now += milliseconds(40);
            }
            RC_ASSERT(pair.arrived.size() > before);
            RC_ASSERT(pair.arrived.back() == text);
            // All of it is there: now it takes one datagram.
            RC_ASSERT(pair.send(text));
            RC_ASSERT(pair.from_left.sent.size() == 1U);
            pair.settle();
        }
    }));
}
