// A bank at which alice has 100, and a shop with five lamps at 2.00, for tests of deals.
#pragma once

#include <string>

#include "bank/deals.h"
#include "bank/decisions.h"
#include "tests/unit/people_helpers.h"

namespace p2pbank {

struct LampShop : PeopleBank {
    bank::Decisions decisions{context, [](const OperationId&) {}};
    bank::Deals deals{context, decisions, sign_in};

    // The e-mail of the person whose account it is; empty: nobody's.
    explicit LampShop(const std::string& owner) {
        bank::State::Record record;
        auto* opened = record.mutable_opened();
        opened->set_name("alice");
        opened->set_balance(100'00);
        opened->set_opener(7);
        opened->set_owner(owner);
        context.commit(record);
        record.Clear();
        record.mutable_attached()->set_name("alice");
        record.mutable_attached()->set_opener(7);
        record.mutable_attached()->set_boots(1);
        record.mutable_attached()->set_epoch(1);
        context.commit(record);
        put("lamp", 2'00, 5);
    }

    bank::Account& alice() { return *context.state.find("alice"); }

    void put(const std::string& id, int64_t price, uint64_t quantity) {
        bank::State::Record record;
        auto* product = record.mutable_products()->add_products();
        product->set_id(id);
        product->set_name("A " + id);
        product->set_price(price);
        product->set_quantity(quantity);
        product->add_categories("home");
        context.commit(record);
    }
};

}  // namespace p2pbank
