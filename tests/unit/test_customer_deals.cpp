// Deals as the customer makes them, with a bank that a test plays: what it takes of what the bank
// says, and what becomes of a deal that the bank does not answer.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/customer_world.h"

using namespace p2pbank;

namespace {

constexpr int64_t kMost = limits::kMaxAmountUnits * 100;

// Alice has 100.00, outside of a cohort. The bank takes what she settles, but decides nothing.
struct Buyer {
    using Reply = std::optional<wire::DealReply>;

    CustomerWorld world;
    int64_t price = 10'00;          // what the bank says that a deal comes to
    bool answers_questions = true;  // and deals
    bool answers_deals = true;
    std::string refusal;            // of deals, if it is not empty
    std::vector<wire::Deal> deals;  // that were asked for, copies too
    std::vector<wire::Deal> questions;
    uint64_t orders = 0;

    Buyer() {
        const auto as_ever = world.bank().on_message;
        world.bank().on_message = [this, as_ever](const wire::Datagram& message) {
            as_ever(message);
            if (message.has_deal()) on_deal(message);
        };
        world.open("alice");
    }
    void on_deal(const wire::Datagram& message) {
        const wire::Deal& deal = message.deal();
        (deal.number() == 0 ? questions : deals).push_back(deal);
        if (deal.number() == 0 ? answers_questions : answers_deals) answer(reply_to(message));
    }
    wire::DealReply reply_to(const wire::Datagram& message) {
        const wire::Deal& deal = message.deal();
        wire::DealReply reply;
        reply.set_number(deal.number());
        reply.set_nonce(deal.nonce());
        reply.set_epoch(message.epoch());
        reply.set_amount(price);
        reply.set_what(deal.what());
        reply.set_name(deal.what());
        reply.set_accepted(deal.number() == 0 || refusal.empty());
        if (reply.accepted() && deal.number() != 0) reply.set_order(++orders);
        if (!reply.accepted()) {
            reply.set_code(refusal);
            reply.set_text("not any more");
        }
        return reply;
    }
    void answer(const wire::DealReply& reply) {
        wire::Datagram message;
        *message.mutable_deal_reply() = reply;
        message.set_receiver("alice");
        message.set_receiver_instance(world.bank().heard.back().instance());
        Played& bank = world.bank();
        bank.courier.send(world.now(), Socket::bank, kCustomerAt[0], world.keys().channel, message,
                          bank.effects);
    }
    // The same, when nothing is on its way.
    void say(const wire::DealReply& reply) {
        wire::Datagram message;
        *message.mutable_deal_reply() = reply;
        REQUIRE(world.say(world.bank(), message));
    }
    int64_t cents() const { return world.state().totals.balance.cents(); }
    int64_t dealings() const { return world.state().totals.dealings.cents(); }
    bool is_untouched() const {
        return cents() == 100'00 && dealings() == 0 && !world.state().deal && deals.empty();
    }
};

}  // namespace

