#include "tests/scenarios/stage.h"

#include <cstdlib>
#include <iostream>

#include "common/base/names.h"
#include "common/stable/table.h"

namespace p2pbank::scenarios {
namespace {

constexpr const char* kNames[] = {"alice", "bob", "carol", "dave", "erin", "frank"};

simulator::WorldSettings settings_of(StableMode mode, size_t customers, Wire wire) {
    simulator::WorldSettings settings;
    settings.seed = 1987;
    settings.insecure = wire == Wire::clear;
    settings.customers.assign(customers, mode);
    return settings;
}

}  // namespace

std::string Stage::name(size_t index) {
    if (index == World::kBank) return kBank;
    if (index <= std::size(kNames)) return kNames[index - 1];
    return "member-" + std::to_string(index);
}

Stage::Stage(StableMode mode, size_t customers, Cohort cohort, Wire wire)
    : story_(std::getenv("P2PBANK_STORY") != nullptr ? &std::cout : nullptr, nullptr, 0),
      world(settings_of(mode, customers, wire), &story_) {
    world.start_all();
    std::vector<CommandId> opened;
    for (size_t i = 1; i <= customers; ++i) {
        opened.push_back(world.type(i, "open " + name(i) + " 100"));
    }
    for (const CommandId id : opened) {
        wait(id);
        REQUIRE(world.command(id).success());
    }
    if (cohort == Cohort::of_all) {
        does("alice", "new-cohort alice " + std::to_string(customers));
        comes_to_rest();
    }
}

size_t Stage::at(std::string_view who) const {
    for (size_t i = 0; i < world.machines(); ++i) {
        if (name(i) == who) return i;
    }
    FAIL("nobody is called ", std::string(who));
    return 0;
}

std::string Stage::who(Address address) const {
    for (size_t i = 0; i < world.machines(); ++i) {
        if (world.address(i, Socket::bank).ip == address.ip) return name(i);
    }
    return "nobody";
}

CommandId Stage::types(std::string_view whom, const std::string& line) {
    return world.type(at(whom), line);
}

std::string Stage::wait(CommandId id) {
    const Command& command = world.command(id);
    const bool over = until([&] { return world.command(id).over(); }, seconds(60));
    INFO(command.line);
    REQUIRE(over);
    return world.command(id).first_line();
}

std::string Stage::say(std::string_view whom, const std::string& line) {
    return wait(types(whom, line));
}

std::string Stage::does(std::string_view whom, const std::string& line) {
    const CommandId id = types(whom, line);
    const std::string answer = wait(id);
    INFO(std::string(whom), "> ", line, ": ", answer);
    REQUIRE(world.command(id).success());
    return answer;
}

const customer::State& Stage::of(std::string_view whom) const {
    const Customer* customer = world.customer(at(whom));
    REQUIRE(customer != nullptr);
    return customer->state();
}

std::string Stage::row(std::string_view whom) {
    const auto content = world.machine(World::kBank).disk().read_durable("data.csv");
    REQUIRE(content.has_value());
    const auto rows = parse_table(*content);
    REQUIRE(rows.ok());
    for (const TableRow& row : rows.value()) {
        if (row.name != whom) continue;
        return to_string(row.balance) + (row.cohort.empty() ? "" : "," + row.cohort);
    }
    return "no row";
}

Epoch Stage::known_epoch(std::string_view whom, std::string_view of_whom) const {
    const customer::Peer* peer = of(whom).find_peer(of_whom);
    REQUIRE(peer != nullptr);
    return peer->known_epoch;
}

const Channel& Stage::channel(std::string_view whom, std::string_view peer_name) const {
    const customer::Peer* peer = of(whom).find_peer(peer_name);
    REQUIRE(peer != nullptr);
    return peer->channel;
}

void Stage::cut_off(std::string_view whom) {
    const uint32_t ip = world.address(at(whom), Socket::bank).ip;
    for (size_t i = 0; i < world.machines(); ++i) {
        const uint32_t other = world.address(i, Socket::bank).ip;
        if (other == ip) continue;
        world.network().shut(ip, other);
        world.network().shut(other, ip);
    }
}

Network::RuleId Stage::add_rule(Matches matches, Verdict verdict) {
    return world.network().add_rule([this, matches = std::move(matches), verdict](
                                        const Packet& packet, const wire::Datagram& datagram) {
        return matches(who(packet.from), who(packet.to), datagram) ? verdict : Verdict::pass;
    });
}

std::shared_ptr<Stage::Seen> Stage::watch(Matches matches) {
    auto seen = std::make_shared<Seen>();
    world.network().add_rule([this, matches = std::move(matches), seen](
                                 const Packet& packet, const wire::Datagram& datagram) {
        if (matches(who(packet.from), who(packet.to), datagram)) seen->packets.push_back(packet);
        return Verdict::pass;
    });
    return seen;
}

void Stage::lift_and_release(Network::RuleId rule) {
    lift(rule);
    world.network().release_held();
}

void Stage::comes_to_rest() {
    const bool rests = until([&] { return simulator::unfinished(world).empty(); }, seconds(120));
    INFO(simulator::unfinished(world));
    REQUIRE(rests);
    pass(seconds(1));
    world.oracles().check_books();
    world.business().check_rest();
    for (size_t i = 0; i < world.machines(); ++i) world.oracles().check_replay(i);
}

std::string Stage::in_transit() {
    const std::string answer = does(kBank, "audit");
    INFO(answer);
    REQUIRE(answer.ends_with(" difference 0"));
    const auto words = split_words(answer);
    for (size_t i = 0; i + 1 < words.size(); ++i) {
        if (words[i] == "in-transit") return std::string(words[i + 1]);
    }
    FAIL("no amount in transit in ", answer);
    return "";
}

}  // namespace p2pbank::scenarios
