#include "customer/deals.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/names.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

bool pays(wire::DealKind kind) {
    return kind != wire::DEAL_LOAN;
}

Answer not_decided() {
    Answer answer = unknown("the bank has not answered in time");
    return answer.line("the deal is asked for until it does; a notice tells what became of it");
}

}  // namespace

Deals::Deals(Context& context, Session& session, const BankKey& bank_key, Ended ended)
    : context_(context),
      session_(session),
      bank_key_(bank_key),
      ended_(std::move(ended)),
      retry_(timing::kRetryFirst, timing::kRetryMost) {}

void Deals::resume() {
    if (!context_.state.deal) return;
    asked_ = *context_.state.deal;
    deadline_ = TimePoint::max();
    retry_ = Backoff(timing::kRetryFirst, timing::kRetryMost);
    at_ = context_.now;
}

void Deals::begin(CommandId id, wire::DealKind kind, const std::string& what, uint64_t quantity,
                  Money amount, uint32_t months) {
    P2PBANK_CHECK(!busy());
    command_ = id;
    question_.emplace();
    question_->set_nonce(context_.random.next());
    question_->set_kind(kind);
    question_->set_what(what);
    question_->set_quantity(quantity);
    question_->set_amount(amount.cents());
    question_->set_months(months);
    session_.authorize(&*question_);
    deadline_ = context_.now + timing::kBankDeadline;
    retry_ = Backoff(timing::kRetryFirst, timing::kRetryMost);
    send_question();
}

void Deals::send_question() {
    at_ = context_.now + retry_.next(context_.random);
    wire::Datagram message;
    *message.mutable_deal() = *question_;
    context_.send_to_bank(message);
}

void Deals::send_deal() {
    at_ = context_.now + retry_.next(context_.random);
    if (!message_) {
        message_.emplace();
        wire::Deal* deal = message_->mutable_deal();
        deal->set_number(asked_.number);
        deal->set_kind(asked_.kind);
        deal->set_what(asked_.what);
        deal->set_quantity(asked_.quantity);
        deal->set_amount(pays(asked_.kind) ? -asked_.amount.cents() : asked_.amount.cents());
        deal->set_months(asked_.months);
        session_.authorize(deal);
    }
    context_.send_to_bank(*message_);
}

void Deals::on_reply(const wire::DealReply& reply) {
    if (reply.number() != 0) {
        on_answer(reply);
    } else if (question_ && question_->nonce() == reply.nonce()) {
        // An operation has come in between: the bank is asked again when it is over.
        if (is_in_the_way()) return;
        if (reply.accepted()) {
            make(reply);
        } else {
            finish(failure(reply.code(), reply.text()));
        }
    }
}

bool Deals::is_in_the_way() const {
    return context_.state.operation.has_value() || context_.state.is_suspended();
}

// The bank would do it: now it is debited, and asked for.
void Deals::make(const wire::DealReply& quote) {
    State& state = context_.state;
    const Money amount = Money::from_cents(quote.amount());
    if (amount <= Money() || quote.amount() > limits::kMaxAmountUnits * 100) {
        finish(failure("refused", "the bank asks for an amount that makes no sense"));
        return;
    }
    const bool paying = pays(question_->kind());
    if (paying && state.totals.balance < amount) {
        const Money short_of = must_subtract(amount, state.totals.balance);
        finish(failure("overdraft", "it comes to " + to_string(amount) + ", the balance is " +
                                        to_string(state.totals.balance) + ", " +
                                        to_string(short_of) + " short; nothing was changed"));
        return;
    }
    const Money change = paying ? must_subtract(Money(), amount) : amount;
    if (!fits_total(checked_add(state.totals.dealings, change)) ||
        (!paying && !fits_balance(checked_add(state.totals.balance, change)))) {
        finish(failure("limit", "the account cannot hold so much; nothing was changed"));
        return;
    }
    State::Record record;
    auto* dealt = record.mutable_dealt();
    dealt->set_number(state.deals + 1);
    dealt->set_kind(question_->kind());
    dealt->set_what(quote.what());
    dealt->set_quantity(question_->quantity());
    dealt->set_amount(change.cents());
    dealt->set_months(question_->months());
    context_.commit(record);
    question_.reset();
    asked_ = *state.deal;
    message_.reset();
    deadline_ = context_.now + timing::kBankAnswer;
    retry_ = Backoff(timing::kRetryFirst, timing::kRetryMost);
    send_deal();
}

void Deals::on_answer(const wire::DealReply& reply) {
    State& state = context_.state;
    if (!state.deal || state.deal->number != reply.number() ||
        Epoch(reply.epoch()) != state.epoch) {
        return;
    }
    // While a rollback is undecided the deal may be taken back; it is asked for again later.
    if (state.operation || !state.deal_change(reply.accepted())) return;
    State::Record record;
    auto* answered = record.mutable_deal_answered();
    answered->set_number(reply.number());
    answered->set_accepted(reply.accepted());
    answered->set_order(reply.order());
    context_.commit(record);
    message_.reset();
    if (!reply.accepted()) {
        finish(failure(reply.code(), reply.text()));
        return;
    }
    const CommandId command = command_;
    command_ = CommandId();
    if (command.value() == 0) {
        context_.notice(Severity::info, "what was unknown is now done: " + reply.name() +
                                            ", order " + std::to_string(reply.order()) +
                                            ", balance " + to_string(state.totals.balance));
    }
    ended_({command, std::nullopt, asked_, reply});
}

void Deals::finish(Answer answer) {
    question_.reset();
    const CommandId command = command_;
    command_ = CommandId();
    if (command.value() == 0) {
        context_.notice(Severity::info,
                        "what was unknown is now: it came to nothing (" + answer.text + ")");
    }
    ended_({command, std::move(answer), asked_, {}});
}

void Deals::released() {
    if (context_.state.deal || !message_) return;
    message_.reset();
    finish(failure("rolled-back",
                   "a rollback or the end of the cohort took the deal back before the bank had "
                   "answered; the money is back"));
}

// --- time
// -----------------------------------------------------------------------------------------

void Deals::introduced() {
    if (busy()) at_ = std::min(at_, context_.now);
}

void Deals::on_timer() {
    if (!busy() || context_.now < std::min(at_, deadline_)) return;
    if (context_.now >= deadline_) {
        if (question_ && is_in_the_way()) {
            finish(failure("busy",
                           "a checkpoint or rollback has come in between; nothing was changed, try "
                           "again"));
            return;
        }
        if (question_) {
            finish(
                failure(bank_key_.unreachable("the bank at " + to_string(context_.settings.bank) +
                                              " does not answer; nothing was changed")));
            return;
        }
        deadline_ = TimePoint::max();
        const CommandId command = command_;
        command_ = CommandId();
        if (command.value() != 0) ended_({command, not_decided(), asked_, {}});
    }
    if (context_.now < at_) return;
    if (question_) {
        send_question();
    } else {
        send_deal();
    }
}

std::optional<TimePoint> Deals::next_wake() const {
    if (!busy()) return std::nullopt;
    return std::min(at_, deadline_);
}

}  // namespace p2pbank::customer
