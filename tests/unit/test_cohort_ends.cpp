// How the bank ends cohorts and accounts when somebody's last values do not fit, and what it says
// then: nothing is changed, and an honest end comes later.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

const Money kMuch = kMaxTotal;  // what one account can deposit, or send to one other, in all

// Members with programs that a test plays, in a cohort that the operator ends.
struct Ending : BankWorld {
    std::map<std::string, Process*> members;
    std::map<std::string, Totals> totals;
    std::map<std::string, ChannelMap> channels;
    uint64_t commands = 5'000;

    explicit Ending(const std::vector<std::string>& names, bool in_cohort = true) {
        for (const std::string& name : names) {
            const auto seed = static_cast<unsigned char>(members.size() + 1);
            members[name] = &customer(name, seed, static_cast<uint16_t>(9'000 + seed));
            REQUIRE(attach(*members[name], 1).has_value());
        }
        if (in_cohort) make_cohort(names);
        for (const std::string& name : names) totals[name] = account(name).totals;
    }
    void deposit(const std::string& name, Money amount) {
        totals[name].deposits = must_add(totals[name].deposits, amount);
        totals[name].balance = must_add(totals[name].balance, amount);
    }
    void send(const std::string& from, const std::string& to, Money amount, bool arrives = true) {
        Channel& out = channels[from][to];
        out.sent_last = out.sent_last.next();
        out.sent_sum = must_add(out.sent_sum, amount);
        totals[from].balance = must_subtract(totals[from].balance, amount);
        if (arrives) receive(to, from, out.sent_last, amount);
    }
    void receive(const std::string& name, const std::string& from, Label label, Money amount) {
        Channel& in = channels[name][from];
        in.received.add(label);
        in.received_sum = must_add(in.received_sum, amount);
        totals[name].balance = must_add(totals[name].balance, amount);
    }
    wire::SignedStatement statement(const std::string& who, const OperationId& id,
                                    wire::OperationKind kind) {
        wire::Statement made;
        made.set_bank(secure::to_bytes(identity().keys().signing));
        made.set_name(who);
        made.set_number(account(who).statements() + 1);
        made.set_previous(account(who).statement_digest());
        if (!id.empty()) to_wire(id, made.mutable_operation());
        made.set_kind(kind);
        made.set_cohort(account(who).cohort.value());
        made.set_epoch(id.empty() ? 0 : 1);
        to_wire(totals[who], made.mutable_totals());
        for (const auto& [peer, channel] : channels[who]) {
            to_wire(peer, channel, made.add_channels());
        }
        return sign_statement(&members[who]->identity, made);
    }
    bool settles(const std::string& who, const OperationId& id, wire::OperationKind kind) {
        wire::Datagram message;
        message.set_cohort(account(who).cohort.value());
        message.set_epoch(1);
        to_wire(id, message.mutable_settle()->mutable_operation());
        message.mutable_settle()->set_kind(kind);
        *message.mutable_settle()->mutable_statement() = statement(who, id, kind);
        for (const wire::Datagram& heard : say(*members[who], message)) {
            if (heard.has_settle_ack()) return heard.settle_ack().accepted();
        }
        return false;
    }
    // `delete-cohort`, for which all members settle as they are. The answer, and what each of them
    // has heard of the decision.
    Answer end() {
        for (auto& [name, member] : members) member->heard.clear();
        const CommandId id(++commands);
        bank().on_command(now, id, "delete-cohort alice", effects);
        deliver();
        std::optional<OperationId> freeze;
        for (int i = 0; i < 20 && !freeze; ++i) {
            for (const wire::Datagram& heard : members.at("alice")->heard) {
                if (heard.has_freeze_request()) {
                    freeze = from_wire(heard.freeze_request().operation());
                }
            }
            if (!freeze) pass(milliseconds(50));
        }
        REQUIRE(freeze);
        for (const auto& member : members) {
            CAPTURE(member.first);
            CHECK(settles(member.first, *freeze, wire::OPERATION_FREEZE));
        }
        aborted = 0;
        for (const auto& [name, member] : members) {
            for (const wire::Datagram& heard : member->heard) {
                aborted += heard.has_decision() && !heard.decision().commit() &&
                           from_wire(heard.decision().operation()) == *freeze;
            }
        }
        for (int i = 0; i < 100 && !effects.answers.contains(id); ++i) pass(milliseconds(50));
        REQUIRE(effects.answers.contains(id));
        return effects.answers.at(id);
    }
    size_t aborted = 0;  // who has heard so

    // Nothing of the end is left: the cohort goes on.
    bool goes_on() const {
        for (const auto& [name, member] : members) {
            if (account(name).cohort.value() != 1 || account(name).ended_cohort().value() != 0) {
                return false;
            }
            if (!account(name).totals.deposits.is_zero()) return false;
        }
        const bank::Cohort* cohort = state().find_cohort(CohortId(1));
        return cohort != nullptr && cohort->stage == bank::CohortStage::active;
    }
};

}  // namespace

TEST_CASE("cohort end: last statements that contradict each other end nothing") {
    Ending world({"alice", "bob", "mal"});
    world.send("alice", "bob", Money::from_cents(5'00), false);
    const auto honest_totals = world.totals;
    const auto honest_channels = world.channels;
    world.receive("mal", "alice", Label(1), Money::from_cents(50'00));
    const Answer refused = world.end();
    CHECK(refused.outcome == Outcome::failure);
    CHECK(refused.code == "refused");
    CHECK(refused.text ==
          "the books of alice and mal contradict each other about the transfers from alice to mal; "
          "nothing was changed");
    CHECK(world.aborted == world.members.size());
    CHECK(world.goes_on());
    // Also when the bank has been started again; and the next time all are honest.
    world.restart();
    CHECK(world.goes_on());
    world.totals = honest_totals;
    world.channels = honest_channels;
    const Answer ended = world.end();
    CHECK(ended.outcome == Outcome::success);
    CHECK(ended.lines == std::vector<std::string>{"gave back 5 to alice, in transit to bob"});
    for (const char* name : {"alice", "bob", "mal"}) {
        CHECK(world.account(name).cohort.value() == 0);
        CHECK(world.account(name).totals.balance == Money::from_cents(100'00));
    }
    CHECK(bank::audit_answer(world.state(), {}).text.ends_with("difference 0"));
}

TEST_CASE("cohort end: what an account cannot hold is not given back, and the cohort goes on") {
    Ending world({"alice", "bob", "carol", "dave", "erin", "fred"});
    for (const char* name : {"bob", "carol", "dave", "erin"}) {
        world.deposit(name, kMuch);
        world.send(name, "alice", kMuch);
    }
    Totals& alice = world.totals["alice"];
    world.deposit("alice", must_subtract(kMuch, alice.opening));
    world.send("alice", "fred", kMuch, false);
    REQUIRE(alice.balance == kMaxBalance);
    const Answer refused = world.end();
    CHECK(refused.code == "limit");
    CHECK(refused.text.find("alice cannot hold the " + to_string(kMuch) +
                            " that would be given back") == 0);
    CHECK(refused.text.find("nothing was changed") != std::string::npos);
    CHECK(world.aborted == world.members.size());
    CHECK(world.goes_on());
    // With as much withdrawn as comes back it ends, and nothing is lost.
    alice.withdrawals = kMuch;
    alice.balance = must_subtract(alice.balance, kMuch);
    CHECK(world.end().outcome == Outcome::success);
    CHECK(world.account("alice").totals.balance == kMaxBalance);
    CHECK(world.state().business.own_accounts().count("unclaimed") == 0);
    CHECK(bank::audit_answer(world.state(), {}).text.ends_with("difference 0"));
}

TEST_CASE("cohort start: not with an account that no program has taken over") {
    Ending world({"alice", "bob"}, false);
    REQUIRE(world.type("open carol 10 127.0.0.1 9100 9101").outcome == Outcome::success);
    const size_t records = world.effects.records.size();
    const Answer answer = world.type("new-cohort carol 2");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.code == "unreachable");
    CHECK(answer.text.find("no program has taken over the account of carol") == 0);
    // Neither is it one of the others.
    CHECK(world.type("new-cohort alice 3").code == "too-few");
    CHECK(world.effects.records.size() == records);
}

TEST_CASE("close: an account whose last statement has deals that the bank does not know") {
    Ending world({"alice"}, false);
    const auto exits = [&] {
        wire::Datagram message;
        message.set_epoch(1);
        static uint64_t requests = 50;
        message.mutable_command()->set_request(++requests);
        *message.mutable_command()->mutable_exit()->mutable_statement() =
            world.statement("alice", OperationId(), wire::OPERATION_NONE);
        for (const wire::Datagram& heard : world.say(*world.members["alice"], message)) {
            if (heard.has_reply()) return heard.reply();
        }
        FAIL("no reply");
        return wire::Reply();
    };
    const Totals honest = world.totals["alice"];
    for (const int64_t cents : {int64_t{-5'00}, int64_t{5'00}}) {
        world.totals["alice"] = honest;
        world.totals["alice"].dealings = Money::from_cents(cents);
        world.totals["alice"].balance = must_add(honest.balance, Money::from_cents(cents));
        const wire::Reply refused = exits();
        CHECK_FALSE(refused.success());
        CHECK(refused.code() == "refused");
        CHECK(refused.text() == "the last balance does not add up");
        CHECK_FALSE(world.account("alice").exited);
        CHECK(world.account("alice").totals == honest);
    }
    world.totals["alice"] = honest;
    CHECK(exits().success());
    CHECK(world.account("alice").exited);
    CHECK(world.account("alice").totals.balance == honest.balance);
}

TEST_CASE("bind: what is committed and not heard of ends with the state that is lost") {
    BankWorld world;
    Process& lost = world.add("", 1, 9'001);
    world.sign_in(lost, kAnn);
    REQUIRE(world.open(lost, "alice").success());
    lost.identify("alice", 1);
    REQUIRE(world.attach(lost, 1).has_value());
    OperationId id{"alice", 9, 4, ""};  // of a later epoch than the bank has heard of
    id.word = sign_operation(&lost.identity, id, wire::OPERATION_CHECKPOINT);
    wire::Statement made;
    made.set_bank(secure::to_bytes(world.identity().keys().signing));
    made.set_name("alice");
    made.set_number(1);
    to_wire(id, made.mutable_operation());
    made.set_kind(wire::OPERATION_CHECKPOINT);
    made.set_epoch(1);
    Totals totals = world.account("alice").totals;
    totals.deposits = Money::from_cents(7'00);
    totals.balance = must_add(totals.balance, totals.deposits);
    to_wire(totals, made.mutable_totals());
    wire::Datagram message;
    message.set_epoch(1);
    to_wire(id, message.mutable_settle()->mutable_operation());
    message.mutable_settle()->set_kind(wire::OPERATION_CHECKPOINT);
    *message.mutable_settle()->mutable_statement() = sign_statement(&lost.identity, made);
    REQUIRE(world.say(lost, message)[0].settle_ack().accepted());
    wire::Datagram request;
    request.set_epoch(1);
    to_wire(id, request.mutable_decision_request()->mutable_operation());
    request.mutable_decision_request()->set_kind(wire::OPERATION_CHECKPOINT);
    request.mutable_decision_request()->add_participants("alice");
    REQUIRE(world.say(lost, request)[0].decision().commit());
    REQUIRE(world.state().committed.size() == 1);

    Process& found = world.add("", 5, 9'501, 0x0a000001);
    world.sign_in(found, kAnn);
    const Answer answer = world.ask(found, {"bind", "alice"});
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.lines[0].find("last settled balance, 107:") != std::string::npos);
    for (const bool snapshot : {false, true}) {
        CHECK(world.account("alice").epoch == 10);
        CHECK(world.state().committed.empty());
        CHECK(world.account("alice").totals == totals);
        snapshot ? world.restart_from_snapshot() : world.restart();
    }
    const auto reply = world.take_over(found, "alice");
    REQUIRE(reply);
    CHECK(reply->epoch() == 10);
    CHECK(reply->statements() == 1);
    CHECK(reply->totals().balance() == 107'00);
    found.heard.clear();
    world.pass(seconds(40));  // in which what is not acknowledged would be told again
    for (const auto& heard : found.heard) CHECK_FALSE(heard.has_decision());
}
