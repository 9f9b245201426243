// What a restart forgets, or remembers and should not.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

void stock(Stage& stage) {
    stage.does(kBank, "add-product apple Apple 3 10 fruit");
}

}  // namespace

TEST_CASE("restart: a deal that was answered without a record is not open again beside an exit") {
    for (const bool refused : {true, false}) {
        INFO(refused);
        Stage stage(StableMode::journal, 1, Stage::Cohort::none);
        stock(stage);
        stage.does(kBank, "set loan-least 1");
        stage.does("alice", "loan 10 12");
        REQUIRE(stage.balance("alice") == "110");
        const auto dealing = stage.drop([](auto&, auto&, auto& datagram) {
            return (datagram.has_deal() && datagram.deal().number() != 0) ||
                   (datagram.has_deal_reply() && datagram.deal_reply().number() != 0);
        });
        stage.types("alice", "buy apple 4");
        REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
        REQUIRE(stage.balance("alice") == "98");
        stage.pass(milliseconds(100));
        stage.crash("alice");
        if (refused) stage.does(kBank, "edit-product apple --price 4");
        // From now on what is about money only is in no record.
        stage.world.set_mode(stage.at("alice"), StableMode::checkpoint);
        stage.lift(dealing);
        stage.start("alice");
        REQUIRE(stage.until([&] { return !stage.of("alice").deal; }));
        stage.pass(seconds(2));
        const std::string balance = stage.balance("alice");
        CHECK(balance == (refused ? "110" : "98"));
        const auto closing = stage.drop([](auto&, auto&, auto& datagram) {
            return datagram.has_command() || datagram.has_reply();
        });
        stage.types("alice", "exit");
        REQUIRE(stage.until([&] { return stage.of("alice").phase == customer::Phase::exiting; }));
        stage.pass(seconds(1));
        stage.crash("alice");
        stage.start("alice");
        CHECK_FALSE(stage.of("alice").deal);
        stage.pass(seconds(2));
        CHECK(stage.balance("alice") == balance);
        stage.lift(closing);  // an open loan: the bank refuses
        CHECK(stage.until([&] { return stage.of("alice").phase == customer::Phase::open; }));
        CHECK(stage.balance("alice") == balance);
        stage.does("alice", "checkpoint");
        stage.comes_to_rest();
    }
}

TEST_CASE("restart: an exit of an earlier run closes nothing when a later run's was refused") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::none, wire);
        const auto late = stage.hold([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.command().has_exit();
        });
        stage.types("alice", "exit");
        REQUIRE(stage.until([&] { return stage.of("alice").phase == customer::Phase::exiting; }));
        stage.pass(milliseconds(10));
        REQUIRE_FALSE(stage.world.network().held().empty());
        // It is killed while the bank forms a cohort with it. What attaches its next run is lost.
        const CommandId cohort = stage.types("bob", "new-cohort bob 2");
        REQUIRE(stage.until([&] { return !stage.world.bank()->state().forming.empty(); }));
        stage.crash("alice");
        const std::vector<Packet> earlier = stage.world.network().held();
        stage.lift(late);
        const auto attaching = stage.drop([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_attach();
        });
        stage.start("alice");
        stage.wait(cohort);
        // The bank answers a run when it is attached: an earlier one's copy counts no more then.
        const bool open = stage.of("alice").phase == customer::Phase::open;
        CHECK_FALSE(open);
        if (open) stage.does("alice", "withdrawal 100");
        for (const Packet& packet : earlier) stage.world.network().deliver_again(packet);
        stage.pass(milliseconds(100));
        stage.lift(attaching);
        CHECK(stage.until([&] { return stage.world.last_status(stage.at("alice")) == 0; }));
        CHECK(stage.row("alice") == std::string(open ? "0" : "100"));
    });
}
