// Cohorts that are formed and that end, with members that are away.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

TEST_CASE("new-cohort: all members have their first checkpoint before SUCCESS") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        stage.does("bob", "deposit 7");
        CHECK(stage.does("alice", "new-cohort alice 3") ==
              "SUCCESS new-cohort cohort-1 members alice, bob, carol");
        CHECK(stage.row("alice") == "100,cohort-1");
        CHECK(stage.row("bob") == "107,cohort-1");
        CHECK(stage.row("carol") == "100,cohort-1");
        stage.comes_to_rest();
        stage.does("alice", "transfer 1 carol");
        stage.comes_to_rest();
    });
}

TEST_CASE("new-cohort: with too few who answer it is a FAILURE, and nothing has changed") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        stage.crash("carol");
        CHECK(stage.say("alice", "new-cohort alice 3").starts_with("FAILURE too-few: "));
        CHECK(stage.row("alice") == "100");
        CHECK(stage.row("bob") == "100");
        CHECK(!stage.of("bob").in_cohort());
        // The name of a cohort that never was may be used; its id may not, but nobody sees that.
        CHECK(stage.does("alice", "new-cohort alice 2").ends_with("members alice, bob"));
        stage.start("carol");
        stage.comes_to_rest();
    });
}

TEST_CASE("new-cohort: a member that dies after it has settled is in it when it is back") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "carol" && datagram.has_cohort_started();
        });
        stage.does("alice", "new-cohort alice 3");
        stage.crash("carol");
        stage.start("carol");
        stage.pass(milliseconds(500));
        stage.crash("carol");
        stage.connect_all();
        stage.pass(seconds(1));
        CHECK(stage.row("carol") == "100,cohort-1");
    });
}

TEST_CASE(
    "delete-cohort: a last checkpoint of all, and what is in transit goes back to its sender") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "lost-transfer 10 bob");
        stage.does("bob", "transfer 20 carol");
        stage.does("carol", "deposit 5");
        CHECK(stage.does("bob", "delete-cohort bob") ==
              "SUCCESS delete-cohort cohort-1 members alice, bob, carol");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.balance("bob") == "80");
        CHECK(stage.balance("carol") == "125");
        CHECK(stage.row("alice") == "100");
        CHECK(stage.row("bob") == "80");
        CHECK(stage.row("carol") == "125");
        CHECK(stage.in_transit() == "0");
        CHECK(stage.say("alice", "transfer 1 bob").starts_with("FAILURE not-in-cohort: "));
        // All are free for another one.
        CHECK(
            stage.does("alice", "new-cohort alice 3").starts_with("SUCCESS new-cohort cohort-2 "));
        stage.comes_to_rest();
    });
}

TEST_CASE("delete-cohort: a transfer on its way when it ends is given back or received, once") {
    in_both_modes([](StableMode mode) {
        for (int us = 0; us < 2'000; us += 100) {
            Stage stage(mode, 2);
            stage.types("alice", "transfer 10 bob");
            stage.types("bob", "delete-cohort bob");
            stage.pass(microseconds(us));
            stage.types("alice", "transfer 20 bob");
            stage.comes_to_rest();
            CHECK(!stage.of("alice").in_cohort());
            const int64_t sum =
                stage.of("alice").totals.balance.cents() + stage.of("bob").totals.balance.cents();
            CHECK(sum == 200'00);
        }
    });
}

TEST_CASE("delete-cohort: a dead member makes a FAILURE that names it, and the cohort goes on") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "transfer 10 bob");
        stage.crash("carol");
        const std::string answer = stage.say("alice", "delete-cohort alice");
        CHECK(answer.starts_with("FAILURE unreachable: "));
        CHECK(answer.find("carol") != std::string::npos);
        CHECK(stage.until([&] { return !stage.of("bob").operation; }));
        stage.does("alice", "transfer 1 bob");
        stage.does("bob", "deposit 1");
        stage.start("carol");
        stage.comes_to_rest();
        stage.does("carol", "transfer 2 alice");
        CHECK(stage.does("alice", "delete-cohort alice").starts_with("SUCCESS "));
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "91");
        CHECK(stage.balance("bob") == "112");
        CHECK(stage.balance("carol") == "98");
    });
}

TEST_CASE("delete-cohort --force: it ends at its last cut, also for who comes back much later") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("carol", "transfer 10 bob");
        stage.does("bob", "checkpoint");        // carol takes part
        stage.does("carol", "transfer 5 bob");  // in no cut
        stage.does("alice", "lost-transfer 3 carol");
        stage.does("alice", "checkpoint");
        stage.crash("carol");
        CHECK(stage.does("alice", "delete-cohort alice --force")
                  .starts_with("SUCCESS delete-cohort cohort-1 "));
        CHECK(stage.row("alice") == "100");  // given back
        CHECK(stage.row("bob") == "110");
        CHECK(stage.row("carol") == "90");
        CHECK(stage.until([&] { return !stage.of("bob").in_cohort(); }));
        CHECK(stage.balance("bob") == "110");
        // Who has not heard of the end is not picked for another cohort.
        CHECK(stage.say("alice", "new-cohort alice 3").starts_with("FAILURE too-few: "));
        stage.pass(seconds(3'600));
        stage.start("carol");
        CHECK(stage.until([&] { return !stage.of("carol").in_cohort(); }));
        CHECK(stage.balance("carol") == "90");
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
        CHECK(
            stage.does("alice", "new-cohort alice 3").starts_with("SUCCESS new-cohort cohort-2 "));
        stage.does("carol", "transfer 1 alice");
        stage.comes_to_rest();
    });
}

