#include <sqlite3.h>

#include <doctest/doctest.h>

#include "bank/history/facts.h"
#include "bank/history/queries.h"
#include "bank/history/schema.h"
#include "common/base/dates.h"
#include "common/history/history_db.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

// A history in memory that is told facts as the bank's state tells them.
class Told : FactSink {
  public:
    Told() {
        auto opened = HistoryDb::open(":memory:", history_schema());
        REQUIRE(opened.ok());
        db_ = std::move(opened).value();
    }

    void tell(Facts facts) {
        bank::tell(this, ++position_, std::move(facts));
        const auto applied = db_->apply(facts_, position_);
        if (!applied) FAIL(applied.error().message);
        facts_.clear();
    }
    uint64_t next_position() const { return position_ + 1; }

    template <class Read>
    auto rows(const Query& query, Read read) {
        std::vector<decltype(read(Row()))> found;
        const auto asked = db_->query(query.query, query.values,
                                      [&](const Row& row) { found.push_back(read(row)); });
        if (!asked) FAIL(asked.error().message);
        return found;
    }
    std::string text(const Query& query) {
        std::string out = query.head;
        REQUIRE(bool(query.format));
        const auto asked =
            db_->query(query.query, query.values, [&](const Row& row) { query.format(row, out); });
        if (!asked) FAIL(asked.error().message);
        return out;
    }

  private:
    void fact(uint64_t position, Fact fact) override {
        CHECK(position == position_);
        facts_.push_back(std::move(fact));
    }

    std::unique_ptr<HistoryDb> db_;
    std::vector<Fact> facts_;
    uint64_t position_ = 0;
};

int64_t day(uint32_t number) {
    return begin_of({2026, 11, number}) + 9 * 3'600 * kMicrosInSecond;
}

Deal purchase(uint64_t order, const char* account, const char* what, int64_t cents,
              std::vector<std::string> categories, int64_t at_us) {
    Deal deal;
    deal.order = order;
    deal.account = account;
    deal.at_us = at_us;
    deal.what = what;
    deal.name = std::string("The ") + what;
    deal.categories = std::move(categories);
    deal.quantity = 2;
    deal.amount = Money::from_cents(cents);
    return deal;
}

Deal payment(uint64_t order, const char* biller, int64_t cents, const char* token) {
    Deal deal;
    deal.order = order;
    deal.account = "ann";
    deal.at_us = day(1);
    deal.kind = Dealing::payment;
    deal.what = biller;
    deal.amount = Money::from_cents(cents);
    deal.token = token;
    return deal;
}

ActivityLine line(ActivityKind kind, int64_t cents, int64_t at_us,
                  LineState state = LineState::settled) {
    ActivityLine made;
    made.kind = kind;
    made.at_us = at_us;
    made.amount = made.balance = Money::from_cents(cents);
    made.state = state;
    return made;
}

std::string sales(Told& told, SalesBy by, const Period& period = {}) {
    std::string out;
    for (const SalesRow& row : told.rows(sales_query(by, period, 100), read_sales)) {
        out += row.what + " " + row.name + " " + std::to_string(row.quantity) + " " +
               to_string(row.amount) + "; ";
    }
    return out;
}

std::string total(Told& told, SalesOf of, const Period& period = {}) {
    const auto rows = told.rows(sales_total_query(of, period), read_sales);
    if (rows.empty()) return "none";
    return std::to_string(rows[0].quantity) + " " + to_string(rows[0].amount);
}

std::string amounts(Told& told, const Query& query) {
    std::string out;
    for (const ActivityRow& row : told.rows(query, read_activity)) {
        out += to_string(row.amount) + " ";
    }
    return out;
}

std::string orders(Told& told, const Query& query) {
    std::string out;
    for (const DealRow& row : told.rows(query, read_deal)) {
        out += std::to_string(row.order) + " " + row.state + "; ";
    }
    return out;
}

}  // namespace

