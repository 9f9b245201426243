#include "bank/business_records.h"

#include "common/base/limits.h"

namespace p2pbank::bank {

namespace records = bank_records;

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

}  // namespace p2pbank::bank
