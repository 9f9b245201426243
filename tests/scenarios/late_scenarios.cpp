// Datagrams that come an hour late, to whoever is there by then: each of these has once made or
// lost money, or stopped somebody, in a random run.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

void deliver_all(Stage& stage, const Stage::Seen& seen) {
    for (const Packet& packet : seen.packets) {
        stage.world.network().deliver_again(packet);
        stage.pass(milliseconds(5));
    }
}

std::string state_of(const Stage& stage, const char* who) {
    customer_records::Record record;
    stage.of(who).snapshot(record);
    record.mutable_snapshot()->clear_refused();
    return record.SerializeAsString();
}

}  // namespace

TEST_CASE("late: nothing that was for a closed account reaches the one that has its address now") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 3, Stage::Cohort::of_all, wire);
        const auto for_alice = stage.watch([](auto&, auto& to, auto&) { return to == "alice"; });
        stage.does("bob", "transfer 10 alice");
        stage.does("alice", "checkpoint");
        stage.does("alice", "rollback");
        stage.does("alice", "delete-cohort alice");
        stage.does("alice", "new-cohort alice 3");
        stage.does("alice", "delete-cohort alice");
        stage.comes_to_rest();
        stage.does("alice", "exit");
        REQUIRE(stage.until([&] { return !stage.world.machine(1).running(); }));
        stage.world.machine(1).wipe();
        stage.start("alice");
        // Before it has an account of its own, and after.
        deliver_all(stage, *for_alice);
        CHECK(stage.of("alice").phase == customer::Phase::none);
        stage.does("alice", "open zoe 7");
        stage.comes_to_rest();
        const std::string before = state_of(stage, "alice");
        deliver_all(stage, *for_alice);
        stage.comes_to_rest();
        CHECK(state_of(stage, "alice") == before);
        CHECK(stage.of("alice").name == "zoe");
        CHECK(stage.balance("alice") == "7");
    });
}

TEST_CASE("late: everything once more, from the first datagram to the last, changes nothing") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 3, Stage::Cohort::none, wire);
        const auto all = stage.watch([](auto&, auto&, auto&) { return true; });
        stage.does("bob", "new-cohort bob 3");
        stage.does("alice", "transfer 10 bob");
        stage.does("bob", "transfer 20 carol");
        stage.does("carol", "checkpoint");
        stage.does("alice", "deposit 5");
        stage.does("alice", "transfer 30 bob");
        stage.does("alice", "rollback");
        stage.does("alice", "transfer 40 bob");
        stage.does("carol", "delete-cohort carol");
        stage.does("alice", "new-cohort alice 3");
        stage.does("carol", "transfer 1 alice");
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
        std::string before[3];
        for (size_t i = 0; i < 3; ++i) before[i] = state_of(stage, Stage::name(i + 1).c_str());
        const std::vector<Packet> packets = all->packets;
        for (const Packet& packet : packets) {
            stage.world.network().deliver_again(packet);
            stage.pass(milliseconds(1));
        }
        stage.comes_to_rest();
        for (size_t i = 0; i < 3; ++i) {
            INFO(Stage::name(i + 1));
            CHECK(state_of(stage, Stage::name(i + 1).c_str()) == before[i]);
        }
        stage.in_transit();
    });
}

TEST_CASE("late: an exit that was refused does not close the account afterwards") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::none, wire);
        // Bob's exit reaches the bank when it has already put him into a cohort.
        const auto joins = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "bob" && datagram.has_join_request();
        });
        const CommandId joining = stage.types("alice", "new-cohort alice 2");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        const auto exits = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "bob" && datagram.has_command();
        });
        CHECK(!stage.say("bob", "exit").starts_with("SUCCESS"));
        stage.lift_and_release(joins);
        stage.wait(joining);
        stage.comes_to_rest();
        if (!stage.of("alice").in_cohort()) stage.does("alice", "new-cohort alice 2");
        stage.does("alice", "transfer 10 bob");
        stage.does("alice", "delete-cohort alice");
        stage.comes_to_rest();
        deliver_all(stage, *exits);
        stage.comes_to_rest();
        CHECK(stage.row("bob") == "110");
        CHECK(stage.does("bob", "deposit 1") == "SUCCESS deposit 1 balance 111");
        CHECK(stage.does("bob", "exit") == "SUCCESS exit bob balance 111");
        CHECK(stage.row("bob") == "111");
    });
}

TEST_CASE("late: the reply to a command of an earlier run does not answer one of this run") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::none, wire);
        const auto replies = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_reply();
        });
        stage.does("alice", "new-cohort alice 2");
        stage.comes_to_rest();
        stage.crash("alice");
        stage.start("alice");
        stage.comes_to_rest();
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_reply();
        });
        const CommandId command = stage.types("alice", "delete-cohort alice");
        stage.pass(milliseconds(300));
        deliver_all(stage, *replies);
        stage.lift(rule);
        CHECK(stage.wait(command).starts_with("SUCCESS delete-cohort cohort-1 "));
        stage.comes_to_rest();
    });
}

TEST_CASE("late: two who meet for the first time at the same moment introduce themselves") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        const CommandId one = stage.types("alice", "transfer 1 bob");
        const CommandId two = stage.types("bob", "transfer 2 alice");
        stage.wait(one);
        stage.wait(two);
        CHECK(stage.answer(one).starts_with("SUCCESS transfer 1 to bob label 1 balance "));
        CHECK(stage.answer(two).starts_with("SUCCESS transfer 2 to alice label 1 balance "));
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "101");
        CHECK(stage.balance("bob") == "99");
    });
}
