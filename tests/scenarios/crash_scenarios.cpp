// Processes that die, at chosen moments and at every moment.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

// What a victim was doing when it died.
enum class Dies { after_effects, in_disk_work };

// A chain of dependencies, carol -> bob -> alice, and money on its way that nobody waits for.
void prepare(Stage& stage) {
    stage.does("carol", "transfer 5 bob");
    stage.does("bob", "transfer 10 alice");
    stage.does("alice", "transfer 3 carol");
    stage.does("carol", "lost-transfer 1 alice");
}

// Runs the command at alice's while `victim` dies at its `moment`-th effect or disk call from now
// on, and comes back. False if that moment never came.
bool try_moment(StableMode mode, const std::string& command, const std::string& victim, Dies how,
                uint64_t moment) {
    INFO(command, ", ", victim, " dies at ", moment);
    Stage stage(mode, 4);
    prepare(stage);
    stage.comes_to_rest();
    simulator::Machine& machine = stage.world.machine(stage.at(victim));
    if (how == Dies::after_effects) {
        machine.crash_after_effects(moment, seconds(100));
    } else {
        machine.crash_in_disk_work(moment, seconds(100));
    }
    const CommandId id = stage.types("alice", command);
    const bool died = stage.until([&] { return !machine.running(); }, seconds(2));
    if (!died) machine.spare();
    // Longer than an operation's time limit, every other time.
    stage.pass(moment % 2 == 0 ? seconds(5) : milliseconds(300));
    if (died) stage.start(victim);
    stage.comes_to_rest();
    CHECK(stage.world.command(id).over());
    stage.in_transit();
    // And it is not stuck: the next one succeeds, and covers everything.
    stage.does("alice", "checkpoint");
    stage.does("bob", "checkpoint");
    stage.does("carol", "checkpoint");
    stage.comes_to_rest();
    stage.in_transit();
    return died;
}

void try_every_moment(const std::string& command, const std::string& victim) {
    in_both_modes([&](StableMode mode) {
        for (const Dies how : {Dies::after_effects, Dies::in_disk_work}) {
            uint64_t moment = 0;
            while (try_moment(mode, command, victim, how, moment)) {
                ++moment;
                REQUIRE(moment < 200);
            }
            CHECK(moment >= 1);
        }
    });
}

}  // namespace

TEST_CASE("crash: the initiator of a checkpoint dies at any moment, and all decide alike") {
    try_every_moment("checkpoint", "alice");
}

TEST_CASE("crash: a participant of a checkpoint dies at any moment, and all decide alike") {
    try_every_moment("checkpoint", "bob");
}

TEST_CASE("crash: the bank dies at any moment around the decision on a checkpoint") {
    try_every_moment("checkpoint", kBank);
}

TEST_CASE("crash: the initiator of a rollback dies at any moment, and all decide alike") {
    try_every_moment("rollback", "alice");
}

TEST_CASE("crash: a participant of a rollback dies at any moment, and all decide alike") {
    try_every_moment("rollback", "carol");
}

TEST_CASE("crash: the bank dies at any moment around the decision on a rollback") {
    try_every_moment("rollback", kBank);
}

TEST_CASE("crash: the initiator dies after the votes, nobody stays blocked, and all abort") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_decision_request();
        });
        stage.types("alice", "checkpoint");
        const auto votes = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "bob" && datagram.has_vote() && datagram.vote().yes();
        });
        REQUIRE(stage.until([&] { return votes->count() > 0; }));
        stage.pass(milliseconds(10));
        stage.crash("alice");
        stage.lift(rule);
        CHECK(stage.of("bob").operation.has_value());
        // Bob asks the bank when the time is up, and the bank, which has no record, records ABORT.
        CHECK(stage.until([&] { return !stage.of("bob").operation; }));
        CHECK(stage.row("bob") == "100,cohort-1");
        stage.does("bob", "checkpoint");
        stage.start("alice");
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "100,cohort-1");
    });
}

TEST_CASE("crash: the initiator dies before it hears of the COMMIT, and all commit") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_decision();
        });
        stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return stage.world.tally().commits == 2; }));  // join, and this
        stage.crash("alice");
        stage.lift(rule);
        CHECK(stage.until([&] { return !stage.of("bob").operation; }));
        CHECK(stage.row("alice") == "110,cohort-1");
        CHECK(stage.row("bob") == "90,cohort-1");
        stage.start("alice");
        stage.comes_to_rest();
        CHECK(stage.of("alice").permanent.totals.balance == Money::from_cents(110'00));
    });
}

