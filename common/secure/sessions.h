// Sealed sessions with others who have keys: makes them with a handshake, seals what is sent, opens
// what comes. One object for one socket; owned by core::Courier. Nobody has one with the own key.
//
// A session is between two keys and two addresses: whoever moves makes a new one, and so proves the
// new address. What comes from another address than the session's is dropped. Handshakes go either
// way; several sessions with the same party may stand at once (both began, one was started again,
// rekeying): each opens what was sealed for it, and the one that was confirmed last seals.
//
// Life of a session: whoever answered an initiation has an unconfirmed one until the first packet
// opens, whoever began it a confirmed one with the response. From kRekeyAfter on whoever began it
// makes a new one when it next sends, and the other side does from kRekeyAfter + kRekeyGrace on;
// either side does after kRekeyAfterPackets of its own. At kRejectAfter it ends; in its last
// kRekeyGrace it seals no more, so that what was sealed still gets there. After kRejectAfterPackets
// it seals no more either. A party that was started again does not know old sessions: it says so
// (no session), and the other begins anew; the old one goes when the new one is confirmed.
//
// Under load (more than kHandshakesPerSecond) an initiation is only looked at when it carries a
// cookie for its address, and each IP address gets its share. So is one of a party that has
// unconfirmed sessions already: somebody may be repeating what the party once sent. An initiation
// that has been answered is not answered again. Memory is bounded: the oldest unconfirmed session
// makes room for another, and the confirmed one that was silent longest.
//
// Nothing is answered with more bytes than came, but by a session. Deterministic: time comes in,
// random bytes come from `random`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/secure/identity.h"
#include "common/secure/packets.h"

namespace p2pbank::secure {

inline constexpr Duration kRekeyAfter = seconds(120);
inline constexpr Duration kRekeyGrace = seconds(15);
inline constexpr Duration kRejectAfter = seconds(180);
inline constexpr uint64_t kRekeyAfterPackets = uint64_t(1) << 40;
inline constexpr uint64_t kRejectAfterPackets = uint64_t(1) << 44;
inline constexpr Duration kFirstInitiationPause = milliseconds(50);
inline constexpr Duration kLastInitiationPause = seconds(5);
inline constexpr uint32_t kHandshakesPerSecond = 500;       // then cookies are asked for
inline constexpr uint32_t kHandshakesPerIpPerSecond = 100;  // under load, with a cookie
inline constexpr Duration kCookieLife = seconds(120);
inline constexpr size_t kMaxUnconfirmed = 1'024;  // and as many own initiations on their way
inline constexpr size_t kMaxConfirmed = 65'536;
// Of the same key at the same address: so many confirmed ones, and so many that are not.
inline constexpr size_t kMaxSessionsOfParty = 4;

struct Limits {  // what tests make smaller
    uint64_t rekey_after_packets = kRekeyAfterPackets;
    uint64_t reject_after_packets = kRejectAfterPackets;
    uint32_t handshakes_per_second = kHandshakesPerSecond;
    size_t max_unconfirmed = kMaxUnconfirmed;
    size_t max_confirmed = kMaxConfirmed;
};

class Sessions {
  public:
    // What it needs from its owner. Called from within the calls below.
    class Owner {
      public:
        virtual ~Owner() = default;
        virtual void send_packet(Address to, std::string_view packet) = 0;
        // May somebody with this key have a session? Asked at every handshake and introduction, and
        // for everybody by `forget_refused()`.
        virtual bool accepts(const KeyBytes& channel_key) = 0;
        // For a key log (common/secure/key_log.h): packets with this index are sealed with this
        // key.
        virtual void log_key(uint32_t index, const KeyBytes& key) = 0;
    };

    // `identity` outlives this object.
    Sessions(const Identity& identity, const KeyBytes& random_seed, Owner& owner,
             const Limits& limits = {});
    ~Sessions();

    // Seals `plain` into `packet` (its content is replaced). False if there is no session: then
    // introduce().
    bool seal(TimePoint now, Address to, const KeyBytes& who, std::string_view plain,
              std::string& packet);

    // Sends an initiation, unless one is on its way and not overdue: pauses double from
    // kFirstInitiationPause on. `to` was given by the own user or the bank: it need not have proven
    // itself. Also when there is a session: then it is replaced. Nothing for keys that the owner
    // does not accept, or that are of low order.
    void introduce(TimePoint now, Address to, const KeyBytes& who);

    struct Opened {
        // A session with `who` at that address has just been confirmed: the first, or a new one.
        bool introduced = false;
        bool message = false;     // plain() holds what came
        bool other_mode = false;  // a hint: the other side does not seal
        KeyBytes who{};           // of introduced and message
    };
    // Any bytes from anywhere. Key requests and answers are not for here: nothing happens.
    Opened open(TimePoint now, Address from, std::string_view packet);
    // Of the last open() that said message; valid until the next.
    std::string_view plain() const { return plain_; }
    // Overwrites it: it held a secret.
    void wipe_plain();

    bool has_session(TimePoint now, Address with, const KeyBytes& who) const;
    // Ends the sessions, and the own initiations, of keys that the owner no longer accepts.
    void forget_refused();

    // For tests and status.
    size_t confirmed() const;
    size_t unconfirmed() const;  // with own initiations on their way
    bool under_load() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::string plain_;
};

// The hint that whoever sends it talks in the other way (common/secure/packets.h).
std::string other_mode();

// Key requests: how somebody who does not know the key of an address asks for it. What is answered
// proves nothing; whoever trusts it, trusts the first use.
std::string key_request(uint64_t nonce);
// The answer to `packet`, empty if it is no key request.
std::string key_answer(std::string_view packet, const Identity& identity);
struct KeyAnswer {
    uint64_t nonce = 0;
    PublicKeys keys;
};
// Nothing for what is no answer, or has a wrong bit.
std::optional<KeyAnswer> read_key_answer(std::string_view packet);

}  // namespace p2pbank::secure
