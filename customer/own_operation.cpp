// checkpoint and rollback as they are typed: tried until they have an answer. Part of Customer.
#include <algorithm>

#include "customer/customer.h"
#include "customer/timing.h"

namespace p2pbank {

using namespace customer;

void Customer::start_operation(CommandId id, wire::OperationKind kind) {
    if (!check_account(id)) return;
    if (auto why_not = why_not_settle(); why_not && kind == wire::OPERATION_CHECKPOINT) {
        return answer(id, std::move(*why_not));
    }
    own_.emplace();
    own_->command = id;
    own_->kind = kind;
    own_->deadline = context_.now + timing::kCommandDeadline;
    own_->pause = Backoff(timing::kBusyFirst, timing::kBusyMost);
    try_operation();
}

void Customer::try_operation() {
    OwnOperation& own = *own_;
    if (context_.now >= own.deadline || own.tries >= limits::kMaxOperationTries) {
        Answer last = own.tries == 0 ? busy() : std::move(own.last);
        finish_operation(std::move(last));
        pump();
        return;
    }
    if (operations_.busy() || deals_.busy() || context_.state.is_suspended()) {
        // released() comes back here; this is for the deadline.
        own.again_at = std::min(own.deadline, context_.now + timing::kBusyMost);
        return;
    }
    ++own.tries;
    own.under_way = true;
    operations_.begin(own.kind);
}

void Customer::operation_ended(const Operations::End& end) {
    if (!own_) return;
    OwnOperation& own = *own_;
    own.under_way = false;
    const std::string verb = own.kind == wire::OPERATION_ROLLBACK ? "rollback" : "checkpoint";
    if (end.outcome == Outcome::failure) {
        own.last = end.code == "bank-unreachable" ? failure(bank_key_.unreachable(end.text))
                                                  : failure(end.code, end.text);
        const TimePoint again = context_.now + own.pause.next(context_.random);
        if (end.retry && again < own.deadline && own.tries < limits::kMaxOperationTries) {
            own.again_at = again;
            return;
        }
        finish_operation(std::move(own.last));
        return;
    }
    Answer result = end.outcome == Outcome::success ? success(verb + " " + end.text)
                                                    : unknown(verb + " has no decision yet");
    if (end.outcome == Outcome::success) {
        result.line("balance " + to_string(context_.state.totals.balance));
        std::vector<std::vector<Answer::Fact>> rows;
        for (const std::string& participant : end.participants) {
            rows.push_back({{"name", participant, false}});
        }
        result.tables.emplace_back("participants", std::move(rows));
        result.fact("balance", context_.state.totals.balance);
    } else {
        result.line("the bank was asked to commit and has not answered; it resolves itself");
    }
    finish_operation(std::move(result));
}

// The answer to the command, or to the deal that needed the checkpoint.
void Customer::finish_operation(Answer result) {
    const OwnOperation own = std::move(*own_);
    own_.reset();
    if (own.deal) {
        deal_settled(own.command, *own.deal, result);
    } else {
        answer(own.command, std::move(result));
    }
}

}  // namespace p2pbank
