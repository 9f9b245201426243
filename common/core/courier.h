// Gets messages of any size to an address and back from one: numbers them, seals them, cuts what is
// too large for a datagram into parts, and sees to it that an address that has not proven that it
// receives is never sent more bytes than it sent. It does not repeat messages: whoever wants an
// answer sends again.
//
// Owned by one node; both the bank and the customers use it.
//
// Introductions. Before anything else goes to an address, both sides have to see their own cookie
// (a keyed hash of the other's address) come back. A Hello has a fixed size. Towards an address
// that the node was given (by its user or by the bank) it is sent unasked, with growing pauses;
// towards any other only against as many bytes received.
//
// Parts. The receiver acknowledges the parts that it has. Sending the same message again sends only
// what is missing, or, when nothing is, its last part, at which the receiver delivers it again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/interval_set.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/core/effects.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

class Courier {
  public:
    explicit Courier(uint64_t seed);

    // Who sends: goes into every datagram from now on.
    void identify(std::string sender, uint64_t instance);
    const std::string& sender() const { return sender_; }
    uint64_t instance() const { return instance_; }

    // Sends `message` (its id fields are filled in). False if the address is not proven yet: then
    // only a Hello goes out, if one is due, and the caller tries again later. Also false for a
    // message that is larger than limits::kMaxMessageBytes; an error notice says so.
    bool send(TimePoint now, Socket from, Address to, wire::Datagram& message, Effects& effects);

    enum class Arrival {
        nothing,     // garbage, a part, an introduction: done with
        introduced,  // the address has just proven itself: what waits for it can go
        message,     // `received()` holds it
    };
    Arrival receive(TimePoint now, Socket at, Address from, std::string_view bytes,
                    Effects& effects);
    // The message of the last receive() that returned Arrival::message. It may be changed or moved
    // from; it is valid until the next receive.
    wire::Datagram& received() { return incoming_; }

    // Sends the acknowledgements of parts that came in this turn.
    void end_of_turn(Effects& effects);

    bool is_proven(Address address) const;
    // A registered address that proved itself in an earlier run.
    void trust(Address address);

  private:
    struct Acquaintance {
        bool proven = false;
        uint64_t bytes_in = 0;  // only counted until proven
        uint64_t answered_bytes = 0;
        TimePoint next_hello{};
        Duration hello_pause{};
        std::list<Address>::iterator age;  // in unproven_, while not proven
    };
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
        std::list<std::pair<Address, uint64_t>>::iterator age;
    };
    using MessageKey = std::pair<Address, uint64_t>;

    Acquaintance& acquaintance(Address address);
    static bool may_answer(Acquaintance& known);
    uint64_t cookie_for(Address address) const;
    void emit(Socket from, Address to, wire::Datagram& datagram, Effects& effects);
    void send_hello(Socket from, Address to, uint64_t echo, bool need_echo, Effects& effects);
    Arrival on_hello(Socket at, Address from, Effects& effects);
    Arrival on_fragment(Socket at, Address from);
    void on_fragment_ack(TimePoint now, Address from, Effects& effects);
    void send_parts(TimePoint now, Address to, uint64_t id, Outgoing& outgoing, bool at_least_one,
                    Effects& effects);
    void forget_oldest_reassembly();
    static void trace(std::string_view kind, Address other, const wire::Datagram& datagram,
                      Effects& effects);
    uint64_t hash(std::string_view bytes, const unsigned char* key) const;

    std::string sender_;
    uint64_t instance_ = 0;
    uint64_t number_ = 0;
    unsigned char secret_[16];

    std::unordered_map<Address, Acquaintance> acquaintances_;
    std::list<Address> unproven_;  // oldest first
    std::map<MessageKey, Outgoing> outgoing_;
    std::list<MessageKey> outgoing_order_;
    size_t outgoing_bytes_ = 0;
    std::map<MessageKey, Incoming> incoming_parts_;
    std::list<MessageKey> incoming_order_;
    size_t incoming_bytes_ = 0;
    std::map<MessageKey, Socket> acks_due_;

    wire::Datagram incoming_;
    wire::Datagram part_;  // reused, so that sending allocates nothing
    std::string sealed_;
};

}  // namespace p2pbank
