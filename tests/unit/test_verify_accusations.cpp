// What `bank verify` makes of accusations: it judges them again.
#include <doctest/doctest.h>

#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;
using Texts = std::vector<std::string>;

namespace {

// Two customers, a checkpoint, and one more in which something is wrong.
struct Lied : EvidenceWorld {
    wire::SignedTransfers proof;

    Lied() {
        open("alice", 100'00);
        open("bob", 100'00);
        join(1, {"alice", "bob"});
        send("alice", "bob", {10'00});
        REQUIRE(checkpoint({"bob", "alice"}));
        proof = send("alice", "bob", {1'00});
    }
    static void claim_more(wire::Statement& s) {
        s.mutable_channels(0)->set_received_sum(s.channels(0).received_sum() + 5'00);
        s.mutable_totals()->set_balance(s.totals().balance() + 5'00);
    }
    static void send_less(wire::Statement& s) {
        s.mutable_channels(0)->set_sent_last(1);
        s.mutable_channels(0)->set_sent_sum(10'00);
        s.mutable_totals()->set_balance(90'00);
    }
    std::string with(const std::function<void(bank_evidence::Accusation&)>& change) {
        std::vector<Item> items = items_of(bundle());
        for (Item& item : items) {
            if (item.has_accused()) change(*item.mutable_accused()->mutable_accusation());
        }
        return sealed(items, context->identity);
    }
};

}  // namespace

TEST_CASE("verify: a lie of the sender is judged again, from the evidence") {
    Lied lied;
    REQUIRE_FALSE(lied.checkpoint({"bob", "alice"}, {{"alice", Lied::send_less}}));
    lied.give(lied.newest, "bob", "alice", {lied.proof}, 1);
    REQUIRE(lied.checkpoint({"bob", "alice"}));
    const std::string bundle = lied.bundle();
    const VerifyReport report = verify(bundle);
    for (const Problem& problem : report.problems) FAIL_CHECK(problem.code << ": " << problem.text);
    CHECK(report.accusations == Texts{"alice lied: denies transfer 2 of 1 to bob that it signed"});
    const Answer answer = verify_answer(bundle, "");
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.lines[0] == report.accusations[0]);

    // None of it can be left out or be about somebody else.
    using Accusation = bank_evidence::Accusation;
    const std::function<void(Accusation&)> changes[] = {
        [](Accusation& a) { a.clear_evidence(); },
        [](Accusation& a) { a.set_name("bob"); },
        [](Accusation& a) { a.set_kind(bank_evidence::ACCUSATION_RECEIVER); },
        [](Accusation& a) { a.set_kind(bank_evidence::ACCUSATION_STATEMENT); },
        [](Accusation& a) { a.mutable_operation()->set_counter(9); },
        [](Accusation& a) { a.mutable_sender()->clear_statement(); },
        [](Accusation& a) { a.mutable_receiver()->clear_statement(); },
        [](Accusation& a) { a.mutable_sender()->set_head(""); },
        [](Accusation& a) { a.mutable_sender()->set_name("bob"); },
        [](Accusation& a) { a.mutable_sender()->set_signing_key(a.receiver().signing_key()); },
        [](Accusation& a) { a.mutable_evidence(0)->set_epoch(7); },
        [](Accusation& a) { a.mutable_evidence(0)->mutable_transfers(0)->set_amounts(0, 2'00); },
        [](Accusation& a) { std::swap(*a.mutable_sender(), *a.mutable_receiver()); },
    };
    for (const auto& change : changes) {
        CHECK(codes(lied.with(change)) == std::set<std::string>{"bad-accusation"});
    }
}

TEST_CASE("verify: a lie of the receiver is judged again, from the evidence") {
    Lied lied;
    REQUIRE_FALSE(lied.checkpoint({"bob", "alice"}, {{"bob", Lied::claim_more}}));
    lied.give(lied.newest, "bob", "alice", {lied.proof}, 1);
    lied.end_cohort(1, {"alice", "bob"}, true);
    const VerifyReport report = verify(lied.bundle());
    for (const Problem& problem : report.problems) FAIL_CHECK(problem.code << ": " << problem.text);
    CHECK(report.accusations ==
          Texts{"bob lied: claims that its new transfers of alice come to 6 and proves 1"});
    CHECK(codes(lied.with([](auto& a) { a.set_name("alice"); })) ==
          std::set<std::string>{"bad-accusation"});
}

TEST_CASE("verify: a receiver without evidence, of a sender that took no part") {
    Lied lied;
    REQUIRE_FALSE(lied.checkpoint({"bob"}));
    lied.wait(seconds(6));
    const VerifyReport report = verify(lied.bundle());
    CHECK(report.problems.empty());
    REQUIRE(report.accusations.size() == 1);
    CHECK(report.accusations[0].starts_with("bob gave no evidence: "));
    for (const auto kind :
         {bank_evidence::ACCUSATION_RECEIVER, bank_evidence::ACCUSATION_NO_EVIDENCE}) {
        CHECK(codes(lied.with([&](auto& a) {
                  a.set_kind(kind);
                  a.mutable_operation()->set_counter(9);
              })) == std::set<std::string>{"bad-accusation"});
    }
}

TEST_CASE("verify: a bank that accuses somebody of what fits together") {
    Lied lied;
    REQUIRE_FALSE(lied.checkpoint({"bob"}));
    lied.wait(seconds(6));
    const std::string before = lied.at("alice").digest;
    REQUIRE(lied.checkpoint({"bob", "alice"}));
    REQUIRE(codes(lied.bundle()).empty());
    // The same statement of bob, and one of alice that goes with it.
    CHECK(codes(lied.with([&](bank_evidence::Accusation& a) {
              a.set_kind(bank_evidence::ACCUSATION_RECEIVER);
              wire::Statement statement = *read_statement(a.receiver().statement());
              const OperationId id = from_wire(statement.operation());
              Signer& alice = lied.at("alice");
              alice.number = 2;
              alice.digest = before;
              alice.permanent.channels["bob"].sent_last = Label(1);
              *a.mutable_sender()->mutable_statement() =
                  lied.sign("alice", lied.statement(alice, id, wire::OPERATION_CHECKPOINT));
          })) == std::set<std::string>{"bad-accusation"});
}

TEST_CASE("verify: a bank that holds an old statement against a newer one") {
    Lied lied;
    const EvidenceWorld::Change wrong = [](wire::Statement& s) {
        s.mutable_totals()->set_balance(s.totals().balance() + 1);
    };
    const wire::SignedStatement honest = lied.sign(
        "bob", lied.statement(lied.at("bob"), lied.next_id("bob"), wire::OPERATION_CHECKPOINT));
    lied.send("alice", "bob", {2'00});
    REQUIRE(lied.checkpoint({"bob", "alice"}));
    lied.send("alice", "bob", {3'00});
    REQUIRE_FALSE(lied.checkpoint({"bob", "alice"}, {{"bob", wrong}}));
    REQUIRE(codes(lied.bundle()).empty());
    CHECK(codes(lied.with([&](auto& a) { *a.mutable_accused()->mutable_statement() = honest; })) ==
          std::set<std::string>{"bad-accusation"});
}

TEST_CASE("verify: a lie in a statement is judged again, from what is before it") {
    Lied lied;
    const EvidenceWorld::Change wrong = [](wire::Statement& s) {
        s.mutable_totals()->set_balance(s.totals().balance() + 1);
    };
    REQUIRE_FALSE(lied.checkpoint({"bob"}, {{"bob", wrong}}));
    // A first statement, of somebody whose account has none.
    lied.open("carol", 5'00);
    REQUIRE_FALSE(lied.checkpoint({"carol"}, {{"carol", wrong}}));
    REQUIRE(lied.checkpoint({"bob", "alice"}));
    // The last one, outside of every cohort.
    lied.end_cohort(1, {"alice", "bob"}, true);
    wire::Statement last = lied.statement(lied.at("alice"), OperationId(), wire::OPERATION_NONE);
    wrong(last);
    wire::Exit exit;
    *exit.mutable_statement() = lied.sign("alice", last);
    CHECK_FALSE(lied.decisions->last_statement(lied.account("alice"), exit).has_value());
    const VerifyReport report = verify(lied.bundle());
    for (const Problem& problem : report.problems) FAIL_CHECK(problem.code << ": " << problem.text);
    CHECK(report.accusations == Texts{"bob lied: does not add up", "carol lied: does not add up",
                                      "alice lied: does not add up"});
    // A bank that calls an honest statement a lie.
    CHECK(codes(lied.with([&](auto& a) {
              if (a.name() == "carol") {
                  *a.mutable_accused()->mutable_statement() = lied.sign(
                      "carol",
                      lied.statement(lied.at("carol"), lied.newest, wire::OPERATION_CHECKPOINT));
              }
          })) == std::set<std::string>{"bad-accusation"});
}

TEST_CASE("verify: a key that changes is told") {
    Lied lied;
    bank::State::Record record;
    auto fresh = std::make_unique<Signer>("bob", 99);
    record.mutable_bound()->set_name("bob");
    record.mutable_bound()->set_channel_key(secure::to_bytes(fresh->identity.keys().channel));
    record.mutable_bound()->set_signing_key(secure::to_bytes(fresh->identity.keys().signing));
    lied.context->commit(record);
    const Signer& old = lied.at("bob");
    fresh->totals = old.totals;
    fresh->channels = old.channels;
    fresh->permanent = old.permanent;
    fresh->number = old.number;
    fresh->digest = old.digest;
    fresh->cohort = old.cohort;
    fresh->counter = old.counter;
    lied.signers["bob"] = std::move(fresh);
    REQUIRE(lied.checkpoint({"bob", "alice"}));
    const VerifyReport report = verify(lied.bundle());
    CHECK(report.problems.empty());
    CHECK(report.notes == Texts{"bob signs with another key from statement 3 on"});
}
