#include <doctest/doctest.h>

#include "bank/deals.h"
#include "bank/decisions.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;

namespace {

// A bank at which alice's account belongs to a person, and a shop with one product.
struct DealBank : PeopleBank {
    bank::Decisions decisions{context, [](const OperationId&) {}};
    bank::Deals deals{context, decisions, sign_in};

    DealBank() {
        bank::State::Record record;
        auto* opened = record.mutable_opened();
        opened->set_name("alice");
        opened->set_balance(100'00);
        opened->set_opener(7);
        opened->set_owner("alice@example.org");
        context.commit(record);
        record.Clear();
        record.mutable_attached()->set_name("alice");
        record.mutable_attached()->set_opener(7);
        record.mutable_attached()->set_boots(1);
        record.mutable_attached()->set_epoch(1);
        context.commit(record);
        record.Clear();
        auto* product = record.mutable_products()->add_products();
        product->set_id("lamp");
        product->set_name("Lamp");
        product->set_price(2'00);
        product->set_quantity(5);
        product->add_categories("light");
        context.commit(record);
    }

    bank::Account& alice() { return *context.state.find("alice"); }

    void deal(uint64_t number, uint64_t epoch, uint64_t instance = 1) {
        wire::Datagram datagram;
        datagram.set_sender("alice");
        datagram.set_instance(instance);
        datagram.set_epoch(epoch);
        wire::Deal* deal = datagram.mutable_deal();
        deal->set_number(number);
        deal->set_kind(wire::DEAL_PURCHASE);
        deal->set_what("lamp");
        deal->set_quantity(1);
        deal->set_amount(2'00);
        deals.on_deal(alice(), datagram, bank::Origin{{}, "alice", instance, KeyBytes{7}, true});
    }
};

}  // namespace

TEST_CASE("deals: what the owner has not signed leaves no trace in her account") {
    DealBank bank;
    const size_t records = bank.effects.records.size();
    for (const auto& [number, epoch] :
         {std::pair<uint64_t, uint64_t>{1, 1}, {1'000, 1}, {1, uint64_t(1) << 62}}) {
        bank.deal(number, epoch);
    }
    const bank::AccountDeals& known = bank.context.state.business.deals_of("alice");
    CHECK(known.number == 0);
    CHECK(known.epoch == 0);
    CHECK(known.pending.empty());
    CHECK(bank.alice().epoch == 1);
    CHECK(bank.context.state.business.find_product("lamp")->quantity == 5);
    // Only that somebody was refused is written down.
    for (size_t i = records; i < bank.effects.records.size(); ++i) {
        bank::State::Record record;
        REQUIRE(record.ParseFromString(bank.effects.records[i]));
        CHECK(record.has_refused());
    }
}

TEST_CASE("deals: a run of the program that has not attached is not heard") {
    DealBank bank;
    bank.alice().more().owner.clear();
    bank.deal(1, 1, 2);
    CHECK(bank.context.state.business.deals_of("alice").number == 0);
    bank.deal(1, 1, 1);
    CHECK(bank.context.state.business.deals_of("alice").number == 1);
    CHECK(bank.context.state.business.find_product("lamp")->quantity == 4);
    bank.deal(1, 1, 1);  // a copy
    CHECK(bank.context.state.business.find_product("lamp")->quantity == 4);
}
