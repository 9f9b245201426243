// Numbers that no honest customer has: of statements, corrections, deals and reports. The bank
// refuses them, and nothing that it once took stops it.
#include <doctest/doctest.h>

#include "bank/deals.h"
#include "bank/procedures.h"
#include "tests/unit/bank_world.h"
#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;
using bank::State;

namespace {

constexpr int64_t kMost = limits::kMaxAmountUnits * 100;

struct Alone : EvidenceWorld {
    explicit Alone(bool insecure = false) : EvidenceWorld(insecure) { open("alice", 10'00); }

    void edit(int64_t cents) {
        State::Record record;
        record.mutable_edited()->set_name("alice");
        record.mutable_edited()->set_correction(cents);
        record.mutable_edited()->set_ip(0x7f000001);
        record.mutable_edited()->set_port1(9'001);
        record.mutable_edited()->set_port2(9'002);
        context->commit(record);
    }
    // The customer follows a correction, or says that there was one.
    void adjust(int64_t to) {
        Totals& totals = at("alice").totals;
        const Money by = must_subtract(Money::from_cents(to), totals.adjustments);
        totals.balance = must_add(totals.balance, by);
        totals.adjustments = Money::from_cents(to);
    }
    bool exits() {
        wire::Exit exit;
        *exit.mutable_statement() =
            sign("alice", statement(at("alice"), OperationId(), wire::OPERATION_NONE));
        return decisions->last_statement(account("alice"), exit).has_value();
    }
    // What a bank that did not look would have taken.
    void force_in(const std::string& name, const Totals& totals) {
        State::Record record;
        auto* settled = record.mutable_settled();
        const OperationId id = next_id(name);
        to_wire(id, settled->mutable_operation());
        settled->set_kind(wire::OPERATION_CHECKPOINT);
        settled->set_name(name);
        settled->set_epoch(1);
        to_wire(totals, settled->mutable_totals());
        context->commit(record);
        decisions->decide(id, wire::OPERATION_CHECKPOINT, true, {name});
    }
    size_t notices_with(const std::string& text) const {
        return static_cast<size_t>(std::count_if(
            effects.notices.begin(), effects.notices.end(),
            [&](const auto& notice) { return notice.find(text) != std::string::npos; }));
    }
};

// Field 100, which nothing has.
const std::string kPadding = std::string("\xa2\x06\x04") + "zero";

}  // namespace

TEST_CASE("bounds: a correction that the operator never made is refused, and accuses nobody") {
    for (const bool insecure : {false, true}) {
        Alone world(insecure);
        const Totals before = world.at("alice").totals;
        for (const int64_t invented : {int64_t{50'00}, int64_t{1}, int64_t{-5'00}}) {
            world.adjust(invented);
            CHECK_FALSE(world.checkpoint({"alice"}));
            CHECK_FALSE(world.exits());
            world.at("alice").totals = before;
        }
        CHECK(world.accusations().empty());
        CHECK(world.notices_with("that the operator never made") == 6);
        REQUIRE(world.checkpoint({"alice"}));
        CHECK(world.account("alice").totals.balance == Money::from_cents(10'00));
    }
}

TEST_CASE("bounds: every correction that the bank told is taken, also after a restart") {
    for (const bool snapshot : {false, true}) {
        Alone world;
        const auto restart = [&] { snapshot ? world.restart_from_snapshot() : world.restart(); };
        world.edit(5'00);
        world.edit(0);  // of an address only
        restart();
        world.edit(7'00);
        restart();
        CHECK(world.account("alice").all_corrections() ==
              std::vector<Money>{Money(), Money::from_cents(5'00), Money::from_cents(12'00)});
        REQUIRE(world.checkpoint({"alice"}));  // it has heard of none
        world.adjust(7'00);
        CHECK_FALSE(world.checkpoint({"alice"}));
        world.adjust(5'00);  // of the first
        REQUIRE(world.checkpoint({"alice"}));
        CHECK(world.exits());
        world.adjust(12'00);
        CHECK(world.exits());
        REQUIRE(world.checkpoint({"alice"}));
        CHECK(world.accusations().empty());
        // And everybody who has the bundle can see that.
        if (snapshot) continue;
        const std::string bundle = world.bundle();
        CHECK(codes(bundle).empty());
        CHECK(bank::verify(bundle).notes ==
              std::vector<std::string>{"the balance of alice was corrected by 12 in all: that is "
                                       "the bank's word alone"});
        auto items = items_of(bundle);
        for (Item& item : items) {
            if (!item.has_account()) continue;
            auto* corrections = item.mutable_account()->mutable_corrections();
            corrections->Clear();
            corrections->Add(0);
            corrections->Add(12'00);
        }
        CHECK(codes(sealed(items, world.context->identity)) == std::set<std::string>{"bad-books"});
    }
}

TEST_CASE("bounds: nobody takes back a correction that it has settled") {
    for (const bool snapshot : {false, true}) {
        Alone world;
        const auto restart = [&] { snapshot ? world.restart_from_snapshot() : world.restart(); };
        world.edit(100'00);
        world.edit(-100'00);
        const Totals before = world.at("alice").totals;
        world.adjust(100'00);
        REQUIRE(world.checkpoint({"alice"}));  // it may have heard of the first only
        const Totals corrected = world.at("alice").totals;
        restart();
        world.at("alice").totals = before;
        REQUIRE(world.checkpoint({"alice"}));
        restart();
        world.at("alice").totals = corrected;
        CHECK_FALSE(world.checkpoint({"alice"}));
        world.at("alice").totals = before;
        world.edit(-6'00);
        world.adjust(-6'00);
        REQUIRE(world.checkpoint({"alice"}));
        restart();
        world.at("alice").totals = before;
        CHECK_FALSE(world.checkpoint({"alice"}));
        CHECK(world.accusations().empty());
        CHECK(codes(world.bundle()).empty());
    }
}

TEST_CASE("bounds: the audit shows a correction that an older bank took and nobody made") {
    Alone world;
    const auto difference = [&] { return bank::audit_answer(world.context->state, {}).text; };
    CHECK(difference() == "audit balances 10 in-transit 0 expected 10 difference 0");
    world.adjust(50'00);
    world.force_in("alice", world.at("alice").totals);
    const Answer audit = bank::audit_answer(world.context->state, {});
    CHECK(audit.text == "audit balances 60 in-transit 0 expected 10 difference 50");
    REQUIRE(!audit.lines.empty());
    CHECK(audit.lines[0] ==
          "alice has settled corrections of 50, and the operator has made 0: the "
          "difference is not expected");
}

TEST_CASE("bounds: a statement with more than an account can hold is refused") {
    Alone world;
    const Totals before = world.at("alice").totals;
    const auto takes = [&](const std::function<void(Totals&)>& change) {
        Totals& totals = world.at("alice").totals;
        totals = before;
        change(totals);
        const bool taken =
            world.settle("alice", world.next_id("alice"), wire::OPERATION_CHECKPOINT);
        totals = before;
        return taken;
    };
    const Money over = must_add(kMaxTotal, Money::from_cents(1));
    CHECK(takes([](Totals& t) {
        t.deposits = kMaxTotal;
        t.balance = must_add(t.opening, kMaxTotal);
    }));
    CHECK_FALSE(takes([&](Totals& t) {
        t.deposits = over;
        t.balance = must_add(t.opening, over);
    }));
    CHECK_FALSE(takes([&](Totals& t) { t.deposits = t.withdrawals = over; }));
    CHECK_FALSE(takes([](Totals& t) {
        t.deposits = Money::from_cents(INT64_MAX);
        t.adjustments = Money::from_cents(INT64_MIN);
        t.balance = Money::from_cents(9'99);
    }));
    CHECK(world.accusations().empty());
    // Also on a channel.
    world.open("bob", 10'00);
    world.join(1, {"alice", "bob"});
    world.at("alice").channels["bob"].sent_last = Label(1);
    world.at("alice").channels["bob"].sent_sum = over;
    world.at("alice").totals.deposits = kMaxTotal;
    world.at("alice").totals.balance = Money::from_cents(9'99);
    CHECK_FALSE(world.checkpoint({"alice"}));
    CHECK(world.notices_with("more than an account can hold") == 4);
}

TEST_CASE("bounds: what an older bank took does not stop the audit") {
    Alone world;
    Totals totals = world.at("alice").totals;
    totals.deposits = Money::from_cents(INT64_MAX);
    totals.adjustments = Money::from_cents(INT64_MIN);
    totals.balance = Money::from_cents(9'99);
    world.force_in("alice", totals);
    const Answer audit = bank::audit_answer(world.context->state, {});
    CHECK(audit.outcome == Outcome::success);
    CHECK(world.account("alice").shown_balance() == Money::from_cents(9'99));
}

TEST_CASE("bounds: the end of a cohort gives what an account can hold, and says what is left") {
    const Money most = kMaxBalance;
    Totals last;
    last.balance = must_subtract(most, Money::from_cents(10));
    MoneyTotal back;
    MoneyTotal net;
    back += Money::from_cents(10);
    net -= Money::from_cents(3);
    bank::AfterCohort after = bank::after_cohort(last, back, net);
    CHECK(after.totals.balance == most);
    CHECK(after.totals.carried == Money::from_cents(-3));
    CHECK(after.left_over.is_zero());
    back += Money::from_cents(5);
    net += Money::from_cents(5);
    after = bank::after_cohort(last, back, net);
    CHECK(after.totals.balance == most);
    CHECK(after.totals.carried == Money::from_cents(-3));
    CHECK(after.left_over.to_string() == "0.05");
    // What is beyond all bounds already stays as it is.
    last.balance = Money::from_cents(INT64_MAX);
    after = bank::after_cohort(last, back, net);
    CHECK(after.totals.balance == last.balance);
    CHECK(after.left_over.to_string() == "0.15");
}

TEST_CASE("bounds: a cohort can be ended by force, whatever its members claim") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    world.customer("mal", 2, 9'002);
    world.make_cohort({"alice", "mal"});
    State::Record record;
    auto* settled = record.mutable_settled();
    const OperationId id{"mal", 1, 1, ""};
    to_wire(id, settled->mutable_operation());
    settled->set_kind(wire::OPERATION_CHECKPOINT);
    settled->set_name("mal");
    settled->set_epoch(1);
    Totals totals = world.account("mal").totals;
    totals.deposits = totals.balance = Money::from_cents(INT64_MAX);
    to_wire(totals, settled->mutable_totals());
    Channel channel;
    channel.sent_last = Label(1);
    channel.sent_sum = totals.opening;
    to_wire("alice", channel, settled->add_channels());
    std::vector<std::string> records = world.effects.records;
    records.push_back(record.SerializeAsString());
    record.Clear();
    to_wire(id, record.mutable_decided()->mutable_operation());
    record.mutable_decided()->set_kind(wire::OPERATION_CHECKPOINT);
    record.mutable_decided()->set_commit(true);
    records.push_back(record.SerializeAsString());
    world.start(records);
    REQUIRE(world.account("mal").totals.balance == Money::from_cents(INT64_MAX));
    const auto audit = [&] { return bank::audit_answer(world.state(), {}); };
    CHECK(audit().text.ends_with("difference 0"));
    const Answer ended = world.type("delete-cohort alice --force");
    CHECK(ended.outcome == Outcome::success);
    CHECK(std::count(ended.lines.begin(), ended.lines.end(),
                     "mal cannot hold 100 of it: they are in the bank's own account unclaimed") ==
          1);
    CHECK(world.account("alice").cohort.value() == 0);
    CHECK(world.account("alice").totals.balance == Money::from_cents(100'00));
    for (const bool snapshot : {false, true}) {
        CHECK(world.state().business.own_accounts().at("unclaimed").to_string() == "100");
        CHECK(audit().text.ends_with("difference 0"));
        snapshot ? world.restart_from_snapshot() : world.restart();
    }
}

TEST_CASE("bounds: what is kept of a statement is what it says, and nothing else") {
    for (const bool insecure : {false, true}) {
        Alone world(insecure);
        const auto takes = [&](const std::function<void(std::string&, wire::Statement&)>& change) {
            const OperationId id = world.next_id("alice");
            wire::Statement made =
                world.statement(world.at("alice"), id, wire::OPERATION_CHECKPOINT);
            std::string more;
            change(more, made);
            wire::SignedStatement signed_one;
            signed_one.set_statement(made.SerializeAsString() + more);
            if (!insecure) {
                signed_one.set_signature(
                    world.at("alice").identity.sign(kStatementLabel, signed_one.statement()));
            }
            return world.settle_with("alice", id, wire::OPERATION_CHECKPOINT, signed_one);
        };
        CHECK(takes([](std::string&, wire::Statement&) {}));
        CHECK_FALSE(takes([&](std::string& more, wire::Statement&) { more = kPadding; }));
        // The same field again: the last one counts, and the first would be kept as well.
        CHECK_FALSE(takes([](std::string& more, wire::Statement&) { more = "\x18\x01"; }));
        CHECK_FALSE(takes([&](std::string&, wire::Statement& made) {
            REQUIRE(made.mutable_totals()->MergeFromString(kPadding));
        }));
        CHECK_FALSE(takes([&](std::string&, wire::Statement& made) {
            REQUIRE(made.mutable_operation()->MergeFromString(kPadding));
        }));
        CHECK_FALSE(takes([&](std::string&, wire::Statement& made) {
            REQUIRE(made.add_activity()->MergeFromString(kPadding));
        }));
        CHECK_FALSE(takes([](std::string&, wire::Statement& made) {
            made.mutable_operation()->set_word(std::string(100'000, 'x'));
        }));
        CHECK_FALSE(takes([](std::string&, wire::Statement& made) {
            made.set_transfers(std::string(100'000, 'x'));
        }));
        CHECK(world.accusations().empty());
        // What surrounds it is not kept either.
        const OperationId id = world.next_id("alice");
        wire::SignedStatement signed_one =
            world.sign("alice", world.statement(world.at("alice"), id, wire::OPERATION_CHECKPOINT));
        REQUIRE(signed_one.MergeFromString(kPadding));
        REQUIRE(world.settle_with("alice", id, wire::OPERATION_CHECKPOINT, signed_one));
        CHECK(world.effects.records.back().find("zero") == std::string::npos);
    }
}

TEST_CASE("bounds: of what an account has refused only so much is told in a minute") {
    Alone world;
    for (int i = 0; i < 500; ++i) {
        world.settle("alice", world.next_id("alice"), wire::OPERATION_CHECKPOINT,
                     [](wire::Statement& made) { made.set_number(7); });
    }
    CHECK(world.notices_with("does not follow statement 0") == 10);
    world.wait(seconds(61));
    world.settle("alice", world.next_id("alice"), wire::OPERATION_CHECKPOINT,
                 [](wire::Statement& made) { made.set_number(7); });
    CHECK(world.notices_with("does not follow statement 0") == 11);
    CHECK(world.notices_with("not told: 490") == 1);
}

TEST_CASE("bounds: pending deals are no more than a statement can hold") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    REQUIRE(world.attach(alice, 1).has_value());
    uint64_t number = 0;
    const auto pays = [&](int64_t cents, uint64_t epoch) {
        wire::Datagram message;
        message.set_epoch(epoch);
        wire::Deal* deal = message.mutable_deal();
        deal->set_number(++number);
        deal->set_kind(wire::DEAL_PAYMENT);
        deal->set_what(world.state().business.billers()[0].name);
        deal->set_amount(cents);
        for (const wire::Datagram& heard : world.say(alice, message)) {
            if (heard.has_deal_reply()) return heard.deal_reply().code();
        }
        return std::string("nothing");
    };
    CHECK(pays(kMost - 5, 1) == "");
    CHECK(pays(6, 1) == "limit");
    CHECK(pays(5, 1) == "");
    CHECK(pays(1, 1) == "limit");
    // After a rollback there is room again.
    number = 0;
    CHECK(pays(kMost, 2) == "");
    CHECK(world.state().business.pending_sum("alice").to_string() == "-1000000000000000");
}

TEST_CASE("bounds: deals that an older bank took can be cancelled and settled in any order") {
    for (const bool settled : {false, true}) {
        for (const bool snapshot : {false, true}) {
            State state;
            const auto apply = [&](const State::Record& record) {
                REQUIRE(state.apply(record).ok());
            };
            State::Record record;
            record.mutable_opened()->set_name("alice");
            apply(record);
            uint64_t order = 0;
            const auto deal = [&](wire::DealKind kind, int64_t cents) {
                State::Record dealt;
                auto* made = dealt.mutable_dealt();
                made->set_account("alice");
                made->set_epoch(1);
                made->set_number(++order);
                made->set_order(order);
                made->set_accepted(true);
                made->set_kind(kind);
                made->set_what("Electricity");
                made->set_amount(cents);
                made->set_months(12);
                apply(dealt);
            };
            // As far below as it goes after what is cancelled first.
            for (int i = 0; i < 3; ++i) deal(wire::DEAL_LOAN, 1'000'000'00);
            for (int i = 0; i < 200; ++i) deal(wire::DEAL_PAYMENT, -kMost);
            if (snapshot) {
                std::vector<std::string> records;
                state.snapshot([&](std::string one) { records.push_back(std::move(one)); });
                state = State();
                for (const std::string& bytes : records) {
                    State::Record one;
                    REQUIRE(one.ParseFromString(bytes));
                    apply(one);
                }
            }
            MoneyTotal expected;
            for (int i = 0; i < 3; ++i) expected += Money::from_cents(1'000'000'00);
            for (int i = 0; i < 200; ++i) expected -= Money::from_cents(kMost);
            CHECK(state.business.pending_sum("alice") == expected);
            if (settled) {
                state.business.settle("alice", order, {});
            } else {
                record.Clear();
                record.mutable_epoch_seen()->set_account("alice");
                record.mutable_epoch_seen()->set_epoch(2);
                apply(record);
            }
            CHECK(state.business.pending_sum("alice").is_zero());
            CHECK(state.business.deals_of("alice").pending_size.is_zero());
            CHECK(state.business.own_total().is_zero() == !settled);
        }
    }
}

TEST_CASE("bounds: the audit shows what members report only if it makes sense") {
    Alone world;
    world.open("bob", 10'00);
    std::map<std::string, wire::Report> reports;
    to_wire(world.at("alice").totals, reports["alice"].mutable_totals());
    to_wire(world.at("bob").totals, reports["bob"].mutable_totals());
    const auto lines = [&] {
        const Answer audit = bank::audit_answer(world.context->state, reports);
        REQUIRE(audit.lines.size() >= 3);
        return std::vector<std::string>(audit.lines.begin() + 1, audit.lines.end());
    };
    const std::string honest = "  alice            10";
    CHECK(lines() == std::vector<std::string>{honest, "  bob              10"});
    const std::vector<std::string> senseless{honest,
                                             "  bob              reports what makes no sense"};
    reports["bob"].mutable_totals()->set_balance(INT64_MIN);
    CHECK(lines() == senseless);
    reports["bob"].mutable_totals()->set_balance(11'00);
    CHECK(lines() == senseless);
    reports["bob"].mutable_totals()->set_balance(10'00);
    wire::Channel* channel = reports["bob"].add_channels();
    channel->set_peer("alice");
    channel->set_sent_sum(-1);
    reports["bob"].mutable_totals()->set_balance(10'01);
    CHECK(lines() == senseless);
    channel->set_sent_sum(1'00);
    channel->set_sent_last(1);
    reports["bob"].mutable_totals()->set_balance(9'00);
    wire::Reason* lost = reports["bob"].add_lost();
    lost->set_peer("alice");
    lost->set_transfers(UINT64_MAX);
    CHECK(lines().back() == "  in transit now: 1 from bob to alice");
    lost->set_transfers(1'00);
    CHECK(lines().back() == "  in transit now: 1 from bob to alice, of it lost 1");
}

TEST_CASE("bounds: of evidence only what is known is kept") {
    wire::SignedTransfers came;
    came.set_epoch(1);
    came.add_transfers()->add_amounts(5);
    came.mutable_signed_()->set_signature("s");
    const std::string clean = came.SerializeAsString();
    REQUIRE(came.MergeFromString(kPadding));
    REQUIRE(came.mutable_transfers(0)->MergeFromString(kPadding));
    REQUIRE(came.mutable_signed_()->MergeFromString(kPadding));
    REQUIRE(came.SerializeAsString() != clean);
    CHECK(known_part(came).SerializeAsString() == clean);
}
