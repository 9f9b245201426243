// What the parts of a customer share while they handle one event: its state, its post office, the
// time, and the way out. Owned by Customer; valid as long as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/core/courier.h"
#include "common/core/effects.h"
#include "common/secure/identity.h"
#include "common/secure/keyed_random.h"
#include "customer/state.h"

namespace p2pbank {

// What is secret in it is overwritten when it goes.
struct CustomerSettings {
    CustomerSettings() = default;
    CustomerSettings(const CustomerSettings&) = default;
    CustomerSettings& operator=(const CustomerSettings&) = default;
    ~CustomerSettings();

    Address bank;
    uint32_t own_ip = 0;  // what `open <name> <balance>` registers
    uint16_t port1 = 0;   // for the bank
    uint16_t port2 = 0;   // for peers
    StableMode stable = StableMode::journal;
    std::string name;    // of the account whose journal is about to be replayed; empty if none
    std::string wanted;  // an account to take over from the bank if it has one without a process
    // Accounts that have a state here, for a program that was started without one of them.
    std::vector<std::string> accounts;
    uint64_t seed = 0;
    size_t most_logged = limits::kMaxLogged;
    int64_t wall_offset_us = 0;  // from a TimePoint to microseconds since 1970
    KeyBytes secret_seed{};      // for what nobody may guess: drawn anew at each start
    // Of the identity: the one of the account, or drawn anew for a process without one.
    KeyBytes key_seed{};
    bool insecure = false;  // everything in clear: nobody has keys then
    // The bank's keys as they were remembered; nothing before the first meeting.
    std::optional<secure::PublicKeys> bank_keys;
    // The fingerprint of the only keys that will do, as secure::fingerprint() writes it.
    std::optional<std::string> bank_fingerprint;
    std::string key_folder;  // where a bank's keys are remembered, in a file <ip>_<port>.key
};

namespace customer {

struct Context {
    explicit Context(const CustomerSettings& s);

    CustomerSettings settings;
    Random random;
    KeyedRandom secrets;
    secure::Identity identity;
    State state;
    Courier courier;
    TimePoint now{};
    Effects* effects = nullptr;  // of the event being handled
    // Who the bank is; nothing while that is not known (customer/bank_key.h), or in clear.
    std::optional<secure::PublicKeys> bank_keys;
    // Something that wants an answer was to go to the bank, and nothing came from it since then.
    std::optional<TimePoint> bank_silent_since;
    // The bank says that the account is another key's: it does nothing for this process.
    bool other_key = false;
    // How many statements of this account the bank has, if for certain fewer than were made here:
    // its data were lost, or put back to an older state. It can settle nothing for this process.
    std::optional<uint64_t> bank_behind;
    bool bad_roster_told = false;

    bool sealed() const { return !settings.insecure; }
    // What claim_store() and signatures take: null in clear.
    const KeyBytes* key_seed() const { return sealed() ? &settings.key_seed : nullptr; }
    const secure::Identity* signer() const { return sealed() ? &identity : nullptr; }

    // Applies the record, and persists it where the mode of stable storage asks for that.
    void commit(State::Record& record);
    // The same for a tentative checkpoint, and for the last statement of an account: what is
    // persisted carries `live` in `checkpoint` mode.
    void commit_with_live(State::Record& record);

    uint64_t wall_ms() const;

    // False if it cannot go now: the keys are not known, or there is no session yet. Then it is to
    // be tried again later.
    bool send_to_bank(wire::Datagram& message);
    // The same; also false when the roster that names the peer has expired.
    bool send_to_peer(const Peer& peer, wire::Datagram& message);

    // Whether the message that has just come is from the bank, or from the peer.
    bool is_from_bank(Address from) const;
    bool is_from(const Peer& peer) const;

    // What the bank's word for the members of a cohort says (common/core/roster.h). Nothing if it
    // is of no use; a notice says so once.
    std::optional<wire::RosterBody> read_roster(const wire::Roster& roster);
    // The roster of the present cohort counts no more. Never in clear.
    bool roster_expired() const;
    // It was signed while a clock was ahead, which has been set since then: every other one that
    // the bank signs now is newer.
    bool roster_of_future() const;

    void notice(Severity severity, std::string text) { effects->notice(severity, std::move(text)); }

    // What this customer remembers is older than what others know: its disk lost what it had
    // confirmed. Going on could spend the same money twice.
    void refuse_to_go_on(const std::string& why);
};

// What is wrong, and the way out, while `bank_behind` is known.
std::string bank_is_behind(const Context& context);

}  // namespace customer
}  // namespace p2pbank
