#include "bank/business.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/dates.h"
#include "common/base/text.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

Error bad(const char* what) {
    return Error{"bad-record", std::string("a record does not fit: ") + what};
}

Product from_record(const records::Product& in) {
    return {in.id(),
            in.name(),
            Money::from_cents(in.price()),
            in.quantity(),
            {in.categories().begin(), in.categories().end()}};
}

void to_record(const Product& product, records::Product* out) {
    out->set_id(product.id);
    out->set_name(product.name);
    out->set_price(product.price.cents());
    out->set_quantity(product.quantity);
    for (const std::string& category : product.categories) out->add_categories(category);
}

Dealing dealing_of(wire::DealKind kind) {
    switch (kind) {
        case wire::DEAL_PURCHASE:
            return Dealing::purchase;
        case wire::DEAL_PAYMENT:
            return Dealing::payment;
        case wire::DEAL_LOAN:
            return Dealing::loan;
        default:
            return Dealing::repayment;
    }
}

// Which of the bank's own accounts a deal goes to.
std::string own_account_of(const PendingDeal& deal) {
    switch (deal.kind) {
        case wire::DEAL_PURCHASE:
            return "shop";
        case wire::DEAL_PAYMENT:
            return deal.what;
        default:
            return "loans";
    }
}

bool fits(const records::Product& product) {
    return product.price() > 0 && product.quantity() <= limits::kMaxStockHeld;
}

// What later sums and searches rely on.
bool fits(wire::DealKind kind, uint64_t quantity, Money amount) {
    const bool known = kind == wire::DEAL_PURCHASE || kind == wire::DEAL_PAYMENT ||
                       kind == wire::DEAL_LOAN || kind == wire::DEAL_REPAYMENT;
    constexpr int64_t kMost = limits::kMaxAmountUnits * 100;
    const int64_t cents = kind == wire::DEAL_LOAN ? amount.cents() : -(amount.cents() + 1);
    const bool counted = quantity > 0 && quantity <= limits::kMaxQuantity;
    return known && cents >= 0 && cents <= kMost && (kind != wire::DEAL_PURCHASE || counted);
}

// Whether one more payment is no more than a loan can ever take: behind the last that may be small
// there is one that ends it.
bool fits(const Loan& loan, Money payment) {
    std::optional<Money> sum = payment;
    for (const BookedPayment& booked : loan.payments) {
        if (sum) sum = checked_add(*sum, booked.payment.amount);
    }
    return payment > Money() && sum && loan.payments.size() <= limits::kMaxLoanPayments;
}

// A total of 128 bits, so that whatever is pending can be settled or cancelled in any order.
void add_pending(AccountDeals& deals, Money amount) {
    deals.pending_sum += amount;
    if (amount.is_negative()) {
        deals.pending_size -= amount;
    } else {
        deals.pending_size += amount;
    }
}
void remove_pending(AccountDeals& deals, Money amount) {
    deals.pending_sum -= amount;
    if (amount.is_negative()) {
        deals.pending_size += amount;
    } else {
        deals.pending_size -= amount;
    }
}

constexpr int kInRecord = 512;  // products or people in a part of a snapshot

}  // namespace

std::vector<LoanPayment> Loan::paid() const {
    std::vector<LoanPayment> all;
    all.reserve(payments.size());
    for (const BookedPayment& booked : payments) all.push_back(booked.payment);
    return all;
}

LoanStanding Loan::standing(int64_t now_us) const {
    return bank::standing(terms, paid(), now_us);
}

bool Loan::is_repaid(int64_t now_us) const {
    if (!known_repaid) known_repaid = standing(now_us).status == LoanStatus::repaid;
    return known_repaid;
}

// --- looking
// --------------------------------------------------------------------------------------

const Product* Business::find_product(std::string_view id) const {
    const auto found = products_.find(id);
    return found == products_.end() ? nullptr : &found->second;
}

std::vector<const Product*> Business::search(std::string_view folded, size_t most) const {
    std::set<std::string_view> ids;
    for (const auto& [category, products] : by_category_) {
        if (category.find(folded) == std::string::npos) continue;
        size_t taken = 0;
        for (const std::string_view id : products) {
            if (++taken > most) break;
            ids.insert(id);
        }
    }
    std::vector<const Product*> found;
    for (const std::string_view id : ids) {
        if (found.size() == most) break;
        found.push_back(find_product(id));
    }
    return found;
}

