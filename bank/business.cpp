#include "bank/business.h"

#include <algorithm>

#include "bank/business_records.h"
#include "common/base/text.h"
#include "common/core/bad_record.h"

namespace p2pbank::bank {

namespace records = bank_records;

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
        if (!fits(product)) return bad_record("a product");
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
    if (restocked.quantity() > limits::kMaxQuantity) return bad_record("restocked");
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

}  // namespace p2pbank::bank
