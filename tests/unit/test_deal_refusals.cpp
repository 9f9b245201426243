// Deals that the bank refuses: each by its own code, and nothing is reserved, lent or paid for it.
#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "tests/unit/lamp_shop.h"

using namespace p2pbank;

namespace {

wire::Deal deal(wire::DealKind kind, const std::string& what, int64_t cents, uint64_t quantity = 0,
                uint32_t months = 0) {
    wire::Deal made;
    made.set_kind(kind);
    made.set_what(what);
    made.set_amount(cents);
    made.set_quantity(quantity);
    made.set_months(months);
    return made;
}
wire::Deal purchase(uint64_t quantity, int64_t cents, const std::string& what = "lamp") {
    return deal(wire::DEAL_PURCHASE, what, cents, quantity);
}
wire::Deal payment(const std::string& what, int64_t cents) {
    return deal(wire::DEAL_PAYMENT, what, cents);
}
wire::Deal loan(int64_t cents, uint32_t months) {
    return deal(wire::DEAL_LOAN, "", cents, 0, months);
}
wire::Deal repayment(const std::string& what, int64_t cents) {
    return deal(wire::DEAL_REPAYMENT, what, cents);
}

// A bank in clear at which alice deals, and a shop with five lamps at 2.00.
struct Shop : LampShop {
    uint64_t number = 0;
    uint64_t checkpoints = 0;

    Shop() : LampShop("") { context.settings.insecure = true; }

    void set(const std::string& name, const std::string& value) {
        bank::State::Record record;
        record.mutable_setting_set()->set_name(name);
        record.mutable_setting_set()->set_value(value);
        context.commit(record);
    }
    // A checkpoint of alice's is committed: what is pending is settled.
    void settle() {
        bank::State::Record record;
        auto* settled = record.mutable_settled();
        const OperationId id{"alice", 1, ++checkpoints};
        to_wire(id, settled->mutable_operation());
        settled->set_kind(wire::OPERATION_CHECKPOINT);
        settled->set_name("alice");
        settled->set_epoch(1);
        Totals totals = context.state.find("alice")->totals;
        for (const bank::PendingDeal& deal : known().pending) {
            totals.balance = must_add(totals.balance, deal.amount);
            totals.dealings = must_add(totals.dealings, deal.amount);
        }
        to_wire(totals, settled->mutable_totals());
        context.commit(record);
        decisions.decide(id, wire::OPERATION_CHECKPOINT, true, {"alice"});
        REQUIRE(known().pending.empty());
    }
    const bank::AccountDeals& known() const { return context.state.business.deals_of("alice"); }
    uint64_t lamps() const { return context.state.business.find_product("lamp")->quantity; }

