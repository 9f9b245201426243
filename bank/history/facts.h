// What the bank's state tells its history of: one builder for each thing that happened, with plain
// values of the domain. State::apply calls them and hands on what they give through tell(). They
// decide nothing and remember nothing, so that replaying a record gives the same facts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bank/domain/catalogue.h"
#include "common/base/money.h"
#include "common/core/history.h"
#include "common/wire/activity.h"

namespace p2pbank::bank {

using Facts = std::vector<Fact>;

// In this order, all at `position`. No sink: nothing.
void tell(FactSink* sink, uint64_t position, Facts facts);

// --- accounts

Facts account_opened(std::string_view name, std::string_view owner, Money opening, int64_t at_us);
Facts account_closed(std::string_view name, int64_t at_us);
Facts account_owned(std::string_view name, std::string_view owner);

// --- products

Facts product_set(const Product& product);  // added, or replaces the one of that id
Facts product_removed(std::string_view id);
Facts stock_changed(std::string_view id, uint64_t quantity);

// --- deals

enum class Dealing { purchase, payment, loan, repayment };
std::string_view to_string(Dealing dealing);

struct Deal {
    uint64_t order = 0;
    std::string account;
    int64_t at_us = 0;
    Dealing kind = Dealing::purchase;
    std::string what;  // id of the product, name of the biller, number of the loan
    std::string name;  // for people, as it was then; may be empty
    std::vector<std::string> categories;  // of the product, as they were then
    uint64_t quantity = 0;                // of a product
    Money amount;                         // what it came to: never negative
    std::string token;                    // of a service
};

// Accepted: pending until one of the other two.
Facts deal_made(const Deal& deal);
// Counts it as a sale, if it is one, on the day on which it was made.
Facts deal_settled(uint64_t order, Dealing kind, int64_t at_us);
Facts deal_cancelled(uint64_t order, Dealing kind, int64_t at_us);
// Purchases from another system's file, all those of one record. What was settled there counts as a
// sale at once, what was not was cancelled. Sales are added up first: a fact for each purchase, and
// a few for each product and category.
struct PastPurchase {
    Deal deal;
    bool settled = true;
};
Facts past_purchases(std::span<const PastPurchase> purchases);

// Beside deal_made of a loan; deal_settled and deal_cancelled change its state too.
Facts loan_made(uint64_t order, std::string_view account, Money principal, uint32_t rate_bp,
                uint32_t months, int64_t at_us);
// When nothing is left to pay, or again something is because a repayment was cancelled.
Facts loan_repaid(uint64_t order, bool repaid);

// --- activity

enum class LineState { pending, settled, rolled_back };
std::string_view to_string(LineState state);

struct ActivityLine {
    ActivityKind kind = ActivityKind::opened;
    int64_t at_us = 0;
    std::string what;
    uint64_t number = 0;
    Money amount;  // as it changed the balance
    Money balance;
    std::string note;
    LineState state = LineState::settled;
};
std::string_view to_string(ActivityKind kind);

// The `index`-th line of one account that one record gives, counted from 0: together with the
// position of the record its place among all lines of the account. Requires index <
// limits::kMaxActivityOfRecord.
Facts activity_line(std::string_view account, uint64_t position, uint32_t index,
                    const ActivityLine& line);
// So many older lines the customer could not send along; told in their place, before the others.
Facts activity_left_out(std::string_view account, uint64_t position, uint32_t index, uint64_t count,
                        int64_t at_us);
// What became of the account's pending lines.
Facts activity_settled(std::string_view account);
Facts rolled_back(std::string_view account);

// --- settlements and refusals

// A permanent checkpoint of the account, or its part in the end of a cohort.
Facts settled(std::string_view account, uint64_t position, std::string_view operation,
              Money balance, int64_t at_us);
Facts refusal(uint64_t position, std::string_view who, std::string_view command,
              std::string_view code, int64_t at_us);

// --- what can be proven
//
// Bytes are of messages that only the bank's own code reads (bank/evidence.proto).

// A signed statement of the account has become permanent. `signing_key`: with which it is signed,
// empty in clear.
Facts statement_committed(uint64_t position, std::string_view account, uint64_t number,
                          int64_t at_us, std::string_view operation, std::string_view signing_key,
                          std::string_view statement);
// Channels of the cohort are gone; at the same position as the last statements, unless by force.
Facts cohort_end(uint64_t position, uint64_t cohort, std::string_view name, bool forced,
                 int64_t at_us);
Facts accusation(uint64_t position, std::string_view account, int64_t at_us, std::string_view text,
                 std::string_view evidence);

}  // namespace p2pbank::bank
