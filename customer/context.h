// What the parts of a customer share while they handle one event: its state, its post office, the
// time, and the way out. Owned by Customer; valid as long as it is.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "common/base/random.h"
#include "common/core/courier.h"
#include "common/core/effects.h"
#include "customer/state.h"

namespace p2pbank {

struct CustomerSettings {
    Address bank;
    uint32_t own_ip = 0;  // what `open <name> <balance>` registers
    uint16_t port1 = 0;   // for the bank
    uint16_t port2 = 0;   // for peers
    StableMode stable = StableMode::journal;
    std::string name;    // of the account whose journal is about to be replayed; empty if none
    std::string wanted;  // an account to take over from the bank if it has one without a process
    uint64_t seed = 0;
    int64_t wall_offset_us = 0;                   // from a TimePoint to microseconds since 1970
    std::array<unsigned char, 32> secret_seed{};  // for keys: drawn anew at each start
    // The bank's public key as it was remembered; nothing before the first meeting.
    std::optional<std::array<unsigned char, 32>> bank_key;
    std::string key_folder;  // where a bank's key is remembered, in a file <ip>_<port>.key
};

namespace customer {

struct Context {
    explicit Context(const CustomerSettings& s)
        : settings(s), random(s.seed), courier(random.next()) {}

    CustomerSettings settings;
    Random random;
    State state;
    Courier courier;
    TimePoint now{};
    Effects* effects = nullptr;  // of the event being handled

    // Applies the record, and persists it where the mode of stable storage asks for that.
    void commit(State::Record& record);
    // The same for a tentative checkpoint: what is persisted carries `live` in `checkpoint` mode.
    void commit_tentative(State::Record& record);

    uint64_t wall_ms() const;

    // False if the address is not proven yet: try again later.
    bool send_to_bank(wire::Datagram& message);
    bool send_to_peer(const Peer& peer, wire::Datagram& message);

    void notice(Severity severity, std::string text) { effects->notice(severity, std::move(text)); }

    // What this customer remembers is older than what others know: its disk lost what it had
    // confirmed. Going on could spend the same money twice.
    void refuse_to_go_on(const std::string& why);
};

}  // namespace customer
}  // namespace p2pbank
