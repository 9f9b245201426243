// A payment whose line is no longer in the customer's activity when it is to be answered.
#include <doctest/doctest.h>

#include "tests/unit/cohort_world.h"

using namespace p2pbank;

TEST_CASE(
    "customer deals: a flood of transfers does not make a payment look as if it were undone") {
    CohortWorld cohort;
    auto& bank = cohort.world.bank();
    const auto as_ever = bank.on_message;
    bank.on_message = [&](const wire::Datagram& heard) {
        as_ever(heard);
        if (!heard.has_deal()) return;
        wire::Datagram message;
        wire::DealReply* reply = message.mutable_deal_reply();
        reply->set_number(heard.deal().number());
        reply->set_nonce(heard.deal().nonce());
        reply->set_epoch(heard.epoch());
        reply->set_amount(5'00);
        reply->set_what("water");
        reply->set_name("water");
        reply->set_accepted(true);
        reply->set_order(heard.deal().number());
        reply->set_has_token(true);
        message.set_receiver("alice");
        message.set_receiver_instance(heard.instance());
        bank.courier.send(cohort.world.now(), Socket::bank, kCustomerAt[0],
                          cohort.world.keys().channel, message, bank.effects);
    };
    // Bob has to take part in what the payment needs, and does not answer.
    cohort.send(cohort.bob, transfers_of({{1, 1}}));
    cohort.votes = false;
    const CommandId id = cohort.world.type("pay water 5");
    for (int i = 0; i < 50 && !cohort.state().operation; ++i) cohort.world.run(milliseconds(10));
    REQUIRE(cohort.state().operation.has_value());
    REQUIRE_FALSE(cohort.world.effects.answers.contains(id));
    const uint64_t before = cohort.state().activity.count();
    for (uint64_t label = 2; cohort.state().activity.dropped < before; label += 100) {
        REQUIRE(label < 20'000);
        wire::Transfers many;
        many.set_first_label(label);
        for (int i = 0; i < 100; ++i) many.add_amounts(1);
        cohort.send(cohort.bob, many);
    }
    REQUIRE_FALSE(cohort.world.effects.answers.contains(id));
    for (int i = 0; i < 300 && !cohort.world.effects.answers.contains(id); ++i) {
        cohort.world.run(milliseconds(100));
    }
    REQUIRE(cohort.world.effects.answers.contains(id));
    // The money is paid, and nothing has given it back.
    CHECK(cohort.state().totals.dealings.cents() == -5'00);
    const Answer& answer = cohort.world.effects.answers.at(id);
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.text.starts_with("pay water amount 5 order 1 pending"));
}
