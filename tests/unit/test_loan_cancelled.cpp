// Whether a loan is still open is found out once: what can change it again.
#include <doctest/doctest.h>

#include "bank/decisions.h"
#include "common/wire/convert.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;

TEST_CASE("loans: one is open again when the payment that ended it is cancelled") {
    PeopleBank bank;
    bank.context.settings.insecure = true;
    bank.context.now = TimePoint(seconds(1'795'000'000));
    bank::Decisions decisions{bank.context, [](const OperationId&) {}};
    const auto put = [&](auto fill) {
        bank::State::Record record;
        fill(record);
        bank.context.commit(record);
    };
    put([](bank::State::Record& record) {
        record.mutable_opened()->set_name("alice");
        record.mutable_opened()->set_balance(100'00);
        record.mutable_opened()->set_opener(7);
    });
    uint64_t number = 0;
    const auto dealt = [&](wire::DealKind kind, const std::string& what, int64_t cents,
                           uint64_t epoch) {
        const uint64_t order = bank.context.state.business.next_order();
        put([&](bank::State::Record& record) {
            auto* made = record.mutable_dealt();
            made->set_account("alice");
            made->set_epoch(epoch);
            made->set_number(++number);
            made->set_order(order);
            made->set_accepted(true);
            made->set_kind(kind);
            made->set_what(what);
            made->set_amount(cents);
            made->set_months(12);
        });
        return order;
    };
    const auto open = [&] {
        return bank.context.state.business.open_loans("alice", bank.context.wall_us());
    };
    const uint64_t loan = dealt(wire::DEAL_LOAN, "", 100'00, 1);
    // A checkpoint settles it.
    const OperationId id{"alice", 1, 1};
    put([&](bank::State::Record& record) {
        auto* settled = record.mutable_settled();
        to_wire(id, settled->mutable_operation());
        settled->set_kind(wire::OPERATION_CHECKPOINT);
        settled->set_name("alice");
        settled->set_epoch(1);
        Totals totals = bank.context.state.find("alice")->totals;
        totals.balance = must_add(totals.balance, Money::from_cents(100'00));
        totals.dealings = Money::from_cents(100'00);
        to_wire(totals, settled->mutable_totals());
    });
    decisions.decide(id, wire::OPERATION_CHECKPOINT, true, {"alice"});
    const auto& kept = bank.context.state.business.loans().at(loan);
    REQUIRE(kept.settled);
    const int64_t payoff = kept.standing(bank.context.wall_us()).payoff.cents();
    CHECK(open() == 1);
    dealt(wire::DEAL_REPAYMENT, std::to_string(loan), -payoff, 1);
    CHECK(open() == 0);
    CHECK(open() == 0);
    // The bank hears of a newer epoch: what is pending of the older one is cancelled.
    decisions.heard_in_epoch(*bank.context.state.find("alice"), 2);
    CHECK(kept.payments.empty());
    CHECK(open() == 1);
    dealt(wire::DEAL_REPAYMENT, std::to_string(loan), 1 - payoff, 2);
    CHECK(open() == 1);
    dealt(wire::DEAL_REPAYMENT, std::to_string(loan), -1, 2);
    CHECK(open() == 0);
}
