#include "bank/history/facts.h"

#include <array>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include <sodium.h>

#include "bank/history/schema.h"
#include "common/base/check.h"
#include "common/base/dates.h"
#include "common/base/limits.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

constexpr std::array<std::string_view, 4> kDealings{"purchase", "payment", "loan", "repayment"};
constexpr std::array<std::string_view, 3> kLineStates{"pending", "settled", "rolled back"};
constexpr std::array<std::string_view, kLastActivityKind + 1> kActivities{
    "opened",       "deposit",    "withdrawal",  "sent",       "lost",
    "received",     "checkpoint", "rolled back", "correction", "cohort started",
    "cohort ended", "purchase",   "payment",     "loan",       "repayment"};

Value value(std::string_view text) {
    return std::string(text);
}
Value value(Money amount) {
    return amount.cents();
}
Value value(int64_t number) {
    return number;
}
Value value(uint64_t number) {
    return static_cast<int64_t>(number);
}
Value value(uint32_t number) {
    return int64_t{number};
}

template <class... Values>
Fact fact(HistoryStatement statement, const Values&... values) {
    Fact made;
    made.statement = static_cast<uint32_t>(statement);
    made.values.reserve(sizeof...(values));
    (made.values.push_back(value(values)), ...);
    return made;
}

// The name of its kind where nothing else is known for people.
std::string_view name_of(const Deal& deal) {
    return deal.name.empty() ? deal.what : deal.name;
}

Fact deal_row(const Deal& deal, std::string_view state, bool imported) {
    Fact made = fact(HistoryStatement::deal_made, deal.order, deal.account, deal.at_us,
                     day_number_of(deal.at_us), to_string(deal.kind), deal.what, name_of(deal),
                     join(deal.categories, ";"), deal.quantity, deal.amount, deal.token, state);
    made.values.push_back(imported ? value(deal.at_us) : Value());
    made.values.push_back(int64_t{imported ? 1 : 0});
    return made;
}

// Sales that are known as a whole, added up before they are told.
class Sales {
  public:
    void count(std::string_view kind, std::string_view what, std::string_view name,
               const Deal& deal) {
        Sum& all = all_[{std::string(kind), std::string(what)}];
        all.name = name;
        all.add(deal);
        days_[{std::string(kind), day_number_of(deal.at_us), std::string(what)}].add(deal);
    }
    void tell(Facts& facts) const {
        for (const auto& [key, sum] : all_) {
            facts.push_back(fact(HistoryStatement::sale_all, key.first, key.second, sum.name,
                                 sum.quantity, sum.amount));
        }
        for (const auto& [key, sum] : days_) {
            const auto& [kind, day, what] = key;
            facts.push_back(
                fact(HistoryStatement::sale_day, kind, day, what, sum.quantity, sum.amount));
        }
    }

  private:
    struct Sum {
        std::string name;
        uint64_t quantity = 0;
        Money amount;

        void add(const Deal& deal) {
            quantity += deal.quantity;
            // Where the database's own sums stop too.
            amount = checked_add(amount, deal.amount)
                         .value_or(Money::from_cents(std::numeric_limits<int64_t>::max()));
        }
    };

    std::map<std::pair<std::string, std::string>, Sum> all_;
    std::map<std::tuple<std::string, int64_t, std::string>, Sum> days_;
};

// What money moved, or where some may have.
bool is_in_statement(ActivityKind kind) {
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

int64_t sequence_of(uint64_t position, uint32_t index) {
    P2PBANK_CHECK(index < limits::kMaxActivityOfRecord);
    return static_cast<int64_t>(position * limits::kMaxActivityOfRecord + index);
}

// As text: bytes of any kind are none in every database.
std::string base64(std::string_view bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();  // what ends it as a C string
    return text;
}

Fact loan_state(uint64_t order, std::string_view state) {
    return fact(HistoryStatement::loan_state, order, state);
}

}  // namespace

void tell(FactSink* sink, uint64_t position, Facts facts) {
    if (sink == nullptr) return;
    for (Fact& one : facts) sink->fact(position, std::move(one));
}

Facts account_opened(std::string_view name, std::string_view owner, Money opening, int64_t at_us) {
    return {fact(HistoryStatement::account_opened, name, owner, opening, at_us)};
}

Facts account_closed(std::string_view name, int64_t at_us) {
    return {fact(HistoryStatement::account_closed, name, at_us)};
}

Facts account_owned(std::string_view name, std::string_view owner) {
    return {fact(HistoryStatement::account_owned, name, owner)};
}

Facts product_set(const Product& product) {
    return {fact(HistoryStatement::product_set, product.id, product.name, product.price,
                 product.quantity, join(product.categories, ";"))};
}

Facts product_removed(std::string_view id) {
    return {fact(HistoryStatement::product_removed, id)};
}

Facts stock_changed(std::string_view id, uint64_t quantity) {
    return {fact(HistoryStatement::stock_changed, id, quantity)};
}

std::string_view to_string(Dealing dealing) {
    return kDealings[static_cast<size_t>(dealing)];
}

