#include "bank/deals.h"

#include <algorithm>

#include <sodium.h>

#include "bank/domain/tokens.h"
#include "common/base/limits.h"
#include "common/base/names.h"

namespace p2pbank::bank {
namespace {

constexpr int64_t kMaxCents = limits::kMaxAmountUnits * 100;

Result<Money> amount_of(const wire::Deal& deal) {
    if (deal.amount() <= 0 || deal.amount() > kMaxCents) {
        return Error{"bad-amount", "the amount has to be more than 0, and at most 10^15"};
    }
    return Money::from_cents(deal.amount());
}

}  // namespace

// --- what it comes to
// -----------------------------------------------------------------------------

Result<Deals::Terms> Deals::terms_of(const Account& account, const wire::Deal& deal) const {
    Result<Terms> terms = Error{"refused", "not a deal that this bank knows"};
    switch (deal.kind()) {
        case wire::DEAL_PURCHASE:
            terms = purchase(deal);
            break;
        case wire::DEAL_PAYMENT:
            terms = payment(deal);
            break;
        case wire::DEAL_LOAN:
            terms = loan(account, deal);
            break;
        case wire::DEAL_REPAYMENT:
            terms = repayment(account, deal);
            break;
        default:
            break;
    }
    if (!terms) return terms;
    // Whichever of the pending deals are cancelled, what is left has to fit into a statement.
    const Money amount = terms.value().amount;
    const Money dealings = account.totals.dealings;
    const auto left_of = [&](Money most) {
        MoneyTotal left;
        left += most;
        left -= context_.state.business.deals_of(account.name).pending_size;
        left -= amount;
        return left;
    };
    if (left_of(Money::from_cents(kMaxCents)).is_negative()) {
        return Error{"limit", "too much is pending: take a checkpoint first"};
    }
    MoneyTotal left = left_of(kMaxTotal);
    if (dealings.is_negative()) {
        left += dealings;
    } else {
        left -= dealings;
    }
    if (left.is_negative()) return Error{"limit", "the account cannot deal in so much"};
    if (context_.state.business.deals_of(account.name).pending.size() >= limits::kMaxPendingDeals) {
        return Error{"limit", "too many deals are pending: take a checkpoint first"};
    }
    return terms;
}

Result<Deals::Terms> Deals::purchase(const wire::Deal& deal) const {
    const Product* product = context_.state.business.find_product(deal.what());
    if (product == nullptr) {
        return Error{"unknown-product",
                     "there is no product " + quote(deal.what()) + "; `products` lists them"};
    }
    if (deal.quantity() == 0 || deal.quantity() > limits::kMaxQuantity) {
        return Error{"bad-quantity", "a quantity is a whole number from 1 on"};
    }
    if (product->quantity < deal.quantity()) {
        return Error{"out-of-stock", "there are " + std::to_string(product->quantity) + " of " +
                                         product->id + ", not " + std::to_string(deal.quantity())};
    }
    const auto total = total_price(product->price, deal.quantity());
    if (!total) return total.error();
    return Terms{total.value(), product->id, product->name, product->name, 0, false};
}

Result<Deals::Terms> Deals::payment(const wire::Deal& deal) const {
    const Biller* biller = find_biller(context_.state.business.billers(), deal.what());
    if (biller == nullptr) {
        return Error{"unknown-biller", "there is no biller " + quote(deal.what()) +
                                           "; `services` and `bills` list them"};
    }
    const auto amount = amount_of(deal);
    if (!amount) return amount.error();
    return Terms{amount.value(), biller->name, biller->name, "", 0, biller->service};
}

Result<Deals::Terms> Deals::loan(const Account& account, const wire::Deal& deal) const {
    const Settings& settings = context_.state.business.settings();
    const auto amount = amount_of(deal);
    if (!amount) return amount.error();
    if (amount.value() < settings.loan_least || amount.value() > settings.loan_most) {
        return Error{"loan-limit", "a loan is from " + to_string(settings.loan_least) + " to " +
                                       to_string(settings.loan_most)};
    }
    if (deal.months() == 0 || deal.months() > settings.loan_months) {
        return Error{"loan-limit",
                     "a loan runs for 1 to " + std::to_string(settings.loan_months) + " months"};
    }
    const int64_t now_us = context_.wall_us();
    if (context_.state.business.open_loans(account.name, now_us) >= settings.open_loans) {
        return Error{"loan-limit", account.name + " has " + std::to_string(settings.open_loans) +
                                       " loans already: repay one first"};
    }
    const LoanTerms terms{amount.value(), settings.loan_rate_bp, deal.months(), now_us};
    const auto checked = check_terms(terms);
    if (!checked) return Error{"loan-limit", checked.error().message};
    return Terms{amount.value(),
                 "",
                 "loan",
                 "instalment " + marked(instalment(terms)) + " a month, " +
                     rate_text(settings.loan_rate_bp) + " % a year; `schedule` shows all",
                 settings.loan_rate_bp,
                 false};
}

Result<Deals::Terms> Deals::repayment(const Account& account, const wire::Deal& deal) const {
    const auto& business = context_.state.business;
    const auto& ids = business.deals_of(account.name).loans;
    const auto found = std::find_if(ids.begin(), ids.end(),
                                    [&](uint64_t id) { return std::to_string(id) == deal.what(); });
    if (found == ids.end()) {
        return Error{"unknown-loan",
                     account.name + " has no loan " + quote(deal.what()) + "; `loans` lists them"};
    }
    const Loan& loan = business.loans().at(*found);
    const auto amount = amount_of(deal);
    if (!amount) return amount.error();
    const LoanStanding standing = loan.standing(context_.wall_us());
    if (standing.payoff.is_zero()) return Error{"repaid", "the loan is repaid already"};
    if (amount.value() > standing.payoff) {
        return Error{"too-much",
                     to_string(standing.payoff) + " ends the loan now: pay that or less"};
    }
    // One more is kept: the one that ends it.
    if (loan.payments.size() >= limits::kMaxLoanPayments && amount.value() < standing.payoff) {
        return Error{"limit",
                     "the loan has too many payments: end it with " + to_string(standing.payoff)};
    }
    const Money left = must_subtract(standing.payoff, amount.value());
    return Terms{amount.value(),
                 deal.what(),
                 "loan " + deal.what(),
                 left.is_zero() ? "the loan is repaid" : marked(left) + " would end it now",
                 0,
                 false};
}

// --- the deal
// -------------------------------------------------------------------------------------

// An account that belongs to a person acts only when that person has signed in.
Result<void> Deals::may_act(const Account& account, const wire::Deal& deal, const Origin& from) {
    if (account.owner().empty()) return {};
    const auto caller = sign_in_.caller_of(deal.authority(), from, Repeats::allowed);
    if (!caller) {
        sign_in_.refused(account.name, "deal", caller.error().code);
        return caller.error();
    }
    if (caller.value().email == account.owner()) return {};
    sign_in_.refused(caller.value().email, "deal", "not-allowed");
    return Error{"not-allowed", "the account of " + account.name + " belongs to somebody else"};
}

void Deals::on_deal(Account& account, const wire::Datagram& datagram, const Origin& from) {
    const wire::Deal& deal = datagram.deal();
    wire::Datagram message;
    wire::DealReply* reply = message.mutable_deal_reply();
    const auto& done = context_.state.business.deals_of(account.name);
    if (deal.number() != 0) {
        const bool of_this_cohort =
            CohortId(datagram.cohort()) == account.cohort && account.ended_cohort().value() == 0;
        // A run is attached before its deals count: so an older run's copy, which its owner may
        // have sent, does not come after a newer one's, which was refused.
        if (!of_this_cohort || datagram.epoch() < account.epoch ||
            datagram.instance() != account.boots) {
            return;
        }
        const auto asked = std::pair(datagram.epoch(), deal.number());
        if (asked < std::pair(done.epoch, done.number)) return;
        if (asked == std::pair(done.epoch, done.number)) {
            *reply = done.reply;
            context_.send(from, std::move(message));
            return;
        }
    }
    const auto allowed = may_act(account, deal, from);
    if (allowed && deal.number() != 0) decisions_.heard_in_epoch(account, datagram.epoch());
    Result<Terms> terms = allowed ? terms_of(account, deal) : Result<Terms>(allowed.error());
    reply->set_number(deal.number());
    reply->set_epoch(datagram.epoch());
    reply->set_nonce(deal.nonce());
    if (terms && deal.number() != 0 && terms.value().amount.cents() != deal.amount()) {
        terms = Error{"price-changed", "it comes to " + to_string(terms.value().amount) + " now"};
    }
    reply->set_accepted(terms.ok());
    if (terms) {
        reply->set_amount(terms.value().amount.cents());
        reply->set_what(terms.value().what);
        reply->set_name(terms.value().name);
        reply->set_text(terms.value().text);
        reply->set_has_token(terms.value().service);
    } else {
        reply->set_code(terms.error().code);
        reply->set_text(terms.error().message);
    }
    // What is not the owner's leaves no trace in the account: it is refused whenever it comes, so
    // nothing has to be remembered.
    if (deal.number() == 0 || !allowed) {
        context_.send(from, std::move(message));
        return;
    }
    State::Record record;
    auto* dealt = record.mutable_dealt();
    dealt->set_account(account.name);
    dealt->set_epoch(datagram.epoch());
    dealt->set_number(deal.number());
    dealt->set_accepted(terms.ok());
    if (terms) {
        const uint64_t order = context_.state.business.next_order();
        reply->set_order(order);
        dealt->set_order(order);
        dealt->set_kind(deal.kind());
        dealt->set_what(terms.value().what);
        dealt->set_quantity(deal.quantity());
        const int64_t cents = terms.value().amount.cents();
        dealt->set_amount(deal.kind() == wire::DEAL_LOAN ? cents : -cents);
        dealt->set_months(deal.months());
        dealt->set_rate(terms.value().rate);
        if (terms.value().service) dealt->set_token(new_token(order));
        dealt->set_at_ms(static_cast<uint64_t>(context_.wall_us() / 1'000));
    }
    *dealt->mutable_reply() = *reply;
    context_.commit(record);
    context_.send(from, std::move(message));
}

// Nobody without the bank's secret can tell the next token from those before, and no two orders
// have the same: the order's number goes through a permutation of 50 bits (a Feistel network keyed
// by the bank's secret), again where the result has more than 15 digits.
std::string Deals::new_token(uint64_t order) const {
    constexpr uint64_t kHalf = (uint64_t(1) << 25) - 1;
    constexpr uint64_t kTokens = 1'000'000'000'000'000;
    constexpr int kRounds = 10;
    static_assert(crypto_shorthash_KEYBYTES <= sizeof(KeyBytes));
    uint64_t value = order;
    do {
        uint64_t left = (value >> 25) & kHalf;
        uint64_t right = value & kHalf;
        for (uint64_t round = 0; round < kRounds; ++round) {
            const uint64_t input[2] = {round, right};
            unsigned char out[crypto_shorthash_BYTES];
            crypto_shorthash(out, reinterpret_cast<const unsigned char*>(input), sizeof input,
                             context_.settings.key_seed.data() + 16);
            uint64_t mixed = 0;
            for (const unsigned char byte : out) mixed = mixed << 8 | byte;
            left ^= mixed & kHalf;
            std::swap(left, right);
        }
        value = left << 25 | right;
    } while (value >= kTokens);
    return make_token(value);
}

}  // namespace p2pbank::bank