const Product* Business::lowest_stock() const {
    return by_stock_.empty() ? nullptr : find_product(by_stock_.begin()->second);
}

const AccountDeals& Business::deals_of(std::string_view account) const {
    static const AccountDeals none;
    const auto found = deals_.find(account);
    return found == deals_.end() ? none : found->second;
}

uint64_t Business::newest_pending(std::string_view account) const {
    const auto& pending = deals_of(account).pending;
    return pending.empty() ? 0 : pending.back().order;
}

size_t Business::open_loans(std::string_view account, int64_t now_us) const {
    const auto& ids = deals_of(account).loans;
    return static_cast<size_t>(std::count_if(
        ids.begin(), ids.end(), [&](uint64_t id) { return !loans_.at(id).is_repaid(now_us); }));
}

bool Business::was_imported(uint64_t file) const {
    return std::find(imported_files_.begin(), imported_files_.end(), file) != imported_files_.end();
}

void Business::remember_import(uint64_t file) {
    imported_files_.push_back(file);
    if (imported_files_.size() > limits::kMaxImportsKnown) imported_files_.pop_front();
}

uint64_t Business::reserved(std::string_view product) const {
    const auto found = reserved_.find(std::string(product));
    return found == reserved_.end() ? 0 : found->second;
}

bool Business::are_dealings(std::string_view account, Money settled, Money declared) const {
    MoneyTotal missing = pending_sum(account);
    missing += settled;
    missing -= declared;
    return missing.is_zero();
}

void Business::keep_unclaimed(const MoneyTotal& amount) {
    own_["unclaimed"] += amount;
}

MoneyTotal Business::own_total() const {
    MoneyTotal total;
    for (const auto& [name, balance] : own_) total += balance;
    return total;
}

// --- products, billers, settings
// ------------------------------------------------------------------

void Business::index(const Product& product, bool add) {
    for (const std::string& category : product.categories) {
        const std::string folded = fold(category);
        if (add) {
            by_category_[folded].insert(product.id);
            continue;
        }
        const auto found = by_category_.find(folded);
        if (found == by_category_.end()) continue;
        found->second.erase(product.id);
        if (found->second.empty()) by_category_.erase(found);
    }
    if (add) {
        by_stock_.emplace(product.quantity, product.id);
    } else {
        by_stock_.erase({product.quantity, product.id});
    }
}

void Business::set_product(Product product, const Telling& told) {
    const auto [at, fresh] = products_.try_emplace(product.id);
    if (!fresh) index(at->second, false);
    // The indexes refer to the id in the map: it stays where it is.
    Product& kept = at->second;
    kept = std::move(product);
    index(kept, true);
    told([&kept] { return product_set(kept); });
}

void Business::change_stock(const std::string& id, int64_t by, const Telling& told) {
    const auto found = products_.find(id);
    if (found == products_.end()) return;
    Product& product = found->second;
    by_stock_.erase({product.quantity, product.id});
    product.quantity = static_cast<uint64_t>(static_cast<int64_t>(product.quantity) + by);
    by_stock_.emplace(product.quantity, product.id);
    told([&] { return stock_changed(product.id, product.quantity); });
}

Result<void> Business::apply(const records::Products& products, const Telling& told) {
    for (const records::Product& product : products.products()) {
        if (!fits(product)) return bad("a product");
        set_product(from_record(product), told);
    }
    return {};
}

void Business::apply(const records::ProductRemoved& removed, const Telling& told) {
    const auto found = products_.find(removed.id());
    if (found == products_.end()) return;
    index(found->second, false);
    products_.erase(found);
    told([&] { return product_removed(removed.id()); });
}

Result<void> Business::apply(const records::Restocked& restocked, const Telling& told) {
    if (restocked.quantity() > limits::kMaxQuantity) return bad("restocked");
    change_stock(restocked.id(), static_cast<int64_t>(restocked.quantity()), told);
    return {};
}

void Business::apply(const records::BillerSet& biller) {
    const std::string key = biller_key(biller.name());
    std::erase_if(billers_, [&](const Biller& known) { return biller_key(known.name) == key; });
    if (!biller.removed()) billers_.push_back({biller.name(), biller.service()});
}

Result<void> Business::apply(const records::SettingSet& setting) {
    return settings_.set(setting.name(), setting.value());
}