TEST_CASE("customer deals: a price that makes no sense is not paid") {
    for (const int64_t price :
         {int64_t{0}, int64_t{-1}, int64_t{-100'00}, INT64_MIN, kMost + 1, INT64_MAX}) {
        CAPTURE(price);
        Buyer buyer;
        buyer.price = price;
        for (const char* line : {"buy lamp 1", "pay water 5", "loan 50 12", "repay 3 5"}) {
            const Answer answer = buyer.world.answer_to(line);
            CHECK(answer.outcome == Outcome::failure);
            CHECK(answer.code == "refused");
        }
        CHECK(buyer.questions.size() == 4);
        CHECK(buyer.is_untouched());
    }
}

TEST_CASE("customer deals: nobody pays more than there is") {
    Buyer buyer;
    buyer.price = 100'01;
    for (const char* line : {"buy lamp 1", "pay water 5", "repay 3 5"}) {
        const Answer answer = buyer.world.answer_to(line);
        CHECK(answer.code == "overdraft");
        CHECK(answer.text ==
              "it comes to 100.01, the balance is 100, 0.01 short; nothing was "
              "changed");
    }
    CHECK(buyer.is_untouched());
    buyer.price = 100'00;
    CHECK(buyer.world.answer_to("pay water 100").outcome == Outcome::success);
    CHECK(buyer.cents() == 0);
    CHECK(buyer.dealings() == -100'00);
}

TEST_CASE("customer deals: nobody borrows more than an account can hold") {
    Buyer buyer;
    buyer.price = kMost;
    int loans = 0;
    std::string code;
    for (; loans < 100 && code.empty(); ++loans) {
        code = buyer.world.answer_to("loan 1000000000000000 12").code;
    }
    CHECK(code == "limit");
    CHECK(loans == 11);
    CHECK(buyer.dealings() == kMaxTotal.cents());
    CHECK(buyer.deals.back().number() == 10);
    CHECK_FALSE(buyer.world.state().deal.has_value());
}

TEST_CASE("customer deals: a deal that the bank refuses after all is paid back") {
    Buyer buyer;
    buyer.refusal = "price-changed";
    const Answer answer = buyer.world.answer_to("buy lamp 2");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.code == "price-changed");
    CHECK(answer.text == "not any more");
    REQUIRE(buyer.deals.size() == 1);
    CHECK(buyer.deals[0].amount() == 10'00);  // as it was asked for
    CHECK(buyer.deals[0].quantity() == 2);
    CHECK(buyer.cents() == 100'00);
    CHECK(buyer.dealings() == 0);
    CHECK_FALSE(buyer.world.state().deal.has_value());
    buyer.refusal.clear();
    CHECK(buyer.world.answer_to("buy lamp 2").outcome == Outcome::success);
    CHECK(buyer.deals.back().number() == 2);
    CHECK(buyer.cents() == 90'00);
}

TEST_CASE("customer deals: a bank that does not say what it comes to changes nothing") {
    Buyer buyer;
    buyer.answers_questions = false;
    const Answer answer = buyer.world.answer_to("buy lamp 1");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.code == "bank-unreachable");
    CHECK(buyer.questions.size() > 1);
    CHECK(buyer.is_untouched());
    // An answer to it that comes too late.
    wire::Datagram late;
    *late.mutable_deal() = buyer.questions.back();
    late.set_epoch(1);
    buyer.say(buyer.reply_to(late));
    CHECK(buyer.is_untouched());
}

TEST_CASE("customer deals: a deal without an answer is unknown, and is told when it is done") {
    for (const bool accepted : {true, false}) {
        CAPTURE(accepted);
        Buyer buyer;
        buyer.answers_deals = false;
        const Answer answer = buyer.world.answer_to("pay water 5");
        CHECK(answer.outcome == Outcome::unknown);
        CHECK(buyer.cents() == 90'00);
        const size_t asked = buyer.deals.size();
        buyer.world.run(seconds(5));
        CHECK(buyer.deals.size() > asked);
        buyer.answers_deals = true;
        if (!accepted) buyer.refusal = "limit";
        buyer.world.run(seconds(5));
        CHECK_FALSE(buyer.world.state().deal.has_value());
        CHECK(buyer.cents() == (accepted ? 90'00 : 100'00));
        CHECK(buyer.world.noticed("what was unknown is now done: water, order 1") ==
              (accepted ? 1 : 0));
        CHECK(buyer.world.noticed("what was unknown is now: it came to nothing (not any more)") ==
              (accepted ? 0 : 1));
    }
}

TEST_CASE("customer deals: only the answer to the deal that is asked for counts") {
    Buyer buyer;
    buyer.answers_deals = false;
    const CommandId id = buyer.world.type("buy lamp 1");
    REQUIRE(buyer.world.state().deal.has_value());
    REQUIRE(buyer.deals.size() == 1);
    wire::Datagram asked;
    *asked.mutable_deal() = buyer.deals[0];
    asked.set_epoch(buyer.world.state().epoch.value());
    const wire::DealReply right = buyer.reply_to(asked);

    wire::DealReply wrong = right;
    wrong.set_number(2);
    buyer.say(wrong);
    wrong = right;
    wrong.set_epoch(right.epoch() + 1);
    buyer.say(wrong);
    wrong.set_epoch(0);
    buyer.say(wrong);
    wrong = right;
    wrong.set_number(0);  // of a question that is not open any more
    wrong.set_accepted(false);
    buyer.say(wrong);
    CHECK(buyer.world.state().deal.has_value());
    CHECK_FALSE(buyer.world.effects.answers.contains(id));
    CHECK(buyer.cents() == 90'00);

    buyer.say(right);
    CHECK_FALSE(buyer.world.state().deal.has_value());
    wrong = right;
    wrong.set_accepted(false);
    buyer.say(wrong);  // it is answered
    CHECK(buyer.cents() == 90'00);
    CHECK(buyer.dealings() == -10'00);
}

TEST_CASE("customer deals: an open deal is asked for again by the next run of the program") {
    Buyer buyer;
    buyer.answers_deals = false;
    buyer.world.type("pay water 5");
    REQUIRE(buyer.world.state().deal.has_value());
    const wire::Deal first = buyer.deals.back();
    buyer.world.restart(CustomerWorld::settings());
    CHECK(buyer.cents() == 90'00);
    CHECK(buyer.world.state().deal.has_value());
    buyer.deals.clear();
    buyer.answers_deals = true;
    buyer.world.run(seconds(5));
    REQUIRE_FALSE(buyer.deals.empty());
    CHECK(buyer.deals[0].number() == first.number());
    CHECK(buyer.deals[0].amount() == first.amount());
    CHECK(buyer.deals[0].what() == first.what());
    CHECK_FALSE(buyer.world.state().deal.has_value());
    CHECK(buyer.cents() == 90'00);
}

TEST_CASE("customer deals: a checkpoint that an open deal holds up says so") {
    CustomerWorld world;
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [&, as_ever](const wire::Datagram& message) {
        as_ever(message);
        if (!message.has_deal() || message.deal().number() != 0) return;
        wire::Datagram reply;
        reply.mutable_deal_reply()->set_nonce(message.deal().nonce());
        reply.mutable_deal_reply()->set_epoch(message.epoch());
        reply.mutable_deal_reply()->set_amount(5'00);
        reply.mutable_deal_reply()->set_what(message.deal().what());
        reply.mutable_deal_reply()->set_name(message.deal().what());
        reply.mutable_deal_reply()->set_accepted(true);
        reply.set_receiver("alice");
        reply.set_receiver_instance(message.instance());
        world.bank().courier.send(world.now(), Socket::bank, kCustomerAt[0], world.keys().channel,
                                  reply, world.bank().effects);
    };
    world.open("alice");
    REQUIRE(world.answer_to("pay water 5").outcome == Outcome::unknown);
    REQUIRE(world.state().deal.has_value());
    for (const char* line : {"checkpoint", "rollback"}) {
        const Answer answer = world.answer_to(line);
        CAPTURE(answer.text);
        CHECK(answer.code == "busy");
        CHECK(answer.text.find("in the middle of a ;") == std::string::npos);
        CHECK((answer.text.find("deal") != std::string::npos ||
               answer.text.find("earlier command") != std::string::npos));
    }
}
