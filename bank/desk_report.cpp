// The report: what the state knows at this moment, and sales from the running sums of the history.
// Part of Desk.
#include <memory>
#include <set>

#include "bank/desk.h"
#include "common/base/csv.h"
#include "common/base/dates.h"
#include "common/base/limits.h"
#include "common/base/text.h"

namespace p2pbank::bank {

struct Desk::Report {
    Asker asker;
    Period period;
    bool csv = false;
    bool json = false;
    std::string title;
    // The queries in the order in which they are made, and what came back.
    SalesRow shop;
    SalesRow paid;
    std::vector<SalesRow> products;
    std::vector<SalesRow> categories;
    std::vector<SalesRow> billers;
    int step = 0;
};

namespace {

struct Line {
    std::string section;
    std::string name;
    std::string quantity;  // may be empty
    std::string amount;    // plain; may be empty
};

constexpr uint32_t kMostInReport = 50;

}  // namespace

void Desk::report(const Asker& asker, const Words& words) {
    const auto read = options(words, {"--from", "--to"}, {"--csv", "--json"});
    if (!read) return reply(asker, failure(read.error()));
    const bool two_forms =
        read.value().find("--csv") != nullptr && read.value().find("--json") != nullptr;
    if (!read.value().plain.empty() || two_forms) return reply(asker, usage(asker, "report"));
    const auto when = period(read.value());
    if (!when) return reply(asker, failure(when.error()));
    auto report = std::make_shared<Report>();
    report->asker = asker;
    report->period = when.value();
    report->csv = read.value().find("--csv") != nullptr;
    report->json = read.value().find("--json") != nullptr;
    report->title = "report";
    if (const std::string* from = read.value().find("--from")) report->title += " from " + *from;
    if (const std::string* to = read.value().find("--to")) report->title += " to " + *to;
    continue_report(report);
}

void Desk::continue_report(std::shared_ptr<Report> report) {
    const Period& when = report->period;
    Query query;
    switch (report->step) {
        case 0:
            query = sales_total_query(SalesOf::shop, when);
            break;
        case 1:
            query = sales_total_query(SalesOf::billers, when);
            break;
        case 2:
            query = sales_query(SalesBy::product, when, kMostInReport);
            break;
        case 3:
            query = sales_query(SalesBy::category, when, kMostInReport);
            break;
        case 4:
            query = sales_query(SalesBy::biller, when, kMostInReport);
            break;
        default:
            reply(report->asker, report_answer(*report));
            return;
    }
    start(std::move(query), [this, report](JobResult& result) {
        if (!result.outcome) return reply(report->asker, failure(result.outcome.error()));
        std::vector<SalesRow> rows;
        for (const Row& row : result.rows) rows.push_back(read_sales(row));
        switch (report->step++) {
            case 0:
                if (!rows.empty()) report->shop = rows[0];
                break;
            case 1:
                if (!rows.empty()) report->paid = rows[0];
                break;
            case 2:
                report->products = std::move(rows);
                break;
            case 3:
                report->categories = std::move(rows);
                break;
            default:
                report->billers = std::move(rows);
                break;
        }
        continue_report(report);
    });
}

Answer Desk::report_answer(const Report& report) const {
    const auto& business = context_.state.business;
    size_t open = 0;
    std::set<std::string_view> owners;
    MoneyTotal balances;
    for (const Account& account : context_.state.accounts()) {
        if (account.exited) continue;
        ++open;
        balances += account.shown_balance();
        owners.insert(account.owner().empty() ? account.name : account.owner());
    }
    MoneyTotal lent;
    uint64_t open_loans = 0;
    uint64_t late = 0;
    for (const auto& [id, loan] : business.loans()) {
        if (!loan.settled) continue;
        const LoanStanding standing = loan.standing(context_.wall_us());
        if (standing.status == LoanStatus::repaid) continue;
        ++open_loans;
        late += standing.status == LoanStatus::late ? 1U : 0U;
        lent += standing.outstanding;
    }
    std::vector<Line> lines = {
        {"customers", "accounts", std::to_string(open), ""},
        {"customers", "unique names", std::to_string(owners.size()), ""},
        {"customers", "registered people", std::to_string(business.people().size()), ""},
        {"sales", "shop", std::to_string(report.shop.quantity), to_string(report.shop.amount)},
        {"sales", "billers", std::to_string(report.paid.quantity), to_string(report.paid.amount)},
    };
    if (const Product* lowest = business.lowest_stock()) {
        lines.push_back({"lowest stock", lowest->id + " " + lowest->name,
                         std::to_string(lowest->quantity), to_string(lowest->price)});
    }
    const auto add = [&](const char* section, const std::vector<SalesRow>& rows) {
        for (const SalesRow& row : rows) {
            lines.push_back(
                {section, row.what, std::to_string(row.quantity), to_string(row.amount)});
        }
    };
    add("sales by product", report.products);
    add("sales by category", report.categories);
    add("sales by biller", report.billers);
    lines.push_back({"money", "customers", std::to_string(open), balances.to_string()});
    for (const auto& [name, balance] : business.own_accounts()) {
        lines.push_back({"money", "bank: " + name, "", balance.to_string()});
    }
    lines.push_back({"loans", "outstanding", std::to_string(open_loans), lent.to_string()});
    lines.push_back({"loans", "late", std::to_string(late), ""});

    Answer answer = success(report.title);
    answer.fact("customers", uint64_t(open)).fact("unique_names", uint64_t(owners.size()));
    MoneyTotal total;
    total += report.shop.amount;
    total += report.paid.amount;
    answer.facts.push_back({"total_sales", total.to_string(), true});
    std::vector<std::vector<std::string>> rows;
    std::vector<std::vector<Answer::Fact>> facts;
    if (report.csv) answer.line("section,name,quantity,amount");
    for (const Line& line : lines) {
        auto& row = facts.emplace_back();
        row.push_back({"section", line.section, false});
        row.push_back({"name", line.name, false});
        if (!line.quantity.empty()) row.push_back({"quantity", line.quantity, true});
        if (!line.amount.empty()) row.push_back({"amount", line.amount, true});
        if (report.csv) {
            std::string text;
            append_csv_row(text,
                           {defuse(line.section), defuse(line.name), line.quantity, line.amount});
            text.pop_back();
            answer.line(std::move(text));
        } else if (report.json) {
            answer.line(to_json(row));
        } else {
            rows.push_back({line.section, line.name, line.quantity,
                            line.amount.empty() ? "" : "\x01" + line.amount});
        }
    }
    if (!report.csv && !report.json) {
        answer.lines = aligned({{"", Align::left},
                                {"", Align::left},
                                {"number", Align::right},
                                {"amount", Align::right}},
                               rows);
    }
    answer.tables.emplace_back("entries", std::move(facts));
    return answer;
}

}  // namespace p2pbank::bank