Result<void> Business::apply(const records::PersonRecord& person) {
    return people_.apply(person);
}

// --- deals
// ----------------------------------------------------------------------------------------

Loan* Business::find_loan(const std::string& id) {
    uint64_t number = 0;
    for (const char c : id) {
        if (c < '0' || c > '9' || number > UINT64_MAX / 16) return nullptr;
        number = number * 10 + static_cast<uint64_t>(c - '0');
    }
    const auto found = loans_.find(number);
    return found == loans_.end() ? nullptr : &found->second;
}

Result<void> Business::apply(const records::Dealt& dealt, const Telling& told) {
    AccountDeals& deals = deals_[dealt.account()];
    deals.epoch = dealt.epoch();
    deals.number = dealt.number();
    deals.reply = dealt.reply();
    if (!dealt.accepted()) return {};
    const Money amount = Money::from_cents(dealt.amount());
    const int64_t at_us = moment_of_ms(dealt.at_ms());
    PendingDeal deal{dealt.order(),    dealt.epoch(), dealt.kind(),  dealt.what(),
                     dealt.quantity(), amount,        dealt.token(), at_us};
    if (!fits(deal.kind, deal.quantity, amount)) return bad("a deal's amount");
    if (!deals.pending.empty() && deal.order <= deals.pending.back().order) {
        return bad("a deal's order");
    }
    Deal fact;
    fact.name = dealt.what();
    const Product* product = nullptr;
    if (deal.kind == wire::DEAL_PURCHASE) {
        product = find_product(deal.what);
        if (product == nullptr || product->quantity < deal.quantity) return bad("a purchase");
        change_stock(deal.what, -static_cast<int64_t>(deal.quantity), told);
        reserved_[deal.what] += deal.quantity;
    } else if (deal.kind == wire::DEAL_LOAN) {
        if (loans_.contains(deal.order)) return bad("a loan's order");
        Loan& loan = loans_[deal.order];
        loan.id = deal.order;
        loan.account = dealt.account();
        loan.terms = {amount, dealt.rate(), dealt.months(), at_us};
        if (!check_terms(loan.terms)) return bad("a loan");
        deal.what = std::to_string(deal.order);
        deals.loans.push_back(deal.order);
    } else if (deal.kind == wire::DEAL_REPAYMENT) {
        Loan* loan = find_loan(deal.what);
        const Money paid = must_subtract(Money(), amount);
        if (loan == nullptr || loan->account != dealt.account() || !fits(*loan, paid)) {
            return bad("a repayment");
        }
        loan->payments.push_back({deal.order, {paid, at_us}, false});
    }
    next_order_ = std::max(next_order_, deal.order + 1);
    told([&] {
        fact.order = deal.order;
        fact.account = dealt.account();
        fact.at_us = at_us;
        fact.kind = dealing_of(deal.kind);
        fact.what = deal.what;
        if (product != nullptr) {
            fact.name = product->name;
            fact.categories = product->categories;
        }
        fact.quantity = deal.quantity;
        fact.amount = amount.is_negative() ? must_subtract(Money(), amount) : amount;
        fact.token = deal.token;
        Facts facts = deal_made(fact);
        if (deal.kind == wire::DEAL_LOAN) {
            const Facts loan =
                loan_made(deal.order, dealt.account(), amount, dealt.rate(), dealt.months(), at_us);
            facts.insert(facts.end(), loan.begin(), loan.end());
        }
        return facts;
    });
    add_pending(deals, amount);
    deals.pending.push_back(std::move(deal));
    return {};
}

void Business::settle(const std::string& account, uint64_t upto, const Telling& told) {
    const auto found = deals_.find(account);
    if (found == deals_.end()) return;
    auto& pending = found->second.pending;
    size_t settled = 0;
    for (; settled < pending.size() && pending[settled].order <= upto; ++settled) {
        const PendingDeal& deal = pending[settled];
        own_[own_account_of(deal)] -= deal.amount;
        remove_pending(found->second, deal.amount);
        if (deal.kind == wire::DEAL_PURCHASE) {
            const auto reserved = reserved_.find(deal.what);
            reserved->second -= deal.quantity;
            if (reserved->second == 0) reserved_.erase(reserved);
        } else if (deal.kind == wire::DEAL_LOAN) {
            const auto loan = loans_.find(deal.order);
            if (loan != loans_.end()) loan->second.settled = true;
        } else if (deal.kind == wire::DEAL_REPAYMENT) {
            Loan* loan = find_loan(deal.what);
            if (loan != nullptr) {
                for (BookedPayment& booked : loan->payments) {
                    if (booked.order == deal.order) booked.settled = true;
                }
            }
            if (loan != nullptr && loan->standing(told.at_us).status == LoanStatus::repaid) {
                told([&] { return loan_repaid(loan->id, true); });
            }
        }
        told([&] { return deal_settled(deal.order, dealing_of(deal.kind), told.at_us); });
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(settled));
}

