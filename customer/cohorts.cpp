// Start and end of a cohort: operations that the bank initiates, and in which the settlement is the
// vote. Part of customer::Operations.
#include <algorithm>

#include "common/wire/convert.h"
#include "customer/operations.h"
#include "customer/undone.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;

void Operations::refuse_settlement(const wire::OperationId& id, const std::string& code) {
    wire::Datagram message;
    *message.mutable_settle_refused()->mutable_operation() = id;
    message.mutable_settle_refused()->set_code(code);
    context_.send_to_bank(message);
}

// The deadline has come and somebody has not signed for what it sent. Nothing has reached the bank:
// it cannot commit, so this may be undone here.
void Operations::give_up_settlement() {
    const Operation& operation = *context_.state.operation;
    wire::OperationId id;
    to_wire(operation.id, &id);
    const std::string who = proofs_.not_signed_by(operation.tentative);
    context_.notice(Severity::warning, "cannot settle for the end of the cohort: " + who +
                                           " does not sign for " +
                                           proofs_.not_signed(operation.tentative, who));
    undo_operation();
    refuse_settlement(id, "unsigned");
    released_();
    begin_recovery_if_due();
}

void Operations::on_join_request(const wire::JoinRequest& request) {
    const State& state = context_.state;
    const OperationId id = from_wire(request.operation());
    if (state.operation && state.operation->id == id) {
        if (!run_->restored) send_settlement();
        return;
    }
    if (state.phase != Phase::open || state.in_cohort() || state.operation || state.deal ||
        state.is_refused(id) || request.cohort() == 0 || context_.bank_behind) {
        refuse_settlement(request.operation(), context_.bank_behind ? "bank-behind"
                                               : state.in_cohort()  ? "in-cohort"
                                                                    : "busy");
        return;
    }
    begin_tentative(id, wire::OPERATION_JOIN, "", CohortId(request.cohort()),
                    request.cohort_name());
    start_run(false,
              context_.now + milliseconds(std::min<uint32_t>(request.deadline_ms(), 60'000)));
}

void Operations::on_freeze_request(const wire::FreezeRequest& request) {
    const State& state = context_.state;
    const OperationId id = from_wire(request.operation());
    if (state.operation && state.operation->id == id) {
        if (!run_->restored) send_settlement();
        return;
    }
    if (state.cohort != CohortId(request.cohort())) return;
    if (state.phase != Phase::open || state.operation || state.deal || state.recovering ||
        state.restore_due || state.is_refused(id) || context_.bank_behind) {
        refuse_settlement(request.operation(), context_.bank_behind ? "bank-behind"
                                               : state.recovering   ? "recovering"
                                                                    : "busy");
        return;
    }
    begin_tentative(id, wire::OPERATION_FREEZE, "", state.cohort, state.cohort_name);
    start_run(false,
              context_.now + milliseconds(std::min<uint32_t>(request.deadline_ms(), 60'000)));
}

void Operations::on_cohort_started(const wire::CohortStarted& started) {
    const State& state = context_.state;
    const OperationId id = from_wire(started.operation());
    const auto roster = context_.read_roster(started.roster());
    if (!roster) return;  // it is told again
    if (state.operation && state.operation->id == id &&
        state.operation->kind == wire::OPERATION_JOIN &&
        state.operation->cohort == CohortId(roster->cohort())) {
        State::Record record;
        auto* cohort = record.mutable_cohort_started();
        *cohort->mutable_operation() = started.operation();
        cohort->set_cohort(roster->cohort());
        cohort->set_cohort_name(roster->cohort_name());
        *cohort->mutable_members() = roster->members();
        if (context_.sealed()) {
            cohort->set_issued_ms(roster->issued_ms());
            cohort->set_expires_ms(roster->expires_ms());
        }
        context_.commit(record);
        // The roster has the epoch in which this customer settled; it may have been raised since.
        const bool restarted = run_->restored;
        run_.reset();
        trace("checkpoint-permanent", id);
        channels_.rebuild(restarted);
        const int others = roster->members_size() - 1;
        context_.notice(Severity::info, "is now in " + roster->cohort_name() + " with " +
                                            std::to_string(others) +
                                            (others == 1 ? " other" : " others"));
        released_();
    } else if (state.cohort != CohortId(roster->cohort())) {
        return;
    }
    ack_decision(id);
}

namespace {

// What becomes of the money when the bank ends the cohort with these totals, for people: what no
// checkpoint has is undone, and what was in transit at the last one comes back.
std::string undone_by_end(const State& state, const wire::CohortEnded& ended, bool settled) {
    if (!state.in_cohort()) return {};
    const bool by_operation =
        settled && state.operation && state.operation->kind != wire::OPERATION_ROLLBACK;
    const Checkpoint& cut = by_operation ? state.operation->tentative : state.permanent;
    const std::string undone = undone_since(state, cut);
    std::string text;
    if (!undone.empty()) text = "; undone, because no checkpoint has it: " + undone;
    const auto back = checked_subtract(from_wire(ended.totals()).balance, cut.totals.balance);
    if (back && !back->is_negative() && !back->is_zero()) {
        text += "; came back, because it was in transit: " + to_string(*back);
    }
    return text;
}

}  // namespace

void Operations::on_cohort_ended(const wire::CohortEnded& ended) {
    const State& state = context_.state;
    const CohortId cohort(ended.cohort());
    const bool joining = state.operation && state.operation->kind == wire::OPERATION_JOIN &&
                         state.operation->cohort == cohort;
    if (cohort.value() != 0 && (state.cohort == cohort || joining)) {
        // What is under way here, or in doubt, may have been committed before the end: then the
        // bank has one statement more than this customer knows of.
        const bool settled = ended.statements() == state.statements + 1;
        const std::string undone = undone_by_end(state, ended, settled);
        const auto kind = state.operation ? state.operation->kind : wire::OPERATION_NONE;
        State::Record record;
        record.mutable_cohort_ended()->set_settled(settled);
        record.mutable_cohort_ended()->set_cohort(ended.cohort());
        *record.mutable_cohort_ended()->mutable_totals() = ended.totals();
        context_.commit(record);
        Run run;
        if (run_) run = std::move(*run_);
        run_.reset();
        spreading_.clear();
        questions_.clear();
        channels_.rebuild(false);
        context_.notice(Severity::info, "the cohort has ended, balance " +
                                            to_string(state.totals.balance) + undone);
        // A checkpoint that the bank has recorded is permanent, whatever came after it.
        const bool recorded = settled && kind == wire::OPERATION_CHECKPOINT;
        run.no_code = "not-in-cohort";
        end_own(run, kind, recorded, "the cohort has ended meanwhile");
        released_();
    }
    wire::Datagram message;
    message.mutable_cohort_ended_ack()->set_cohort(ended.cohort());
    context_.send_to_bank(message);
}

}  // namespace p2pbank::customer
