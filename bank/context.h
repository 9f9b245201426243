// What the parts of the bank share while they handle one event: its state, its post office, the
// time, and the way out. Owned by Bank.
//
// What leaves the bank (datagrams and answers) is gathered and let go at the end of the turn,
// behind the table that shows what it says. A datagram to somebody who has to be introduced first
// is held for a moment, and goes when that is done; whoever wants to be sure sends again.
#pragma once

#include <array>
#include <compare>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "bank/state.h"
#include "common/base/random.h"
#include "common/core/courier.h"
#include "common/core/effects.h"
#include "common/secure/identity.h"
#include "common/secure/keyed_random.h"

namespace p2pbank {

// What is secret in it is overwritten when it goes.
struct BankSettings {
    uint64_t seed = 0;
    // What to add to a TimePoint to get microseconds since 1970.
    int64_t wall_offset_us = 0;
    KeyBytes secret_seed{};  // for everything that must not be guessed: drawn anew at each start
    KeyBytes key_seed{};     // of the bank's identity; kept in a file of its own
    bool require_verified = false;  // accounts are opened by people who have verified their e-mail
    bool insecure = false;          // everything in clear: nobody has keys then

    ~BankSettings();
};

namespace bank {

// Who asks, wherever it is: the owner of a key. In clear: whoever is at an address.
struct Party {
    KeyBytes key{};
    Address address;
    friend auto operator<=>(const Party&, const Party&) = default;
};

// Where a message came from, and who sent it: the answer goes there, for nobody else.
struct Origin {
    Address address;
    // As it calls itself, and is answered: the name of an account, empty for a process without one.
    std::string name;
    uint64_t instance = 0;
    KeyBytes key{};  // of whose session it is; zeros in clear
    // It is that account's process: `name` counts. Otherwise it is to be taken for a process
    // without an account.
    bool is_account = false;

    Party party() const { return key == KeyBytes{} ? Party{key, address} : Party{key, {}}; }
    // For people: the account, or else the address.
    std::string who() const { return is_account ? name : to_string(address); }
};

struct Context {
    explicit Context(const BankSettings& s);

    BankSettings settings;

    Random random;
    KeyedRandom secrets;  // for what nobody may guess
    secure::Identity identity;
    State state;
    Courier courier;
    TimePoint now{};
    Effects* effects = nullptr;  // of the event being handled

    bool sealed() const { return !settings.insecure; }
    // What signs for the bank: null in clear.
    const secure::Identity* signer() const { return sealed() ? &identity : nullptr; }

    // Applies the record and persists it.
    void commit(State::Record& record);
    // Microseconds since 1970.
    int64_t wall_us() const { return now.time_since_epoch().count() + settings.wall_offset_us; }

    // Sends at the end of the turn, from the bank's one socket.
    void send(const Origin& to, wire::Datagram message);
    // To the account's process: where it was heard in this run, or else where it says that it is.
    // Nothing goes to an account that nobody's key has, nor to an address that has not shown that
    // it receives (in clear: but for an introduction).
    void send(const Account& account, wire::Datagram message);
    void answer(CommandId command, Answer answer);

    // The account's process, with its key, has been heard at that address.
    void heard(const Account& account, Address at);
    // Somebody has just proven itself: what is held for it goes with this turn.
    void introduced(Address address, const KeyBytes& key);

    void release_outbox();

    // The bank's word for who is in the cohort, which is active, as it is now. Signed anew when it
    // has changed, or is no longer fresh: until then it is the same, byte for byte.
    const wire::Roster& roster(const Cohort& cohort);

    void notice(Severity severity, std::string text) { effects->notice(severity, std::move(text)); }

  private:
    struct Leaving {
        Address to;
        KeyBytes key{};
        wire::Datagram message;
        CommandId command;  // not 0: an answer
        Answer answer;
    };
    struct Held {
        TimePoint since{};
        size_t bytes = 0;
        Leaving leaving;
    };
    struct SignedRoster {
        uint64_t issued_ms = 0;
        std::string members;  // what is in it, without the times
        wire::Roster roster;
    };
    void hold(Leaving leaving);

    std::vector<Leaving> outbox_;
    std::deque<Held> held_;  // oldest first
    size_t held_bytes_ = 0;
    struct Heard {
        KeyBytes key{};
        Address at;
    };
    std::unordered_map<const Account*, Heard> heard_;
    std::map<CohortId, SignedRoster> rosters_;
};

}  // namespace bank
}  // namespace p2pbank
