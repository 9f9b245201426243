#include "bank/history/schema.h"

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace p2pbank::bank {
namespace {

constexpr std::string_view kTables[] = {
    "CREATE TABLE account (name TEXT PRIMARY KEY, owner TEXT NOT NULL, opening BIGINT NOT NULL,"
    " opened_us BIGINT NOT NULL, closed_us BIGINT)",

    // `shown`: 1 if the line stands in a statement. The columns behind are for audits.
    "CREATE TABLE activity (account TEXT NOT NULL, seq BIGINT NOT NULL, at_us BIGINT NOT NULL,"
    " kind TEXT NOT NULL, what TEXT NOT NULL, number BIGINT NOT NULL, amount BIGINT NOT NULL,"
    " balance BIGINT NOT NULL, note TEXT NOT NULL, state TEXT NOT NULL, shown BIGINT NOT NULL,"
    " PRIMARY KEY (account, seq))",
    "CREATE INDEX activity_shown ON activity (account, shown, seq)",
    "CREATE INDEX activity_by_time ON activity (account, shown, at_us, seq)",
    "CREATE INDEX activity_pending ON activity (account) WHERE state = 'pending'",

    "CREATE TABLE deal (order_id BIGINT PRIMARY KEY, account TEXT NOT NULL,"
    " at_us BIGINT NOT NULL, day BIGINT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL,"
    " name TEXT NOT NULL, categories TEXT NOT NULL, quantity BIGINT NOT NULL,"
    " amount BIGINT NOT NULL, token TEXT NOT NULL, state TEXT NOT NULL, settled_us BIGINT,"
    " imported BIGINT NOT NULL)",
    "CREATE INDEX deal_by_account ON deal (account, kind, order_id)",
    "CREATE INDEX deal_by_what ON deal (kind, what, order_id)",
    "CREATE INDEX deal_by_kind ON deal (kind, order_id)",
    "CREATE INDEX deal_token ON deal (account, order_id) WHERE token <> ''",
    // Of deals that are pending, and of no others. The name is as it is spelled, the category
    // folded.
    "CREATE TABLE deal_category (order_id BIGINT NOT NULL, category TEXT NOT NULL,"
    " name TEXT NOT NULL, PRIMARY KEY (order_id, category))",

    "CREATE TABLE product (id TEXT PRIMARY KEY, name TEXT NOT NULL, price BIGINT NOT NULL,"
    " quantity BIGINT NOT NULL, categories TEXT NOT NULL)",

    "CREATE TABLE loan (id BIGINT PRIMARY KEY, account TEXT NOT NULL, principal BIGINT NOT NULL,"
    " rate BIGINT NOT NULL, months BIGINT NOT NULL, at_us BIGINT NOT NULL, state TEXT NOT NULL)",
    "CREATE INDEX loan_by_account ON loan (account, id)",

    // Running sums of what has settled, so that no report reads the deals themselves. Kinds:
    // product, category, biller; shop and billers, which are totals.
    "CREATE TABLE sales_all (kind TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL,"
    " quantity BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (kind, what))",
    "CREATE TABLE sales_day (kind TEXT NOT NULL, day BIGINT NOT NULL, what TEXT NOT NULL,"
    " quantity BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (kind, day, what))",

    "CREATE TABLE settlement (account TEXT NOT NULL, position BIGINT NOT NULL,"
    " at_us BIGINT NOT NULL, operation TEXT NOT NULL, balance BIGINT NOT NULL,"
    " PRIMARY KEY (account, position))",
    "CREATE TABLE refusal (position BIGINT PRIMARY KEY, at_us BIGINT NOT NULL,"
    " who TEXT NOT NULL, command TEXT NOT NULL, code TEXT NOT NULL)",

    // What can be proven. Keys, statements and evidence are bytes, in base64.
    "CREATE TABLE signed_statement (position BIGINT NOT NULL, account TEXT NOT NULL,"
    " number BIGINT NOT NULL, at_us BIGINT NOT NULL, operation TEXT NOT NULL,"
    " signing_key TEXT NOT NULL, statement TEXT NOT NULL, PRIMARY KEY (position, account))",
    "CREATE TABLE cohort_end (position BIGINT PRIMARY KEY, at_us BIGINT NOT NULL,"
    " cohort BIGINT NOT NULL, name TEXT NOT NULL, forced BIGINT NOT NULL)",
    "CREATE TABLE accusation (position BIGINT PRIMARY KEY, at_us BIGINT NOT NULL,"
    " account TEXT NOT NULL, text TEXT NOT NULL, evidence TEXT NOT NULL)",
};

// The statements or the queries, each at its index.
class Texts {
  public:
    explicit Texts(uint32_t count) : texts_(count) {}

    template <class Index>
    void put(Index index, std::string text) {
        std::string& place = texts_.at(static_cast<size_t>(index));
        P2PBANK_CHECK(place.empty());
        place = std::move(text);
    }
    std::vector<std::string_view> views() const {
        for (const std::string& text : texts_) P2PBANK_CHECK(!text.empty());
        return {texts_.begin(), texts_.end()};
    }

  private:
    std::vector<std::string> texts_;
};

void account_and_product_statements(Texts& texts) {
    texts.put(
        HistoryStatement::account_opened,
        "INSERT INTO account (name, owner, opening, opened_us) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, opening = excluded.opening,"
        " opened_us = excluded.opened_us, closed_us = NULL");
    texts.put(HistoryStatement::account_closed,
              "UPDATE account SET closed_us = $2 WHERE name = $1");
    texts.put(HistoryStatement::account_owned, "UPDATE account SET owner = $2 WHERE name = $1");
    texts.put(
        HistoryStatement::product_set,
        "INSERT INTO product (id, name, price, quantity, categories) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price,"
        " quantity = excluded.quantity, categories = excluded.categories");
    texts.put(HistoryStatement::product_removed, "DELETE FROM product WHERE id = $1");
    texts.put(HistoryStatement::stock_changed, "UPDATE product SET quantity = $2 WHERE id = $1");
}

void deal_statements(Texts& texts) {
    texts.put(
        HistoryStatement::deal_made,
        "INSERT INTO deal (order_id, account, at_us, day, kind, what, name, categories, quantity,"
        " amount, token, state, settled_us, imported)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
    texts.put(HistoryStatement::deal_category,
              "INSERT INTO deal_category (order_id, category, name) VALUES ($1, $2, $3)");
    texts.put(HistoryStatement::deal_settled,
              "UPDATE deal SET state = 'settled', settled_us = $2 WHERE order_id = $1");
    texts.put(HistoryStatement::deal_cancelled,
              "UPDATE deal SET state = 'cancelled', settled_us = $2 WHERE order_id = $1");
    texts.put(HistoryStatement::deal_categories_dropped,
              "DELETE FROM deal_category WHERE order_id = $1");
    texts.put(HistoryStatement::loan_made,
              "INSERT INTO loan (id, account, principal, rate, months, at_us, state)"
              " VALUES ($1, $2, $3, $4, $5, $6, 'pending')");
    texts.put(HistoryStatement::loan_state, "UPDATE loan SET state = $2 WHERE id = $1");
}

// A sum that no longer fits stays at the largest number: the books themselves are in the journal.
std::string add_to(const std::string& table) {
    return " DO UPDATE SET quantity = " + table + ".quantity + excluded.quantity," +
           " amount = CASE WHEN " + table + ".amount > 9223372036854775807 - excluded.amount" +
           " THEN 9223372036854775807 ELSE " + table + ".amount + excluded.amount END";
}

void sales_statements(Texts& texts) {
    // A deal with a biller counts as one, whatever it paid for.
    const std::string sold = "CASE WHEN d.kind = 'purchase' THEN d.quantity ELSE 1 END, d.amount";
    const std::string into_all =
        " ON CONFLICT (kind, what)" + add_to("sales_all") + ", name = excluded.name";
    const std::string into_day = " ON CONFLICT (kind, day, what)" + add_to("sales_day");
    texts.put(HistoryStatement::sale_total_all,
              "INSERT INTO sales_all (kind, what, name, quantity, amount)"
              " SELECT CASE WHEN d.kind = 'purchase' THEN 'shop' ELSE 'billers' END, '', '', " +
                  sold + " FROM deal d WHERE d.order_id = $1" + into_all);
    texts.put(HistoryStatement::sale_total_day,
              "INSERT INTO sales_day (kind, day, what, quantity, amount)"
              " SELECT CASE WHEN d.kind = 'purchase' THEN 'shop' ELSE 'billers' END,"
              " d.day, '', " +
                  sold + " FROM deal d WHERE d.order_id = $1" + into_day);
    texts.put(
        HistoryStatement::sale_what_all,
        "INSERT INTO sales_all (kind, what, name, quantity, amount)"
        " SELECT CASE WHEN d.kind = 'purchase' THEN 'product' ELSE 'biller' END, d.what, d.name,"
        " " +
            sold + " FROM deal d WHERE d.order_id = $1" + into_all);
    texts.put(
        HistoryStatement::sale_what_day,
        "INSERT INTO sales_day (kind, day, what, quantity, amount)"
        " SELECT CASE WHEN d.kind = 'purchase' THEN 'product' ELSE 'biller' END, d.day, d.what,"
        " " +
            sold + " FROM deal d WHERE d.order_id = $1" + into_day);
    texts.put(HistoryStatement::sale_category_all,
              "INSERT INTO sales_all (kind, what, name, quantity, amount)"
              " SELECT 'category', c.category, c.name, d.quantity, d.amount FROM deal d"
              " JOIN deal_category c ON c.order_id = d.order_id WHERE d.order_id = $1" +
                  into_all);
    texts.put(HistoryStatement::sale_category_day,
              "INSERT INTO sales_day (kind, day, what, quantity, amount)"
              " SELECT 'category', d.day, c.category, d.quantity, d.amount FROM deal d"
              " JOIN deal_category c ON c.order_id = d.order_id WHERE d.order_id = $1" +
                  into_day);
    texts.put(HistoryStatement::sale_all,
              "INSERT INTO sales_all (kind, what, name, quantity, amount)"
              " VALUES ($1, $2, $3, $4, $5)" +
                  into_all);
    texts.put(HistoryStatement::sale_day,
              "INSERT INTO sales_day (kind, day, what, quantity, amount)"
              " VALUES ($1, $2, $3, $4, $5)" +
                  into_day);
}

void activity_statements(Texts& texts) {
    texts.put(
        HistoryStatement::activity_line,
        "INSERT INTO activity (account, seq, at_us, kind, what, number, amount, balance, note,"
        " state, shown) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    texts.put(HistoryStatement::activity_settled,
              "UPDATE activity SET state = 'settled' WHERE account = $1 AND state = 'pending'");
    texts.put(HistoryStatement::activity_rolled_back,
              "UPDATE activity SET state = 'rolled back', shown = 0"
              " WHERE account = $1 AND state = 'pending'");
    texts.put(HistoryStatement::settled,
              "INSERT INTO settlement (account, position, at_us, operation, balance)"
              " VALUES ($1, $2, $3, $4, $5)");
    texts.put(
        HistoryStatement::refusal,
        "INSERT INTO refusal (position, at_us, who, command, code) VALUES ($1, $2, $3, $4, $5)");
}

void evidence_statements(Texts& texts) {
    texts.put(HistoryStatement::statement_committed,
              "INSERT INTO signed_statement"
              " (position, account, number, at_us, operation, signing_key, statement)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7)");
    texts.put(HistoryStatement::cohort_end,
              "INSERT INTO cohort_end (position, at_us, cohort, name, forced)"
              " VALUES ($1, $2, $3, $4, $5)");
    texts.put(HistoryStatement::accusation,
              "INSERT INTO accusation (position, at_us, account, text, evidence)"
              " VALUES ($1, $2, $3, $4, $5)");
}

// Everything up to a position, the oldest first.
void evidence_queries(Texts& texts) {
    texts.put(HistoryQuery::signed_statements_size,
              "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(statement)), 0) AS BIGINT)"
              " FROM signed_statement WHERE position <= $1");
    texts.put(HistoryQuery::signed_statements,
              "SELECT position, account, number, signing_key, statement FROM signed_statement"
              " WHERE position <= $1 ORDER BY position, account");
    texts.put(HistoryQuery::cohort_ends,
              "SELECT position, cohort, name, forced FROM cohort_end WHERE position <= $1"
              " ORDER BY position");
    texts.put(HistoryQuery::accusations,
              "SELECT position, evidence FROM accusation WHERE position <= $1 ORDER BY position");
}

void account_queries(Texts& texts) {
    const std::string line = "seq, at_us, kind, what, number, amount, balance, note, state";
    texts.put(HistoryQuery::account,
              "SELECT name, owner, opening, opened_us, closed_us FROM account WHERE name = $1");
    texts.put(HistoryQuery::statement_newest,
              "SELECT " + line + " FROM (SELECT " + line +
                  " FROM activity WHERE account = $1 AND shown = 1 AND seq < $2"
                  " ORDER BY seq DESC LIMIT $3) AS page ORDER BY seq");
    texts.put(HistoryQuery::statement_between,
              "SELECT " + line + " FROM (SELECT " + line +
                  " FROM activity WHERE account = $1 AND shown = 1 AND at_us >= $2"
                  " AND (at_us, seq) < ($3, $4) ORDER BY at_us DESC, seq DESC LIMIT $5) AS page"
                  " ORDER BY at_us, seq");
    texts.put(
        HistoryQuery::activity_newest,
        "SELECT " + line + " FROM (SELECT " + line +
            " FROM activity WHERE account = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) AS page"
            " ORDER BY seq");
    texts.put(HistoryQuery::settlements_of_account,
              "SELECT position, at_us, operation, balance FROM settlement"
              " WHERE account = $1 AND position < $2 ORDER BY position DESC LIMIT $3");
    texts.put(HistoryQuery::refusals_newest,
              "SELECT position, at_us, who, command, code FROM refusal"
              " WHERE position < $1 ORDER BY position DESC LIMIT $2");
}

void deal_queries(Texts& texts) {
    const std::string deal =
        "order_id, account, at_us, kind, what, name, categories, quantity, amount, state, imported";
    texts.put(HistoryQuery::deal, "SELECT " + deal + " FROM deal WHERE order_id = $1");
    texts.put(HistoryQuery::deals_of_account,
              "SELECT " + deal +
                  " FROM deal WHERE account = $1 AND kind = $2 AND order_id < $3"
                  " ORDER BY order_id DESC LIMIT $4");
    texts.put(HistoryQuery::deals_of_what,
              "SELECT " + deal +
                  " FROM deal WHERE kind = $1 AND what = $2 AND order_id < $3"
                  " ORDER BY order_id DESC LIMIT $4");
    texts.put(HistoryQuery::deals_newest, "SELECT " + deal +
                                              " FROM deal WHERE kind = $1 AND order_id < $2"
                                              " ORDER BY order_id DESC LIMIT $3");
    texts.put(HistoryQuery::deals_forward,
              "SELECT " + deal + " FROM deal WHERE kind = $1 ORDER BY order_id");
    texts.put(HistoryQuery::tokens_of_account,
              "SELECT order_id, at_us, what, amount, token FROM deal"
              " WHERE account = $1 AND token <> '' AND state = 'settled' AND order_id < $2"
              " ORDER BY order_id DESC LIMIT $3");
    texts.put(HistoryQuery::loans_of_account,
              "SELECT id, principal, rate, months, at_us, state FROM loan"
              " WHERE account = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
}

void sales_queries(Texts& texts) {
    texts.put(HistoryQuery::sales_all,
              "SELECT what, name, quantity, amount FROM sales_all WHERE kind = $1"
              " ORDER BY amount DESC, what LIMIT $2");
    // Names are looked up for the few that are shown.
    texts.put(
        HistoryQuery::sales_between,
        "SELECT s.what, a.name, s.quantity, s.amount FROM (SELECT d.what AS what,"
        " CAST(SUM(d.quantity) AS BIGINT) AS quantity, CAST(SUM(d.amount) AS BIGINT) AS amount"
        " FROM sales_day d WHERE d.kind = $1 AND d.day BETWEEN $2 AND $3"
        " GROUP BY d.what ORDER BY amount DESC, d.what LIMIT $4) AS s"
        " JOIN sales_all a ON a.kind = $1 AND a.what = s.what ORDER BY s.amount DESC, s.what");
}

const Texts& statements() {
    static const Texts kStatements = [] {
        Texts texts(static_cast<uint32_t>(HistoryStatement::count_));
        account_and_product_statements(texts);
        deal_statements(texts);
        sales_statements(texts);
        activity_statements(texts);
        evidence_statements(texts);
        return texts;
    }();
    return kStatements;
}

const Texts& queries() {
    static const Texts kQueries = [] {
        Texts texts(static_cast<uint32_t>(HistoryQuery::count_));
        account_queries(texts);
        deal_queries(texts);
        sales_queries(texts);
        evidence_queries(texts);
        return texts;
    }();
    return kQueries;
}

}  // namespace

const HistorySchema& history_schema() {
    static const HistorySchema kSchema{
        2, {std::begin(kTables), std::end(kTables)}, statements().views(), queries().views()};
    return kSchema;
}

}  // namespace p2pbank::bank
