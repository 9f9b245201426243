// In clear only: sees to it that an address that has not proven that it receives is never sent more
// bytes than it sent. Owned by Courier.
//
// Before anything else goes to an address, both sides have to see their own cookie (a keyed hash of
// the other's address) come back. A Hello has a fixed size. Towards an address that the node was
// given (by its user or by the bank) it is sent unasked, with growing pauses; towards any other
// only against as many bytes received.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

class Introductions {
  public:
    // A Hello with its envelope.
    static constexpr size_t kHelloBytes = 64;

    explicit Introductions(uint64_t seed);

    bool is_proven(Address address) const;
    // A registered address that proved itself in an earlier run.
    void trust(Address address);

    // What to send to an address that is not proven and to which something is to go. Nothing if it
    // is not due.
    std::optional<wire::Hello> introduce(TimePoint now, Address to);
    // Something has come from an address that is not proven. What to answer, if anything may be.
    std::optional<wire::Hello> heard(Address from, size_t bytes);
    struct Greeted {
        bool introduced = false;            // the address has just proven itself
        std::optional<wire::Hello> answer;  // if one is wanted and allowed
    };
    Greeted greeted(Address from, const wire::Hello& hello, size_t bytes);

    // Fills in the padding: `bare` is the size of the whole packet without it.
    static void pad(wire::Hello& hello, size_t bare);

  private:
    struct Acquaintance {
        bool proven = false;
        uint64_t bytes_in = 0;  // only counted until proven
        uint64_t answered_bytes = 0;
        TimePoint next_hello{};
        Duration hello_pause{};
        std::list<Address>::iterator age;  // in unproven_, while not proven
    };
    Acquaintance& acquaintance(Address address);
    static bool may_answer(Acquaintance& known);
    uint64_t cookie_for(Address address) const;
    wire::Hello hello_for(Address to, uint64_t echo, bool need_echo) const;

    unsigned char secret_[16];
    std::unordered_map<Address, Acquaintance> acquaintances_;
    std::list<Address> unproven_;  // oldest first
};

}  // namespace p2pbank
