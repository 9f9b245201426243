// Who has to roll back, what comes back, and what must not.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

TEST_CASE(
    "rollback: with nothing sent before the checkpoint the receiver has to follow all the same") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "transfer 10 bob");
        CHECK(stage.does("alice", "rollback") ==
              "SUCCESS rollback alice (sent 1 transfer to bob), bob");
        CHECK(stage.balance("alice") == "100");
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "100");
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("rollback: who received what is undone rolls back, and so on down the line") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        stage.does("alice", "transfer 10 bob");
        stage.does("bob", "transfer 20 carol");
        stage.does("dave", "transfer 30 carol");
        CHECK(stage.does("alice", "rollback") ==
              "SUCCESS rollback alice (sent 1 transfer to bob), "
              "bob (sent 1 transfer to carol), carol");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.balance("bob") == "100");
        // Dave was not asked; what he sent is received a second time, once.
        CHECK(stage.balance("dave") == "70");
        CHECK(stage.balance("carol") == "130");
        CHECK(stage.epoch("dave") == Epoch(1));
        CHECK(stage.known_epoch("dave", "carol") == stage.epoch("carol"));
    });
}

TEST_CASE(
    "rollback: deposits and withdrawals since the checkpoint are undone, before it they stay") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("alice", "deposit 50");
        stage.does("alice", "checkpoint");
        stage.does("alice", "withdrawal 30");
        stage.does("alice", "deposit 5");
        CHECK(stage.balance("alice") == "125");
        CHECK(stage.does("alice", "rollback") == "SUCCESS rollback alice");
        CHECK(stage.balance("alice") == "150");
        stage.comes_to_rest();
    });
}

TEST_CASE("rollback: who has not received what is undone only holds back, and loses nothing") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        const CommandId transfer = stage.types("alice", "transfer 10 bob");
        stage.does("bob", "deposit 1");
        CHECK(stage.wait(transfer) == "UNKNOWN transfer 10 to bob label 1 balance 90");
        CHECK(stage.does("alice", "rollback") == "SUCCESS rollback alice");
        stage.lift_and_release(rule);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.balance("bob") == "101");
        CHECK(stage.epoch("bob") == Epoch(1));
        CHECK(stage.of("bob").held_back.empty());
    });
}

TEST_CASE(
    "rollback: a ghost of an undone transfer changes nothing, though its label is used again") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto ghosts = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        stage.does("alice", "transfer 10 bob");
        REQUIRE(ghosts->count() == 1);
        const Packet ghost = ghosts->packets[0];
        stage.does("alice", "rollback");
        stage.comes_to_rest();

        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == "alice" && to == "bob" && datagram.has_transfers();
        });
        const CommandId again = stage.types("alice", "transfer 7 bob");
        stage.pass(milliseconds(30));
        CHECK(stage.channel("alice", "bob").sent_last == Label(1));
        stage.world.network().deliver_again(ghost);
        stage.pass(milliseconds(30));
        CHECK(stage.balance("bob") == "100");
        CHECK(!stage.world.command(again).over());
        stage.lift(rule);
        CHECK(stage.wait(again) == "SUCCESS transfer 7 to bob label 1 balance 93");
        stage.world.network().deliver_again(ghost);
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "107");
    });
}

TEST_CASE(
    "rollback: a lost transfer is shown in transit by a checkpoint, and sent again by a rollback") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        CHECK(stage.does("alice", "lost-transfer 10 bob") ==
              "SUCCESS lost-transfer 10 to bob label 1 balance 90");
        stage.does("alice", "checkpoint");
        stage.pass(seconds(20));
        CHECK(stage.balance("bob") == "100");
        CHECK(stage.in_transit() == "10");
        // Later labels are received all the same: a gap is no obstacle.
        stage.does("alice", "transfer 3 bob");
        CHECK(to_string(stage.channel("bob", "alice").received) == "2");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "90");
        CHECK(stage.balance("bob") == "110");
        stage.does("bob", "checkpoint");
        CHECK(stage.in_transit() == "0");
        stage.comes_to_rest();
    });
}

TEST_CASE("rollback: a lost transfer that no checkpoint covers never happened") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("alice", "lost-transfer 10 bob");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.balance("bob") == "100");
        CHECK(stage.channel("alice", "bob").sent_last == Label(0));
    });
}

TEST_CASE("rollback: what was un-received is sent again by those who need not roll back") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "transfer 10 bob");
        stage.does("alice", "checkpoint");  // bob is not asked: he only received
        stage.does("alice", "transfer 5 bob");
        stage.does("bob", "transfer 50 carol");
        CHECK(stage.does("bob", "rollback") ==
              "SUCCESS rollback bob (sent 1 transfer to carol), carol");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "85");
        CHECK(stage.balance("bob") == "115");
        CHECK(stage.balance("carol") == "100");
    });
}

TEST_CASE("rollback: while it is undecided nothing is credited, and cash waits") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "transfer 10 bob");
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_decision();
        });
        const CommandId rollback = stage.types("alice", "rollback");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        const CommandId deposit = stage.types("alice", "deposit 3");
        const CommandId transfer = stage.types("carol", "transfer 4 alice");
        stage.pass(milliseconds(300));
        CHECK(!stage.world.command(deposit).over());
        CHECK(!stage.world.command(transfer).over());
        CHECK(stage.balance("alice") == "90");
        stage.lift_and_release(rule);
        CHECK(stage.wait(rollback).starts_with("SUCCESS rollback alice"));
        CHECK(stage.wait(deposit) == "SUCCESS deposit 3 balance 103");
        stage.wait(transfer);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "107");
    });
}

TEST_CASE("rollback: a bank that does not answer makes a definite FAILURE, and nothing is undone") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("alice", "transfer 10 bob");
        stage.cut_off(kBank);
        CHECK(stage.say("alice", "rollback").starts_with("FAILURE bank-unreachable: "));
        CHECK(stage.balance("alice") == "90");
        stage.connect_all();
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "110");
        CHECK(stage.epoch("alice") == Epoch(1));
    });
}
