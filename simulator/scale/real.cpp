#include "simulator/scale/real.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/secure/packets.h"
#include "simulator/rest.h"
#include "simulator/world.h"

namespace p2pbank::simulator::scale {
namespace {

// The oracles compare everybody with everybody after every event.
constexpr size_t kMostWithOracles = 30;
constexpr Duration kRestWithin = seconds(600);
constexpr Duration kAnswerWithin = seconds(60);
constexpr int kRestRounds = 20;

WorldSettings settings_of(size_t customers, uint64_t seed, RealCohort::Wire wire) {
    WorldSettings settings;
    settings.seed = seed;
    settings.customers.assign(customers, StableMode::journal);
    // Where somebody lies the oracles look at nothing. Here it is nobody.
    if (customers > kMostWithOracles) settings.liar = SIZE_MAX;
    settings.insecure = wire == RealCohort::Wire::clear;
    return settings;
}

std::string name_of(size_t customer) {
    return "c" + std::to_string(customer + 1);
}

std::optional<Kind> kind_of(const wire::Datagram& datagram) {
    if (datagram.has_checkpoint_request() || datagram.has_rollback_request()) return Kind::request;
    if (datagram.has_settle() || datagram.has_operation_begin()) return Kind::settle;
    if (datagram.has_settle_ack() || datagram.has_operation_begun()) return Kind::settle_ack;
    if (datagram.has_vote()) return Kind::vote;
    if (datagram.has_decision_request()) return Kind::decision_request;
    if (datagram.has_decision()) return Kind::decision;
    if (datagram.has_outcome()) return Kind::outcome;
    if (datagram.has_outcome_ack()) return Kind::outcome_ack;
    if (datagram.has_decision_ack()) return Kind::decision_ack;
    return std::nullopt;
}

bool is_introduction(const Packet& packet, const wire::Datagram& datagram) {
    const unsigned char type = secure::type_of(packet.bytes);
    return datagram.has_hello() ||
           type == static_cast<unsigned char>(secure::PacketType::initiation) ||
           type == static_cast<unsigned char>(secure::PacketType::response);
}

}  // namespace

// Sees every packet as it is sent, and knows the messages again that are sent in parts.
class RealCohort::Counter {
  public:
    void begin() { *this = Counter(); }

    void see(const Packet& packet, const wire::Datagram& datagram) {
        const Pair pair{packet.from.ip, packet.to.ip};
        if (datagram.has_fragment()) {
            see_part(pair, packet, datagram.fragment());
        } else if (datagram.has_fragment_ack()) {
            // The parts went the other way.
            const auto known =
                messages_.find({pair.second, pair.first, datagram.fragment_ack().id()});
            add(known == messages_.end() ? std::nullopt : known->second.kind, 1,
                packet.bytes.size());
        } else {
            see_message(pair, kind_of(datagram), 1, packet.bytes.size());
            if (datagram.has_epoch_notice()) announced_.insert(pair);
        }
    }

    void add_to(Cost& cost) const {
        cost.messages = counted_;
        cost.bytes = bytes_;
        cost.repeated = repeated_;
        cost.datagrams = datagrams_;
        cost.others = others_;
    }
    uint64_t announced() const { return announced_.size(); }

  private:
    using Pair = std::pair<uint32_t, uint32_t>;
    struct InParts {
        std::map<uint32_t, std::string> parts;
        bool whole = false;
        std::optional<Kind> kind;
        // Until it is whole, nobody knows whose these are.
        uint64_t datagrams = 0;
        uint64_t bytes = 0;
    };

    void add(std::optional<Kind> kind, uint64_t datagrams, uint64_t bytes) {
        if (!kind) {
            others_ += datagrams;
            return;
        }
        datagrams_ += datagrams;
        of(bytes_, *kind) += bytes;
    }

    void see_message(Pair pair, std::optional<Kind> kind, uint64_t datagrams, uint64_t bytes) {
        if (kind && !seen_.emplace(pair, *kind).second) {
            repeated_ += datagrams;
            return;
        }
        if (kind) ++of(counted_, *kind);
        add(kind, datagrams, bytes);
    }

    void see_part(Pair pair, const Packet& packet, const wire::Fragment& part) {
        InParts& message = messages_[{pair.first, pair.second, part.id()}];
        if (message.whole) {
            ++repeated_;
            return;
        }
        ++message.datagrams;
        message.bytes += packet.bytes.size();
        message.parts.emplace(part.index(), part.bytes());
        if (message.parts.size() < part.count()) return;
        std::string all;
        for (const auto& [index, bytes] : message.parts) all += bytes;
        message.whole = true;
        message.parts.clear();
        wire::Datagram datagram;
        if (datagram.ParseFromString(all)) message.kind = kind_of(datagram);
        see_message(pair, message.kind, message.datagrams, message.bytes);
    }

