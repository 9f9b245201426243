// What the parts of the bank share while they handle one event: its state, its post office, the
// time, and the way out. Owned by Bank.
//
// What leaves the bank (datagrams and answers) is gathered and let go at the end of the turn,
// behind the table that shows what it says.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "bank/state.h"
#include "common/base/random.h"
#include "common/core/courier.h"
#include "common/core/effects.h"
#include "common/core/keyed_random.h"

namespace p2pbank {

struct BankSettings {
    uint64_t seed = 0;
    // What to add to a TimePoint to get microseconds since 1970.
    int64_t wall_offset_us = 0;
    KeyBytes secret_seed{};  // for everything that must not be guessed: drawn anew at each start
    KeyBytes key_seed{};     // of the bank's key pair; kept in a file of its own
    bool require_verified = false;  // accounts are opened by people who have verified their e-mail
};

namespace bank {

// Where a message came from, and who sent it: the answer goes there, for nobody else.
struct Origin {
    Address address;
    std::string name;  // empty: a process without an account
    uint64_t instance = 0;
};

struct Context {
    explicit Context(const BankSettings& s)
        : settings(s), random(s.seed), secrets(s.secret_seed), courier(random.next()) {}

    BankSettings settings;

    Random random;
    KeyedRandom secrets;  // for what nobody may guess
    State state;
    Courier courier;
    TimePoint now{};
    Effects* effects = nullptr;  // of the event being handled

    // Applies the record and persists it.
    void commit(State::Record& record);
    // Microseconds since 1970.
    int64_t wall_us() const { return now.time_since_epoch().count() + settings.wall_offset_us; }

    // Sends at the end of the turn, from the bank's one socket.
    void send(const Origin& to, wire::Datagram message);
    void send(const Account& account, wire::Datagram message);
    void answer(CommandId command, Answer answer);

    void release_outbox();

    void notice(Severity severity, std::string text) { effects->notice(severity, std::move(text)); }

  private:
    struct Leaving {
        Address to;
        wire::Datagram message;
        CommandId command;  // not 0: an answer
        Answer answer;
    };
    std::vector<Leaving> outbox_;
};

}  // namespace bank
}  // namespace p2pbank
