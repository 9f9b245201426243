// Attaching to the bank, taking over an account that it has, and the key that it knows the account
// by. Part of BankLink.
#include "common/base/names.h"
#include "common/core/statement.h"
#include "customer/bank_link.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

constexpr int kBehindForCertain = 3;  // one reply may be late

}  // namespace

void BankLink::attach() {
    wire::Datagram message;
    wire::Attach* attach = message.mutable_attach();
    // The run that opened the account says what was typed then; a later one may be elsewhere.
    const bool opened_here = context_.state.boots == 1 && context_.state.ip != 0;
    attach->set_ip(opened_here ? context_.state.ip : context_.settings.own_ip);
    attach->set_port1(context_.settings.port1);
    attach->set_port2(context_.settings.port2);
    attach->set_opener(opener_);
    attach->set_run(run_);
    if (context_.state.phase == Phase::none) attach->set_wanted(wanted_);
    if (context_.sealed()) {
        attach->set_signing_key(secure::to_bytes(context_.identity.keys().signing));
    }
    context_.send_to_bank(message);
    asked_since_ = true;
    attach_at_ =
        context_.now + (attached_ ? timing::kAttachRefresh : attach_retry_.next(context_.random));
    if (rosters_.is_due()) rosters_.ask();
}

void BankLink::on_attach_reply(const wire::AttachReply& reply) {
    heard_ = true;
    State& state = context_.state;
    // A late answer to an earlier try says nothing of this one.
    const bool takes_over = state.phase == Phase::opening && state.offered;
    if (takes_over && reply.opener() != opener_) return;
    attached_ = true;
    attach_at_ = context_.now + timing::kAttachRefresh;
    if (takes_over) {
        if (reply.known() && !reply.exited() && !reply.other_key()) {
            opened(reply);
            context_.notice(Severity::info, "has taken over account " + state.name + ", balance " +
                                                to_string(state.totals.balance));
            attached_after_bind();
        } else {
            give_up_opening();
        }
        return;
    }
    if (state.phase != Phase::open && state.phase != Phase::exiting) return;
    if (reply.other_key()) {
        lost_to_other_key();
        return;
    }
    if (context_.other_key) {
        context_.notice(Severity::info, "the bank knows the account with this program's key again");
    }
    context_.other_key = false;
    if (state.phase != Phase::open) {  // the answer to the exit is awaited
        if (!is_old_run(reply)) attached_after_bind();
        return;
    }
    attached_after_bind();
    if (!reply.known()) {
        context_.notice(Severity::error,
                        "the bank at " + to_string(context_.settings.bank) +
                            " does not know this account, or another process has it. Start "
                            "this program with the right bank, and one process for an account.");
        context_.effects->stop(4);
        return;
    }
    if (reply.exited()) {
        close_account();
        context_.effects->stop(0);
        return;
    }
    if (is_old_copy(reply)) return;
    const Money total = Money::from_cents(reply.adjustments());
    if (total == state.totals.adjustments || state.is_suspended()) return;
    const auto by = checked_subtract(total, state.totals.adjustments);
    const auto balance = by ? checked_add(state.totals.balance, *by) : std::nullopt;
    if (!state.can_hold(balance)) {
        const bool too_much = by && !by->is_negative();
        context_.notice(Severity::warning,
                        std::string("the operator's correction waits until the ") +
                            (too_much ? "account can hold it" : "balance covers it"));
        return;
    }
    State::Record record;
    record.mutable_adjusted()->set_total(total.cents());
    context_.commit(record);
    context_.notice(Severity::info, "the operator corrected the balance by " + to_string(*by) +
                                        ", balance " + to_string(*balance));
}

bool BankLink::refuse_old_copy(const std::string& what, uint64_t bank, uint64_t own) {
    context_.refuse_to_go_on("the bank has seen " + what + " " + std::to_string(bank) +
                             ", its own storage says " + std::to_string(own));
    return true;
}

// A later start of this program has been at the bank, or another one with this number.
bool BankLink::is_old_run(const wire::AttachReply& reply) {
    const uint64_t boots = context_.state.boots;
    if (reply.old_copy() && reply.boots() == boots) {
        context_.refuse_to_go_on("another run of this program has had its start " +
                                 std::to_string(boots) + " already");
        return true;
    }
    return reply.boots() > boots && refuse_old_copy("its start", reply.boots(), boots);
}

