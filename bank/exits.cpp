// exit and close, by the customer or the operator. Part of Procedures.
#include <algorithm>

#include "bank/procedures.h"
#include "bank/timing.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace {

Answer exit_answer(const Account& account, bool empty) {
    const Money balance = account.totals.balance;
    Answer answer =
        success((empty ? "close " : "exit ") + account.name + " balance " + to_string(balance));
    return answer.fact("name", account.name).fact("balance", balance);
}

}  // namespace

std::optional<Answer> Procedures::why_not_close(const Account& account, bool empty,
                                                Money balance) const {
    const size_t loans = context_.state.business.open_loans(account.name, context_.wall_us());
    if (loans > 0) {
        return failure("open-loan", account.name + " has " + std::to_string(loans) +
                                        (loans == 1 ? " open loan" : " open loans") +
                                        ": `loans` shows what is to be repaid first");
    }
    if (empty && !balance.is_zero()) {
        return failure("has-balance",
                       "the balance is " + to_string(balance) + ": withdraw it first");
    }
    return std::nullopt;
}

void Procedures::exit(Requester requester, const Account& account, bool empty) {
    const Cohort* cohort = context_.state.cohort_of(account);
    if (cohort != nullptr) {
        reply_(requester, failure("in-cohort", account.name + " is in " + cohort->name +
                                                   "; delete-cohort comes first"));
        return;
    }
    // What a running program has in it only that program knows: it is looked at when it answers.
    auto why_not = why_not_close(account, empty && !account.attached, account.totals.balance);
    if (why_not) {
        reply_(requester, std::move(*why_not));
        return;
    }
    if (!account.attached) {  // no process has ever had it
        State::Record record;
        record.mutable_exited()->set_name(account.name);
        to_wire(account.totals, record.mutable_exited()->mutable_totals());
        context_.commit(record);
        reply_(requester, exit_answer(account, empty));
        return;
    }
    Exiting exiting;
    exiting.requester = std::move(requester);
    exiting.name = account.name;
    exiting.empty = empty;
    exiting.nonce = context_.random.next() | 1;
    exiting.deadline = context_.now + timing::kExiting;
    exiting.at = context_.now;
    exiting_.push_back(std::move(exiting));
    if (advance(exiting_.back())) exiting_.pop_back();
}

bool Procedures::advance(Exiting& exiting) {
    const Account& account = *context_.state.find(exiting.name);
    if (account.exited) {
        reply_(exiting.requester, exit_answer(account, exiting.empty));
        return true;
    }
    if (const Cohort* cohort = context_.state.find_cohort(account.cohort)) {
        // It has been taken in meanwhile: its program does not obey.
        reply_(exiting.requester, failure("in-cohort", account.name + " is in " + cohort->name +
                                                           "; delete-cohort comes first"));
        return true;
    }
    if (context_.now >= exiting.deadline) {
        reply_(exiting.requester,
               failure("unreachable", account.name + " does not answer; nothing was changed"));
        return true;
    }
    if (context_.now < exiting.at) return false;
    wire::Datagram message;
    message.mutable_exit_order()->set_nonce(exiting.nonce);
    context_.send(account, message);
    exiting.at = context_.now + exiting.retry.next(context_.random);
    return false;
}

void Procedures::on_exit(const Requester& requester, const Account& account,
                         const wire::Exit& exit) {
    const Cohort* cohort = context_.state.cohort_of(account);
    const auto order = std::find_if(exiting_.begin(), exiting_.end(), [&](const Exiting& exiting) {
        return exiting.name == account.name && exiting.nonce == exit.order();
    });
    const bool ordered = exit.order() == 0 || order != exiting_.end();
    if (account.exited) {
        reply_(requester, exit_answer(account, exit.empty()));
    } else if (cohort != nullptr || account.ended_cohort().value() != 0) {
        reply_(requester, failure("in-cohort", account.name + " is in a cohort, or has not heard "
                                                              "that it ended; delete-cohort comes "
                                                              "first"));
    } else if (!ordered) {
        reply_(requester, failure("refused", "the operator has given up closing the account"));
    } else {
        const bool empty = exit.empty() || (order != exiting_.end() && order->empty);
        auto refused = close(account, exit, empty);
        if (!refused) {
            reply_(requester, exit_answer(account, exit.empty()));
        } else {
            if (order != exiting_.end()) {
                reply_(order->requester, *refused);
                exiting_.erase(order);
            }
            reply_(requester, std::move(*refused));
            return;
        }
    }
    run(exiting_);
}

std::optional<Answer> Procedures::close(const Account& account, const wire::Exit& exit,
                                        bool empty) {
    const auto last = decisions_.last_statement(account, exit);
    if (!last) return failure("refused", "the last balance cannot be taken as it is");
    const Totals totals = from_wire(last->totals());
    if (auto why_not = why_not_close(account, empty, totals.balance)) return why_not;
    if (totals.carried != account.totals.carried ||
        !context_.state.business.are_dealings(account.name, account.totals.dealings,
                                              totals.dealings)) {
        context_.notice(Severity::error,
                        "refuses the last balance of " + account.name + ": it does not add up");
        return failure("refused", "the last balance does not add up");
    }
    if (totals.adjustments != account.corrections) {
        MoneyTotal by;
        by += account.corrections;
        by -= totals.adjustments;
        MoneyTotal left = by;
        left += totals.balance;
        return left.is_negative()
                   ? failure("overdraft", "the operator's correction by " + by.to_string() +
                                              " waits until the balance covers it; deposit that "
                                              "first")
                   : failure("busy", "the operator has corrected the balance by " + by.to_string() +
                                         ", which this program has yet to hear; try again in some "
                                         "seconds");
    }
    State::Record record;
    record.mutable_exited()->set_name(account.name);
    *record.mutable_exited()->mutable_statement() = known_part(exit.statement());
    if (context_.sealed()) {
        record.mutable_exited()->set_signing_key(secure::to_bytes(account.keys().signing));
    }
    context_.commit(record);
    return std::nullopt;
}

}  // namespace p2pbank::bank
