// Deals with the bank: pending until a permanent checkpoint covers them, cancelled by a rollback,
// and never twice, whoever crashes and whatever comes late.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

bool is_deal(const wire::Datagram& datagram) {
    return datagram.has_deal() && datagram.deal().number() != 0;
}
bool is_deal_reply(const wire::Datagram& datagram) {
    return datagram.has_deal_reply() && datagram.deal_reply().number() != 0;
}

// Ten apples of 3 each.
void stock(Stage& stage) {
    stage.does(kBank, "add-product apple Apple 3 10 fruit");
}

uint64_t in_stock(const Stage& stage, const char* product = "apple") {
    REQUIRE(stage.world.bank() != nullptr);
    const bank::Product* found = stage.world.bank()->state().business.find_product(product);
    REQUIRE(found != nullptr);
    return found->quantity;
}

std::string pending(const Stage& stage, const char* who) {
    return stage.world.bank()->state().business.pending_sum(who).to_string();
}

std::string own_account(const Stage& stage, const char* name) {
    const auto& own = stage.world.bank()->state().business.own_accounts();
    const auto found = own.find(name);
    return found == own.end() ? "0" : found->second.to_string();
}

void restart(Stage& stage, const char* who) {
    stage.crash(who);
    stage.start(who);
}

void deliver_again(Stage& stage, const std::shared_ptr<Stage::Seen>& seen) {
    REQUIRE(seen->count() > 0);
    const std::vector<Packet> packets = seen->packets;
    for (const Packet& packet : packets) {
        stage.world.network().deliver_again(packet);
        stage.pass(milliseconds(5));
    }
}

}  // namespace

TEST_CASE("business: a purchase in a cohort is cancelled by a rollback, stock and money are back") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        CHECK(stage.does("alice", "buy apple 4") ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 pending balance 88");
        CHECK(in_stock(stage) == 6);
        CHECK(pending(stage, "alice") == "-12");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
        CHECK(pending(stage, "alice") == "0");
        CHECK(own_account(stage, "shop") == "0");
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("business: a purchase in a cohort is settled by a checkpoint, and a rollback keeps it") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        stage.does("alice", "buy apple 4");
        stage.does("alice", "checkpoint");
        CHECK(pending(stage, "alice") == "0");
        CHECK(own_account(stage, "shop") == "12");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "88");
        CHECK(stage.row("alice") == "88,cohort-1");
        CHECK(in_stock(stage) == 6);
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("business: who is dragged into a rollback loses what it bought since its checkpoint") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        stage.does("alice", "transfer 10 bob");
        stage.does("bob", "buy apple 1");
        stage.does("alice", "rollback");
        stage.comes_to_rest();
        CHECK(stage.balance("bob") == "100");
        CHECK(in_stock(stage) == 10);
    });
}

TEST_CASE("business: a deal outside of a cohort settles at once") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 1, Stage::Cohort::none);
        stock(stage);
        CHECK(stage.does("alice", "buy apple 2") ==
              "SUCCESS buy apple quantity 2 amount 6 order 1 settled balance 94");
        CHECK(own_account(stage, "shop") == "6");
        restart(stage, "alice");
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "94");
    });
}

TEST_CASE("business: a token is told with the payment that has settled, in a cohort too") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const CommandId id = stage.types("alice", "pay Electricity 15");
        CHECK(stage.wait(id) == "SUCCESS pay Electricity amount 15 order 1 settled balance 85");
        const auto& facts = stage.world.command(id).answer->facts;
        CHECK(std::any_of(facts.begin(), facts.end(), [](const Answer::Fact& fact) {
            return fact.name == "token" && fact.value.size() == 16;
        }));
        CHECK(own_account(stage, "Electricity") == "15");
        stage.comes_to_rest();
    });
}

