#include "simulator/proof_history.h"

#include <algorithm>
#include <initializer_list>

#include "bank/history/schema.h"

namespace p2pbank::simulator {
namespace {

using bank::HistoryQuery;
using bank::HistoryStatement;

Row columns(const Fact& fact, std::initializer_list<size_t> which) {
    Row row;
    for (const size_t column : which) row.push_back(fact.values.at(column));
    return row;
}

}  // namespace

FactSink* ProofHistory::begin() {
    at_ = 0;
    return this;
}

void ProofHistory::replayed(uint64_t position) {
    facts_.erase(facts_.upper_bound(position), facts_.end());
}

void ProofHistory::fact(uint64_t position, Fact fact) {
    std::vector<Fact>& told = facts_[position];
    if (position != at_) told.clear();  // by an earlier run
    at_ = position;
    told.push_back(std::move(fact));
}

void ProofHistory::count(Tally& tally) const {
    for (const auto& [position, facts] : facts_) {
        for (const Fact& fact : facts) {
            switch (static_cast<HistoryStatement>(fact.statement)) {
                case HistoryStatement::deal_made:
                    ++tally.deals;
                    break;
                case HistoryStatement::deal_settled:
                    ++tally.deals_settled;
                    break;
                case HistoryStatement::deal_cancelled:
                    ++tally.deals_cancelled;
                    break;
                default:
                    break;
            }
        }
    }
}

JobResult ProofHistory::look_up(const Query& query) const {
    const auto which = static_cast<HistoryQuery>(query.query);
    HistoryStatement wanted = HistoryStatement::statement_committed;
    if (which == HistoryQuery::cohort_ends) {
        wanted = HistoryStatement::cohort_end;
    } else if (which == HistoryQuery::accusations) {
        wanted = HistoryStatement::accusation;
    } else if (which != HistoryQuery::signed_statements &&
               which != HistoryQuery::signed_statements_size) {
        return {};
    }
    std::vector<Row> rows;
    int64_t bytes = 0;
    const auto upto = static_cast<uint64_t>(std::get<int64_t>(query.values.at(0)));
    for (auto at = facts_.begin(); at != facts_.end() && at->first <= upto; ++at) {
        const size_t before = rows.size();
        for (const Fact& fact : at->second) {
            if (static_cast<HistoryStatement>(fact.statement) != wanted) continue;
            switch (wanted) {
                case HistoryStatement::cohort_end:
                    rows.push_back(columns(fact, {0, 2, 3, 4}));
                    break;
                case HistoryStatement::accusation:
                    rows.push_back(columns(fact, {0, 4}));
                    break;
                default:
                    rows.push_back(columns(fact, {0, 1, 2, 5, 6}));
                    bytes += static_cast<int64_t>(std::get<std::string>(fact.values.at(6)).size());
            }
        }
        std::sort(rows.begin() + static_cast<std::ptrdiff_t>(before), rows.end());
    }
    JobResult result;
    result.text = query.head;
    if (which == HistoryQuery::signed_statements_size) {
        result.rows.push_back({static_cast<int64_t>(rows.size()), bytes});
    } else if (query.format != nullptr) {
        for (const Row& row : rows) query.format(row, result.text);
    } else {
        result.rows = std::move(rows);
    }
    return result;
}

}  // namespace p2pbank::simulator
