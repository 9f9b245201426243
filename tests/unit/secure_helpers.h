// Parties with keys and a wire between them, for tests of common/secure/sessions.h: everything that
// is sent stands on the wire until it is delivered, and everybody checks that nobody answers with
// more bytes than came.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/secure/cookies.h"
#include "common/secure/sessions.h"

namespace p2pbank::testing {

struct Packet {
    Address from;
    Address to;
    std::string bytes;
};

inline KeyBytes seed_of(int number) {
    KeyBytes seed{};
    seed[0] = static_cast<unsigned char>(number);
    seed[1] = static_cast<unsigned char>(number >> 8);
    return seed;
}

inline secure::PacketType type(const Packet& packet) {
    return static_cast<secure::PacketType>(secure::type_of(packet.bytes));
}

class Wire;

class Party final : public secure::Sessions::Owner {
  public:
    Party(Wire& wire, Address address, int number, const secure::Limits& limits = {})
        : wire_(wire),
          address_(address),
          number_(number),
          limits_(limits),
          identity(seed_of(number)) {
        restart();
    }

    // As a program that is started again: with its identity and nothing else.
    void restart() {
        sessions = std::make_unique<secure::Sessions>(identity, seed_of(++runs_ * 1'000 + number_),
                                                      *this, limits_);
    }
    void move(Address address) { address_ = address; }
    Address address() const { return address_; }
    const KeyBytes& key() const { return identity.keys().channel; }

    void introduce(const Party& to);
    bool send(const Party& to, std::string_view text);
    bool has_session(const Party& with) const;
    secure::Sessions::Opened receive(Address from, std::string_view bytes);

    void send_packet(Address to, std::string_view packet) override;
    bool accepts(const KeyBytes& channel_key) override { return !refused.contains(channel_key); }
    void log_key(uint32_t index, const KeyBytes& key) override { logged.emplace_back(index, key); }

  private:
    Wire& wire_;
    Address address_;
    int number_;
    secure::Limits limits_;
    int runs_ = 0;
    size_t bytes_sent_ = 0;

  public:
    const secure::Identity identity;
    std::unique_ptr<secure::Sessions> sessions;
    std::set<KeyBytes> refused;
    std::vector<std::string> messages;  // that came
    std::vector<KeyBytes> senders;      // of these
    size_t introduced = 0;
    std::vector<std::pair<uint32_t, KeyBytes>> logged;
};

class Wire {
  public:
    TimePoint now{};
    std::deque<Packet> packets;
    std::vector<Packet> seen;  // everything that was ever sent
    std::function<bool(const Packet&)> lose = [](const Packet&) { return false; };

    void add(Party& party) { parties_.push_back(&party); }
    // The first packet on the wire, to whoever is at its address now.
    void deliver_one() {
        const Packet packet = std::move(packets.front());
        packets.pop_front();
        if (lose(packet)) return;
        for (Party* party : parties_) {
            if (party->address() == packet.to) party->receive(packet.from, packet.bytes);
        }
    }
    void settle() {
        while (!packets.empty()) deliver_one();
    }
    Packet take() {
        REQUIRE_FALSE(packets.empty());
        const Packet packet = std::move(packets.front());
        packets.pop_front();
        return packet;
    }
    void pass(Duration time) { now += time; }

  private:
    std::vector<Party*> parties_;
};

inline void Party::introduce(const Party& to) {
    sessions->introduce(wire_.now, to.address_, to.key());
}

inline bool Party::send(const Party& to, std::string_view text) {
    std::string packet;
    if (!sessions->seal(wire_.now, to.address_, to.key(), text, packet)) return false;
    CHECK(packet.size() == text.size() + secure::kSealedOverhead);
    send_packet(to.address_, packet);
    return true;
}

inline bool Party::has_session(const Party& with) const {
    return sessions->has_session(wire_.now, with.address_, with.key());
}

inline secure::Sessions::Opened Party::receive(Address from, std::string_view bytes) {
    const size_t before = bytes_sent_;
    const auto opened = sessions->open(wire_.now, from, bytes);
    // Who says that it knows no session is only heard where there is one.
    const bool may_begin = type({{}, {}, std::string(bytes)}) == secure::PacketType::no_session;
    CHECK(bytes_sent_ - before <= (may_begin ? secure::kInitiationBytes : bytes.size()));
    introduced += opened.introduced;
    if (opened.message) {
        messages.emplace_back(sessions->plain());
        senders.push_back(opened.who);
    }
    return opened;
}

inline void Party::send_packet(Address to, std::string_view packet) {
    bytes_sent_ += packet.size();
    wire_.packets.push_back({address_, to, std::string(packet)});
    wire_.seen.push_back(wire_.packets.back());
}

// Two that want to talk.
struct Two {
    explicit Two(const secure::Limits& limits = {})
        : left(wire, {0x7f000001, 1'000}, 1, limits), right(wire, {0x7f000002, 2'000}, 2, limits) {
        wire.add(left);
        wire.add(right);
    }
    void connect() {
        left.introduce(right);
        wire.settle();
        REQUIRE(left.has_session(right));
        REQUIRE(right.has_session(left));
    }
    // What nodes do: send, or introduce and try again a little later. False if it takes longer than
    // `patience`.
    bool say(Party& from, Party& to, const std::string& text, Duration patience) {
        const TimePoint end = wire.now + patience;
        const size_t before = to.messages.size();
        while (wire.now <= end) {
            if (!from.send(to, text)) from.introduce(to);
            wire.settle();
            if (to.messages.size() > before && to.messages.back() == text) return true;
            wire.pass(milliseconds(10));
        }
        return false;
    }

    Wire wire;
    Party left;
    Party right;
};

}  // namespace p2pbank::testing
