// Who takes part in a checkpoint, what it covers, and what it leaves alone.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

TEST_CASE("checkpoint: who sent what it shows as received takes part, so that no orphan is left") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob), bob");
        CHECK(stage.row("alice") == "110,cohort-1");
        CHECK(stage.row("bob") == "90,cohort-1");
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("checkpoint: dependency is transitive") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        stage.does("carol", "transfer 5 bob");
        stage.does("carol", "transfer 6 bob");
        stage.does("bob", "transfer 10 alice");
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob), "
              "bob (received 2 transfers from carol), carol");
        CHECK(stage.row("carol") == "89,cohort-1");
        CHECK(stage.row("bob") == "101,cohort-1");
        CHECK(stage.row("dave") == "100,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE("checkpoint: minimal, nobody takes part who need not") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        stage.does("dave", "transfer 5 carol");
        stage.does("bob", "transfer 10 alice");
        stage.does("alice", "transfer 1 carol");
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob), bob");
        CHECK(stage.balance("carol") == "106");
        CHECK(stage.row("carol") == "100,cohort-1");
        CHECK(stage.row("dave") == "100,cohort-1");
        // What was sent and is not in carol's checkpoint is in transit at this cut.
        CHECK(stage.in_transit() == "1");

        // All of it is covered now: the next one is alice's alone.
        CHECK(stage.does("alice", "checkpoint") == "SUCCESS checkpoint alice");
        stage.comes_to_rest();
    });
}

TEST_CASE("checkpoint: the first label sent since the last one is kept across later sends") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        // Later sends that alice has not received must not hide the first.
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == "bob" && to == "alice" && datagram.has_transfers();
        });
        const CommandId second = stage.types("bob", "transfer 20 alice");
        const CommandId third = stage.types("bob", "transfer 30 alice");
        stage.pass(milliseconds(50));
        const auto first_label = [&] {
            return stage.of("bob").first_label_sent(*stage.of("bob").find_peer("alice"));
        };
        CHECK((first_label() == Label(1)));
        CHECK(stage.does("alice", "checkpoint") ==
              "SUCCESS checkpoint alice (received 1 transfer from bob), bob");
        CHECK(stage.until([&] { return !first_label(); }));
        stage.lift(rule);
        CHECK(stage.wait(second) == "SUCCESS transfer 20 to alice label 2 balance 70");
        CHECK(stage.wait(third) == "SUCCESS transfer 30 to alice label 3 balance 40");
        // They were sent before bob's checkpoint: alice's next one depends on nobody.
        CHECK(stage.does("alice", "checkpoint") == "SUCCESS checkpoint alice");
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE(
    "checkpoint: while it is tentative sending waits, and receiving goes on for the next one") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_decision();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return stage.world.network().held().size() == 1; }));
        const CommandId sending = stage.types("alice", "transfer 5 bob");
        stage.does("bob", "transfer 7 alice");
        CHECK(stage.balance("alice") == "107");
        CHECK(!stage.world.command(sending).over());
        CHECK(stage.channel("alice", "bob").sent_last == Label(0));
        stage.lift_and_release(rule);
        CHECK(stage.wait(checkpoint) == "SUCCESS checkpoint alice");
        CHECK(stage.wait(sending) == "SUCCESS transfer 5 to bob label 1 balance 102");
        CHECK(stage.of("alice").permanent.totals.balance == Money::from_cents(100'00));
        CHECK(stage.row("alice") == "100,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE("checkpoint: a participant sends nothing while its own is tentative") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 1 alice");
        const auto rule = stage.hold([](auto&, auto& to, auto& datagram) {
            return to == "bob" && (datagram.has_outcome() || datagram.has_decision());
        });
        stage.does("alice", "checkpoint");
        REQUIRE(stage.of("bob").operation.has_value());
        const CommandId transfer = stage.types("bob", "transfer 5 carol");
        const CommandId lost = stage.types("bob", "lost-transfer 6 carol");
        stage.pass(milliseconds(200));
        CHECK(stage.channel("bob", "carol").sent_last == Label(0));
        stage.lift_and_release(rule);
        CHECK(stage.wait(transfer).starts_with("SUCCESS "));
        CHECK(stage.wait(lost).starts_with("SUCCESS "));
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "checkpoint: what was received while it was tentative is not forgotten when it is undone") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 1 alice");
        stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "carol" && datagram.has_vote();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return stage.of("alice").operation.has_value(); }));
        stage.does("bob", "transfer 7 alice");
        CHECK(stage.wait(checkpoint).starts_with("FAILURE unreachable: "));
        CHECK(stage.balance("alice") == "108");
        CHECK(stage.row("alice") == "100,cohort-1");
        CHECK(stage.row("carol") == "100,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "checkpoint: a bank that does not answer makes a definite FAILURE, and nothing is in doubt") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        stage.cut_off(kBank);
        CHECK(stage.say("alice", "checkpoint").starts_with("FAILURE bank-unreachable: "));
        CHECK(!stage.of("alice").operation);
        // Money goes on between peers.
        stage.does("alice", "transfer 3 carol");
        stage.connect_all();
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
    });
}

TEST_CASE("checkpoint: a member that does not answer is named, and everyone keeps the old one") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 5 bob");
        stage.does("bob", "transfer 10 alice");
        stage.crash("carol");
        const std::string answer = stage.say("alice", "checkpoint");
        CHECK(answer.starts_with("FAILURE unreachable: "));
        CHECK(answer.find("carol") != std::string::npos);
        CHECK(stage.row("alice") == "100,cohort-1");
        CHECK(stage.row("bob") == "100,cohort-1");
        stage.start("carol");
        stage.comes_to_rest();
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "checkpoint: a participant whose initiator dies waits as long, whatever its wall clock says") {
    // Bob's part is done, or he still waits for carol.
    for (const bool waits : {false, true}) {
        for (const Duration wrong_by :
             {Duration(-seconds(3'600)), Duration(), Duration(seconds(3'600))}) {
            INFO(waits);
            INFO(wrong_by.count());
            Stage stage(StableMode::journal, 3);
            stage.world.set_clock(stage.at("bob"), wrong_by);
            stage.crash("bob");
            stage.start("bob");
            stage.comes_to_rest();
            stage.does("carol", "transfer 5 bob");
            stage.does("bob", "transfer 10 alice");
            if (waits) stage.crash("carol");
            const auto votes = stage.drop([](auto& from, auto& to, auto& datagram) {
                return from == "bob" && to == "alice" && datagram.has_vote();
            });
            stage.types("alice", "checkpoint");
            REQUIRE(stage.until([&] { return stage.of("bob").operation.has_value(); }));
            stage.crash("alice");
            const TimePoint begun = stage.world.now();
            REQUIRE(stage.until([&] { return !stage.of("bob").operation; }, seconds(6)));
            // It did not give up at once either.
            CHECK(stage.world.now() - begun > seconds(1));
            CHECK(stage.row("bob") == "100,cohort-1");
            stage.lift(votes);
            stage.start("alice");
            stage.start("carol");
            stage.comes_to_rest();
            stage.does("alice", "checkpoint");
            CHECK(stage.row("bob") == "95,cohort-1");
            stage.comes_to_rest();
        }
    }
}

TEST_CASE("checkpoint: the answer's SUCCESS is in the table on the disk") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("alice", "deposit 11.5");
        stage.does("alice", "checkpoint");
        CHECK(stage.row("alice") == "111.50,cohort-1");
        stage.crash(kBank);
        stage.start(kBank);
        CHECK(stage.row("alice") == "111.50,cohort-1");
        stage.comes_to_rest();
    });
}