Facts deal_made(const Deal& deal) {
    Facts facts{deal_row(deal, "pending", false)};
    for (const std::string& category : deal.categories) {
        facts.push_back(
            fact(HistoryStatement::deal_category, deal.order, fold(category), category));
    }
    return facts;
}

Facts deal_settled(uint64_t order, Dealing kind, int64_t at_us) {
    Facts facts{fact(HistoryStatement::deal_settled, order, at_us)};
    if (kind == Dealing::loan) facts.push_back(loan_state(order, "settled"));
    if (kind == Dealing::loan || kind == Dealing::repayment) return facts;
    for (const HistoryStatement sum :
         {HistoryStatement::sale_total_all, HistoryStatement::sale_total_day,
          HistoryStatement::sale_what_all, HistoryStatement::sale_what_day}) {
        facts.push_back(fact(sum, order));
    }
    if (kind != Dealing::purchase) return facts;
    for (const HistoryStatement step :
         {HistoryStatement::sale_category_all, HistoryStatement::sale_category_day,
          HistoryStatement::deal_categories_dropped}) {
        facts.push_back(fact(step, order));
    }
    return facts;
}

Facts deal_cancelled(uint64_t order, Dealing kind, int64_t at_us) {
    Facts facts{fact(HistoryStatement::deal_cancelled, order, at_us)};
    if (kind == Dealing::loan) facts.push_back(loan_state(order, "cancelled"));
    if (kind == Dealing::purchase) {
        facts.push_back(fact(HistoryStatement::deal_categories_dropped, order));
    }
    return facts;
}

Facts past_purchases(std::span<const PastPurchase> purchases) {
    Facts facts;
    Sales sales;
    for (const auto& [deal, settled] : purchases) {
        P2PBANK_CHECK(deal.kind == Dealing::purchase);
        facts.push_back(deal_row(deal, settled ? "settled" : "cancelled", true));
        if (!settled) continue;
        sales.count("shop", "", "", deal);
        sales.count("product", deal.what, name_of(deal), deal);
        for (const std::string& category : deal.categories) {
            sales.count("category", fold(category), category, deal);
        }
    }
    sales.tell(facts);
    return facts;
}

Facts loan_made(uint64_t order, std::string_view account, Money principal, uint32_t rate_bp,
                uint32_t months, int64_t at_us) {
    return {fact(HistoryStatement::loan_made, order, account, principal, rate_bp, months, at_us)};
}

Facts loan_repaid(uint64_t order, bool repaid) {
    return {loan_state(order, repaid ? "repaid" : "settled")};
}

std::string_view to_string(LineState state) {
    return kLineStates[static_cast<size_t>(state)];
}

std::string_view to_string(ActivityKind kind) {
    const auto number = static_cast<size_t>(kind);
    return number < kActivities.size() ? kActivities[number] : "other";
}

Facts activity_line(std::string_view account, uint64_t position, uint32_t index,
                    const ActivityLine& line) {
    const bool shown = line.state != LineState::rolled_back && is_in_statement(line.kind);
    return {fact(HistoryStatement::activity_line, account, sequence_of(position, index), line.at_us,
                 to_string(line.kind), line.what, line.number, line.amount, line.balance, line.note,
                 to_string(line.state), int64_t{shown ? 1 : 0})};
}

Facts activity_left_out(std::string_view account, uint64_t position, uint32_t index, uint64_t count,
                        int64_t at_us) {
    return {fact(HistoryStatement::activity_line, account, sequence_of(position, index), at_us,
                 "left out", "", count, Money(), Money(), "", to_string(LineState::settled),
                 int64_t{1})};
}

Facts activity_settled(std::string_view account) {
    return {fact(HistoryStatement::activity_settled, account)};
}

Facts rolled_back(std::string_view account) {
    return {fact(HistoryStatement::activity_rolled_back, account)};
}

Facts settled(std::string_view account, uint64_t position, std::string_view operation,
              Money balance, int64_t at_us) {
    return {fact(HistoryStatement::settled, account, position, at_us, operation, balance)};
}

Facts refusal(uint64_t position, std::string_view who, std::string_view command,
              std::string_view code, int64_t at_us) {
    return {fact(HistoryStatement::refusal, position, at_us, who, command, code)};
}

Facts statement_committed(uint64_t position, std::string_view account, uint64_t number,
                          int64_t at_us, std::string_view operation, std::string_view signing_key,
                          std::string_view statement) {
    return {fact(HistoryStatement::statement_committed, position, account, number, at_us, operation,
                 std::string_view(base64(signing_key)), std::string_view(base64(statement)))};
}

Facts cohort_end(uint64_t position, uint64_t cohort, std::string_view name, bool forced,
                 int64_t at_us) {
    return {
        fact(HistoryStatement::cohort_end, position, at_us, cohort, name, int64_t{forced ? 1 : 0})};
}

Facts accusation(uint64_t position, std::string_view account, int64_t at_us, std::string_view text,
                 std::string_view evidence) {
    return {fact(HistoryStatement::accusation, position, at_us, account, text,
                 std::string_view(base64(evidence)))};
}

}  // namespace p2pbank::bank
