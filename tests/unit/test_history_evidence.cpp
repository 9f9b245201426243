#include <doctest/doctest.h>

#include "bank/history/queries.h"
#include "bank/history/schema.h"
#include "common/history/history_db.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

constexpr int64_t kSomeTime = 1'700'000'000'000'000;

template <class Read>
auto rows(HistoryDb& history, const Query& query, Read read) {
    std::vector<decltype(read(Row()))> found;
    const auto asked = history.query(query.query, query.values,
                                     [&](const Row& row) { found.push_back(read(row)); });
    if (!asked) FAIL(asked.error().message);
    return found;
}

std::string all_bytes() {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
}

}  // namespace

TEST_CASE("history: what can be proven is kept byte for byte, in the order in which it happened") {
    auto opened = HistoryDb::open(":memory:", history_schema());
    REQUIRE(opened.ok());
    HistoryDb& history = *opened.value();
    const std::string bytes = all_bytes();
    const auto tell = [&](uint64_t position, const Facts& facts) {
        REQUIRE(history.apply(facts, position).ok());
    };
    tell(3, statement_committed(3, "bob", 1, kSomeTime, "bob/1.1", std::string(32, '\0'), bytes));
    tell(4, cohort_end(4, 7, "cohort-7", true, kSomeTime));
    tell(5, accusation(5, "bob", kSomeTime, "does not add up", bytes + bytes));
    tell(6, statement_committed(6, "zed", 1, kSomeTime, "bob/1.2", "", "z"));
    tell(6, statement_committed(6, "ann", 3, kSomeTime, "bob/1.2", "k", ""));
    tell(7, statement_committed(7, "bob", 2, kSomeTime, "exit", "k", "later"));

    const auto statements = rows(history, signed_statements_query(6), read_signed_statement);
    REQUIRE(statements.size() == 3);
    for (const auto& row : statements) REQUIRE(row.has_value());
    CHECK(statements[0]->position == 3);
    CHECK(statements[0]->account == "bob");
    CHECK(statements[0]->number == 1);
    CHECK(statements[0]->signing_key == std::string(32, '\0'));
    CHECK(statements[0]->statement == bytes);
    CHECK(statements[1]->account == "ann");
    CHECK(statements[1]->number == 3);
    CHECK(statements[1]->statement.empty());
    CHECK(statements[2]->account == "zed");
    CHECK(statements[2]->signing_key.empty());
    const auto size = rows(history, signed_statements_size_query(6), read_statements_size);
    REQUIRE(size.size() == 1);
    CHECK(size[0].count == 3);
    CHECK(size[0].bytes >= 257);
    CHECK(rows(history, signed_statements_size_query(0), read_statements_size)[0].bytes == 0);
    const auto ends = rows(history, cohort_ends_query(6), read_cohort_end);
    REQUIRE(ends.size() == 1);
    CHECK(ends[0].position == 4);
    CHECK(ends[0].cohort == 7);
    CHECK(ends[0].name == "cohort-7");
    CHECK(ends[0].forced);
    const auto accused = rows(history, accusations_query(6), read_accusation);
    REQUIRE(accused.size() == 1);
    REQUIRE(accused[0].has_value());
    CHECK(accused[0]->position == 5);
    CHECK(accused[0]->evidence == bytes + bytes);
    CHECK(rows(history, accusations_query(4), read_accusation).empty());
}

TEST_CASE("history: a row of evidence that somebody has edited is none") {
    CHECK_FALSE(read_accusation({int64_t{1}, std::string("no base64!")}).has_value());
    CHECK_FALSE(read_signed_statement(
                    {int64_t{1}, std::string("bob"), int64_t{1}, std::string("!"), std::string()})
                    .has_value());
}