void Business::cancel(const std::string& account,
                      const std::function<bool(const PendingDeal&)>& is_void, const Telling& told) {
    const auto found = deals_.find(account);
    if (found == deals_.end()) return;
    auto& pending = found->second.pending;
    for (const PendingDeal& deal : pending) {
        if (!is_void(deal)) continue;
        remove_pending(found->second, deal.amount);
        if (deal.kind == wire::DEAL_PURCHASE) {
            change_stock(deal.what, static_cast<int64_t>(deal.quantity), told);
            const auto reserved = reserved_.find(deal.what);
            reserved->second -= deal.quantity;
            if (reserved->second == 0) reserved_.erase(reserved);
        } else if (deal.kind == wire::DEAL_REPAYMENT) {
            Loan* loan = find_loan(deal.what);
            if (loan != nullptr) {
                loan->known_repaid = false;
                std::erase_if(loan->payments, [&](const BookedPayment& booked) {
                    return booked.order == deal.order;
                });
            }
        } else if (deal.kind == wire::DEAL_LOAN) {
            loans_.erase(deal.order);
            std::erase(found->second.loans, deal.order);
        }
        told([&] { return deal_cancelled(deal.order, dealing_of(deal.kind), told.at_us); });
    }
    std::erase_if(pending, is_void);
}

Facts past_purchases(const records::PastPurchases& purchases) {
    std::vector<PastPurchase> past;
    past.reserve(static_cast<size_t>(purchases.purchases_size()));
    for (const records::PastPurchase& in : purchases.purchases()) {
        PastPurchase& out = past.emplace_back();
        out.deal.order = in.order();
        out.deal.account = in.account();
        out.deal.at_us = moment_of_ms(in.at_ms());
        out.deal.what = in.product();
        out.deal.name = in.name();
        out.deal.categories.assign(in.categories().begin(), in.categories().end());
        out.deal.quantity = in.quantity();
        out.deal.amount = Money::from_cents(in.amount());
        out.settled = in.settled();
    }
    return past_purchases(std::span<const PastPurchase>(past));
}

// --- snapshots
// ------------------------------------------------------------------------------------

