#include "bank/history/queries.h"

#include <algorithm>

#include <sodium.h>

#include "bank/history/schema.h"
#include "common/base/check.h"
#include "common/base/csv.h"
#include "common/base/dates.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

template <class... Values>
Query query(HistoryQuery which, const Values&... values) {
    Query made;
    made.query = static_cast<uint32_t>(which);
    (made.values.emplace_back(values), ...);
    return made;
}

std::string text(std::string_view view) {
    return std::string(view);
}
int64_t below(uint64_t number) {
    return static_cast<int64_t>(std::min(number, kNewest));
}
int64_t most(uint32_t limit) {
    return limit;
}

// Reads the columns of one row in turn. The file is from outside: what is not of its kind (edited
// by hand) is taken as empty.
class Columns {
  public:
    Columns(const Row& row, size_t count) : row_(row) { P2PBANK_CHECK(row.size() == count); }

    int64_t number() {
        const auto* held = std::get_if<int64_t>(&row_[at_++]);
        return held == nullptr ? 0 : *held;
    }
    uint64_t count() { return static_cast<uint64_t>(std::max<int64_t>(number(), 0)); }
    Money money() { return Money::from_cents(number()); }
    std::string text() {
        const auto* held = std::get_if<std::string>(&row_[at_++]);
        return held == nullptr ? std::string() : *held;
    }
    std::optional<int64_t> optional_number() {
        if (std::holds_alternative<std::monostate>(row_[at_])) {
            ++at_;
            return std::nullopt;
        }
        return number();
    }

  private:
    const Row& row_;
    size_t at_ = 0;
};

std::optional<std::string> from_base64(const std::string& text) {
    std::string bytes(text.size(), '\0');
    size_t size = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return std::nullopt;
    }
    bytes.resize(size);
    return bytes;
}

std::vector<std::string> split_categories(std::string_view joined) {
    std::vector<std::string> categories;
    while (!joined.empty()) {
        const size_t end = std::min(joined.find(';'), joined.size());
        categories.emplace_back(joined.substr(0, end));
        joined.remove_prefix(std::min(end + 1, joined.size()));
    }
    return categories;
}

void append_activity_csv(const Row& row, std::string& out) {
    const ActivityRow line = read_activity(row);
    out += date_and_time(line.at_us);
    out += ',';
    out += line.kind;
    out += ',';
    append_csv_field(out, defuse(line.what));
    out += ',';
    out += std::to_string(line.number);
    out += ',';
    out += to_string(line.amount);
    out += ',';
    out += to_string(line.balance);
    out += ',';
    out += line.state;
    out += ',';
    append_csv_field(out, defuse(line.note));
    out += '\n';
}

PurchaseRow purchase_of(const Row& row) {
    DealRow deal = read_deal(row);
    return {deal.order,    deal.at_us,  std::move(deal.account), std::move(deal.what),
            deal.quantity, deal.amount, std::move(deal.state)};
}

void append_purchase_csv(const Row& row, std::string& out) {
    append_purchase_row(out, purchase_of(row));
}

void append_purchase_txt(const Row& row, std::string& out) {
    append_purchase_line(out, purchase_of(row));
}

Query all_purchases() {
    return query(HistoryQuery::deals_forward, text(to_string(Dealing::purchase)));
}

Query sales(const char* kind, const Period& period, uint32_t limit) {
    if (period.is_all()) return query(HistoryQuery::sales_all, std::string(kind), most(limit));
    const int64_t last_us = period.to_us == kBeginOfTime ? kBeginOfTime : period.to_us - 1;
    return query(HistoryQuery::sales_between, std::string(kind), day_number_of(period.from_us),
                 day_number_of(last_us), most(limit));
}

}  // namespace

Query account_query(std::string_view name) {
    return query(HistoryQuery::account, text(name));
}

AccountRow read_account(const Row& row) {
    Columns columns(row, 5);
    AccountRow read;
    read.name = columns.text();
    read.owner = columns.text();
    read.opening = columns.money();
    read.opened_us = columns.number();
    read.closed_us = columns.optional_number();
    return read;
}

Query statement_query(std::string_view account, const Period& period, uint32_t limit,
                      const ActivityPlace& before) {
    if (period.is_all()) {
        return query(HistoryQuery::statement_newest, text(account), before.sequence, most(limit));
    }
    const bool continued = before.at_us < period.to_us;
    return query(HistoryQuery::statement_between, text(account), period.from_us,
                 continued ? before.at_us : period.to_us,
                 continued ? before.sequence : kBeginOfTime, most(limit));
}

Query activity_query(std::string_view account, uint32_t limit, const ActivityPlace& before) {
    return query(HistoryQuery::activity_newest, text(account), before.sequence, most(limit));
}

ActivityRow read_activity(const Row& row) {
    Columns columns(row, 9);
    ActivityRow read;
    read.sequence = columns.number();
    read.at_us = columns.number();
    read.kind = columns.text();
    read.what = columns.text();
    read.number = columns.count();
    read.amount = columns.money();
    read.balance = columns.money();
    read.note = columns.text();
    read.state = columns.text();
    return read;
}

Query with_csv(Query lines) {
    P2PBANK_CHECK(lines.query == static_cast<uint32_t>(HistoryQuery::statement_newest) ||
                  lines.query == static_cast<uint32_t>(HistoryQuery::statement_between) ||
                  lines.query == static_cast<uint32_t>(HistoryQuery::activity_newest));
    lines.head = "date,kind,what,number,amount,balance,state,note\n";
    lines.format = append_activity_csv;
    return lines;
}

Query deal_query(uint64_t order) {
    return query(HistoryQuery::deal, below(order));
}