TEST_CASE("crash: a participant that dies while tentative asks the bank when it is back") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.hold([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_decision_request();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        stage.crash("bob");
        stage.lift_and_release(rule);
        CHECK(stage.wait(checkpoint).starts_with("SUCCESS checkpoint alice"));
        CHECK(stage.row("bob") == "90,cohort-1");
        stage.pass(seconds(10));
        stage.start("bob");
        stage.comes_to_rest();
        CHECK(stage.of("bob").permanent.totals.balance == Money::from_cents(90'00));
        CHECK(stage.balance("bob") == "90");
    });
}

TEST_CASE(
    "crash: a bank that is away after the votes makes the answer UNKNOWN, and it resolves itself") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 10 alice");
        const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_decision_request();
        });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        const auto votes = stage.watch([](auto& from, auto&, auto& datagram) {
            return from == "bob" && datagram.has_vote() && datagram.vote().yes();
        });
        REQUIRE(stage.until([&] { return votes->count() > 0; }));
        stage.crash(kBank);
        stage.lift(rule);
        CHECK(stage.wait(checkpoint).starts_with("UNKNOWN checkpoint"));
        stage.start(kBank);
        stage.comes_to_rest();
        CHECK((stage.row("alice") == "110,cohort-1") == (stage.row("bob") == "90,cohort-1"));
    });
}

TEST_CASE("crash: in journal mode a crash in the middle of transfers loses and doubles nothing") {
    for (uint64_t moment = 0; moment < 60; ++moment) {
        Stage stage(StableMode::journal, 2);
        const std::string victim = moment % 2 == 0 ? "alice" : "bob";
        stage.world.machine(stage.at(victim)).crash_after_effects(moment / 2, milliseconds(20));
        for (int i = 0; i < 12; ++i) {
            stage.types("alice", "transfer 1 bob");
            stage.types("bob", "transfer 2 alice");
            stage.pass(microseconds(700));
        }
        stage.pass(milliseconds(50));
        stage.start(victim);
        stage.comes_to_rest();
        CHECK(stage.epoch(victim) == Epoch(1));
        const auto cents = [&](const char* who) { return stage.of(who).totals.balance.cents(); };
        CHECK(cents("alice") + cents("bob") == 200'00);
    }
}

TEST_CASE("crash: in checkpoint mode what was forgotten is undone at those who received it") {
    Stage stage(StableMode::checkpoint, 3);
    stage.does("alice", "transfer 10 bob");
    stage.does("carol", "transfer 40 alice");
    const Epoch before = stage.epoch("alice");
    stage.crash("alice");
    stage.start("alice");
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "140");  // carol sends again what alice has forgotten
    CHECK(stage.balance("bob") == "100");
    CHECK(stage.balance("carol") == "60");
    // Once at the restart, once at the COMMIT of the recovery.
    CHECK(stage.epoch("alice").value() == before.value() + 2);
}

TEST_CASE("crash: in checkpoint mode two that recover at once do not block each other") {
    Stage stage(StableMode::checkpoint, 3);
    stage.does("alice", "transfer 10 bob");
    stage.does("bob", "transfer 20 alice");
    stage.does("carol", "transfer 30 bob");
    stage.crash("alice");
    stage.crash("bob");
    stage.start("alice");
    stage.start("bob");
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "100");
    CHECK(stage.balance("bob") == "130");
    CHECK(stage.balance("carol") == "70");
}

TEST_CASE("crash: everything dies at once, starts again, and goes on where it was") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        prepare(stage);
        stage.does("alice", "checkpoint");
        for (size_t i = 1; i <= 4; ++i) {
            stage.types(Stage::name(i), "transfer 2 " + Stage::name(i % 4 + 1));
        }
        stage.types("dave", "checkpoint");
        stage.pass(milliseconds(1));
        for (size_t i = 0; i <= 4; ++i) stage.crash(Stage::name(i));
        stage.world.start_all();
        stage.comes_to_rest();
        stage.in_transit();
        for (size_t i = 1; i <= 4; ++i) stage.does(Stage::name(i), "checkpoint");
        stage.comes_to_rest();
        stage.in_transit();
        CHECK(stage.row("dave").ends_with(",cohort-1"));
    });
}
