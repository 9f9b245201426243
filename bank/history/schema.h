// The bank's history database (bank.db): what is told of the past, never decided with. The tables,
// and by index the statements that facts run (facts.h) and the queries that commands run
// (queries.h). SQL that SQLite and PostgreSQL both understand; money is in cents, moments are
// microseconds since 1970, days are counted from 1970-01-01. docs/storage.md describes the columns.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/core/history.h"

namespace p2pbank::bank {

// For HistoryDb. The same object every time.
const HistorySchema& history_schema();

// Fact::statement.
enum class HistoryStatement : uint32_t {
    account_opened,
    account_closed,
    account_owned,
    product_set,
    product_removed,
    stock_changed,
    deal_made,
    deal_category,
    deal_settled,
    deal_cancelled,
    sale_total_all,
    sale_total_day,
    sale_what_all,
    sale_what_day,
    sale_category_all,
    sale_category_day,
    deal_categories_dropped,
    sale_all,
    sale_day,
    loan_made,
    loan_state,
    activity_line,
    activity_settled,
    activity_rolled_back,
    settled,
    refusal,
    statement_committed,
    cohort_end,
    accusation,
    count_,
};

// Query::query.
enum class HistoryQuery : uint32_t {
    account,
    statement_newest,
    statement_between,
    activity_newest,
    deal,
    deals_of_account,
    deals_of_what,
    deals_newest,
    deals_forward,
    tokens_of_account,
    sales_all,
    sales_between,
    settlements_of_account,
    refusals_newest,
    loans_of_account,
    signed_statements_size,
    signed_statements,
    cohort_ends,
    accusations,
    count_,
};

}  // namespace p2pbank::bank
