// Deals that are made, settled and cancelled, and what loans and stock make of them. Part of
// Business.
#include <algorithm>

#include "bank/business.h"
#include "bank/business_records.h"
#include "common/base/check.h"
#include "common/base/dates.h"
#include "common/core/bad_record.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

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

}  // namespace

void AccountDeals::add_pending(Money amount) {
    pending_sum += amount;
    if (amount.is_negative()) {
        pending_size -= amount;
    } else {
        pending_size += amount;
    }
}

void AccountDeals::remove_pending(Money amount) {
    pending_sum -= amount;
    if (amount.is_negative()) {
        pending_size += amount;
    } else {
        pending_size -= amount;
    }
}

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
    if (!fits(deal.kind, deal.quantity, amount)) return bad_record("a deal's amount");
    if (!deals.pending.empty() && deal.order <= deals.pending.back().order) {
        return bad_record("a deal's order");
    }
    Deal fact;
    fact.name = dealt.what();
    const Product* product = nullptr;
    if (deal.kind == wire::DEAL_PURCHASE) {
        product = find_product(deal.what);
        if (product == nullptr || product->quantity < deal.quantity)
            return bad_record("a purchase");
        change_stock(deal.what, -static_cast<int64_t>(deal.quantity), told);
        reserved_[deal.what] += deal.quantity;
    } else if (deal.kind == wire::DEAL_LOAN) {
        if (loans_.contains(deal.order)) return bad_record("a loan's order");
        Loan& loan = loans_[deal.order];
        loan.id = deal.order;
        loan.account = dealt.account();
        loan.terms = {amount, dealt.rate(), dealt.months(), at_us};
        if (!check_terms(loan.terms)) return bad_record("a loan");
        deal.what = std::to_string(deal.order);
        deals.loans.push_back(deal.order);
    } else if (deal.kind == wire::DEAL_REPAYMENT) {
        Loan* loan = find_loan(deal.what);
        const Money paid = must_subtract(Money(), amount);
        if (loan == nullptr || loan->account != dealt.account() || !fits(*loan, paid)) {
            return bad_record("a repayment");
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
    deals.add_pending(amount);
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
        found->second.remove_pending(deal.amount);
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
        found->second.remove_pending(deal.amount);
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

}  // namespace p2pbank::bank
