// The account's activity: what happened to it, line by line, and which lines are settled, pending
// or rolled back. Rules only: customer::State keeps the one log, queries show it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "common/base/money.h"
#include "common/wire/activity.h"

namespace p2pbank::customer {

// One line of the account's activity.
struct ActivityEntry {
    ActivityKind kind = ActivityKind::opened;
    std::string what;     // the peer, product, biller, loan or cohort
    uint64_t number = 0;  // the label of a transfer, the order of a deal
    Money amount;         // as it changed the balance
    Money balance;        // after it
    uint64_t at_ms = 0;   // since 1970, by this customer's clock
    std::string note;
    bool rolled_back = false;

    // Checkpoints and cohorts are told of, but nothing about them can be undone.
    bool moves_money() const;
    // With the bank: a purchase, payment, loan or repayment; number is its order.
    bool is_deal() const;
};

// The newest lines, and which of them are covered by checkpoints. Lines are counted over the
// account's life.
struct ActivityLog {
    std::deque<ActivityEntry> entries;
    uint64_t dropped = 0;    // older lines that are no longer there
    uint64_t settled = 0;    // lines before this one are covered by the permanent checkpoint
    uint64_t tentative = 0;  // and by the tentative one

    uint64_t count() const { return dropped + entries.size(); }
    void add(ActivityEntry entry);
    // What is not settled is undone.
    void roll_back();
    // "pending", "settled" or "rolled back". Requires a line that is still there.
    const char* state_of(uint64_t line) const;
    // How many deals are neither settled nor rolled back.
    size_t pending_deals() const;
};

// For people: "deposited 50", "bought apple for 10 (order 3)".
std::string to_text(const ActivityEntry& entry);

// Without its sign.
Money positive(Money amount);

}  // namespace p2pbank::customer
