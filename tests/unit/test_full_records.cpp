// Records fit into frames of the journal, however much has come together.
#include <doctest/doctest.h>

#include "bank/domain/tokens.h"
#include "bank/state.h"
#include "common/core/statement.h"
#include "common/stable/frame.h"
#include "common/wire/convert.h"
#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

uint64_t largest_record(
    const std::function<void(const std::function<void(std::string)>&)>& snapshot) {
    uint64_t most = 0;
    snapshot(
        [&](const std::string& record) { most = std::max(most, frame::record_bytes(record)); });
    return most;
}

std::string name_of(int i) {
    std::string name = "customer-" + std::to_string(i) + "-";
    return name + std::string(limits::kMaxNameBytes - name.size(), 'x');
}

}  // namespace

TEST_CASE("bank snapshot: accounts with as many pending deals as there may be fit into frames") {
    bank::State state;
    uint64_t order = 0;
    for (int i = 0; i < 512; ++i) {
        bank::State::Record record;
        auto* account = record.mutable_accounts()->add_accounts();
        account->set_name(name_of(i));
        account->set_deal_epoch(1);
        account->set_deal_number(limits::kMaxPendingDeals);
        for (size_t d = 0; d < limits::kMaxPendingDeals; ++d) {
            auto* deal = account->add_pending();
            deal->set_order(++order);
            deal->set_epoch(1);
            deal->set_kind(wire::DEAL_PAYMENT);
            deal->set_what("Electricity");
            deal->set_quantity(1);
            deal->set_amount(-12'34);
            deal->set_token(bank::make_token(order));
            deal->set_at_ms(1'795'000'000'000);
        }
        REQUIRE(state.apply(record).ok());
    }
    CHECK(largest_record([&](const auto& take) { state.snapshot(take); }) <=
          frame::kMaxPayloadBytes);
}

TEST_CASE("bank snapshot: what the members of the largest cohort have settled fits into frames") {
    bank::State state;
    constexpr int kMembers = static_cast<int>(limits::kMaxCohort);
    for (int i = 0; i < kMembers; ++i) {
        bank::State::Record record;
        record.mutable_opened()->set_name(name_of(i));
        REQUIRE(state.apply(record).ok());
    }
    // All have sent something to all and received something, and have the notes of their cash.
    wire::Statement statement;
    statement.set_kind(wire::OPERATION_CHECKPOINT);
    for (int i = 0; i < kMembers - 1; ++i) {
        Channel channel;
        channel.sent_last = Label(1'000);
        channel.sent_sum = Money::from_cents(1'000'000);
        channel.received.add(1, 1'000, [](uint64_t, uint64_t) {});
        channel.received_sum = Money::from_cents(1'000'000);
        to_wire(name_of(i), channel, statement.add_channels());
    }
    for (size_t i = 0; i < limits::kMaxActivityInSettlement; ++i) {
        wire::Activity* line = statement.add_activity();
        line->set_kind(2);
        line->set_amount(100'00);
        line->set_balance(1'000'000);
        line->set_at_ms(1'795'000'000'000);
        line->set_note(std::string(limits::kMaxNoteBytes, 'n'));
    }
    for (int i = 0; i < kMembers; ++i) {
        statement.set_name(name_of(i));
        bank::State::Record record;
        auto* settled = record.mutable_settled();
        settled->mutable_operation()->set_initiator(name_of(0));
        settled->mutable_operation()->set_epoch(1);
        settled->mutable_operation()->set_counter(1);
        settled->set_kind(wire::OPERATION_CHECKPOINT);
        settled->set_name(name_of(i));
        *settled->mutable_statement() = sign_statement(nullptr, statement);
        REQUIRE(settled->ByteSizeLong() < limits::kMaxMessageBytes);
        REQUIRE(state.apply(record).ok());
    }
    CHECK(largest_record([&](const auto& take) { state.snapshot(take); }) <=
          frame::kMaxPayloadBytes);
}

TEST_CASE("bank snapshot: what was settled comes back from its parts") {
    bank::State state;
    for (int i = 0; i < 200; ++i) {
        bank::State::Record record;
        record.mutable_opened()->set_name(name_of(i));
        REQUIRE(state.apply(record).ok());
        record.Clear();
        wire::Statement statement;
        statement.set_name(name_of(i));
        statement.set_number(7);
        statement.set_previous("before");
        statement.mutable_totals()->set_balance(i);
        for (size_t line = 0; line < 300; ++line) {
            statement.add_activity()->set_note(std::string(140, 'n'));
        }
        auto* settled = record.mutable_settled();
        settled->mutable_operation()->set_initiator(name_of(i % 3));
        settled->mutable_operation()->set_epoch(1);
        settled->mutable_operation()->set_counter(1);
        settled->set_kind(wire::OPERATION_CHECKPOINT);
        settled->set_name(name_of(i));
        *settled->mutable_statement() = sign_statement(nullptr, statement);
        REQUIRE(state.apply(record).ok());
    }
    const auto parts_of = [](const bank::State& from) {
        std::vector<std::string> parts;
        from.snapshot([&](std::string part) { parts.push_back(std::move(part)); });
        return parts;
    };
    const auto parts = parts_of(state);
    bank::State copy;
    for (const std::string& part : parts) {
        bank::State::Record record;
        REQUIRE(record.ParseFromString(part));
        REQUIRE(copy.apply(record).ok());
    }
    CHECK(copy.position == state.position);
    CHECK(parts_of(copy) == parts);
    REQUIRE(copy.operations.size() == 3);
    const auto& settlements = copy.operations.at(name_of(0)).settlements;
    REQUIRE(settlements.size() == 67);
    CHECK(settlements.at(name_of(198)).totals.balance == Money::from_cents(198));
    CHECK(settlements.at(name_of(198)).number == 7);
}

TEST_CASE("customer snapshot: as many transfers as are kept fit into a frame") {
    customer::State state;
    customer::State::Record record;
    record.mutable_opened()->set_name("alice");
    record.mutable_opened()->mutable_totals()->set_balance(int64_t{1} << 60);
    REQUIRE(state.apply(record).ok());
    customer::Peer& peer = state.peers["bob"];
    peer.name = "bob";
    // The dearest to write down: the longest labels and amounts.
    constexpr size_t kSome = 10'000;
    const Money amount = Money::from_cents(limits::kMaxAmountUnits * 100);
    const auto bytes_of_state = [&] {
        customer::State::Record whole;
        state.snapshot(whole);
        return whole.ByteSizeLong();
    };
    const size_t empty = bytes_of_state();
    for (size_t i = 0; i < kSome; ++i) {
        customer::SentEntry entry;
        entry.label = Label(kMaxLabel - kSome + i);
        entry.amount = amount;
        entry.lost = true;
        peer.sent_log.push_back(entry);
        peer.received_log.add(entry.label, amount);
    }
    const size_t each = (bytes_of_state() - empty + kSome - 1) / kSome;
    CHECK(each > 20);
    // Beside them there is room for gaps, peers and activity.
    CHECK(each * limits::kMaxLogged + 32 * 1'024 * 1'024 < frame::kMaxPayloadBytes);
}

TEST_CASE("customer snapshot: no more is sent to all together than fits") {
    CustomerSettings settings = CohortWorld::settings();
    settings.most_logged = 3;
    CohortWorld cohort(settings);
    for (const char* line : {"transfer 1 bob", "transfer 1 carol", "transfer 1 bob"}) {
        CHECK(cohort.world.answer_to(line).outcome == Outcome::success);
    }
    const Answer refused = cohort.world.answer_to("transfer 1 carol");
    CHECK(refused.code == "limit");
    CHECK(cohort.state().totals.balance == Money::from_cents(97'00));
    // Bob's checkpoint covers what he has.
    wire::Datagram message;
    IntervalSet covered;
    covered.add(Label(1));
    covered.add(Label(2));
    to_wire(covered, message.mutable_ack()->mutable_received());
    to_wire(covered, message.mutable_ack()->mutable_covered());
    cohort.say(cohort.bob, message);
    CHECK(cohort.world.answer_to("transfer 1 carol").outcome == Outcome::success);
    CHECK(cohort.world.answer_to("transfer 1 carol").outcome == Outcome::success);
    CHECK(cohort.world.answer_to("transfer 1 carol").code == "limit");
}

TEST_CASE("customer snapshot: no more is taken from all together than fits, and the rest waits") {
    CustomerSettings settings = CohortWorld::settings();
    settings.most_logged = 3;
    CohortWorld cohort(settings);
    cohort.peers_sign = true;
    const auto send = [&](Played& who, uint64_t label) {
        const auto transfers = transfers_of({{label, 100}});
        cohort.sent[who.name][label] = 100;
        cohort.send(who, transfers);
        cohort.sign(who, {transfers});
    };
    send(cohort.bob, 1);
    send(cohort.carol, 1);
    cohort.send(cohort.bob, transfers_of({{2, 100}, {3, 100}}));  // one fits
    CHECK(cohort.state().totals.balance == Money::from_cents(103'00));
    send(cohort.carol, 2);
    CHECK(cohort.state().totals.balance == Money::from_cents(103'00));
    cohort.sent["bob"][2] = 100;
    cohort.sign(cohort.bob, {transfers_of({{2, 100}, {3, 100}})});
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    // They come again, as their senders have no acknowledgement.
    send(cohort.carol, 2);
    cohort.send(cohort.bob, transfers_of({{3, 100}}));
    CHECK(cohort.state().totals.balance == Money::from_cents(105'00));
}
