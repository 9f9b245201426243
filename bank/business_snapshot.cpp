// The business in a snapshot of the bank's state, and back. Part of Business.
#include "bank/business.h"
#include "bank/business_records.h"
#include "common/core/bad_record.h"

namespace p2pbank::bank {

namespace records = bank_records;

namespace {

constexpr int kInRecord = 512;  // products or people in a part of a snapshot

}  // namespace

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
            if (!set) return bad_record("a setting");
        }
        for (const records::OwnAccount& in : part.own_accounts()) {
            // Further away from zero than any sum of amounts comes.
            if (in.high() > INT32_MAX || in.high() < INT32_MIN) return bad_record("an own account");
            own_[in.name()] = MoneyTotal::from_bits(in.high(), in.low());
        }
        next_order_ = std::max(next_order_, part.next_order());
        imported_files_.assign(part.imported_files().begin(), part.imported_files().end());
    }
    for (const records::Product& in : part.products()) {
        if (!fits(in)) return bad_record("a product");
        set_product(from_record(in), {});
    }
    for (const records::PersonRecord& in : part.people()) {
        const auto applied = people_.apply(in);
        if (!applied) return applied;
    }
    for (const records::Loan& in : part.loans()) {
        if (loans_.contains(in.id())) return bad_record("a loan twice");
        Loan& loan = loans_[in.id()];
        loan.id = in.id();
        loan.account = in.account();
        loan.terms = {Money::from_cents(in.principal()), in.rate(), in.months(),
                      moment_of_ms(in.at_ms())};
        if (!check_terms(loan.terms)) return bad_record("a loan");
        loan.settled = in.settled();
        for (const records::LoanPayment& payment : in.payments()) {
            if (!fits(loan, Money::from_cents(payment.amount())))
                return bad_record("a loan's payment");
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
            return bad_record("a pending deal");
        }
        deals.add_pending(amount);
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