    std::map<std::tuple<uint32_t, uint32_t, uint64_t>, InParts> messages_;  // from, to, id
    std::set<std::pair<Pair, Kind>> seen_;
    Messages counted_{};
    Messages bytes_{};
    uint64_t repeated_ = 0;
    uint64_t datagrams_ = 0;
    uint64_t others_ = 0;
    std::set<Pair> announced_;
};

struct RealCohort::Parts {
    Parts(size_t count, uint64_t seed, Wire wire)
        : customers(count),
          story(nullptr, nullptr, 0),
          world(settings_of(count, seed, wire), &story) {}

    const customer::State& state(size_t customer) const {
        const Customer* node = world.customer(customer + 1);
        P2PBANK_CHECK(node != nullptr);
        return node->state();
    }
    const Command& wait(CommandId id) {
        if (!world.run_until([&] { return world.command(id).over(); }, kAnswerWithin)) {
            world.violated("all-ends-well", "no answer to " + world.command(id).line);
        }
        return world.command(id);
    }
    void must(CommandId id) {
        const Command& command = wait(id);
        if (!command.success()) {
            world.violated("all-ends-well", command.line + ": " + command.first_line());
        }
    }

    size_t customers;
    Story story;
    World world;
    Counter counter;
};

RealCohort::RealCohort(size_t customers, uint64_t seed, Wire wire)
    : parts_(std::make_unique<Parts>(customers, seed, wire)) {
    P2PBANK_CHECK(customers >= limits::kMinCohort && customers <= limits::kMaxCohort);
    World& world = parts_->world;
    world.start_all();
    std::vector<CommandId> opened;
    for (size_t i = 0; i < customers; ++i) {
        opened.push_back(world.type(i + 1, "open " + name_of(i) + " 1000000"));
    }
    for (const CommandId id : opened) parts_->must(id);
    const std::string size = std::to_string(customers);
    parts_->must(world.type(1, "new-cohort " + name_of(0) + " " + size));
    come_to_rest();
}

RealCohort::~RealCohort() = default;

void RealCohort::come_to_rest() {
    World& world = parts_->world;
    std::string what;
    for (int round = 0; round < kRestRounds; ++round) {
        static_cast<void>(
            world.run_until([&] { return world.commands_waiting() == 0; }, kRestWithin));
        // What nobody waits for: acknowledgements, words for transfers, disks.
        world.run_for(seconds(1));
        what = unfinished(world);
        if (what.empty()) return;
    }
    world.violated("all-ends-well", what);
}

void RealCohort::transfer(std::span<const Transfer> transfers) {
    World& world = parts_->world;
    for (const Transfer& transfer : transfers) {
        world.type(transfer.from + 1, "transfer 1 " + name_of(transfer.to));
    }
    come_to_rest();
}

Cost RealCohort::measure(OperationType type, uint32_t initiator, Strangers strangers) {
    World& world = parts_->world;
    Counter& counter = parts_->counter;
    counter.begin();
    const auto rule = world.network().add_rule(
        [&counter, strangers](const Packet& packet, const wire::Datagram& datagram) {
            if (strangers == Strangers::cut_off && is_introduction(packet, datagram)) {
                return Verdict::drop;
            }
            counter.see(packet, datagram);
            return Verdict::pass;
        });
    const CommandId id =
        world.type(initiator + 1, type == OperationType::checkpoint ? "checkpoint" : "rollback");
    Cost cost;
    std::map<uint32_t, TimePoint> blocked;
    std::set<uint32_t> participants;
    const auto look = [&] {
        for (uint32_t i = 0; i < parts_->customers; ++i) {
            const bool in = parts_->state(i).operation.has_value();
            const auto since = blocked.find(i);
            if (in && since == blocked.end()) {
                blocked.emplace(i, world.now());
                participants.insert(i);
            } else if (!in && since != blocked.end()) {
                cost.blocked += world.now() - since->second;
                cost.longest_blocked = std::max(cost.longest_blocked, world.now() - since->second);
                blocked.erase(since);
            }
        }
        return world.command(id).over() && blocked.empty() &&
               world.bank()->state().committed.empty();
    };
    if (!world.run_until(look, kAnswerWithin)) {
        world.violated("all-ends-well", "an operation does not end");
    }
    world.network().remove_rule(rule);
    const Command& command = world.command(id);
    counter.add_to(cost);
    cost.committed = command.success();
    cost.answer = command.first_line();
    cost.participants.assign(participants.begin(), participants.end());
    cost.duration = command.answered - command.typed;
    return cost;
}

uint64_t RealCohort::count_announcements() {
    World& world = parts_->world;
    Counter& counter = parts_->counter;
    const auto rule =
        world.network().add_rule([&counter](const Packet& packet, const wire::Datagram& datagram) {
            counter.see(packet, datagram);
            return Verdict::pass;
        });
    come_to_rest();
    world.network().remove_rule(rule);
    return counter.announced();
}

}  // namespace p2pbank::simulator::scale