Query deals_of_account(std::string_view account, Dealing kind, uint32_t limit,
                       uint64_t before_order) {
    return query(HistoryQuery::deals_of_account, text(account), text(to_string(kind)),
                 below(before_order), most(limit));
}

Query deals_of(Dealing kind, std::string_view what, uint32_t limit, uint64_t before_order) {
    return query(HistoryQuery::deals_of_what, text(to_string(kind)), text(what),
                 below(before_order), most(limit));
}

Query newest_deals(Dealing kind, uint32_t limit, uint64_t before_order) {
    return query(HistoryQuery::deals_newest, text(to_string(kind)), below(before_order),
                 most(limit));
}

DealRow read_deal(const Row& row) {
    Columns columns(row, 11);
    DealRow read;
    read.order = columns.count();
    read.account = columns.text();
    read.at_us = columns.number();
    read.kind = columns.text();
    read.what = columns.text();
    read.name = columns.text();
    read.categories = split_categories(columns.text());
    read.quantity = columns.count();
    read.amount = columns.money();
    read.state = columns.text();
    read.imported = columns.number() != 0;
    return read;
}

Query purchases_csv_query() {
    Query made = all_purchases();
    made.head = std::string(kPurchasesHeader) + "\n";
    made.format = append_purchase_csv;
    return made;
}

Query purchases_txt_query() {
    Query made = all_purchases();
    made.head = purchases_txt_head();
    made.format = append_purchase_txt;
    return made;
}

Query tokens_of_account(std::string_view account, uint32_t limit, uint64_t before_order) {
    return query(HistoryQuery::tokens_of_account, text(account), below(before_order), most(limit));
}

TokenRow read_token(const Row& row) {
    Columns columns(row, 5);
    TokenRow read;
    read.order = columns.count();
    read.at_us = columns.number();
    read.biller = columns.text();
    read.amount = columns.money();
    read.token = columns.text();
    return read;
}

Query loans_of_account(std::string_view account, uint32_t limit, uint64_t before_id) {
    return query(HistoryQuery::loans_of_account, text(account), below(before_id), most(limit));
}

LoanRow read_loan(const Row& row) {
    Columns columns(row, 6);
    LoanRow read;
    read.id = columns.count();
    read.principal = columns.money();
    read.rate_bp = static_cast<uint32_t>(columns.count());
    read.months = static_cast<uint32_t>(columns.count());
    read.at_us = columns.number();
    read.state = columns.text();
    return read;
}

Query sales_query(SalesBy by, const Period& period, uint32_t limit) {
    switch (by) {
        case SalesBy::product:
            return sales("product", period, limit);
        case SalesBy::category:
            return sales("category", period, limit);
        case SalesBy::biller:
            break;
    }
    return sales("biller", period, limit);
}

Query sales_total_query(SalesOf of, const Period& period) {
    return sales(of == SalesOf::shop ? "shop" : "billers", period, 1);
}

SalesRow read_sales(const Row& row) {
    Columns columns(row, 4);
    SalesRow read;
    read.what = columns.text();
    read.name = columns.text();
    read.quantity = columns.count();
    read.amount = columns.money();
    return read;
}

Query settlements_query(std::string_view account, uint32_t limit, uint64_t before_position) {
    return query(HistoryQuery::settlements_of_account, text(account), below(before_position),
                 most(limit));
}

SettlementRow read_settlement(const Row& row) {
    Columns columns(row, 4);
    SettlementRow read;
    read.position = columns.count();
    read.at_us = columns.number();
    read.operation = columns.text();
    read.balance = columns.money();
    return read;
}

Query refusals_query(uint32_t limit, uint64_t before_position) {
    return query(HistoryQuery::refusals_newest, below(before_position), most(limit));
}

RefusalRow read_refusal(const Row& row) {
    Columns columns(row, 5);
    RefusalRow read;
    read.position = columns.count();
    read.at_us = columns.number();
    read.who = columns.text();
    read.command = columns.text();
    read.code = columns.text();
    return read;
}

Query signed_statements_size_query(uint64_t position) {
    return query(HistoryQuery::signed_statements_size, below(position));
}

StatementsSize read_statements_size(const Row& row) {
    Columns columns(row, 2);
    StatementsSize read;
    read.count = columns.count();
    read.bytes = columns.count();
    return read;
}

Query signed_statements_query(uint64_t position) {
    return query(HistoryQuery::signed_statements, below(position));
}

std::optional<SignedStatementRow> read_signed_statement(const Row& row) {
    Columns columns(row, 5);
    SignedStatementRow read;
    read.position = columns.count();
    read.account = columns.text();
    read.number = columns.count();
    auto signing_key = from_base64(columns.text());
    auto statement = from_base64(columns.text());
    if (!signing_key || !statement) return std::nullopt;
    read.signing_key = std::move(*signing_key);
    read.statement = std::move(*statement);
    return read;
}

Query cohort_ends_query(uint64_t position) {
    return query(HistoryQuery::cohort_ends, below(position));
}

CohortEndRow read_cohort_end(const Row& row) {
    Columns columns(row, 4);
    CohortEndRow read;
    read.position = columns.count();
    read.cohort = columns.count();
    read.name = columns.text();
    read.forced = columns.number() != 0;
    return read;
}

Query accusations_query(uint64_t position) {
    return query(HistoryQuery::accusations, below(position));
}

std::optional<AccusationRow> read_accusation(const Row& row) {
    Columns columns(row, 2);
    AccusationRow read;
    read.position = columns.count();
    auto evidence = from_base64(columns.text());
    if (!evidence) return std::nullopt;
    read.evidence = std::move(*evidence);
    return read;
}

}  // namespace p2pbank::bank
