// One scenario for each rule that a model of the protocol showed to be necessary: without it, money
// is made or lost, or somebody is stuck.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

TEST_CASE("rule: the parent gets a single final answer, and none before all below have answered") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 5 bob");
        stage.does("bob", "transfer 10 alice");
        stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "carol" && datagram.has_vote();
        });
        const auto requests = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_checkpoint_request();
        });
        const auto votes = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == "bob" && to == "alice" && datagram.has_vote() && datagram.vote().yes();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        CHECK(stage.wait(checkpoint).starts_with("FAILURE unreachable: "));
        CHECK(requests->count() > 3);
        CHECK(votes->count() == 0);
        CHECK(stage.row("alice") == "100,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE("rule: the final answer is repeated as it was") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 5 bob");
        stage.does("bob", "transfer 10 alice");
        // The first two answers are lost.
        auto lost = std::make_shared<int>(0);
        stage.drop([lost](auto& from, auto& to, auto& datagram) {
            return from == "bob" && to == "alice" && datagram.has_vote() && (*lost)++ < 2;
        });
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob), "
              "bob (received 1 transfer from carol), carol");
        CHECK(*lost > 2);
        stage.comes_to_rest();
    });
}

TEST_CASE("rule: participants are sets of names, so who is asked twice counts once") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        stage.does("dave", "transfer 1 bob");
        stage.does("dave", "transfer 2 carol");
        stage.does("bob", "transfer 3 alice");
        stage.does("carol", "transfer 4 alice");
        stage.does("alice", "transfer 5 dave");
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob and received 1 transfer "
              "from carol), bob (received 1 transfer from dave), "
              "carol (received 1 transfer from dave), dave (received 1 transfer from alice)");
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("rule: who recovers says no to a checkpoint, or it would cover what it has forgotten") {
    Stage stage(StableMode::checkpoint, 3);
    stage.does("bob", "transfer 10 alice");
    stage.crash("bob");
    // Bob's recovery cannot get on: the bank does not hear that it begins.
    const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
        return from == "bob" && datagram.has_operation_begin();
    });
    stage.start("bob");
    CHECK(stage.until([&] { return stage.of("bob").recovering; }));
    CHECK(!stage.world.command(stage.types("alice", "balance")).success());
    const std::string answer = stage.say("alice", "checkpoint");
    CHECK((answer.starts_with("FAILURE recovering: ") || answer.starts_with("FAILURE busy: ")));
    CHECK(stage.row("alice") == "100,cohort-1");
    CHECK(stage.say("bob", "checkpoint").starts_with("FAILURE "));
    stage.lift(rule);
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "100");
    CHECK(stage.balance("bob") == "100");
    stage.does("alice", "checkpoint");
    stage.comes_to_rest();
}

TEST_CASE("rule: a COMMIT raises the epochs of all who asked, from whomever it is heard") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        const auto ghosts = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        // Alice and carol both ask bob: alice's money went to both, carol's to bob.
        stage.does("alice", "transfer 10 bob");
        stage.does("alice", "transfer 20 carol");
        stage.does("carol", "transfer 30 bob");
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            const bool of_outcome = datagram.has_outcome() || datagram.has_epoch_notice();
            return to == "bob" && of_outcome && from != kBank;
        });
        CHECK(stage.does("alice", "rollback").starts_with("SUCCESS rollback alice"));
        // Bob hears it from the bank only.
        CHECK(stage.until([&] { return !stage.of("bob").operation; }));
        CHECK(stage.known_epoch("bob", "alice") == stage.epoch("alice"));
        CHECK(stage.known_epoch("bob", "carol") == Epoch(2));
        stage.world.network().deliver_again(ghosts->packets.at(0));
        stage.pass(milliseconds(20));
        CHECK(stage.channel("bob", "alice").received.empty());
        stage.lift_and_release(rule);
        stage.comes_to_rest();
        for (const char* who : {"alice", "bob", "carol"}) CHECK(stage.balance(who) == "100");
    });
}

TEST_CASE(
    "rule: who only held back raises the epoch at the COMMIT too, before it lets anything in") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto transfers = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        stage.wait(stage.types("alice", "transfer 10 bob"));
        const Packet undone = stage.world.network().held().front();
        stage.world.network().drop_held();
        // Bob hears of the COMMIT from the bank only.
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" &&
                   (datagram.has_outcome() || datagram.has_epoch_notice());
        });
        stage.does("alice", "rollback");
        REQUIRE(stage.until([&] { return stage.of("bob").held_back.empty(); }));
        CHECK(stage.known_epoch("bob", "alice") == Epoch(2));
        stage.world.network().deliver_again(undone);
        stage.pass(milliseconds(20));
        CHECK(stage.channel("bob", "alice").received.empty());
        stage.lift(transfers);
        stage.lift_and_release(rule);
        stage.does("alice", "transfer 7 bob");
        stage.world.network().deliver_again(undone);
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "107");
    });
}

