// The sessions, the handshakes that are not finished and the parties that they belong to: found by
// index and by party, bounded, forgotten when their time is over. What they mean is in
// sessions.cpp, the only user.
//
// Whatever is removed may take its party with it: a reference to a party is good while it has a
// session or a handshake.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/secure/cookies.h"
#include "common/secure/noise.h"
#include "common/secure/replay_window.h"
#include "common/secure/sessions.h"

namespace p2pbank::secure {

struct Party;

struct Session {
    uint32_t index = 0;         // the own one: in what comes
    uint32_t remote_index = 0;  // in what goes out
    Party* party = nullptr;
    NoiseKeys keys;
    KeyBytes remote_ephemeral{};  // tells apart initiations
    uint64_t sent = 0;            // the counter of the next packet
    ReplayWindow received;
    TimePoint made{};
    bool began_here = false;
    bool confirmed = false;
    bool lost = false;  // the other side says that it does not know it
    std::list<Session*>::iterator age;
    std::list<Session*>::iterator silence;  // once confirmed
};

// An own initiation that is on its way.
struct Pending {
    uint32_t index = 0;
    Party* party = nullptr;
    std::optional<NoiseIk> noise;
    Mac mac1{};
    TimePoint sent{};
    bool got_cookie = false;
    std::list<Pending*>::iterator age;
};

struct Cookie {
    Mac bytes{};
    TimePoint came{};
};

// A key at an address.
struct Party {
    Address address;
    KeyBytes who{};
    std::vector<Session*> unconfirmed;  // the oldest first
    std::vector<Session*> confirmed;    // the one that was confirmed last, which seals, at the end
    Pending* pending = nullptr;
    TimePoint next_initiation = TimePoint::min();
    Duration pause = kFirstInitiationPause;
    std::optional<Cookie> cookie;
};

class SessionTable {
  public:
    SessionTable(KeyedRandom& random, const Limits& limits);

    Party* find(const Address& address, const KeyBytes& who);
    const Party* find(const Address& address, const KeyBytes& who) const;
    // The one that is there, or a new one.
    Party& party(const Address& address, const KeyBytes& who);
    Session* find_session(uint32_t index);
    Pending* find_pending(uint32_t index);
    // The confirmed session with that address whose packets carry that index.
    Session* find_remote(const Address& address, uint32_t remote_index);

    // With an index that is random and not in use. The oldest goes when there are too many.
    Session& add_session(TimePoint now, Party& party);
    Pending& add_pending(TimePoint now, Party& party);
    // The party of `pending` gets a session with its index instead.
    Session& replace_pending(TimePoint now, Pending& pending);
    // From now on it seals, the ones before still open; the oldest goes when there are too many.
    void confirm(Session& session);
    void heard(Session& session) { silence_.splice(silence_.end(), silence_, session.silence); }

    void remove(Session& session);
    void remove(Pending& pending);
    // Everything whose time is over.
    void expire(TimePoint now);
    // Everything of keys that do not pass. In the order in which it was made.
    template <class Accepts>
    void keep_only(Accepts accepts);

    size_t confirmed() const { return confirmed_.size(); }
    size_t unconfirmed() const { return unconfirmed_.size() + pending_.size(); }

  private:
    struct PartyName {
        Address address;
        KeyBytes who{};
        friend bool operator==(const PartyName&, const PartyName&) = default;
    };
    struct RemoteName {
        Address address;
        uint32_t index = 0;
        friend bool operator==(const RemoteName&, const RemoteName&) = default;
    };
    // SipHash: others choose what is hashed.
    struct Hash {
        std::array<unsigned char, 16> key{};
        size_t operator()(const PartyName& name) const;
        size_t operator()(const RemoteName& name) const;
    };

    uint32_t new_index();
    Session& insert(TimePoint now, Party& party, uint32_t index);
    void forget(Pending& pending);  // without its party
    void drop_if_empty(Party& party);

    KeyedRandom& random_;
    Limits limits_;
    Hash hash_;
    std::unordered_map<PartyName, Party, Hash> parties_;
    std::unordered_map<uint32_t, Session> sessions_;
    std::unordered_map<uint32_t, Pending> handshakes_;
    std::unordered_map<RemoteName, Session*, Hash> remotes_;
    // The oldest first.
    std::list<Session*> unconfirmed_;
    std::list<Session*> confirmed_;
    std::list<Session*> silence_;  // confirmed: the one that was silent longest first
    std::list<Pending*> pending_;
};

template <class Accepts>
void SessionTable::keep_only(Accepts accepts) {
    std::vector<uint32_t> indices;
    for (const auto* list : {&confirmed_, &unconfirmed_}) {
        for (const Session* session : *list) indices.push_back(session->index);
    }
    for (const uint32_t index : indices) {
        Session& session = sessions_.at(index);
        if (!accepts(std::as_const(session.party->who))) remove(session);
    }
    indices.clear();
    for (const Pending* pending : pending_) indices.push_back(pending->index);
    for (const uint32_t index : indices) {
        Pending& pending = handshakes_.at(index);
        if (!accepts(std::as_const(pending.party->who))) remove(pending);
    }
}

}  // namespace p2pbank::secure