TEST_CASE("delete-cohort --force: what was under way in the cohort commits no more") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.hold([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_decision_request();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        CHECK(stage.does(kBank, "delete-cohort carol --force").starts_with("SUCCESS "));
        stage.lift_and_release(rule);
        CHECK(!stage.wait(checkpoint).starts_with("SUCCESS"));
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "100");
        CHECK(stage.row("bob") == "100");
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.balance("bob") == "100");
    });
}

TEST_CASE("delete-cohort: a member stays frozen until it has heard the end, across its restart") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "lost-transfer 10 bob");
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_cohort_ended();
        });
        stage.does("bob", "delete-cohort bob");
        CHECK(stage.row("alice") == "100");
        CHECK(stage.balance("alice") == "90");
        const CommandId deposit = stage.types("alice", "deposit 1");
        stage.pass(milliseconds(200));
        CHECK(!stage.world.command(deposit).over());
        stage.crash("alice");
        stage.start("alice");
        stage.pass(seconds(1));
        CHECK(stage.of("alice").is_suspended());
        const auto rollbacks = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_rollback_request();
        });
        const CommandId later = stage.types("alice", "deposit 2");
        stage.pass(milliseconds(500));
        CHECK(!stage.world.command(later).over());
        CHECK(rollbacks->count() == 0);
        stage.lift(rule);
        stage.comes_to_rest();
        CHECK(stage.wait(later) == "SUCCESS deposit 2 balance 102");
        stage.comes_to_rest();
    });
}

TEST_CASE("delete-cohort: the bank or a member dies at any moment, and nobody loses money") {
    in_both_modes([](StableMode mode) {
        for (const char* victim : {kBank, "bob"}) {
            bool died = true;
            for (uint64_t moment = 0; died && moment < 100; ++moment) {
                INFO(victim, " dies at ", moment);
                Stage stage(mode, 3);
                stage.does("alice", "lost-transfer 10 bob");
                stage.does("bob", "transfer 20 carol");
                simulator::Machine& machine = stage.world.machine(stage.at(victim));
                machine.crash_after_effects(moment, seconds(100));
                const CommandId id = stage.types("alice", "delete-cohort alice");
                died = stage.until([&] { return !machine.running(); }, seconds(2));
                machine.spare();
                stage.pass(milliseconds(200));
                if (died) stage.start(victim);
                stage.comes_to_rest();
                CHECK(stage.world.command(id).over());
                int64_t sum = 0;
                for (const char* who : {"alice", "bob", "carol"}) {
                    sum += stage.of(who).totals.balance.cents();
                }
                const bool ended = !stage.of("alice").in_cohort();
                CHECK(sum == (ended ? 300'00 : 290'00));
                CHECK(stage.in_transit() == "0");
            }
        }
    });
}

TEST_CASE("exit: who is killed while the account is closed comes back with its last balance") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 1, Stage::Cohort::none);
        stage.does("alice", "withdrawal 10");
        const auto reply = [](auto&, auto&, auto& datagram) {
            return datagram.has_reply() || datagram.has_attach_reply();
        };
        const auto rule = stage.drop(reply);
        stage.types("alice", "exit");
        const auto closed = [&] {
            const bank::Account* account = stage.world.bank()->state().find("alice");
            return account != nullptr && account->exited;
        };
        REQUIRE(stage.until(closed));
        stage.crash("alice");
        stage.start("alice");
        CHECK(stage.of("alice").phase == customer::Phase::exiting);
        CHECK(stage.balance("alice") == "90");
        stage.lift(rule);
        CHECK(stage.until([&] { return stage.world.last_status(stage.at("alice")) == 0; }));
        CHECK(stage.row("alice").starts_with("90"));
    });
}

TEST_CASE("exit: not while in a cohort; then the last balance is settled and the program ends") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        CHECK(stage.say("alice", "exit").starts_with("FAILURE in-cohort: "));
        stage.does("alice", "delete-cohort alice");
        stage.does("alice", "deposit 20");
        CHECK(stage.does("alice", "exit") == "SUCCESS exit alice balance 120");
        CHECK(stage.until([&] { return !stage.world.machine(1).running(); }));
        CHECK(stage.world.last_status(1) == 0);
        CHECK(stage.row("alice") == "120");
        CHECK(stage.say("bob", "new-cohort bob 2").starts_with("FAILURE too-few: "));
        stage.comes_to_rest();
    });
}

TEST_CASE("exit: who joins a cohort while the bank is asked whether it is there stays open") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2, Stage::Cohort::none);
        const auto rule = stage.drop([](auto&, auto& to, auto& datagram) {
            return to == "alice" && datagram.has_probe() && datagram.probe().answer();
        });
        const CommandId exit = stage.types("alice", "exit");
        stage.does("bob", "new-cohort bob 2");
        CHECK(stage.until([&] { return stage.of("alice").in_cohort(); }));
        stage.lift(rule);
        CHECK(stage.wait(exit) ==
              "FAILURE in-cohort: the account is in cohort-1; delete-cohort comes first");
        CHECK(stage.of("alice").phase == customer::Phase::open);
        stage.does("bob", "transfer 5 alice");
        stage.does("alice", "checkpoint");
        CHECK(stage.row("alice") == "105,cohort-1");
        stage.comes_to_rest();
    });
}
