#include "customer/domain/activity.h"

#include <algorithm>

#include "common/base/limits.h"

namespace p2pbank::customer {

Money positive(Money amount) {
    return amount.is_negative() ? must_subtract(Money(), amount) : amount;
}

std::string to_text(const ActivityEntry& entry) {
    const std::string amount = to_string(positive(entry.amount));
    const std::string label = " (transfer " + std::to_string(entry.number) + ")";
    const std::string order = " (order " + std::to_string(entry.number) + ")";
    switch (entry.kind) {
        case ActivityKind::opened:
            return "opened with " + to_string(entry.balance);
        case ActivityKind::deposit:
            return "deposited " + amount;
        case ActivityKind::withdrawal:
            return "withdrew " + amount;
        case ActivityKind::sent:
            return "sent " + amount + " to " + entry.what + label;
        case ActivityKind::lost:
            return "lost " + amount + " on the way to " + entry.what + label;
        case ActivityKind::received:
            return "received " + amount + " from " + entry.what + label;
        case ActivityKind::checkpoint:
            return "checkpoint became permanent";
        case ActivityKind::rolled_back:
            return "rolled back to the permanent checkpoint";
        case ActivityKind::correction:
            return "corrected by the operator by " + to_string(entry.amount);
        case ActivityKind::cohort_started:
            return "joined " + entry.what;
        case ActivityKind::cohort_ended:
            return "the cohort ended";
        case ActivityKind::purchase:
            return "bought " + entry.what + " for " + amount + order;
        case ActivityKind::payment:
            return "paid " + amount + " to " + entry.what + order;
        case ActivityKind::loan:
            return "borrowed " + amount + " (loan " + entry.what + ")";
        case ActivityKind::repayment:
            return "repaid " + amount + " of loan " + entry.what + order;
    }
    return "";
}

bool ActivityEntry::is_deal() const {
    return kind == ActivityKind::purchase || kind == ActivityKind::payment ||
           kind == ActivityKind::loan || kind == ActivityKind::repayment;
}

bool ActivityEntry::moves_money() const {
    switch (kind) {
        case ActivityKind::checkpoint:
        case ActivityKind::rolled_back:
        case ActivityKind::cohort_started:
        case ActivityKind::cohort_ended:
            return false;
        default:
            return true;
    }
}

void ActivityLog::add(ActivityEntry entry) {
    if (entries.size() >= limits::kMaxActivity) {
        entries.pop_front();
        ++dropped;
    }
    entries.push_back(std::move(entry));
}

void ActivityLog::roll_back() {
    for (uint64_t i = std::max(settled, dropped); i < count(); ++i) {
        ActivityEntry& entry = entries[i - dropped];
        if (entry.moves_money()) entry.rolled_back = true;
    }
}

size_t ActivityLog::pending_deals() const {
    size_t count = 0;
    for (uint64_t i = std::max(settled, dropped); i < this->count(); ++i) {
        const ActivityEntry& entry = entries[i - dropped];
        if (entry.is_deal() && !entry.rolled_back) ++count;
    }
    return count;
}

const char* ActivityLog::state_of(uint64_t line) const {
    const ActivityEntry& entry = entries[line - dropped];
    if (entry.rolled_back) return "rolled back";
    return line < settled || !entry.moves_money() ? "settled" : "pending";
}

}  // namespace p2pbank::customer
