// Questions to the bank's history: builders of queries, and readers of the rows that come back.
// Each query gives one page, and finds its beginning by an index: none takes longer because there
// are more purchases. Pages go backwards from the newest; the next one begins before the last row
// of this one. A reader ends the program on a row of another query: that is our own mistake.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/domain/inventory_files.h"
#include "bank/history/facts.h"
#include "common/base/money.h"
#include "common/core/jobs.h"

namespace p2pbank::bank {

inline constexpr int64_t kBeginOfTime = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kEndOfTime = std::numeric_limits<int64_t>::max();

// From the begin of the first moment up to, and not with, the last.
struct Period {
    int64_t from_us = kBeginOfTime;
    int64_t to_us = kEndOfTime;
    bool is_all() const { return from_us == kBeginOfTime && to_us == kEndOfTime; }
};

// --- accounts

struct AccountRow {
    std::string name;
    std::string owner;
    Money opening;
    int64_t opened_us = 0;
    std::optional<int64_t> closed_us;
};
Query account_query(std::string_view name);
AccountRow read_account(const Row& row);

// --- statement and activity

struct ActivityRow {
    int64_t sequence = 0;
    int64_t at_us = 0;
    std::string kind;  // to_string(ActivityKind), or "left out"
    std::string what;
    uint64_t number = 0;
    Money amount;
    Money balance;
    std::string note;
    std::string state;  // to_string(LineState)
};
// Where a page begins: before this row.
struct ActivityPlace {
    int64_t at_us = kEndOfTime;
    int64_t sequence = kEndOfTime;
};

// The newest `limit` of what moved money, without what was rolled back; the oldest of them first.
// With a period in the order of the times, without one in the order in which the bank heard of it.
Query statement_query(std::string_view account, const Period& period, uint32_t limit,
                      const ActivityPlace& before = {});
// Everything, for an audit, in the order in which the bank heard of it.
Query activity_query(std::string_view account, uint32_t limit, const ActivityPlace& before = {});
ActivityRow read_activity(const Row& row);
inline ActivityPlace place_of(const ActivityRow& row) {
    return {row.at_us, row.sequence};
}

// The same as a file: date,kind,what,number,amount,balance,state,note.
Query with_csv(Query statement_or_activity);

// --- deals

struct DealRow {
    uint64_t order = 0;
    std::string account;
    int64_t at_us = 0;
    std::string kind;  // to_string(Dealing)
    std::string what;
    std::string name;
    std::vector<std::string> categories;
    uint64_t quantity = 0;
    Money amount;
    std::string state;  // "pending", "settled" or "cancelled"
    bool imported = false;
};
inline constexpr uint64_t kNewest = static_cast<uint64_t>(kEndOfTime);

Query deal_query(uint64_t order);
Query deals_of_account(std::string_view account, Dealing kind, uint32_t limit,
                       uint64_t before_order = kNewest);
// Of a product, a biller, or the repayments of a loan.
Query deals_of(Dealing kind, std::string_view what, uint32_t limit,
               uint64_t before_order = kNewest);
Query newest_deals(Dealing kind, uint32_t limit, uint64_t before_order = kNewest);
DealRow read_deal(const Row& row);

// All purchases, the oldest first, as the two files have them. They take as long as there are
// purchases: for `export` and `save` only.
Query purchases_csv_query();
Query purchases_txt_query();

// Of deals that have settled, and of no others.
struct TokenRow {
    uint64_t order = 0;
    int64_t at_us = 0;
    std::string biller;
    Money amount;
    std::string token;
};
Query tokens_of_account(std::string_view account, uint32_t limit, uint64_t before_order = kNewest);
TokenRow read_token(const Row& row);

struct LoanRow {
    uint64_t id = 0;
    Money principal;
    uint32_t rate_bp = 0;
    uint32_t months = 0;
    int64_t at_us = 0;
    std::string state;  // "pending", "settled", "cancelled" or "repaid"
};
Query loans_of_account(std::string_view account, uint32_t limit, uint64_t before_id = kNewest);
LoanRow read_loan(const Row& row);

// --- sales

enum class SalesBy { product, category, biller };

struct SalesRow {
    std::string what;       // id of the product, name of the biller, category in small letters
    std::string name;       // of the product; as the others were last spelled
    uint64_t quantity = 0;  // of deals with billers: how many
    Money amount;
};
// The largest first, from running sums: of all time, or of the days that the period touches. A
// purchase counts in each of its categories.
Query sales_query(SalesBy by, const Period& period, uint32_t limit);
// What the shop sold, or what billers were paid, in total: one row, or none for nothing.
enum class SalesOf { shop, billers };
Query sales_total_query(SalesOf of, const Period& period);
SalesRow read_sales(const Row& row);

// --- settlements and refusals

struct SettlementRow {
    uint64_t position = 0;
    int64_t at_us = 0;
    std::string operation;
    Money balance;
};
Query settlements_query(std::string_view account, uint32_t limit,
                        uint64_t before_position = kNewest);
SettlementRow read_settlement(const Row& row);

struct RefusalRow {
    uint64_t position = 0;
    int64_t at_us = 0;
    std::string who;
    std::string command;
    std::string code;
};
Query refusals_query(uint32_t limit, uint64_t before_position = kNewest);
RefusalRow read_refusal(const Row& row);

// --- what can be proven
//
// All of it up to a position, the oldest first: for `audit --evidence` only.

struct StatementsSize {
    uint64_t count = 0;
    uint64_t bytes = 0;  // as they are stored: a third more than they have
};
Query signed_statements_size_query(uint64_t position);
StatementsSize read_statements_size(const Row& row);

// Nothing for a row whose bytes are none: somebody edited the file.
struct SignedStatementRow {
    uint64_t position = 0;
    std::string account;
    uint64_t number = 0;
    std::string signing_key;
    std::string statement;
};
Query signed_statements_query(uint64_t position);
std::optional<SignedStatementRow> read_signed_statement(const Row& row);

struct CohortEndRow {
    uint64_t position = 0;
    uint64_t cohort = 0;
    std::string name;
    bool forced = false;
};
Query cohort_ends_query(uint64_t position);
CohortEndRow read_cohort_end(const Row& row);

struct AccusationRow {
    uint64_t position = 0;
    std::string evidence;
};
Query accusations_query(uint64_t position);
std::optional<AccusationRow> read_accusation(const Row& row);

}  // namespace p2pbank::bank
