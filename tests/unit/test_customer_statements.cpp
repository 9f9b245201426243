// The chain of a customer's statements, and what they stand for.
#include <doctest/doctest.h>

#include "common/core/statement.h"
#include "customer/statements.h"
#include "tests/unit/state_helpers.h"

using namespace p2pbank;
using namespace p2pbank::customer;

namespace {

wire::SignedStatement statement_of(const std::string& text) {
    wire::SignedStatement out;
    wire::Statement statement;
    statement.set_name(text);
    statement.SerializeToString(out.mutable_statement());
    return out;
}

void tentative_with(AliceState& alice, const OperationId& id, wire::OperationKind kind,
                    const wire::SignedStatement& statement) {
    Record record;
    to_wire(id, record.mutable_tentative()->mutable_operation());
    record.mutable_tentative()->set_kind(kind);
    *record.mutable_tentative()->mutable_statement() = statement;
    alice.apply(record);
}

}  // namespace

TEST_CASE("customer state: the chain of statements moves with the permanent checkpoint only") {
    AliceState alice;
    const auto first = statement_of("first");
    const auto second = statement_of("second");
    tentative_with(alice, kOperationOfBob, wire::OPERATION_CHECKPOINT, first);
    CHECK(alice.state.statements == 0);
    Record record;
    to_wire(kOperationOfBob, record.mutable_undone()->mutable_operation());
    alice.apply(record);
    CHECK(alice.state.statements == 0);
    CHECK(alice.state.statement_digest.empty());
    const OperationId next{"bob", 1, 2};
    tentative_with(alice, next, wire::OPERATION_CHECKPOINT, second);
    alice.permanent(next);
    CHECK(alice.state.statements == 1);
    CHECK(alice.state.statement_digest == statement_digest(second));
    alice.roll_back({"alice", 1, 1}, 2);
    CHECK(alice.state.statements == 1);
    CHECK(alice.state.statement_digest == statement_digest(second));
}

TEST_CASE("customer state: a cohort's end counts what was in doubt if the bank has it") {
    for (const bool settled : {true, false}) {
        AliceState alice;
        const auto statement = statement_of("last");
        tentative_with(alice, kOperationOfBob, wire::OPERATION_CHECKPOINT, statement);
        Record record;
        record.mutable_cohort_ended()->set_cohort(1);
        record.mutable_cohort_ended()->set_settled(settled);
        record.mutable_cohort_ended()->mutable_totals()->set_opening(10'000);
        record.mutable_cohort_ended()->mutable_totals()->set_balance(10'000);
        alice.apply(record);
        CHECK(alice.state.statements == (settled ? 1 : 0));
        CHECK(alice.state.statement_digest ==
              (settled ? statement_digest(statement) : std::string()));
        CHECK_FALSE(alice.state.in_cohort());
        CHECK(alice.state.adds_up());
    }
}

TEST_CASE("customer state: an account that is taken over goes on with its chain") {
    State state;
    Record record;
    record.mutable_opened()->set_name("alice");
    record.mutable_opened()->set_statements(7);
    record.mutable_opened()->set_statement_digest("digest");
    REQUIRE(state.apply(record).ok());
    CHECK(state.statements == 7);
    CHECK(state.statement_digest == "digest");
}

TEST_CASE("customer state: what is declared at the end is kept until the bank refuses it") {
    AliceState alice;
    Record record;
    *record.mutable_exiting()->mutable_statement() = statement_of("end");
    alice.apply(record);
    REQUIRE(alice.state.exit_statement.has_value());
    Record snapshot;
    alice.state.snapshot(snapshot);
    State copy;
    REQUIRE(copy.apply(snapshot).ok());
    REQUIRE(copy.exit_statement.has_value());
    CHECK(copy.exit_statement->statement() == statement_of("end").statement());
    record.Clear();
    record.mutable_exiting()->set_given_up(true);
    alice.apply(record);
    CHECK_FALSE(alice.state.exit_statement.has_value());
}

TEST_CASE("customer state: a snapshot keeps the statements and what they stand for") {
    AliceState alice;
    tentative_with(alice, kOperationOfBob, wire::OPERATION_CHECKPOINT, statement_of("one"));
    alice.permanent(kOperationOfBob);
    for (const uint64_t label : {3U, 4U, 1U, 2U, 9U}) {
        alice.apply(AliceState::received("bob", label, static_cast<int64_t>(label) * 10));
    }
    tentative_with(alice, {"bob", 1, 2}, wire::OPERATION_CHECKPOINT, statement_of("two"));
    Record record;
    alice.state.snapshot(record);
    State copy;
    REQUIRE(copy.apply(record).ok());
    CHECK(bytes_of(copy) == bytes_of(alice.state));
    CHECK(copy.statements == 1);
    CHECK(copy.statement_digest == statement_digest(statement_of("one")));
    CHECK(copy.operation->statement.statement() == statement_of("two").statement());
    CHECK(all_of(copy.find_peer("bob")->received_log) == all_of(alice.bob().received_log));
    CHECK(transfers_since_checkpoint(copy) == transfers_since_checkpoint(alice.state));
}

TEST_CASE("customer state: the digest of the transfers depends on each of them, not on when") {
    AliceState one;
    one.apply(AliceState::received("bob", 1, 100));
    one.apply(AliceState::received("bob", 2, 200));
    one.apply(AliceState::sent("carol", 1, 300));
    AliceState other;
    other.apply(AliceState::sent("carol", 1, 300));
    other.apply(AliceState::received("bob", 2, 200));
    other.apply(AliceState::received("bob", 1, 100));
    const std::string base = transfers_since_checkpoint(one.state);
    CHECK(base.size() == 32);
    CHECK(transfers_since_checkpoint(other.state) == base);
    const auto differs = [&](const std::vector<Record>& records) {
        AliceState another;
        for (const Record& record : records) another.apply(record);
        return transfers_since_checkpoint(another.state) != base;
    };
    CHECK(differs({}));
    CHECK(differs({AliceState::received("bob", 1, 100), AliceState::received("bob", 2, 200)}));
    CHECK(differs({AliceState::received("bob", 1, 200), AliceState::received("bob", 2, 100),
                   AliceState::sent("carol", 1, 300)}));
    CHECK(differs({AliceState::received("bob", 1, 100), AliceState::received("bob", 3, 200),
                   AliceState::sent("carol", 1, 300)}));
    CHECK(differs({AliceState::received("bob", 1, 100), AliceState::received("bob", 2, 200),
                   AliceState::sent("carol", 1, 301)}));
    CHECK(differs({AliceState::received("carol", 1, 100), AliceState::received("carol", 2, 200),
                   AliceState::sent("bob", 1, 300)}));
    // What the permanent checkpoint covers is not in it.
    one.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    one.permanent(kOperationOfBob);
    CHECK(transfers_since_checkpoint(one.state) == transfers_since_checkpoint(AliceState().state));
}

TEST_CASE("customer state: amounts are kept for what the permanent checkpoint does not cover") {
    AliceState alice;
    alice.apply(AliceState::received("bob", 1, 10));
    alice.apply(AliceState::received("bob", 2, 20));
    alice.tentative(kOperationOfBob, wire::OPERATION_CHECKPOINT);
    alice.apply(AliceState::received("bob", 3, 30));
    CHECK(alice.bob().received_log.count() == 3);
    alice.permanent(kOperationOfBob);
    CHECK(all_of(alice.bob().received_log) == std::vector<std::pair<uint64_t, int64_t>>{{3, 30}});
    alice.roll_back({"alice", 1, 1}, 2);
    CHECK(alice.bob().received_log.empty());
}
