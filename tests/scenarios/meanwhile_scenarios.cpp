// What was true when a command began, and is not any more when its answer comes: between a check
// and what rests on it somebody else has rolled back, ended a cohort, begun one, or changed a
// price.
#include <tuple>

#include "common/stable/table.h"
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

bool is_quote(const wire::Datagram& datagram) {
    return datagram.has_deal_reply() && datagram.deal_reply().number() == 0;
}
bool is_deal(const wire::Datagram& datagram) {
    return datagram.has_deal() && datagram.deal().number() != 0;
}
bool is_decision(const wire::Datagram& datagram) {
    return datagram.has_decision() || datagram.has_outcome();
}

// Ten apples of 3 each.
void stock(Stage& stage) {
    stage.does(kBank, "add-product apple Apple 3 10 fruit");
}

uint64_t in_stock(const Stage& stage) {
    const bank::Product* found = stage.world.bank()->state().business.find_product("apple");
    REQUIRE(found != nullptr);
    return found->quantity;
}

bool is_rolling_back(const Stage& stage, const char* who) {
    const auto& operation = stage.of(who).operation;
    return operation && operation->kind == wire::OPERATION_ROLLBACK;
}

// Held or dropped on the way since the rule was made.
auto holds(Stage& stage) {
    return [&stage] { return !stage.world.network().held().empty(); };
}

// The bank is stopped, a person changes what the table says of the account, and it starts again.
void edit_row(Stage& stage, const std::string& name, const std::function<void(TableRow&)>& change) {
    stage.world.machine(World::kBank).quit();
    REQUIRE(stage.until([&] { return !stage.world.machine(World::kBank).running(); }));
    auto rows = parse_table(stage.world.table());
    REQUIRE(rows.ok());
    std::string content(kTableHeader);
    content += '\n';
    for (TableRow& row : rows.value()) {
        if (row.name == name) change(row);
        append_row(content, row);
    }
    stage.world.edit_table(content);
    stage.start(kBank);
}

}  // namespace

TEST_CASE("meanwhile: nothing is debited when a rollback has begun since the price was asked") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        stage.does("bob", "transfer 10 alice");
        const auto quotes =
            stage.hold([](auto&, auto&, auto& datagram) { return is_quote(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until(holds(stage)));
        const auto decisions = stage.drop(
            [](auto&, auto& to, auto& datagram) { return to == "alice" && is_decision(datagram); });
        stage.does("bob", "rollback");
        REQUIRE(is_rolling_back(stage, "alice"));
        stage.lift_and_release(quotes);
        stage.pass(milliseconds(50));
        CHECK(is_rolling_back(stage, "alice"));
        CHECK_FALSE(stage.of("alice").deal);
        CHECK(stage.of("alice").totals.dealings == Money());
        stage.lift(decisions);
        // The price is asked again when the rollback is over.
        CHECK(stage.wait(buy) ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 pending balance 88");
        CHECK(in_stock(stage) == 6);
        stage.does("alice", "checkpoint");
        CHECK(stage.row("alice") == "88,cohort-1");
        stage.comes_to_rest();
    });
}

TEST_CASE("meanwhile: what was priced outside of a cohort and bought in one is pending there") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2, Stage::Cohort::none);
        stock(stage);
        const auto quotes =
            stage.hold([](auto&, auto&, auto& datagram) { return is_quote(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until(holds(stage)));
        stage.does("bob", "new-cohort bob 2");
        REQUIRE(stage.until([&] { return stage.of("alice").in_cohort(); }));
        stage.lift_and_release(quotes);
        CHECK(stage.wait(buy) ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 pending balance 88");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
    });
}

TEST_CASE("meanwhile: a price that has changed since it was asked is not paid") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 1, Stage::Cohort::none);
        stock(stage);
        const auto deals =
            stage.hold([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until(holds(stage)));
        CHECK(stage.balance("alice") == "88");  // debited before it is asked for
        stage.does(kBank, "edit-product apple --price 2");
        stage.lift_and_release(deals);
        CHECK(stage.wait(buy) == "FAILURE price-changed: it comes to 8 now");
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
        stage.comes_to_rest();
    });
}

