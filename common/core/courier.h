// Gets messages of any size to an address and back from one, and says whose they are: seals them
// (common/secure/sessions.h), numbers them, cuts what is too large for a datagram into parts. It
// does not repeat messages: whoever wants an answer sends again.
//
// Owned by one node; both the bank and the customers use it.
//
// Sealed. A party is a key; a message goes to a key at an address. What has to be made first, a
// session, is made on the way: send() says false and is called again later.
//
// In clear (--insecure) nobody has keys: all keys here are zeros, whoever can send is believed, and
// an address has only to prove that it receives (common/core/introductions.h). The two do not talk
// to each other.
//
// Either way an address that has not proven that it receives is never sent more bytes than it sent,
// except for the introduction to an address that the own user or the bank gave.
//
// Parts. The receiver acknowledges the parts that it has. Sending the same message again sends only
// what is missing, or, when nothing is, its last part, at which the receiver delivers it again.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/interval_set.h"
#include "common/base/limits.h"
#include "common/base/time.h"
#include "common/core/effects.h"
#include "common/core/introductions.h"
#include "common/secure/sessions.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

// A message in parts: between whom, and its id.
struct MessageKey {
    Address address;
    KeyBytes key{};
    uint64_t id = 0;
    friend auto operator<=>(const MessageKey&, const MessageKey&) = default;
};

class Courier {
  public:
    // In clear.
    explicit Courier(uint64_t seed);
    // Sealed, if there is an identity, which has to outlive this object. `secret_seed` is for what
    // nobody may guess.
    Courier(uint64_t seed, const secure::Identity* identity, const KeyBytes& secret_seed);
    ~Courier();

    bool is_sealed() const { return identity_ != nullptr; }

    // Who sends: goes into every datagram from now on.
    void identify(std::string sender, uint64_t instance);
    const std::string& sender() const { return sender_; }
    uint64_t instance() const { return instance_; }

    // Whose key may begin a session on that socket, asked at each handshake. Until this is called:
    // everybody's. Not in clear.
    using Accepts = std::function<bool(Socket, const KeyBytes& channel_key)>;
    void accept_only(Accepts accepts);
    // Fewer are accepted than before: ends the sessions of the others.
    void forget_refused();

    // Sends `message` (its id fields are filled in) to the owner of `key` at `to`. False if that
    // has to be introduced first: then only an introduction goes out, if one is due, and the caller
    // tries again later. Also false for a message that is larger than limits::kMaxMessageBytes; an
    // error notice says so.
    bool send(TimePoint now, Socket from, Address to, const KeyBytes& key, wire::Datagram& message,
              Effects& effects);

    struct Arrival {
        bool introduced = false;  // received_from() has just proven itself: what waits can go
        bool message = false;     // received() holds one of received_from()
        bool other_mode = false;  // a hint: the address talks sealed only, or in clear only
        std::optional<secure::KeyAnswer> keys;  // a hint: what an answer to ask_keys() says
    };
    Arrival receive(TimePoint now, Socket at, Address from, std::string_view bytes,
                    Effects& effects);
    // The message of the last receive() that said so. It may be changed or moved from; it is valid
    // until the next receive.
    wire::Datagram& received() { return incoming_; }
    const KeyBytes& received_from() const { return incoming_key_; }

    // Sends the acknowledgements of parts that came in this turn.
    void end_of_turn(TimePoint now, Effects& effects);

    bool is_introduced(TimePoint now, Socket at, Address address, const KeyBytes& key) const;
    // In clear: a registered address that proved itself in an earlier run. Sealed: does nothing.
    void trust(Address address);

    // Asks who is at an address. Not in clear.
    void ask_keys(Socket from, Address to, uint64_t nonce, Effects& effects);
    // From now on whoever asks is told the own keys. Not in clear.
    void answer_key_requests() { answers_key_requests_ = true; }

  private:
    class Door;  // the sessions of one socket
    struct Outgoing {
        std::vector<bool> acked;
        TimePoint sent{};
        std::string bytes;
        Socket socket{};
    };
    struct Incoming {
        std::vector<std::string> parts;
        IntervalSet received;  // index + 1
        size_t bytes = 0;
        bool complete = false;
        std::list<MessageKey>::iterator age;
    };

    bool emit(TimePoint now, Socket from, Address to, const KeyBytes& key, wire::Datagram& datagram,
              Effects& effects);
    void introduce(TimePoint now, Socket from, Address to, const KeyBytes& key, Effects& effects);
    void send_hello(Socket from, Address to, const wire::Hello& hello, Effects& effects);
    void open_sealed(TimePoint now, Socket at, Address from, std::string_view bytes,
                     Arrival& arrival, Effects& effects);
    void open_clear(Socket at, Address from, std::string_view bytes, Arrival& arrival,
                    Effects& effects);
    bool on_fragment(Socket at, Address from);
    void on_fragment_ack(TimePoint now, Address from, Effects& effects);
    void send_parts(TimePoint now, const MessageKey& key, Outgoing& outgoing, bool at_least_one,
                    Effects& effects);
    void forget_oldest_reassembly();
    Door& door(Socket socket) { return *doors_[static_cast<size_t>(socket)]; }
    const Door& door(Socket socket) const { return *doors_[static_cast<size_t>(socket)]; }
    static void trace(std::string_view kind, Address other, const wire::Datagram& datagram,
                      Effects& effects);

    const secure::Identity* identity_ = nullptr;
    Accepts accepts_;
    bool answers_key_requests_ = false;
    std::string sender_;
    uint64_t instance_ = 0;
    uint64_t number_ = 0;

    std::array<std::unique_ptr<Door>, 2> doors_;    // sealed
    std::unique_ptr<Introductions> introductions_;  // in clear
    Effects* effects_ = nullptr;                    // while a door is at work

    std::map<MessageKey, Outgoing> outgoing_;
    std::list<MessageKey> outgoing_order_;
    size_t outgoing_bytes_ = 0;
    std::map<MessageKey, Incoming> incoming_parts_;
    std::list<MessageKey> incoming_order_;
    size_t incoming_bytes_ = 0;
    std::map<MessageKey, Socket> acks_due_;

    wire::Datagram incoming_;
    KeyBytes incoming_key_{};
    wire::Datagram part_;  // reused, so that sending allocates nothing
    std::string plain_;
    std::string packet_;
};

}  // namespace p2pbank
