// Settlements and their answers that are lost, members that restart in between, long chains, and a
// table that a person edits.
#include "common/stable/table.h"
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

void edit_balance(Stage& stage, const std::string& name, const std::string& balance) {
    auto rows = parse_table(stage.world.table());
    REQUIRE(rows.ok());
    std::string content(kTableHeader);
    content += '\n';
    for (TableRow& row : rows.value()) {
        if (row.name == name) row.balance = parse_amount(balance, Zero::allowed).value();
        append_row(content, row);
    }
    stage.world.edit_table(content);
}

void quit_bank(Stage& stage) {
    stage.world.machine(World::kBank).quit();
    REQUIRE(stage.until([&] { return !stage.world.machine(World::kBank).running(); }));
}

}  // namespace

TEST_CASE(
    "settling: a join whose settlement arrived and whose answer did not ends the same for all") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "bob" &&
                   (datagram.has_settle_ack() || datagram.has_cohort_started() ||
                    datagram.has_decision());
        });
        const CommandId joining = stage.types("alice", "new-cohort alice 3");
        stage.pass(seconds(6));
        stage.types("bob", "deposit 50");
        stage.lift(rule);
        stage.wait(joining);
        stage.comes_to_rest();
        CHECK(stage.of("alice").in_cohort() == stage.of("bob").in_cohort());
        CHECK(stage.balance("bob") == "150");
    });
}

TEST_CASE(
    "settling: a cohort's end whose settlement arrived and whose answer did not loses no deposit") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" &&
                   (datagram.has_settle_ack() || datagram.has_cohort_ended() ||
                    datagram.has_decision());
        });
        stage.does("bob", "delete-cohort bob");
        const CommandId deposit = stage.types("alice", "deposit 50");
        stage.pass(seconds(6));
        stage.lift(rule);
        stage.comes_to_rest();
        const std::string answer = stage.answer(deposit);
        CHECK(stage.balance("alice") == (answer.starts_with("SUCCESS") ? "150" : "100"));
    });
}

TEST_CASE(
    "settling: a member that restarts between settling for a join and the COMMIT is heard after "
    "it") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "bob" && datagram.has_cohort_started();
        });
        stage.does("alice", "new-cohort alice 3");
        stage.crash("bob");
        stage.start("bob");
        stage.lift(rule);
        REQUIRE(stage.until([&] { return stage.of("bob").in_cohort(); }));
        stage.does("bob", "transfer 1 alice");
        stage.does("alice", "transfer 2 bob");
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "settling: a transfer under way when its sender takes part in a checkpoint is still answered") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 1 alice");
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == "bob" && to == "carol" && datagram.has_transfers();
        });
        const CommandId transfer = stage.types("bob", "transfer 2 carol");
        stage.pass(milliseconds(1));
        CHECK(stage.does("alice", "checkpoint").ends_with(", bob"));
        stage.lift(rule);
        CHECK(stage.wait(transfer) == "SUCCESS transfer 2 to carol label 1 balance 97");
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "settling: commands that wait behind an operation for longer than their limit are answered") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("bob", "transfer 1 alice");
        stage.crash("bob");
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        const CommandId second = stage.types("alice", "checkpoint");
        const CommandId third = stage.types("alice", "checkpoint");
        const CommandId balance = stage.types("alice", "balance");
        for (const CommandId id : {checkpoint, second, third, balance}) stage.wait(id);
        CHECK(stage.answer(balance) == "SUCCESS balance 101");
        stage.start("bob");
        stage.comes_to_rest();
    });
}