TEST_CASE("meanwhile: a product that was removed since its price was asked is not sold") {
    Stage stage(StableMode::journal, 1, Stage::Cohort::none);
    stock(stage);
    const auto deals = stage.hold([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
    const CommandId buy = stage.types("alice", "buy apple 4");
    REQUIRE(stage.until(holds(stage)));
    stage.does(kBank, "remove-product apple");
    stage.lift_and_release(deals);
    CHECK(stage.wait(buy).starts_with("FAILURE unknown-product: "));
    CHECK(stage.balance("alice") == "100");
    stage.comes_to_rest();
}

TEST_CASE("meanwhile: a deal of a cohort that was ended by force does not count after it") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stock(stage);
        const auto deals =
            stage.hold([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until(holds(stage)));
        stage.does(kBank, "delete-cohort alice --force");
        REQUIRE(stage.until([&] { return !stage.of("alice").in_cohort(); }));
        stage.lift_and_release(deals);
        CHECK(stage.wait(buy).starts_with("FAILURE rolled-back: "));
        stage.pass(seconds(1));
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
        stage.comes_to_rest();
    });
}

TEST_CASE("meanwhile: a cohort does not take in who waits for the bank's answer to a deal") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2, Stage::Cohort::none);
        stock(stage);
        const auto deals =
            stage.drop([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
        CHECK(stage.say("bob", "new-cohort bob 2") ==
              "FAILURE unreachable: no agreement in time from alice (busy); nothing was changed");
        stage.lift(deals);
        CHECK(stage.wait(buy) ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 settled balance 88");
        stage.does("bob", "new-cohort bob 2");
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "88,cohort-2");
    });
}

TEST_CASE("meanwhile: what is typed in a rollback in doubt sees the balance that is left") {
    for (const char* line : {"transfer 120 bob", "withdrawal 120"}) {
        INFO(std::string(line));
        in_both_modes([&](StableMode mode) {
            Stage stage(mode, 2);
            stage.does("bob", "transfer 10 alice");
            stage.does("alice", "deposit 50");
            const auto decisions = stage.drop([](auto&, auto& to, auto& datagram) {
                return to == "alice" && is_decision(datagram);
            });
            stage.does("bob", "rollback");
            REQUIRE(is_rolling_back(stage, "alice"));
            const CommandId typed = stage.types("alice", line);
            stage.pass(seconds(1));
            CHECK(is_rolling_back(stage, "alice"));
            CHECK(stage.balance("alice") == "160");
            stage.lift(decisions);
            CHECK(stage.wait(typed).starts_with("FAILURE overdraft: the balance is 100, 20 short"));
            stage.comes_to_rest();
            CHECK(stage.balance("alice") == "100");
            CHECK(stage.balance("bob") == "100");
        });
    }
}

TEST_CASE("meanwhile: a checkpoint that waits for an answer when its cohort is ended by force") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stage.does("bob", "transfer 10 alice");
        const auto votes =
            stage.drop([](auto&, auto&, auto& datagram) { return datagram.has_vote(); });
        const CommandId checkpoint = stage.types("alice", "checkpoint");
        REQUIRE(stage.until([&] { return stage.of("bob").operation.has_value(); }));
        stage.does(kBank, "delete-cohort bob --force");
        CHECK(stage.wait(checkpoint) == "FAILURE not-in-cohort: the cohort has ended meanwhile");
        stage.lift(votes);
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "100");
        CHECK(stage.row("bob") == "100");
        stage.does("alice", "checkpoint");
    });
}

TEST_CASE("meanwhile: an exit whose bank was started again closes the account once") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 1, Stage::Cohort::none);
        stage.does("alice", "deposit 7");
        const auto commands =
            stage.drop([](auto&, auto&, auto& datagram) { return datagram.has_command(); });
        const CommandId exit = stage.types("alice", "exit");
        REQUIRE(stage.until([&] { return stage.of("alice").phase == customer::Phase::exiting; }));
        stage.crash(kBank);
        stage.start(kBank);
        stage.lift(commands);
        CHECK(stage.wait(exit) == "SUCCESS exit alice balance 107");
        CHECK(stage.row("alice") == "107");
    });
}

TEST_CASE("meanwhile: delete-cohort ends the cohort in which it was typed, and no later one") {
    for (const char* line : {"delete-cohort alice --force", "delete-cohort alice"}) {
        INFO(std::string(line));
        in_both_modes([&](StableMode mode) {
            Stage stage(mode, 2);
            size_t dropped = 0;
            const auto rule = stage.drop([&](auto& from, auto&, auto& datagram) {
                const bool is_it = from == "alice" && datagram.command().has_delete_cohort();
                dropped += is_it ? 1 : 0;
                return is_it;
            });
            const CommandId ending = stage.types("alice", line);
            REQUIRE(stage.until([&] { return dropped > 0; }));
            stage.does(kBank, "delete-cohort alice --force");
            REQUIRE(stage.until([&] { return !stage.of("alice").in_cohort(); }));
            stage.does("bob", "new-cohort bob 2");
            REQUIRE(stage.until([&] { return stage.of("alice").in_cohort(); }));
            stage.lift(rule);
            CHECK(stage.wait(ending) ==
                  "FAILURE not-in-cohort: the cohort in which that was typed has ended; nothing "
                  "was changed");
            stage.comes_to_rest();
            CHECK(stage.row("alice") == "100,cohort-2");
            CHECK(stage.row("bob") == "100,cohort-2");
        });
    }
}

