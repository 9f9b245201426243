// What scenarios share: a world in which alice, bob, carol ... have accounts of 100 and are in one
// cohort, with words to steer it. Nothing goes wrong on a stage but what a scenario asks for, and
// every oracle looks on.
//
// Helpers that must succeed check it themselves, with the scenario's own line in the report. With
// P2PBANK_STORY in the environment everything that happens is told:
//     P2PBANK_STORY=1 bin/scenario_tests -tc='rule: a hold-back is durable*'
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "simulator/rest.h"
#include "simulator/world.h"

namespace p2pbank::scenarios {

using simulator::Command;
using simulator::Network;
using simulator::Packet;
using simulator::Verdict;
using simulator::World;

inline constexpr const char* kBank = "bank";

// Whether datagrams are sealed. In clear no replay window stands before the protocol: copies of
// what came before reach it, and it has to know them itself.
enum class Wire { sealed, clear };

// Runs the body once for each mode of stable storage.
template <class Body>
void in_both_modes(Body body) {
    for (const StableMode mode : {StableMode::journal, StableMode::checkpoint}) {
        INFO(std::string(mode == StableMode::journal ? "journal mode" : "checkpoint mode"));
        body(mode);
    }
}

// The same, sealed and in clear.
template <class Body>
void in_both_modes_and_wires(Body body) {
    for (const Wire wire : {Wire::sealed, Wire::clear}) {
        INFO(std::string(wire == Wire::sealed ? "sealed" : "in clear"));
        in_both_modes([&](StableMode mode) { body(mode, wire); });
    }
}

class Stage {
  public:
    enum class Cohort { of_all, none };

    Stage(StableMode mode, size_t customers, Cohort cohort = Cohort::of_all,
          Wire wire = Wire::sealed);

    // Whose machine: 0 for the bank.
    size_t at(std::string_view who) const;
    std::string who(Address address) const;
    static std::string name(size_t index);

    // Types a line, waits for its answer and returns the answer's first line.
    std::string say(std::string_view whom, const std::string& line);
    // The same, and it has to succeed.
    std::string does(std::string_view whom, const std::string& line);
    // Types a line and does not wait.
    CommandId types(std::string_view whom, const std::string& line);
    std::string answer(CommandId id) const { return world.command(id).first_line(); }
    std::string wait(CommandId id);

    // Requires that the process runs.
    const customer::State& of(std::string_view whom) const;
    std::string balance(std::string_view whom) const { return to_string(of(whom).totals.balance); }
    // How the bank's table on the disk shows the account: "90,cohort-1"; "90" without a cohort.
    std::string row(std::string_view whom);
    Epoch epoch(std::string_view whom) const { return of(whom).epoch; }
    Epoch known_epoch(std::string_view whom, std::string_view of_whom) const;
    const Channel& channel(std::string_view whom, std::string_view peer) const;

    void crash(std::string_view whom) { world.machine(at(whom)).crash(); }
    void start(std::string_view whom) { world.start(at(whom)); }
    void cut_off(std::string_view whom);
    void connect_all() { world.network().reopen_all(); }

    // Rules about datagrams, by name. Several may stand; the first that does not let pass decides.
    using Matches = std::function<bool(const std::string& from, const std::string& to,
                                       const wire::Datagram& datagram)>;
    Network::RuleId drop(Matches matches) { return add_rule(std::move(matches), Verdict::drop); }
    Network::RuleId hold(Matches matches) { return add_rule(std::move(matches), Verdict::hold); }
    // Counts what matches from now on, and keeps copies.
    struct Seen {
        std::vector<Packet> packets;
        size_t count() const { return packets.size(); }
    };
    std::shared_ptr<Seen> watch(Matches matches);
    void lift(Network::RuleId rule) { world.network().remove_rule(rule); }
    void lift_and_release(Network::RuleId rule);

    // Until the condition holds, ten virtual seconds at most.
    bool until(const std::function<bool()>& condition, Duration within = seconds(10)) {
        return world.run_until(condition, within);
    }
    void pass(Duration time) { world.run_for(time); }
    // Everything has to come to rest, and the bank's books have to agree with everyone's.
    void comes_to_rest();
    // "difference 0", and the amount in transit.
    std::string in_transit();

  private:
    simulator::Story story_;

  public:
    World world;

  private:
    Network::RuleId add_rule(Matches matches, Verdict verdict);
};

}  // namespace p2pbank::scenarios
