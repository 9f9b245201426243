// An account that holds all but as much as an account can hold.
#include <doctest/doctest.h>

#include "bank/evidence.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

constexpr int64_t kMost = limits::kMaxAmountUnits * 100;

// Alice in a cohort, rich, and a bank that makes deals with her.
struct Rich {
    CohortWorld world;
    bool answers_deals = true;
    std::string refusal;
    uint64_t orders = 0;

    Rich() {
        const auto as_ever = world.world.bank().on_message;
        world.world.bank().on_message = [this, as_ever](const wire::Datagram& message) {
            as_ever(message);
            if (message.has_deal()) on_deal(message);
        };
        // She has taken 10^16 at the counter and 10^16 of each of two peers, and borrowed what
        // leaves room for two amounts.
        for (int i = 0; i < 10; ++i) {
            REQUIRE(world.world.answer_to("deposit 1000000000000000").code.empty());
        }
        for (uint64_t i = 1; i <= 10; ++i) {
            receive(world.bob, i);
            if (i < 10) receive(world.carol, i);
        }
        for (int i = 0; i < 9; ++i) {
            REQUIRE(world.world.answer_to("loan 1000000000000000 12").code.empty());
        }
        REQUIRE(balance() == 38 * kMost + 100'00);
    }
    int64_t balance() const { return world.state().totals.balance.cents(); }
    void receive(Played& who, uint64_t number) {
        world.send(who, transfers_of({{number, static_cast<uint64_t>(kMost)}}));
        world.sign(who, {transfers_of({{number, static_cast<uint64_t>(kMost)}})});
    }
    void on_deal(const wire::Datagram& message) {
        const wire::Deal& deal = message.deal();
        wire::DealReply reply;
        reply.set_number(deal.number());
        reply.set_nonce(deal.nonce());
        reply.set_epoch(message.epoch());
        reply.set_amount(deal.amount());
        reply.set_what(deal.what());
        reply.set_name(deal.what());
        const bool refused = deal.number() != 0 && !refusal.empty();
        reply.set_accepted(!refused);
        if (refused) {
            reply.set_code(refusal);
            reply.set_text("not any more");
        } else if (deal.number() != 0) {
            reply.set_order(++orders);
        }
        if (deal.number() != 0 && !answers_deals) {
            --orders;
            return;
        }
        wire::Datagram out;
        *out.mutable_deal_reply() = reply;
        out.set_receiver("alice");
        out.set_receiver_instance(world.world.bank().heard.back().instance());
        Played& bank = world.world.bank();
        bank.courier.send(world.world.now(), Socket::bank, kCustomerAt[0],
                          world.world.keys().channel, out, bank.effects);
    }
};

}  // namespace

TEST_CASE("limits: money that comes in while a deal is open leaves room for what is given back") {
    Rich rich;
    auto& world = rich.world;
    SUBCASE("a loan that the bank gives") {
        rich.answers_deals = false;
        world.world.type("loan 1000000000000000 12");
        world.world.run(seconds(1));
        REQUIRE(rich.balance() == 38 * kMost + 100'00);
    }
    SUBCASE("a payment that the bank refuses") {
        REQUIRE(world.world.answer_to("loan 1000000000000000 12").code.empty());
        rich.answers_deals = false;
        world.world.type("pay water 1000000000000000");
        world.world.run(seconds(1));
        REQUIRE(rich.balance() == 38 * kMost + 100'00);
        rich.refusal = "unknown-biller";
    }
    REQUIRE(world.state().deal.has_value());
    rich.receive(world.carol, 10);  // what a peer sends meanwhile
    rich.answers_deals = true;
    world.world.run(seconds(2));
    REQUIRE_FALSE(world.state().deal.has_value());
    CHECK(rich.balance() <= kMaxBalance.cents());
    // So the bank takes what she settles.
    world.peers_sign = true;
    world.world.type("checkpoint");
    world.world.run(seconds(2));
    REQUIRE_FALSE(world.settled.empty());
    const auto statement = read_statement(world.settled.back().statement());
    REQUIRE(statement.has_value());
    CHECK(is_within_bounds(from_wire(statement->totals()), {}));
    const auto books = bank::next_books({}, *statement);
    if (!books) CHECK(books.error().message != "more than an account can hold");
}