TEST_CASE("settling: what was settled before its customer went back is refused when it comes") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stage.does("bob", "transfer 1 alice");
        stage.does("alice", "deposit 5");
        const auto settles = stage.hold([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_settle();
        });
        CHECK(!stage.say("alice", "checkpoint").starts_with("SUCCESS"));
        const Epoch before = stage.epoch("alice");
        stage.does("bob", "rollback");
        stage.comes_to_rest();
        REQUIRE(stage.epoch("alice") > before);
        REQUIRE(!stage.world.network().held().empty());
        const auto answers = stage.watch([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_settle_ack() &&
                   !datagram.settle_ack().accepted();
        });
        stage.lift_and_release(settles);
        CHECK(stage.until([&] { return answers->count() > 0; }));
        stage.comes_to_rest();
        for (const auto& [initiator, operation] : stage.world.bank()->state().operations) {
            CHECK(!operation.settlements.contains("alice"));
        }
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.row("alice") == "100,cohort-1");
        CHECK(stage.does("alice", "checkpoint") == "SUCCESS checkpoint alice");
        stage.comes_to_rest();
    });
}

TEST_CASE("settling: a chain of thirty that depend on each other is checkpointed and rolled back") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 30);
        for (size_t i = 30; i > 1; --i) {
            stage.does(Stage::name(i), "transfer 1 " + Stage::name(i - 1));
        }
        CHECK(stage.does("alice", "checkpoint").find("member-30") != std::string::npos);
        stage.comes_to_rest();
        CHECK(stage.row("member-30") == "99,cohort-1");
        for (size_t i = 1; i < 30; ++i) {
            stage.does(Stage::name(i), "transfer 1 " + Stage::name(i + 1));
        }
        CHECK(stage.does("alice", "rollback").find("member-30") != std::string::npos);
        stage.comes_to_rest();
        CHECK(stage.balance("member-30") == "99");
        CHECK(stage.balance("alice") == "101");
    });
}

TEST_CASE("table: what a person edits while the bank is stopped is a correction of the account") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("alice", "deposit 20");
        stage.does("alice", "checkpoint");
        quit_bank(stage);
        edit_balance(stage, "alice", "150");
        edit_balance(stage, "bob", "99.50");
        stage.start(kBank);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "150");
        CHECK(stage.balance("bob") == "99.50");
        CHECK(stage.in_transit() == "0");
        stage.does("alice", "checkpoint");
        stage.does("alice", "withdrawal 1");
        // A correction is not undone by a rollback, only what the customer did itself.
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "150");
        CHECK(stage.row("alice") == "150,cohort-1");
        stage.in_transit();
    });
}

TEST_CASE("table: the bank that dies again and again while it starts still knows its own table") {
    for (const bool edited : {false, true}) {
        Stage stage(StableMode::journal, 2);
        stage.does("alice", "deposit 20");
        stage.does("alice", "checkpoint");
        quit_bank(stage);
        if (edited) edit_balance(stage, "bob", "200");
        simulator::Machine& bank = stage.world.machine(World::kBank);
        for (int i = 0; i < 12; ++i) {
            stage.start(kBank);
            // The records are durable, and the table is not in place yet.
            bank.crash_in_disk_work(static_cast<uint64_t>(2 + i % 4), milliseconds(10));
            REQUIRE(stage.until([&] { return !bank.running(); }));
        }
        stage.start(kBank);
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "120,cohort-1");
        CHECK(stage.row("bob") == (edited ? "200,cohort-1" : "100,cohort-1"));
        stage.in_transit();
    }
}

TEST_CASE(
    "table: a bank that is killed with many turns on their way to the disk knows its table again") {
    Stage stage(StableMode::journal, 4);
    simulator::Machine& bank = stage.world.machine(World::kBank);
    for (uint64_t moment = 0; moment < 25; ++moment) {
        // While the disk is slow, many checkpoints gather in one write.
        bank.set_slow_disk(1);
        for (size_t i = 1; i <= 4; ++i) {
            stage.types(Stage::name(i), "deposit 1");
            for (int n = 0; n < 3; ++n) stage.types(Stage::name(i), "checkpoint");
        }
        stage.pass(milliseconds(300));
        bank.crash_in_disk_work(moment % 6, milliseconds(600));
        REQUIRE(stage.until([&] { return !bank.running(); }));
        bank.set_slow_disk(0);
        stage.start(kBank);
        stage.comes_to_rest();
    }
    stage.in_transit();
}