TEST_CASE("business: a customer killed before the bank's answer asks again, and pays once") {
    Stage stage(StableMode::journal, 2);
    stock(stage);
    const auto rule = stage.drop([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
    const CommandId buy = stage.types("alice", "buy apple 4");
    REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
    stage.pass(milliseconds(10));
    CHECK(stage.balance("alice") == "88");
    stage.crash("alice");
    CHECK(stage.answer(buy) == "unanswered");
    stage.lift(rule);
    stage.start("alice");
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "88");
    CHECK(in_stock(stage) == 6);
    stage.does("alice", "checkpoint");
    CHECK(own_account(stage, "shop") == "12");
}

TEST_CASE("business: a customer killed when the bank had accepted hears of the same order") {
    Stage stage(StableMode::journal, 2);
    stock(stage);
    const auto rule =
        stage.drop([](auto&, auto&, auto& datagram) { return is_deal_reply(datagram); });
    stage.types("alice", "buy apple 4");
    REQUIRE(stage.until([&] { return in_stock(stage) == 6; }));
    stage.crash("alice");
    stage.lift(rule);
    stage.start("alice");
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "88");
    CHECK(in_stock(stage) == 6);
    CHECK(stage.world.business().count().made == 1);
}

TEST_CASE("business: in checkpoint mode a crash forgets a pending deal, and the bank cancels it") {
    Stage stage(StableMode::checkpoint, 2);
    stock(stage);
    stage.does("alice", "buy apple 4");
    CHECK(in_stock(stage) == 6);
    restart(stage, "alice");
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "100");
    CHECK(in_stock(stage) == 10);
    CHECK(stage.world.business().count().cancelled == 1);
}

TEST_CASE("business: the bank killed after accepting gives the same answer") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        const auto rule =
            stage.drop([](auto&, auto&, auto& datagram) { return is_deal_reply(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until([&] { return in_stock(stage) == 6; }));
        stage.pass(milliseconds(50));
        stage.crash(kBank);
        stage.lift(rule);
        stage.start(kBank);
        CHECK(stage.wait(buy) ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 pending balance 88");
        CHECK(in_stock(stage) == 6);
        CHECK(stage.world.business().count().made == 1);
        stage.comes_to_rest();
    });
}

TEST_CASE("business: a late copy of a deal from before a rollback changes nothing") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stock(stage);
        const auto deals = stage.watch([](auto&, auto&, auto& datagram) {
            return is_deal(datagram) || is_deal_reply(datagram);
        });
        stage.does("alice", "buy apple 4");
        stage.does("alice", "rollback");
        deliver_again(stage, deals);
        stage.comes_to_rest();
        CHECK(in_stock(stage) == 10);
        // An hour later, at a bank that was started again, in another cohort and in none.
        stage.pass(seconds(3'600));
        restart(stage, kBank);
        deliver_again(stage, deals);
        stage.comes_to_rest();
        CHECK(in_stock(stage) == 10);
        stage.does("alice", "delete-cohort alice");
        deliver_again(stage, deals);
        stage.does("alice", "new-cohort alice 2");
        deliver_again(stage, deals);
        stage.comes_to_rest();
        CHECK(in_stock(stage) == 10);
        CHECK(stage.balance("alice") == "100");
        CHECK(stage.world.business().count().made == 1);
    });
}

TEST_CASE("business: a refusal is remembered, its late copy is not accepted after a restock") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stock(stage);
        const auto deals =
            stage.watch([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        // Between the question and the deal somebody else buys all.
        const auto held = stage.hold(
            [](auto& from, auto&, auto& datagram) { return from == "alice" && is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 10");
        REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
        stage.does("bob", "buy apple 10");
        stage.lift_and_release(held);
        CHECK(stage.wait(buy).starts_with("FAILURE out-of-stock"));
        CHECK(stage.balance("alice") == "100");
        stage.does(kBank, "restock apple 50");
        deliver_again(stage, deals);
        stage.does("alice", "pay Rent 1");
        deliver_again(stage, deals);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "99");
        CHECK(in_stock(stage) == 50);
        CHECK(stage.world.business().count().made == 2);
    });
}

TEST_CASE("business: of a hundred buyers of ten pieces ten get one") {
    Stage stage(StableMode::journal, 100, Stage::Cohort::none);
    stock(stage);
    std::vector<CommandId> buys;
    for (size_t i = 1; i <= 100; ++i) buys.push_back(stage.types(Stage::name(i), "buy apple 1"));
    int bought = 0;
    for (const CommandId id : buys) {
        const std::string answer = stage.wait(id);
        if (answer.starts_with("SUCCESS buy apple quantity 1 amount 3 order")) {
            ++bought;
        } else {
            CHECK(answer.starts_with("FAILURE out-of-stock"));
        }
    }
    CHECK(bought == 10);
    CHECK(in_stock(stage) == 0);
    stage.comes_to_rest();
    CHECK(own_account(stage, "shop") == "30");
}

