// Somebody who owns the network: sees every packet, and puts packets of his own into it, under any
// address. Has a key of his own, but nobody's else.
//
// Attack model, for each packet that is sent, with rates that a run draws from its seed: it comes
// again, now or much later, to whom it was for, to somebody else or back to its sender; the head of
// one is put before the tail of another; its content is said in clear, changed or not (he is taken
// to know everything that is in it); the same is sealed with his own key and sent in its sender's
// name; nonsense of the right form comes from addresses of his, whose answers he counts.
//
// Loss, delay, damage and partitions are network.h's and faults.h's. Owned by World.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/base/random.h"
#include "common/secure/sessions.h"
#include "common/wire/messages.pb.h"
#include "simulator/network.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

// In [0, 1], for each packet that anybody sends.
struct AttackRates {
    double replay = 0;
    double misdirect = 0;
    double splice = 0;
    double clear = 0;
    double impersonate = 0;
    double nonsense = 0;

    bool any() const {
        return replay > 0 || misdirect > 0 || splice > 0 || clear > 0 || impersonate > 0 ||
               nonsense > 0;
    }
    static AttackRates draw(Random& random);
};

class Attacker final : private secure::Sessions::Owner {
  public:
    // Not back: somebody sent an address that never answered more than it got.
    using Violated = std::function<void(const std::string& invariant, const std::string& text)>;

    Attacker(Network& network, Schedule& schedule, Tally& tally, FaultGate& gate, uint64_t seed,
             Violated violated);

    void set_rates(const AttackRates& rates) { rates_ = rates; }
    // A key that he knows because everybody may: of the bank, of peers.
    void learn_key(Address at, const KeyBytes& channel_key) { keys_[at] = channel_key; }

    const KeyBytes& channel_key() const { return identity_.keys().channel; }

    static bool owns(Address address) { return address.ip >> 16 == kNet >> 16; }

    // Sees a packet that is being sent.
    void see(const Packet& packet);
    // One that is sent to an address of his.
    void receive(const Packet& packet);

  private:
    static constexpr uint32_t kNet = 0x0a420000;  // 10.66.0.0
    static constexpr size_t kRemembered = 256;

    void send_packet(Address to, std::string_view packet) override;
    bool accepts(const KeyBytes&) override { return true; }
    void log_key(uint32_t, const KeyBytes&) override {}

    // Calls `act`, with dice of its own, if it happens.
    void perhaps(double rate, void (Attacker::*act)());
    const Packet& any_packet();
    void count_answer(const Packet& packet);
    void learn_keys(const wire::Datagram& datagram);
    void inject(Packet packet);
    void replay();
    void misdirect();
    void splice();
    void say_in_clear();
    void impersonate();
    void talk_nonsense();
    // Changes amounts, numbers and names a little.
    void twist(wire::Datagram& datagram);

    Network& network_;
    Schedule& schedule_;
    Tally& tally_;
    FaultGate& gate_;
    Violated violated_;
    Random chance_;
    Random random_;  // of the act under way
    secure::Identity identity_;
    secure::Sessions sessions_;
    AttackRates rates_;
    std::deque<Packet> seen_;
    std::map<Address, KeyBytes> keys_;
    std::map<Address, std::pair<uint64_t, uint64_t>> bytes_;  // sent from there, come back
};

}  // namespace p2pbank::simulator
