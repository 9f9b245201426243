#include "common/secure/session_table.h"

#include <algorithm>

#include "common/secure/bytes.h"

namespace p2pbank::secure {
namespace {

// An answer that is later than this finds its handshake forgotten. The side that answered waits
// longer for what confirms its session.
constexpr Duration kPendingLife = 2 * kLastInitiationPause;
constexpr Duration kUnconfirmedLife = 2 * kPendingLife;

size_t hash_of(const std::array<unsigned char, 16>& key, const void* bytes, size_t size) {
    static_assert(sizeof(size_t) == crypto_shorthash_BYTES);
    static_assert(sizeof key == crypto_shorthash_KEYBYTES);
    size_t hash;
    crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                     static_cast<const unsigned char*>(bytes), size, key.data());
    return hash;
}

void erase_from(std::vector<Session*>& sessions, const Session& session) {
    sessions.erase(std::find(sessions.begin(), sessions.end(), &session));
}

}  // namespace

size_t SessionTable::Hash::operator()(const PartyName& name) const {
    char bytes[6 + sizeof name.who];
    store(bytes, name.address.ip);
    store(bytes + 4, name.address.port);
    std::memcpy(bytes + 6, name.who.data(), name.who.size());
    return hash_of(key, bytes, sizeof bytes);
}

size_t SessionTable::Hash::operator()(const RemoteName& name) const {
    char bytes[10];
    store(bytes, name.address.ip);
    store(bytes + 4, name.address.port);
    store(bytes + 6, name.index);
    return hash_of(key, bytes, sizeof bytes);
}

SessionTable::SessionTable(KeyedRandom& random, const Limits& limits)
    : random_(random),
      limits_(limits),
      hash_([&random] {
          Hash hash;
          random.fill(hash.key);
          return hash;
      }()),
      parties_(0, hash_),
      remotes_(0, hash_) {}

// --- finding

Party* SessionTable::find(const Address& address, const KeyBytes& who) {
    const auto found = parties_.find({address, who});
    return found == parties_.end() ? nullptr : &found->second;
}

const Party* SessionTable::find(const Address& address, const KeyBytes& who) const {
    const auto found = parties_.find({address, who});
    return found == parties_.end() ? nullptr : &found->second;
}

Party& SessionTable::party(const Address& address, const KeyBytes& who) {
    Party& party = parties_[{address, who}];
    party.address = address;
    party.who = who;
    return party;
}

Session* SessionTable::find_session(uint32_t index) {
    const auto found = sessions_.find(index);
    return found == sessions_.end() ? nullptr : &found->second;
}

Pending* SessionTable::find_pending(uint32_t index) {
    const auto found = handshakes_.find(index);
    return found == handshakes_.end() ? nullptr : &found->second;
}

Session* SessionTable::find_remote(const Address& address, uint32_t remote_index) {
    const auto found = remotes_.find({address, remote_index});
    return found == remotes_.end() ? nullptr : found->second;
}

// --- adding

uint32_t SessionTable::new_index() {
    uint32_t index;
    do {
        index = static_cast<uint32_t>(random_.next64());
    } while (sessions_.contains(index) || handshakes_.contains(index));
    return index;
}

Session& SessionTable::insert(TimePoint now, Party& party, uint32_t index) {
    Session& session = sessions_[index];
    session.index = index;
    session.party = &party;
    session.made = now;
    session.age = unconfirmed_.insert(unconfirmed_.end(), &session);
    party.unconfirmed.push_back(&session);
    // The party is not empty any more: it stays, whatever goes.
    if (party.unconfirmed.size() > kMaxSessionsOfParty) remove(*party.unconfirmed.front());
    if (unconfirmed_.size() > limits_.max_unconfirmed) remove(*unconfirmed_.front());
    return session;
}

Session& SessionTable::add_session(TimePoint now, Party& party) {
    return insert(now, party, new_index());
}

Pending& SessionTable::add_pending(TimePoint now, Party& party) {
    if (party.pending != nullptr) {
        forget(*party.pending);
    } else if (pending_.size() >= limits_.max_unconfirmed) {
        remove(*pending_.front());
    }
    const uint32_t index = new_index();
    Pending& pending = handshakes_[index];
    pending.index = index;
    pending.party = &party;
    pending.sent = now;
    pending.age = pending_.insert(pending_.end(), &pending);
    party.pending = &pending;
    return pending;
}

Session& SessionTable::replace_pending(TimePoint now, Pending& pending) {
    Party& party = *pending.party;
    const uint32_t index = pending.index;
    forget(pending);
    return insert(now, party, index);
}

void SessionTable::confirm(Session& session) {
    P2PBANK_CHECK(!session.confirmed);
    Party& party = *session.party;
    session.confirmed = true;
    erase_from(party.unconfirmed, session);
    party.confirmed.push_back(&session);
    confirmed_.splice(confirmed_.end(), unconfirmed_, session.age);
    session.silence = silence_.insert(silence_.end(), &session);
    remotes_[{party.address, session.remote_index}] = &session;
    if (party.confirmed.size() > kMaxSessionsOfParty) remove(*party.confirmed.front());
    if (confirmed_.size() > limits_.max_confirmed) remove(*silence_.front());
}

// --- removing

void SessionTable::remove(Session& session) {
    Party& party = *session.party;
    if (session.confirmed) {
        erase_from(party.confirmed, session);
        confirmed_.erase(session.age);
        silence_.erase(session.silence);
        const auto remote = remotes_.find({party.address, session.remote_index});
        if (remote != remotes_.end() && remote->second == &session) remotes_.erase(remote);
    } else {
        erase_from(party.unconfirmed, session);
        unconfirmed_.erase(session.age);
    }
    sessions_.erase(session.index);
    drop_if_empty(party);
}

void SessionTable::forget(Pending& pending) {
    pending.party->pending = nullptr;
    pending_.erase(pending.age);
    handshakes_.erase(pending.index);
}

void SessionTable::remove(Pending& pending) {
    Party& party = *pending.party;
    forget(pending);
    drop_if_empty(party);
}

void SessionTable::drop_if_empty(Party& party) {
    if (!party.confirmed.empty() || !party.unconfirmed.empty() || party.pending != nullptr) return;
    parties_.erase({party.address, party.who});
}

void SessionTable::expire(TimePoint now) {
    while (!confirmed_.empty() && now - confirmed_.front()->made >= kRejectAfter) {
        remove(*confirmed_.front());
    }
    while (!unconfirmed_.empty() && now - unconfirmed_.front()->made >= kUnconfirmedLife) {
        remove(*unconfirmed_.front());
    }
    while (!pending_.empty() && now - pending_.front()->sent >= kPendingLife) {
        remove(*pending_.front());
    }
}

}  // namespace p2pbank::secure