TEST_CASE("history: an account is opened, owned and closed") {
    Told told;
    told.tell(account_opened("ann", "", Money::from_cents(100'00), day(1)));
    told.tell(account_owned("ann", "ann@example.org"));
    auto found = told.rows(account_query("ann"), read_account);
    REQUIRE(found.size() == 1);
    CHECK(found[0].owner == "ann@example.org");
    CHECK(to_string(found[0].opening) == "100");
    CHECK(found[0].opened_us == day(1));
    CHECK_FALSE(found[0].closed_us.has_value());
    told.tell(account_closed("ann", day(2)));
    CHECK(told.rows(account_query("ann"), read_account)[0].closed_us == day(2));
    CHECK(told.rows(account_query("bob"), read_account).empty());
}

TEST_CASE("history: products follow the state") {
    Told told;
    Product mug{"mug", "Mug", Money::from_cents(12'50), 40, {"Kitchen", "Gifts"}};
    told.tell(product_set(mug));
    told.tell(stock_changed("mug", 38));
    mug.name = "Blue mug";
    told.tell(product_set(mug));
    told.tell(product_removed("mug"));
    told.tell(product_removed("mug"));
}

TEST_CASE("history: only what has settled is a sale, in each of its categories, on its day") {
    Told told;
    told.tell(deal_made(purchase(1, "ann", "mug", 25'00, {"Kitchen", "Gifts"}, day(1))));
    CHECK(total(told, SalesOf::shop) == "none");
    told.tell(deal_made(purchase(2, "bob", "tea", 10'00, {"kitchen"}, day(3))));
    told.tell(deal_made(purchase(3, "bob", "mug", 25'00, {"Kitchen"}, day(3))));
    told.tell(deal_settled(1, Dealing::purchase, day(5)));
    told.tell(deal_settled(2, Dealing::purchase, day(5)));
    told.tell(deal_cancelled(3, Dealing::purchase, day(5)));
    CHECK(total(told, SalesOf::shop) == "4 35");
    CHECK(sales(told, SalesBy::product) == "mug The mug 2 25; tea The tea 2 10; ");
    CHECK(sales(told, SalesBy::category) == "kitchen kitchen 4 35; gifts Gifts 2 25; ");
    CHECK(sales(told, SalesBy::biller).empty());

    const Period third{begin_of({2026, 11, 3}), begin_of({2026, 11, 4})};
    CHECK(total(told, SalesOf::shop, third) == "2 10");
    CHECK(sales(told, SalesBy::product, third) == "tea The tea 2 10; ");
    CHECK(sales(told, SalesBy::category, third) == "kitchen kitchen 2 10; ");
    const Period fifth{begin_of({2026, 11, 5}), begin_of({2026, 11, 6})};
    CHECK(total(told, SalesOf::shop, fifth) == "none");
    CHECK(total(told, SalesOf::shop, {begin_of({2026, 11, 1}), kEndOfTime}) == "4 35");

    CHECK(orders(told, deals_of_account("bob", Dealing::purchase, 10)) ==
          "3 cancelled; 2 settled; ");
    CHECK(orders(told, deals_of_account("bob", Dealing::purchase, 1)) == "3 cancelled; ");
    CHECK(orders(told, deals_of_account("bob", Dealing::purchase, 10, 3)) == "2 settled; ");
    CHECK(orders(told, deals_of(Dealing::purchase, "mug", 10)) == "3 cancelled; 1 settled; ");
    CHECK(orders(told, newest_deals(Dealing::purchase, 2)) == "3 cancelled; 2 settled; ");
    CHECK(orders(told, deals_of_account("bob", Dealing::payment, 10)).empty());
    const auto first = told.rows(deal_query(1), read_deal);
    REQUIRE(first.size() == 1);
    CHECK(first[0].categories == std::vector<std::string>{"Kitchen", "Gifts"});
    CHECK(first[0].name == "The mug");
    CHECK(first[0].quantity == 2);
    CHECK_FALSE(first[0].imported);
}

TEST_CASE("history: a token is told when its payment has settled, and never before") {
    Told told;
    told.tell(deal_made(payment(1, "Electricity", 50'00, "4532015112830366")));
    told.tell(deal_made(payment(2, "Electricity", 60'00, "4539578763621486")));
    told.tell(deal_made(payment(3, "Rent", 700'00, "")));
    CHECK(told.rows(tokens_of_account("ann", 10), read_token).empty());
    told.tell(deal_settled(1, Dealing::payment, day(2)));
    told.tell(deal_cancelled(2, Dealing::payment, day(2)));
    told.tell(deal_settled(3, Dealing::payment, day(2)));
    const auto tokens = told.rows(tokens_of_account("ann", 10), read_token);
    REQUIRE(tokens.size() == 1);
    CHECK(tokens[0].token == "4532015112830366");
    CHECK(tokens[0].biller == "Electricity");
    CHECK(to_string(tokens[0].amount) == "50");
    CHECK(told.rows(tokens_of_account("bob", 10), read_token).empty());
    CHECK(sales(told, SalesBy::biller) == "Rent Rent 1 700; Electricity Electricity 1 50; ");
    CHECK(total(told, SalesOf::billers) == "2 750");
    CHECK(total(told, SalesOf::shop) == "none");
}

TEST_CASE("history: a loan is pending, settled, repaid, or was cancelled") {
    Told told;
    const auto state_of_newest = [&] {
        return told.rows(loans_of_account("ann", 1), read_loan).at(0).state;
    };
    Deal loan = payment(7, "7", 1'000'00, "");
    loan.kind = Dealing::loan;
    told.tell(deal_made(loan));
    told.tell(loan_made(7, "ann", loan.amount, 1'200, 12, day(1)));
    CHECK(state_of_newest() == "pending");
    told.tell(deal_settled(7, Dealing::loan, day(1)));
    CHECK(state_of_newest() == "settled");
    told.tell(loan_repaid(7, true));
    CHECK(state_of_newest() == "repaid");
    told.tell(loan_repaid(7, false));
    const auto found = told.rows(loans_of_account("ann", 10), read_loan);
    REQUIRE(found.size() == 1);
    CHECK(found[0].id == 7);
    CHECK(found[0].rate_bp == 1'200);
    CHECK(found[0].months == 12);
    CHECK(found[0].state == "settled");
    loan.order = 8;
    told.tell(deal_made(loan));
    told.tell(loan_made(8, "ann", loan.amount, 1'200, 12, day(1)));
    told.tell(deal_cancelled(8, Dealing::loan, day(1)));
    CHECK(state_of_newest() == "cancelled");
    CHECK(told.rows(loans_of_account("ann", 10, 8), read_loan).size() == 1);
    CHECK(total(told, SalesOf::billers) == "none");
}

TEST_CASE("history: purchases of another system count at once, and go into the files") {
    Told told;
    Deal past = purchase(1, "ann", "mug", 25'00, {"Kitchen"}, day(1));
    std::vector<PastPurchase> purchases{{past, true}, {past, false}};
    purchases[1].deal.order = 2;
    told.tell(past_purchases(purchases));
    told.tell(deal_made(purchase(3, "bob", "-tea", 3'50, {"Kitchen"}, day(2))));
    CHECK(total(told, SalesOf::shop) == "2 25");
    CHECK(sales(told, SalesBy::category) == "kitchen Kitchen 2 25; ");
    CHECK(sales(told, SalesBy::product, {begin_of({2026, 11, 1}), begin_of({2026, 11, 2})}) ==
          "mug The mug 2 25; ");
    CHECK(told.rows(deal_query(1), read_deal).at(0).imported);
    CHECK(told.text(purchases_csv_query()) ==
          "order,date,customer,product,quantity,amount,state\n"
          "1,2026-11-01 09:00:00,ann,mug,2,25,settled\n"
          "2,2026-11-01 09:00:00,ann,mug,2,25,cancelled\n"
          "3,2026-11-02 09:00:00,bob,'-tea,2,3.50,pending\n");
    CHECK(told.text(purchases_txt_query()).find("ann                   mug") != std::string::npos);
}

TEST_CASE("history: sums stay at the largest number where they no longer fit") {
    Told told;
    uint64_t order = 0;
    for (const size_t together : {50U, 95U}) {
        std::vector<PastPurchase> purchases;
        for (size_t i = 0; i < together; ++i) {
            purchases.push_back(
                {purchase(++order, "ann", "mug", 100'000'000'000'000'000, {"a"}, day(1)), true});
        }
        told.tell(past_purchases(purchases));
    }
    CHECK(total(told, SalesOf::shop) == "290 92233720368547758.07");
}

TEST_CASE("history: a statement shows what moved money and was not rolled back") {
    Told told;
    const auto add = [&](const ActivityLine& one) {
        told.tell(activity_line("ann", told.next_position(), 0, one));
    };
    add(line(ActivityKind::opened, 1'00, day(1)));
    add(line(ActivityKind::deposit, 2'00, day(2)));
    add(line(ActivityKind::checkpoint, 0, day(3)));
    add(line(ActivityKind::sent, 3'00, day(3)));
    add(line(ActivityKind::sent, 4'00, day(4), LineState::rolled_back));
    add(line(ActivityKind::received, 5'00, day(5), LineState::pending));
    told.tell(activity_line("bob", told.next_position(), 0,
                            line(ActivityKind::opened, 9'00, day(1), LineState::pending)));
    CHECK(amounts(told, statement_query("ann", {}, 10)) == "1 2 3 5 ");
    CHECK(amounts(told, statement_query("ann", {}, 2)) == "3 5 ");
    const auto page = told.rows(statement_query("ann", {}, 2), read_activity);
    CHECK(amounts(told, statement_query("ann", {}, 2, place_of(page.front()))) == "1 2 ");

    const Period days{begin_of({2026, 11, 2}), begin_of({2026, 11, 5})};
    CHECK(amounts(told, statement_query("ann", days, 10)) == "2 3 ");
    const auto newest = told.rows(statement_query("ann", days, 1), read_activity);
    CHECK(amounts(told, statement_query("ann", days, 10, place_of(newest.front()))) == "2 ");
    CHECK(amounts(told, activity_query("ann", 10)) == "1 2 0 3 4 5 ");

    told.tell(rolled_back("ann"));
    CHECK(amounts(told, statement_query("ann", {}, 10)) == "1 2 3 ");
    CHECK(told.rows(activity_query("ann", 1), read_activity).at(0).state == "rolled back");
    told.tell(activity_settled("bob"));
    CHECK(told.rows(activity_query("bob", 1), read_activity).at(0).state == "settled");
}

TEST_CASE("history: lines of one record keep their order, and what was left out is told") {
    Told told;
    ActivityLine rent = line(ActivityKind::withdrawal, -700'00, day(2));
    rent.note = "=rent, \"May\"";
    rent.what = "cash";
    rent.number = 4;
    Facts facts = activity_left_out("ann", told.next_position(), 0, 12, day(1));
    for (uint32_t index = 1; index <= 2; ++index) {
        for (Fact& one : activity_line("ann", told.next_position(), index, rent)) {
            facts.push_back(std::move(one));
        }
        rent = line(ActivityKind::deposit, 1'00, day(1));  // its clock was set back
    }
    told.tell(std::move(facts));
    CHECK(told.text(with_csv(statement_query("ann", {}, 10))) ==
          "date,kind,what,number,amount,balance,state,note\n"
          "2026-11-01 09:00:00,left out,,12,0,0,settled,\n"
          "2026-11-02 09:00:00,withdrawal,cash,4,-700,-700,settled,\"'=rent, \"\"May\"\"\"\n"
          "2026-11-01 09:00:00,deposit,,0,1,1,settled,\n");
}

TEST_CASE("history: every kind of line has a word") {
    for (uint32_t kind = 0; kind <= kLastActivityKind; ++kind) {
        CHECK_FALSE(to_string(static_cast<ActivityKind>(kind)).empty());
    }
    CHECK(to_string(ActivityKind::repayment) == "repayment");
    CHECK(to_string(ActivityKind::rolled_back) == "rolled back");
    CHECK(to_string(static_cast<ActivityKind>(99)) == "other");
}

TEST_CASE("history: settlements and refusals come back, the newest first") {
    Told told;
    told.tell(settled("ann", told.next_position(), "ann/0/1", Money::from_cents(5'00), day(1)));
    told.tell(settled("ann", told.next_position(), "ann/0/2", Money::from_cents(6'00), day(2)));
    const auto found = told.rows(settlements_query("ann", 10), read_settlement);
    REQUIRE(found.size() == 2);
    CHECK(found[0].operation == "ann/0/2");
    CHECK(to_string(found[1].balance) == "5");
    CHECK(told.rows(settlements_query("ann", 10, found[0].position), read_settlement).size() == 1);

    told.tell(refusal(told.next_position(), "bob", "report", "not-allowed", day(1)));
    told.tell(refusal(told.next_position(), "bob", "role", "not-allowed", day(2)));
    const auto refused = told.rows(refusals_query(1), read_refusal);
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].command == "role");
    CHECK(refused[0].code == "not-allowed");
    CHECK(told.rows(refusals_query(10, refused[0].position), read_refusal).size() == 1);
}

namespace {

// How SQLite would go about a query.
std::string plan_of(sqlite3* db, std::string_view query) {
    const std::string sql = "EXPLAIN QUERY PLAN " + std::string(query);
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
        FAIL(sqlite3_errmsg(db));
    }
    std::string plan;
    while (sqlite3_step(prepared) == SQLITE_ROW) {
        plan += reinterpret_cast<const char*>(sqlite3_column_text(prepared, 3));
        plan += '\n';
    }
    sqlite3_finalize(prepared);
    return plan;
}

}  // namespace

TEST_CASE("history: nothing reads a whole table, so that nothing gets slower with the purchases") {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    for (const std::string_view table : history_schema().tables) {
        REQUIRE(sqlite3_exec(db, std::string(table).c_str(), nullptr, nullptr, nullptr) ==
                SQLITE_OK);
    }
    for (const std::string_view sql : history_schema().statements) {
        const std::string plan = plan_of(db, sql);
        CAPTURE(sql);
        CHECK(plan.find("SCAN") == std::string::npos);
        CHECK(plan.find("TEMP B-TREE") == std::string::npos);
    }
    for (const std::string_view sql : history_schema().queries) {
        std::string plan = plan_of(db, sql);
        CAPTURE(sql);
        CAPTURE(plan);
        // A page that was found by its index is turned around; running sums are put in order, and
        // named when they are.
        const bool page = sql.find("AS page") != std::string_view::npos;
        const size_t turned = plan.find("SCAN page\nUSE TEMP B-TREE FOR ORDER BY\n");
        if (page) {
            REQUIRE(turned != std::string::npos);
            plan.erase(turned);
        }
        if (const size_t named = plan.find("SCAN s\n"); named != std::string::npos) {
            plan.erase(named, 7);
        }
        CHECK(plan.find("SCAN") == std::string::npos);
        const bool sums = sql.find("sales_") != std::string_view::npos;
        CHECK((sums || plan.find("TEMP B-TREE") == std::string::npos));
    }
    sqlite3_close(db);
}