TEST_CASE("meanwhile: an order that the operator has given up closes nothing after a restart") {
    for (const char* verb : {"exit", "close"}) {
        INFO(std::string(verb));
        in_both_modes([&](StableMode mode) {
            Stage stage(mode, 1, Stage::Cohort::none);
            const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
                return from == "alice" && datagram.command().has_exit();
            });
            const CommandId ordered = stage.types(kBank, std::string(verb) + " alice");
            REQUIRE(
                stage.until([&] { return stage.of("alice").phase == customer::Phase::exiting; }));
            stage.pass(milliseconds(20));
            stage.crash("alice");
            CHECK(stage.wait(ordered) ==
                  "FAILURE unreachable: alice does not answer; nothing was changed");
            stage.lift(rule);
            stage.start("alice");
            stage.pass(seconds(5));
            REQUIRE(stage.world.customer(stage.at("alice")) != nullptr);
            CHECK(stage.of("alice").phase == customer::Phase::open);
            CHECK_FALSE(stage.world.bank()->state().find("alice")->exited);
            CHECK(stage.row("alice") == "100");
            stage.does("alice", "deposit 1");
            stage.does("alice", "exit");
        });
    }
}

TEST_CASE("meanwhile: the operator hears that the account to be closed has joined a cohort") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2, Stage::Cohort::none);
        const auto rule = stage.drop([](auto&, auto& to, auto& datagram) {
            return to == "alice" && datagram.has_probe() && datagram.probe().answer();
        });
        const CommandId exit = stage.types(kBank, "exit alice");
        stage.pass(milliseconds(100));
        stage.does("bob", "new-cohort bob 2");
        REQUIRE(stage.until([&] { return stage.of("alice").in_cohort(); }));
        CHECK(stage.wait(exit) ==
              "FAILURE in-cohort: alice is in cohort-1; delete-cohort comes first");
        stage.lift(rule);
        stage.comes_to_rest();
        CHECK(stage.of("alice").phase == customer::Phase::open);
    });
}

TEST_CASE("meanwhile: the reply to an earlier run does not push out that to a later one") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3, Stage::Cohort::none);
        stage.does("alice", "new-cohort alice 2");
        const std::string other = stage.of("bob").in_cohort() ? "bob" : "carol";
        const std::string third = other == "bob" ? "carol" : "bob";
        // The bank waits two seconds for one who does not acknowledge the end of the cohort.
        const auto acks = stage.drop([&](auto& from, auto&, auto& datagram) {
            return from == other && datagram.has_cohort_ended_ack();
        });
        stage.types("alice", "delete-cohort alice");
        REQUIRE(stage.until([&] { return !stage.of("alice").in_cohort(); }));
        stage.pass(milliseconds(50));
        stage.crash("alice");
        stage.start("alice");
        const auto replies = stage.drop(
            [&](auto&, auto& to, auto& datagram) { return to == "alice" && datagram.has_reply(); });
        const CommandId again = stage.types("alice", "new-cohort alice 2");
        REQUIRE(stage.until([&] { return stage.of("alice").in_cohort(); }));
        stage.pass(seconds(3));
        stage.lift(replies);
        CHECK(stage.wait(again).starts_with("SUCCESS new-cohort cohort-2"));
        stage.lift(acks);
        stage.comes_to_rest();
    });
}

TEST_CASE("meanwhile: a program that runs while its address is edited in the table goes on") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        for (const Stage::Cohort cohort : {Stage::Cohort::none, Stage::Cohort::of_all}) {
            Stage stage(mode, 2, cohort, wire);
            const auto is_at = [&] {
                const bank::Account* account = stage.world.bank()->state().find("alice");
                return std::tuple(account->ip, account->port1, account->port2);
            };
            const auto before = is_at();
            edit_row(stage, "alice", [](TableRow& row) {
                row.port1 = static_cast<uint16_t>(row.port1 + 1'000);
                row.port2 = static_cast<uint16_t>(row.port2 + 1'000);
            });
            CHECK(is_at() != before);
            // It says itself where it is.
            CHECK(stage.until([&] { return is_at() == before; }, seconds(60)));
            REQUIRE(stage.world.customer(stage.at("alice")) != nullptr);
            stage.does("alice", "deposit 5");
            stage.does("alice", "checkpoint");
            stage.comes_to_rest();
        }
    });
}