TEST_CASE("rule: a hold-back is durable, so a crash does not let an undone transfer in") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto transfers = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        const CommandId transfer = stage.types("alice", "transfer 10 bob");
        CHECK(stage.wait(transfer).starts_with("UNKNOWN "));
        REQUIRE(!stage.world.network().held().empty());
        const Packet undone = stage.world.network().held().front();
        stage.world.network().drop_held();
        // Bob votes, and dies before he hears what became of it.
        stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_decision_request();
        });
        const auto votes = stage.watch(
            [](auto& from, auto&, auto& datagram) { return from == "bob" && datagram.has_vote(); });
        stage.types("alice", "rollback");
        REQUIRE(stage.until([&] { return votes->count() > 0; }));
        REQUIRE(stage.of("bob").held_back.size() == 1);
        stage.crash("bob");
        stage.start("bob");
        CHECK(stage.of("bob").held_back.size() == 1);
        stage.lift(transfers);
        stage.until([&] { return stage.world.machine(stage.at("bob")).settled(); });
        stage.world.network().deliver_again(undone);
        stage.pass(milliseconds(1));
        CHECK(stage.channel("bob", "alice").received.empty());
    });
}

TEST_CASE("rule: a hold-back drops, and does not keep for later") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto transfers = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        stage.wait(stage.types("alice", "transfer 10 bob"));
        const Packet undone = stage.world.network().held().front();
        stage.world.network().drop_held();
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_decision();
        });
        const CommandId rollback = stage.types("alice", "rollback");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        // The COMMIT is recorded and alice has not heard it; bob may or may not have.
        stage.world.network().deliver_again(undone);
        stage.pass(milliseconds(100));
        stage.lift(transfers);
        stage.lift_and_release(rule);
        CHECK(stage.wait(rollback) == "SUCCESS rollback alice");
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "100");
        CHECK(stage.balance("alice") == "100");
    });
}

TEST_CASE("rule: no to an operation that was undone here, however late it is asked for again") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 5 bob");
        stage.does("bob", "transfer 10 alice");
        const auto requests = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_checkpoint_request();
        });
        const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "carol" && datagram.has_vote();
        });
        CHECK(stage.say("alice", "checkpoint").starts_with("FAILURE unreachable: "));
        stage.lift(rule);
        stage.comes_to_rest();
        CHECK(!stage.of("bob").operation);
        const auto votes = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "bob" && datagram.has_vote() && datagram.vote().yes();
        });
        stage.world.network().deliver_again(requests->packets.front());
        stage.pass(milliseconds(200));
        CHECK(!stage.of("bob").operation);
        CHECK(votes->count() == 0);
        stage.comes_to_rest();
    });
}

TEST_CASE("rule: a late request for an operation that was committed begins nothing") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        const auto requests = stage.watch([](auto&, auto& to, auto& datagram) {
            return to == "bob" && (datagram.has_checkpoint_request() ||
                                   datagram.has_rollback_request() || datagram.has_join_request());
        });
        stage.does("bob", "transfer 10 alice");
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
        stage.does("alice", "transfer 20 bob");
        stage.does("bob", "transfer 30 alice");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        stage.does("bob", "transfer 40 alice");
        const std::string before = stage.balance("bob");
        REQUIRE(requests->count() >= 2);
        for (const Packet& packet : requests->packets) {
            stage.world.network().deliver_again(packet);
            stage.pass(milliseconds(100));
            CHECK(!stage.of("bob").operation);
            CHECK(stage.of("bob").held_back.empty());
        }
        CHECK(stage.balance("bob") == before);
        stage.comes_to_rest();
    });
}

TEST_CASE("rule: cuts reach the table in the order of their commits, whoever hears late") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.drop([](auto&, auto& to, auto& datagram) {
            return to == "bob" && (datagram.has_outcome() || datagram.has_decision());
        });
        stage.does("alice", "checkpoint");
        CHECK(stage.row("bob") == "90,cohort-1");
        stage.does("alice", "deposit 1");
        stage.does("alice", "checkpoint");
        CHECK(stage.row("alice") == "111,cohort-1");
        stage.crash(kBank);
        stage.start(kBank);
        stage.crash("bob");
        stage.lift(rule);
        stage.start("bob");
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "111,cohort-1");
        CHECK(stage.row("bob") == "90,cohort-1");
        stage.does("bob", "deposit 2");
        stage.does("bob", "checkpoint");
        CHECK(stage.row("bob") == "92,cohort-1");
        CHECK(stage.row("alice") == "111,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE("rule: acknowledgements carry epochs, so an old one does not stand for a new transfer") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto acks = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "bob" && to == "alice" && datagram.has_ack();
        });
        const CommandId first = stage.types("alice", "transfer 10 bob");
        CHECK(stage.wait(first).starts_with("UNKNOWN "));
        CHECK(stage.balance("bob") == "110");
        const Packet old = stage.world.network().held().front();
        stage.world.network().drop_held();
        stage.lift(acks);
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "100");

        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        const CommandId again = stage.types("alice", "transfer 7 bob");
        stage.pass(milliseconds(20));
        stage.world.network().deliver_again(old);
        stage.pass(milliseconds(20));
        CHECK(!stage.world.command(again).over());
        stage.lift(rule);
        CHECK(stage.wait(again) == "SUCCESS transfer 7 to bob label 1 balance 93");
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "107");
    });
}

TEST_CASE("rule: an old vote does not count for a new try") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto votes = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "bob" && datagram.has_vote() && datagram.vote().yes();
        });
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
        REQUIRE(votes->count() == 1);
        const Packet old = votes->packets.front();
        stage.does("bob", "transfer 20 alice");
        stage.drop(
            [](auto& from, auto&, auto& datagram) { return from == "bob" && datagram.has_vote(); });
        const CommandId second = stage.types("alice", "checkpoint");
        stage.pass(milliseconds(100));
        stage.world.network().deliver_again(old);
        CHECK(stage.wait(second).starts_with("FAILURE unreachable: "));
        stage.comes_to_rest();
    });
}