TEST_CASE("business: a cohort that ends by force cancels pending deals, one that freezes settles") {
    in_both_modes([](StableMode mode) {
        for (const bool force : {true, false}) {
            INFO(force);
            Stage stage(mode, 2);
            stock(stage);
            stage.does("alice", "buy apple 4");
            stage.does(kBank, std::string("delete-cohort alice") + (force ? " --force" : ""));
            stage.comes_to_rest();
            CHECK(stage.balance("alice") == (force ? "100" : "88"));
            CHECK(in_stock(stage) == (force ? 10 : 6));
            CHECK(own_account(stage, "shop") == (force ? "0" : "12"));
            CHECK(pending(stage, "alice") == "0");
        }
    });
}

TEST_CASE("business: a checkpoint that comes while a deal is open covers it when it is answered") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        stock(stage);
        stage.does("alice", "transfer 10 bob");
        const auto held =
            stage.hold([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
        const CommandId checkpoint = stage.types("bob", "checkpoint");
        stage.pass(milliseconds(500));
        CHECK(!stage.world.command(checkpoint).over());
        stage.lift_and_release(held);
        CHECK(stage.wait(buy).starts_with("SUCCESS buy apple"));
        CHECK(stage.wait(checkpoint).starts_with("SUCCESS checkpoint bob"));
        stage.comes_to_rest();
        CHECK(stage.row("alice") == "78,cohort-1");
        CHECK(own_account(stage, "shop") == "12");
    });
}

TEST_CASE("business: an exit with an open loan is refused, and goes when the loan is repaid") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 1, Stage::Cohort::none);
        stage.does(kBank, "set loan-rate 0");
        CHECK(stage.does("alice", "loan 100 12") ==
              "SUCCESS loan 1 amount 100 months 12 settled balance 200");
        CHECK(own_account(stage, "loans") == "-100");
        CHECK(stage.say("alice", "exit").starts_with("FAILURE open-loan"));
        CHECK(stage.say(kBank, "exit alice").starts_with("FAILURE open-loan"));
        CHECK(stage.say("alice", "repay 1 100.01").starts_with("FAILURE too-much"));
        stage.does("alice", "repay 1 100");
        CHECK(own_account(stage, "loans") == "0");
        CHECK(stage.does("alice", "exit") == "SUCCESS exit alice balance 100");
    });
}

TEST_CASE("business: a quote that comes when a cohort is being formed is asked for again") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2, Stage::Cohort::none);
        stock(stage);
        const auto quotes = stage.hold([](auto&, auto& to, auto& datagram) {
            return to == "alice" && datagram.has_deal_reply();
        });
        const CommandId buy = stage.types("alice", "buy apple 1");
        REQUIRE(stage.until([&] { return !stage.world.network().held().empty(); }));
        const auto started = stage.drop([](auto&, auto& to, auto& datagram) {
            return to == "alice" && datagram.has_cohort_started();
        });
        stage.types("bob", "new-cohort bob 2");
        REQUIRE(stage.until([&] { return stage.of("alice").operation.has_value(); }));
        stage.lift_and_release(quotes);
        stage.pass(milliseconds(20));
        stage.lift(started);
        CHECK(stage.wait(buy) ==
              "SUCCESS buy apple quantity 1 amount 3 order 1 pending balance 97");
        stage.comes_to_rest();
    });
}

TEST_CASE("business: a rollback that committed when its cohort ended by force raises the epoch") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 2);
        const auto rule = stage.drop([](auto& from, auto& to, auto& datagram) {
            return from == kBank && to == "alice" && datagram.has_decision();
        });
        stage.types("alice", "rollback");
        REQUIRE(stage.until([&] { return !stage.world.bank()->state().committed.empty(); }));
        stage.does(kBank, "delete-cohort alice --force");
        stage.lift(rule);
        // The bank tells the epoch that it knows with every attachment.
        stage.pass(seconds(30));
        CHECK(stage.epoch("alice") == Epoch(2));
        stage.comes_to_rest();
    });
}

