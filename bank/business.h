// What the bank keeps of its business: products, billers, settings, people, loans, its own
// accounts, and each customer's deals that are pending. A part of bank::State, changed only by
// apply functions that State::apply calls; so it is journalled with it.
//
// A deal that was accepted is pending until a permanent checkpoint of its customer covers it; then
// it is settled and the money is the bank's own accounts'. Or it is cancelled, because the
// customer's epoch has risen (it rolled back) or its cohort ended by force; then what it reserved
// is free again. One of the two, once. docs/protocol.md, "Deals".
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bank/domain/billers.h"
#include "bank/domain/catalogue.h"
#include "bank/domain/loans.h"
#include "bank/domain/settings.h"
#include "bank/history/facts.h"
#include "bank/people.h"
#include "bank/records.pb.h"
#include "common/core/history.h"

namespace p2pbank::bank {

// Purchases from another system's file.
Facts past_purchases(const bank_records::PastPurchases& purchases);

// Where the facts of the history go, with the number of the record they follow from.
struct Telling {
    FactSink* sink = nullptr;
    uint64_t position = 0;
    int64_t at_us = 0;  // of the record

    // `facts` is called only if somebody listens.
    template <class MakeFacts>
    void operator()(MakeFacts facts) const {
        if (sink != nullptr) tell(sink, position, facts());
    }
};

struct PendingDeal {
    uint64_t order = 0;  // the bank's number of it
    uint64_t epoch = 0;  // of the customer, when it made it
    wire::DealKind kind = wire::DEAL_NONE;
    std::string what;  // product, biller or loan
    uint64_t quantity = 0;
    Money amount;  // as it changes the customer's balance
    std::string token;
    int64_t at_us = 0;
};

struct AccountDeals {
    std::vector<PendingDeal> pending;  // orders rise
    MoneyTotal pending_sum;            // of their amounts
    MoneyTotal pending_size;           // the same without their signs
    // The newest deal that was answered, and the answer, for when it asks again.
    uint64_t epoch = 0;
    uint64_t number = 0;
    wire::DealReply reply;
    std::vector<uint64_t> loans;

    // Totals of 128 bits, so that whatever is pending can be settled or cancelled in any order.
    void add_pending(Money amount);
    void remove_pending(Money amount);
};

struct BookedPayment {
    uint64_t order = 0;
    LoanPayment payment;
    bool settled = false;
};

struct Loan {
    uint64_t id = 0;  // its order
    std::string account;
    LoanTerms terms;
    bool settled = false;
    // Found out once: it stays so, unless a payment is cancelled.
    mutable bool known_repaid = false;
    std::vector<BookedPayment> payments;

    LoanStanding standing(int64_t now_us) const;
    bool is_repaid(int64_t now_us) const;
    std::vector<LoanPayment> paid() const;
};

class Business {
  public:
    using Products = std::map<std::string, Product, std::less<>>;
    using Loans = std::map<uint64_t, Loan>;

    const Products& products() const { return products_; }
    const Product* find_product(std::string_view id) const;
    // Products that have a category with `folded` in it, in the order of ids, the first `most`
    // behind `after`.
    std::vector<const Product*> search(std::string_view folded, size_t most) const;
    const Product* lowest_stock() const;
    const std::vector<Biller>& billers() const { return billers_; }
    const Settings& settings() const { return settings_; }
    const People& people() const { return people_; }
    const Loans& loans() const { return loans_; }
    uint64_t next_order() const { return next_order_; }

    const AccountDeals& deals_of(std::string_view account) const;
    // What the customer's pending deals come to.
    const MoneyTotal& pending_sum(std::string_view account) const {
        return deals_of(account).pending_sum;
    }
    // The dealings that an account with these settled ones is to declare now.
    bool are_dealings(std::string_view account, Money settled, Money declared) const;
    // The newest of its pending deals; 0 if there is none.
    uint64_t newest_pending(std::string_view account) const;
    // Loans that are not repaid, pending ones too.
    size_t open_loans(std::string_view account, int64_t now_us) const;
    bool is_reserved(std::string_view product) const { return reserved(product) > 0; }
    // Pieces in purchases that are pending: a rollback gives them back.
    uint64_t reserved(std::string_view product) const;

    // The bank's own accounts: what customers paid to it and what it lent, settled. "shop",
    // "loans", each biller by its name, and "unclaimed": what the end of a cohort would have given
    // back to accounts that cannot hold it.
    const std::map<std::string, MoneyTotal>& own_accounts() const { return own_; }
    MoneyTotal own_total() const;

    // Records. Errors: bad-record.
    Result<void> apply(const bank_records::Products& products, const Telling& tell);
    void apply(const bank_records::ProductRemoved& removed, const Telling& tell);
    Result<void> apply(const bank_records::Restocked& restocked, const Telling& tell);
    void apply(const bank_records::BillerSet& biller);
    Result<void> apply(const bank_records::SettingSet& setting);
    Result<void> apply(const bank_records::PersonRecord& person);
    Result<void> apply(const bank_records::Dealt& dealt, const Telling& tell);

    // Numbers of orders that were given to past purchases.
    void skip_orders(uint64_t upto) { next_order_ = std::max(next_order_, upto + 1); }
    // Files of purchases that were imported, by their hash; the newest are remembered.
    bool was_imported(uint64_t file) const;
    void remember_import(uint64_t file);

    // The pending deals of the account up to this order are covered by its checkpoint.
    void settle(const std::string& account, uint64_t upto, const Telling& tell);
    // Cancels those of which `is_void` is true.
    void cancel(const std::string& account, const std::function<bool(const PendingDeal&)>& is_void,
                const Telling& tell);

    void keep_unclaimed(const MoneyTotal& amount);

    // For snapshots: parts, in any order.
    void snapshot(const std::function<void(const bank_records::Business&)>& take) const;
    Result<void> apply(const bank_records::Business& part);
    void snapshot_account(std::string_view name, bank_records::Account* out) const;
    // Requires that the parts of the snapshot have been applied. Errors: bad-record.
    Result<void> apply_account(const bank_records::Account& in);

  private:
    void index(const Product& product, bool add);
    void set_product(Product product, const Telling& tell);
    void change_stock(const std::string& id, int64_t by, const Telling& tell);
    Loan* find_loan(const std::string& id);

    Products products_;
    // Folded category -> ids of the products that have it.
    std::map<std::string, std::set<std::string_view>, std::less<>> by_category_;
    std::set<std::pair<uint64_t, std::string_view>> by_stock_;
    std::unordered_map<std::string, uint64_t> reserved_;  // pieces in pending purchases
    std::vector<Biller> billers_ = default_billers();
    Settings settings_;
    People people_;
    Loans loans_;
    std::map<std::string, MoneyTotal> own_;
    uint64_t next_order_ = 1;
    std::deque<uint64_t> imported_files_;
    std::map<std::string, AccountDeals, std::less<>> deals_;
};

}  // namespace p2pbank::bank