bool BankLink::is_old_copy(const wire::AttachReply& reply) {
    if (is_old_run(reply)) return true;
    const State& state = context_.state;
    const bool rolling_back = state.operation && state.operation->kind == wire::OPERATION_ROLLBACK;
    if (Epoch(reply.epoch()) > state.epoch && !rolling_back) {
        return refuse_old_copy("it in epoch", reply.epoch(), state.epoch.value());
    }
    // What the bank has committed is permanent here too, or settled and in doubt. A late reply says
    // less, which means nothing.
    const uint64_t committed = reply.statements();
    look_whether_bank_is_behind(reply);
    if (committed < state.statements || committed == 0) return false;
    const bool settled = state.operation && !state.operation->statement.statement().empty();
    const uint64_t known = state.statements + (settled ? 1 : 0);
    if (committed > known) return refuse_old_copy("its statement", committed, known);
    const std::string digest = committed == state.statements
                                   ? state.statement_digest
                                   : statement_digest(state.operation->statement);
    if (digest == reply.statement_digest()) return false;
    context_.refuse_to_go_on("the bank has another statement " + std::to_string(committed) +
                             " of it than its own storage");
    return true;
}

void BankLink::look_whether_bank_is_behind(const wire::AttachReply& reply) {
    if (reply.statements() >= context_.state.statements) {
        behind_ = 0;
        context_.bank_behind.reset();
        return;
    }
    if (context_.bank_behind) {
        context_.bank_behind = reply.statements();
        attach_at_ = std::min(attach_at_, context_.now + timing::kQueryMost);
        return;
    }
    attach_at_ = std::min(attach_at_, context_.now + timing::kAttachRetry);
    if (!asked_since_) return;  // several answers to one question
    asked_since_ = false;
    if (++behind_ < kBehindForCertain) return;
    context_.bank_behind = reply.statements();
    context_.notice(Severity::error, bank_is_behind(context_));
}

void BankLink::on_account_offer(const wire::AccountOffer& offer) {
    if (context_.state.phase != Phase::none || busy() || !is_valid_name(offer.name())) return;
    const auto claimed = context_.effects->claim_store(offer.name(), context_.key_seed());
    if (!claimed) {
        context_.notice(Severity::error, "the bank has an account " + offer.name() +
                                             " for this process, but: " + claimed.error().message);
        return;
    }
    State::Record record;
    auto* opening = record.mutable_opening();
    opening->set_name(offer.name());
    opening->set_opener(opener_);
    opening->set_ip(context_.settings.own_ip);
    opening->set_port1(context_.settings.port1);
    opening->set_port2(context_.settings.port2);
    opening->set_offered(true);
    context_.commit(record);
    start_account(1);
    attached_ = false;
    attach();
}

// An account that is taken over. Whoever had it before may have said things in all epochs that the
// bank knows: this process begins above them.
void BankLink::opened(const wire::AttachReply& reply) {
    State::Record record;
    *record.mutable_opened()->mutable_totals() = reply.totals();
    record.mutable_opened()->set_epoch(reply.epoch() + 1);
    record.mutable_opened()->set_statements(reply.statements());
    record.mutable_opened()->set_statement_digest(reply.statement_digest());
    opened(record);
}

void BankLink::opened(State::Record& record) {
    record.mutable_opened()->set_name(context_.state.name);
    context_.commit(record);
    attach_at_ = context_.now;
    attached_ = false;
}

// --- the key

// Nothing is wrong with the account, but the bank does nothing with it for this process.
void BankLink::lost_to_other_key() {
    if (context_.other_key) return;
    context_.other_key = true;
    const std::string& name = context_.state.name;
    context_.notice(Severity::error,
                    "the bank knows account " + name +
                        " with another key than this program's. To go on here, sign in as its "
                        "owner (sign-in <email>) and type: bind " +
                        name +
                        " (refused if this is an old copy of its state). Or the bank's operator "
                        "types: unbind " +
                        name);
}

void BankLink::bound(CommandId id, const std::string& name, Answer answer) {
    if (context_.state.phase == Phase::none) wanted_ = name;
    bound_.emplace();
    bound_->command = id;
    bound_->name = name;
    bound_->answer = std::move(answer);
    bound_->deadline = context_.now + timing::kBankDeadline;
    attached_ = false;
    attach_retry_.reset();
    attach_at_ = context_.now;
    on_timer();
}

void BankLink::attached_after_bind() {
    if (!bound_) return;
    Bound bound = std::move(*bound_);
    bound_.reset();
    if (bound.command.value() != 0) {
        answered_(bound.command, std::move(bound.answer));
    } else if (bound.name == context_.state.name) {
        context_.notice(Severity::info, "the bank has confirmed that account " +
                                            context_.state.name +
                                            " is bound to this program's key");
    }
}

}  // namespace p2pbank::customer
