#include <doctest/doctest.h>

#include "tests/unit/lamp_shop.h"

using namespace p2pbank;

namespace {

// A bank at which alice's account belongs to a person, and a shop with one product.
struct DealBank : LampShop {
    DealBank() : LampShop("alice@example.org") {}

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