    // With this number, or with 0 as a question. What the journal says when it came back.
    void say(wire::Deal made, uint64_t with_number) {
        wire::Datagram datagram;
        datagram.set_sender("alice");
        datagram.set_instance(1);
        datagram.set_epoch(1);
        made.set_number(with_number);
        *datagram.mutable_deal() = std::move(made);
        deals.on_deal(*context.state.find("alice"), datagram,
                      bank::Origin{{0x7f000001, 9'001}, "alice", 1, KeyBytes{}, true});
    }
    // A deal that is asked for; the bank's reply.
    wire::DealReply make(const wire::Deal& made) {
        say(made, ++number);
        REQUIRE(known().number == number);
        return known().reply;
    }
    std::string code(const wire::Deal& made) {
        const wire::DealReply reply = make(made);
        CHECK(reply.accepted() == reply.code().empty());
        const bool is_explained = reply.accepted() || !reply.text().empty();
        CHECK(is_explained);
        return reply.code();
    }
};

}  // namespace

TEST_CASE("deal refusals: a purchase") {
    Shop shop;
    CHECK(shop.code(purchase(1, 2'00, "sofa")) == "unknown-product");
    CHECK(shop.code(purchase(1, 2'00, "")) == "unknown-product");
    CHECK(shop.code(purchase(0, 0)) == "bad-quantity");
    CHECK(shop.code(purchase(limits::kMaxQuantity + 1, 2'00)) == "bad-quantity");
    CHECK(shop.code(purchase(UINT64_MAX, 2'00)) == "bad-quantity");
    CHECK(shop.code(purchase(6, 12'00)) == "out-of-stock");
    CHECK(shop.known().pending.empty());
    CHECK(shop.lamps() == 5);
    CHECK(shop.code(purchase(5, 10'00)).empty());
    CHECK(shop.lamps() == 0);
    CHECK(shop.code(purchase(1, 2'00)) == "out-of-stock");
}

TEST_CASE("deal refusals: at another price than it was asked for, and that answer stays") {
    Shop shop;
    CHECK(shop.code(purchase(2, 3'99)) == "price-changed");
    CHECK(shop.code(purchase(2, 4'01)) == "price-changed");
    CHECK(shop.code(purchase(2, -4'00)) == "price-changed");
    CHECK(shop.code(purchase(2, 0)) == "price-changed");
    shop.put("lamp", 3'00, 5);
    CHECK(shop.code(purchase(2, 4'00)) == "price-changed");
    // A late copy, when the price is the one that was asked for again.
    shop.put("lamp", 2'00, 5);
    const size_t records = shop.effects.records.size();
    shop.say(purchase(2, 4'00), shop.number);
    CHECK(shop.known().reply.code() == "price-changed");
    CHECK(shop.effects.records.size() == records);
    CHECK(shop.lamps() == 5);
    CHECK(shop.known().pending.empty());
    CHECK(shop.code(purchase(2, 4'00)).empty());
    CHECK(shop.lamps() == 3);
}

TEST_CASE(
    "deal refusals: a question is told what it comes to, whatever amount it has, and leaves "
    "nothing") {
    Shop shop;
    const size_t records = shop.effects.records.size();
    shop.say(purchase(2, 77), 0);
    shop.say(purchase(6, 12'00), 0);
    shop.say(payment("Nobody", 1'00), 0);
    CHECK(shop.effects.records.size() == records);
    CHECK(shop.known().number == 0);
    CHECK(shop.lamps() == 5);
}

TEST_CASE("deal refusals: a payment") {
    Shop shop;
    CHECK(shop.code(payment("Nobody", 1'00)) == "unknown-biller");
    CHECK(shop.code(payment("", 1'00)) == "unknown-biller");
    for (const int64_t cents :
         {int64_t{0}, int64_t{-1}, INT64_MIN, limits::kMaxAmountUnits * 100 + 1, INT64_MAX}) {
        CHECK(shop.code(payment("water", cents)) == "bad-amount");
    }
    CHECK(shop.known().pending.empty());
    const wire::DealReply reply = shop.make(payment("wATER", 1'00));
    CHECK(reply.accepted());
    CHECK(reply.what() == "Water");  // as the bank spells it
    CHECK(reply.has_token());
    CHECK_FALSE(shop.make(payment("rent", 1'00)).has_token());
}

TEST_CASE("deal refusals: a loan") {
    Shop shop;
    shop.set("loan-least", "100");
    shop.set("loan-most", "1000");
    shop.set("loan-months", "24");
    shop.set("open-loans", "2");
    for (const int64_t cents : {int64_t{0}, int64_t{-100'00}, INT64_MIN}) {
        CHECK(shop.code(loan(cents, 12)) == "bad-amount");
    }
    CHECK(shop.code(loan(99'99, 12)) == "loan-limit");
    CHECK(shop.code(loan(1'000'01, 12)) == "loan-limit");
    CHECK(shop.code(loan(100'00, 0)) == "loan-limit");
    CHECK(shop.code(loan(100'00, 25)) == "loan-limit");
    CHECK(shop.code(loan(100'00, UINT32_MAX)) == "loan-limit");
    CHECK(shop.context.state.business.loans().empty());
    CHECK(shop.code(loan(100'00, 24)).empty());
    CHECK(shop.code(loan(1'000'00, 1)).empty());
    CHECK(shop.code(loan(100'00, 12)) == "loan-limit");
    CHECK(shop.context.state.business.loans().size() == 2);
}

TEST_CASE("deal refusals: a repayment") {
    Shop shop;
    CHECK(shop.code(repayment("1", 1'00)) == "unknown-loan");
    const wire::DealReply lent = shop.make(loan(1'000'00, 12));
    REQUIRE(lent.accepted());
    const std::string id = std::to_string(lent.order());
    CHECK(shop.code(repayment(id + "0", 1'00)) == "unknown-loan");
    CHECK(shop.code(repayment("0" + id, 1'00)) == "unknown-loan");
    CHECK(shop.code(repayment("", 1'00)) == "unknown-loan");
    CHECK(shop.code(repayment(id, 0)) == "bad-amount");
    CHECK(shop.code(repayment(id, -1)) == "bad-amount");
    CHECK(shop.code(repayment(id, 2'000'00)) == "too-much");
    const bank::Loan& kept = shop.context.state.business.loans().at(lent.order());
    CHECK(kept.payments.empty());
    const int64_t payoff = kept.standing(shop.context.wall_us()).payoff.cents();
    CHECK(shop.code(repayment(id, payoff + 1)) == "too-much");
    CHECK(shop.code(repayment(id, payoff - 1)).empty());
    CHECK(shop.code(repayment(id, 2)) == "too-much");
    CHECK(shop.code(repayment(id, 1)).empty());
    CHECK(shop.code(repayment(id, 1)) == "repaid");
    CHECK(kept.payments.size() == 2);
}

TEST_CASE("deal refusals: a loan with as many payments as the bank keeps is ended at once") {
    Shop shop;
    const wire::DealReply lent = shop.make(loan(1'000'00, 12));
    REQUIRE(lent.accepted());
    const std::string id = std::to_string(lent.order());
    const bank::Loan& kept = shop.context.state.business.loans().at(lent.order());
    while (kept.payments.size() < limits::kMaxLoanPayments) {
        bank::State::Record record;
        auto* dealt = record.mutable_dealt();
        dealt->set_account("alice");
        dealt->set_epoch(1);
        dealt->set_number(++shop.number);
        dealt->set_order(shop.context.state.business.next_order());
        dealt->set_accepted(true);
        dealt->set_kind(wire::DEAL_REPAYMENT);
        dealt->set_what(id);
        dealt->set_amount(-1);
        shop.context.commit(record);
        if (kept.payments.size() % 5'000 == 0) shop.settle();
    }
    const wire::DealReply reply = shop.make(repayment(id, 1));
    CHECK(reply.code() == "limit");
    CHECK(reply.text().find("the loan has too many payments: end it with ") == 0);
    CHECK(kept.payments.size() == limits::kMaxLoanPayments);
    // And it can be ended.
    const int64_t payoff = kept.standing(shop.context.wall_us()).payoff.cents();
    CHECK(shop.code(repayment(id, payoff - 1)) == "limit");
    CHECK(shop.code(repayment(id, payoff)).empty());
    CHECK(shop.context.state.business.open_loans("alice", shop.context.wall_us()) == 0);
    CHECK(shop.code(repayment(id, 1)) == "repaid");
    // A snapshot has all of it.
    bank::State again;
    shop.context.state.snapshot([&](const std::string& bytes) {
        bank::State::Record record;
        REQUIRE(record.ParseFromString(bytes));
        REQUIRE(again.apply(record).ok());
    });
    CHECK(again.business.open_loans("alice", shop.context.wall_us()) == 0);
}

TEST_CASE("deal refusals: a kind that this bank does not know") {
    Shop shop;
    CHECK(shop.code(deal(wire::DEAL_NONE, "lamp", 2'00, 1)) == "refused");
    CHECK(shop.code(deal(static_cast<wire::DealKind>(77), "lamp", 2'00, 1)) == "refused");
    CHECK(shop.known().pending.empty());
    CHECK(shop.lamps() == 5);
}

TEST_CASE("deal refusals: no more than so many are pending, nor more money than fits") {
    Shop shop;
    for (size_t i = 0; i < limits::kMaxPendingDeals; ++i) {
        REQUIRE(shop.code(payment("water", 1)).empty());
    }
    const wire::DealReply reply = shop.make(payment("water", 1));
    CHECK(reply.code() == "limit");
    CHECK(reply.text() == "too many deals are pending: take a checkpoint first");
    CHECK(shop.known().pending.size() == limits::kMaxPendingDeals);

    Shop rich;
    CHECK(rich.code(payment("water", limits::kMaxAmountUnits * 100)).empty());
    CHECK(rich.make(payment("water", 1)).text() == "too much is pending: take a checkpoint first");
    CHECK(rich.known().pending.size() == 1);
}

TEST_CASE("deal refusals: what is refused stays refused when the bank was started again") {
    Shop shop;
    CHECK(shop.code(purchase(6, 12'00)) == "out-of-stock");
    CHECK(shop.code(purchase(5, 10'00)).empty());
    CHECK(shop.code(purchase(1, 2'00)) == "out-of-stock");
    PeopleBank again;
    again.replay(shop.effects.records);
    const bank::Business& business = again.context.state.business;
    const bank::AccountDeals& known = business.deals_of("alice");
    CHECK(known.number == 3);
    CHECK_FALSE(known.reply.accepted());
    CHECK(known.reply.code() == "out-of-stock");
    CHECK(known.pending.size() == 1);
    CHECK(business.find_product("lamp")->quantity == 0);
}