TEST_CASE("business: a settlement that its customer has left holds no deal of an older epoch") {
    for (const bool by_deal : {true, false}) {
        INFO(by_deal);
        Stage stage(StableMode::checkpoint, 1, Stage::Cohort::none);
        stock(stage);
        // The bank has the settlement, and the customer gives the checkpoint up.
        const auto rule = stage.drop([](auto& from, auto&, auto& datagram) {
            return from == kBank && (datagram.has_settle_ack() || datagram.has_decision());
        });
        CHECK(stage.does("alice", "buy apple 4") ==
              "SUCCESS buy apple quantity 4 amount 12 order 1 pending balance 88");
        CHECK(in_stock(stage) == 6);
        restart(stage, "alice");
        stage.lift(rule);
        stage.pass(seconds(1));
        CHECK(stage.balance("alice") == "100");
        if (by_deal) {
            stage.does("alice", "buy apple 1");
            CHECK(in_stock(stage) == 9);
            CHECK(own_account(stage, "shop") == "3");
        } else {
            stage.does("alice", "exit");
            CHECK(in_stock(stage) == 10);
        }
        CHECK(stage.world.business().count().cancelled == 1);
        stage.pass(seconds(1));
    }
}

TEST_CASE("business: an account is closed with the deals that are pending, across a restart") {
    in_both_modes([](StableMode mode) {
        for (const bool refused : {false, true}) {
            INFO(refused);
            Stage stage(mode, 1, Stage::Cohort::none);
            stock(stage);
            if (refused) {
                stage.does(kBank, "set loan-least 1");
                stage.does("alice", "loan 10 12");
            }
            const auto settling = stage.drop([](auto& from, auto&, auto& datagram) {
                return from == kBank && (datagram.has_settle_ack() || datagram.has_decision());
            });
            stage.does("alice", "deposit 7");
            CHECK(stage.does("alice", "buy apple 4").find(" pending balance ") !=
                  std::string::npos);
            stage.lift(settling);
            stage.pass(seconds(1));
            const auto closing = stage.drop([](auto&, auto&, auto& datagram) {
                return datagram.has_command() || datagram.has_reply();
            });
            stage.types("alice", "exit");
            REQUIRE(
                stage.until([&] { return stage.of("alice").phase == customer::Phase::exiting; }));
            stage.pass(seconds(1));
            restart(stage, "alice");
            CHECK(stage.balance("alice") == (refused ? "105" : "95"));
            stage.pass(seconds(2));  // attached again
            stage.lift(closing);
            if (refused) {
                CHECK(
                    stage.until([&] { return stage.of("alice").phase == customer::Phase::open; }));
                CHECK(stage.balance("alice") == "105");
                stage.does("alice", "buy apple 1");
                stage.does("alice", "checkpoint");
                CHECK(in_stock(stage) == 5);
                CHECK(own_account(stage, "shop") == "15");
                stage.comes_to_rest();
            } else {
                CHECK(stage.until([&] { return stage.world.last_status(stage.at("alice")) == 0; }));
                CHECK(stage.row("alice").starts_with("95"));
                CHECK(in_stock(stage) == 6);
                CHECK(own_account(stage, "shop") == "12");
                CHECK(stage.world.business().count().cancelled == 0);
            }
        }
    });
}

TEST_CASE("business: a deal that first comes after its customer's rollback is not accepted") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stock(stage);
        stage.does("bob", "transfer 1 alice");
        const auto deals =
            stage.hold([](auto&, auto&, auto& datagram) { return is_deal(datagram); });
        const CommandId buy = stage.types("alice", "buy apple 4");
        REQUIRE(stage.until([&] { return stage.of("alice").deal.has_value(); }));
        stage.does("bob", "rollback");
        CHECK(stage.wait(buy).starts_with("FAILURE rolled-back"));
        stage.lift_and_release(deals);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
        CHECK(stage.world.business().count().made == 0);
    });
}

TEST_CASE("business: a settlement that comes after its customer's rollback is not wondered about") {
    in_both_modes_and_wires([](StableMode mode, Wire wire) {
        Stage stage(mode, 2, Stage::Cohort::of_all, wire);
        stock(stage);
        stage.does("bob", "transfer 1 alice");
        stage.does("alice", "buy apple 4");
        const auto settles = stage.hold([](auto& from, auto&, auto& datagram) {
            return from == "alice" && datagram.has_settle();
        });
        CHECK(!stage.say("alice", "checkpoint").starts_with("SUCCESS"));
        stage.does("bob", "rollback");
        stage.lift_and_release(settles);
        stage.comes_to_rest();
        CHECK(stage.balance("alice") == "100");
        CHECK(in_stock(stage) == 10);
    });
}
