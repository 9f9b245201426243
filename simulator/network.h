// A simulated network between addresses.
//
// Fault model, for each datagram on its own, with rates that a run draws from its seed: it is lost;
// it comes twice; it comes once more, much later (up to an hour); it is delayed, so that others
// overtake it; some of its bits are flipped; it is cut short. A link from one host to another, in
// one direction, can be shut for a while: what is sent meanwhile is lost; or clogged: what is sent
// meanwhile comes when that is over. Nobody else's datagrams appear: for those there is attacker.h.
// Each link has dice of its own: what happens on one does not depend on what is sent on others.
//
// For scenarios there are rules, which see each datagram decoded before the faults do, and can let
// it pass, drop it or hold it until it is released.
//
// Owned by the world, which is told what arrives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/random.h"
#include "common/secure/key_log.h"
#include "common/wire/messages.pb.h"
#include "simulator/fault_gate.h"
#include "simulator/schedule.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

// Rates are in [0, 1].
struct NetworkFaults {
    double loss = 0;
    double duplicate = 0;
    double late_duplicate = 0;
    double slow = 0;
    double corrupt = 0;
    double truncate = 0;
    Duration least_delay = microseconds(50);
    Duration most_delay = microseconds(200);
    Duration most_slow_delay = milliseconds(400);

    bool any() const {
        return loss > 0 || duplicate > 0 || late_duplicate > 0 || slow > 0 || corrupt > 0 ||
               truncate > 0;
    }
};

struct Packet {
    Address from;
    Address to;
    std::string bytes;
};

enum class Verdict { pass, drop, hold };

class Network {
  public:
    using Deliver = std::function<void(const Packet&)>;
    // A datagram that cannot be decoded is seen as an empty one.
    using Rule = std::function<Verdict(const Packet&, const wire::Datagram&)>;
    using RuleId = uint64_t;

    Network(Schedule& schedule, uint64_t seed, Tally& tally, FaultGate& gate, Deliver deliver)
        : schedule_(schedule),
          seed_(seed),
          tally_(tally),
          gate_(gate),
          deliver_(std::move(deliver)) {}

    void set_faults(const NetworkFaults& faults) { faults_ = faults; }
    const NetworkFaults& faults() const { return faults_; }

    void send(Address from, Address to, std::string_view bytes);

    // The keys of all sessions: rules see into sealed packets.
    secure::KeyLog& keys() { return keys_; }
    // What is in a packet; an empty one if it cannot be decoded or carries no message.
    wire::Datagram decode(std::string_view bytes) const;

    // Shuts and opens one direction between two hosts.
    void shut(uint32_t from_ip, uint32_t to_ip) { shut_.emplace(from_ip, to_ip); }
    void reopen(uint32_t from_ip, uint32_t to_ip) { shut_.erase({from_ip, to_ip}); }
    void reopen_all() {
        shut_.clear();
        clogged_.clear();
    }
    // Nothing comes through one direction between two hosts before `until`; then everything.
    void clog(uint32_t from_ip, uint32_t to_ip, TimePoint until) {
        clogged_[{from_ip, to_ip}] = until;
    }

    // Rules are asked in the order in which they were added; the first that does not let pass
    // decides.
    RuleId add_rule(Rule rule);
    void remove_rule(RuleId id) {
        std::erase_if(rules_, [&](auto& r) { return r.first == id; });
    }
    // What rules hold, oldest first.
    const std::vector<Packet>& held() const { return held_; }
    // Sends on what is held, for good; in their order, or the newest first.
    enum class Order { same, reversed };
    void release_held(Order order = Order::same);
    void drop_held() { held_.clear(); }

    // A packet that nobody here sent. No fault touches it.
    void inject(Packet packet, Duration delay);
    // Called when a datagram is lost, doubled, delayed or damaged, with what it was.
    void on_fault(std::function<void(const Packet&, Fault)> told) { on_fault_ = std::move(told); }
    // Sees everything that is sent, before rules and faults.
    void watch(std::function<void(const Packet&)> watcher) { watcher_ = std::move(watcher); }

    // Brings a datagram now that was seen before: a duplicate that took its time.
    void deliver_again(Packet packet);

    // Lets the hour pass for what comes much later: it is delivered now.
    void deliver_late();
    size_t late() const { return late_.size(); }

  private:
    using Link = std::pair<uint32_t, uint32_t>;  // from one host to another

    // Nothing if the fault does not happen, else dice for what there is to know about it.
    std::optional<Random> happens(const Packet& packet, double rate, Fault kind, Random& random);
    Random& random_of(const Packet& packet);
    Duration ordinary_delay(const Packet& packet, Random& random);
    void deliver_after(Duration delay, Packet packet, Random& random);
    void damage(Packet& packet, Random& random);

    Schedule& schedule_;
    uint64_t seed_;
    Tally& tally_;
    FaultGate& gate_;
    Deliver deliver_;
    secure::KeyLog keys_;
    std::function<void(const Packet&)> watcher_;
    std::function<void(const Packet&, Fault)> on_fault_;
    NetworkFaults faults_;
    std::map<Link, Random> random_;
    std::set<Link> shut_;
    std::map<Link, TimePoint> clogged_;
    std::vector<std::pair<RuleId, Rule>> rules_;
    RuleId next_rule_ = 1;
    std::vector<Packet> held_;
    std::map<uint64_t, Packet> late_;
    uint64_t next_late_ = 1;
};

}  // namespace p2pbank::simulator