void Business::snapshot(const std::function<void(const records::Business&)>& take) const {
    records::Business part;
    part.set_has_billers(true);
    part.set_next_order(next_order_);
    for (const uint64_t file : imported_files_) part.add_imported_files(file);
    for (const Biller& biller : billers_) {
        records::Biller* out = part.add_billers();
        out->set_name(biller.name);
        out->set_service(biller.service);
    }
    for (const SettingSpec& spec : Settings::known()) {
        records::Setting* out = part.add_settings();
        out->set_name(std::string(spec.name));
        out->set_value(settings_.get(spec.name));
    }
    for (const auto& [name, balance] : own_) {
        records::OwnAccount* out = part.add_own_accounts();
        out->set_name(name);
        out->set_low(balance.low_bits());
        out->set_high(balance.high_bits());
    }
    take(part);
    part.Clear();
    const auto flush = [&](int count) {
        if (count < kInRecord) return;
        take(part);
        part.Clear();
    };
    for (const auto& [id, product] : products_) {
        to_record(product, part.add_products());
        flush(part.products_size());
    }
    people_.snapshot([&](const records::PersonRecord& person) {
        *part.add_people() = person;
        flush(part.people_size());
    });
    for (const auto& [id, loan] : loans_) {
        records::Loan* out = part.add_loans();
        out->set_id(id);
        out->set_account(loan.account);
        out->set_principal(loan.terms.principal.cents());
        out->set_rate(loan.terms.rate_bp);
        out->set_months(loan.terms.months);
        out->set_at_ms(static_cast<uint64_t>(loan.terms.start_us / 1'000));
        out->set_settled(loan.settled);
        for (const BookedPayment& booked : loan.payments) {
            records::LoanPayment* payment = out->add_payments();
            payment->set_order(booked.order);
            payment->set_amount(booked.payment.amount.cents());
            payment->set_at_ms(static_cast<uint64_t>(booked.payment.at_us / 1'000));
            payment->set_settled(booked.settled);
        }
        flush(part.loans_size());
    }
    take(part);
}

Result<void> Business::apply(const records::Business& part) {
    if (part.has_billers()) {
        billers_.clear();
        for (const records::Biller& in : part.billers()) {
            billers_.push_back({in.name(), in.service()});
        }
        for (const records::Setting& in : part.settings()) {
            const auto set = settings_.set(in.name(), in.value());
            if (!set) return bad("a setting");
        }
        for (const records::OwnAccount& in : part.own_accounts()) {
            // Further away from zero than any sum of amounts comes.
            if (in.high() > INT32_MAX || in.high() < INT32_MIN) return bad("an own account");
            own_[in.name()] = MoneyTotal::from_bits(in.high(), in.low());
        }
        next_order_ = std::max(next_order_, part.next_order());
        imported_files_.assign(part.imported_files().begin(), part.imported_files().end());
    }
    for (const records::Product& in : part.products()) {
        if (!fits(in)) return bad("a product");
        set_product(from_record(in), {});
    }
    for (const records::PersonRecord& in : part.people()) {
        const auto applied = people_.apply(in);
        if (!applied) return applied;
    }
    for (const records::Loan& in : part.loans()) {
        if (loans_.contains(in.id())) return bad("a loan twice");
        Loan& loan = loans_[in.id()];
        loan.id = in.id();
        loan.account = in.account();
        loan.terms = {Money::from_cents(in.principal()), in.rate(), in.months(),
                      moment_of_ms(in.at_ms())};
        if (!check_terms(loan.terms)) return bad("a loan");
        loan.settled = in.settled();
        for (const records::LoanPayment& payment : in.payments()) {
            if (!fits(loan, Money::from_cents(payment.amount()))) return bad("a loan's payment");
            loan.payments.push_back(
                {payment.order(),
                 {Money::from_cents(payment.amount()), moment_of_ms(payment.at_ms())},
                 payment.settled()});
        }
        deals_[loan.account].loans.push_back(loan.id);
    }
    return {};
}

void Business::snapshot_account(std::string_view name, records::Account* out) const {
    const auto found = deals_.find(name);
    if (found == deals_.end()) return;
    const AccountDeals& deals = found->second;
    for (const PendingDeal& deal : deals.pending) {
        records::PendingDeal* pending = out->add_pending();
        pending->set_order(deal.order);
        pending->set_epoch(deal.epoch);
        pending->set_kind(deal.kind);
        pending->set_what(deal.what);
        pending->set_quantity(deal.quantity);
        pending->set_amount(deal.amount.cents());
        pending->set_token(deal.token);
        pending->set_at_ms(static_cast<uint64_t>(deal.at_us / 1'000));
    }
    out->set_deal_epoch(deals.epoch);
    out->set_deal_number(deals.number);
    if (deals.number != 0) *out->mutable_deal_reply() = deals.reply;
}

Result<void> Business::apply_account(const records::Account& in) {
    if (in.deal_number() == 0 && in.pending_size() == 0) return {};
    AccountDeals& deals = deals_[in.name()];
    deals.epoch = in.deal_epoch();
    deals.number = in.deal_number();
    deals.reply = in.deal_reply();
    for (const records::PendingDeal& pending : in.pending()) {
        const Money amount = Money::from_cents(pending.amount());
        const bool rises = deals.pending.empty() || deals.pending.back().order < pending.order();
        const bool lent = pending.kind() != wire::DEAL_LOAN || loans_.contains(pending.order());
        if (!rises || !lent || !fits(pending.kind(), pending.quantity(), amount)) {
            return bad("a pending deal");
        }
        add_pending(deals, amount);
        deals.pending.push_back({pending.order(), pending.epoch(), pending.kind(), pending.what(),
                                 pending.quantity(), Money::from_cents(pending.amount()),
                                 pending.token(), moment_of_ms(pending.at_ms())});
        if (pending.kind() == wire::DEAL_PURCHASE) {
            reserved_[pending.what()] += pending.quantity();
        }
    }
    return {};
}

}  // namespace p2pbank::bank
