// What customers settle and sign: whether it is theirs, in order, and adds up. Part of Decisions.
#include <algorithm>

#include "bank/decisions.h"
#include "common/base/limits.h"
#include "common/base/text.h"
#include "common/core/digest.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

void Decisions::on_settle(Account& account, const wire::Datagram& datagram, const Origin& from) {
    const wire::Settle& settle = datagram.settle();
    const OperationId id = from_wire(settle.operation());
    const auto reply = [&](bool accepted) {
        wire::Datagram message;
        *message.mutable_settle_ack()->mutable_operation() = settle.operation();
        message.mutable_settle_ack()->set_accepted(accepted);
        context_.send(from, std::move(message));
    };
    if (account.exited || tell_if_ended(account, &datagram, from)) return;
    if (context_.state.committed.contains(id)) return;  // its COMMIT is told anyway
    if (context_.state.decision(id).has_value()) return reply(false);
    // It was under way before the customer rolled back or lost what it had not made permanent.
    if (datagram.epoch() < account.epoch) return reply(false);
    const Cohort* cohort = context_.state.cohort_of(account);
    const bool of_bank = is_of_bank(id);
    const Account* initiator = context_.state.find(id.initiator);
    if (of_bank
            ? cohort == nullptr || cohort->operation != id || cohort->stage == CohortStage::active
            : settle.kind() != wire::OPERATION_CHECKPOINT ||
                  CohortId(datagram.cohort()) != account.cohort || initiator == nullptr ||
                  !may_take_part(*initiator, account)) {
        return reply(false);
    }
    if (!is_begun(id, settle.kind(), account)) return reply(false);
    if (of_bank &&
        settle.kind() != (cohort->stage == CohortStage::forming ? wire::OPERATION_JOIN
                                                                : wire::OPERATION_FREEZE)) {
        return reply(false);
    }
    const Operation* operation = context_.state.undecided(id);
    if (operation != nullptr && operation->settlements.contains(account.name)) {
        const std::string& held =
            operation->settlements.find(account.name)->second.statement.statement();
        const bool same = held.empty() || held == settle.statement().statement();
        if (!same) {
            tell_refused(Severity::error, account,
                         "refuses the settlement of " + account.name + " for " + to_string(id) +
                             ": it has signed another one");
        }
        return reply(same);
    }
    Expected expected{id, settle.kind(), CohortId(datagram.cohort()), CohortId(), datagram.epoch()};
    if (settle.kind() == wire::OPERATION_JOIN) expected.joining = cohort->id;
    const auto statement = take(account, settle.statement(), expected);
    if (!statement) return reply(false);
    const Totals totals = p2pbank::from_wire(statement->totals());
    // What it paid and borrowed has to be what the bank accepted, to the last deal.
    heard_in_epoch(account, datagram.epoch());
    if (!context_.state.business.are_dealings(account.name, account.totals.dealings,
                                              totals.dealings)) {
        // Most likely late: the customer has left the operation and made another deal since.
        tell_refused(Severity::info, account,
                     "a settlement of " + account.name + " for " + to_string(id) +
                         " does not have the deals that are pending now");
        return reply(false);
    }
    State::Record record;
    auto* settled = record.mutable_settled();
    to_wire(id, settled->mutable_operation());
    settled->set_kind(settle.kind());
    settled->set_name(account.name);
    settled->set_epoch(datagram.epoch());
    *settled->mutable_statement() = known_part(settle.statement());
    if (context_.sealed()) {
        settled->set_signing_key(secure::to_bytes(account.keys().signing));
    }
    settled->set_instance(datagram.instance());
    context_.commit(record);
    reply(true);
    if (of_bank) settled_(id);
}

std::optional<wire::Statement> Decisions::take(const Account& account,
                                               const wire::SignedStatement& signed_one,
                                               const Expected& expected) {
    const std::string what =
        expected.operation.empty()
            ? "the last statement of " + account.name
            : "the settlement of " + account.name + " for " + to_string(expected.operation);
    const auto refuse = [&](const std::string& why) {
        tell_refused(Severity::error, account, "refuses " + what + ": " + why);
        return std::nullopt;
    };
    const bool sealed = context_.sealed();
    auto statement = read_statement(signed_one);
    if (!statement) return refuse("it is not readable");
    // It is kept as it came, for good: also with an accusation.
    if (!is_canonical(signed_one) || statement->transfers().size() > Digest::kBytes ||
        !is_sane(statement->activity())) {
        return refuse("it is not written as a statement is");
    }
    if (!sealed && !(signed_one.signature().empty() && statement->bank().empty())) {
        return refuse("it is for another bank");
    }
    if (sealed && !is_signed_by(signed_one, account.keys().signing)) {
        return refuse("it is not signed with the key of " + account.name);
    }
    if (sealed && statement->bank() != secure::to_bytes(context_.identity.keys().signing)) {
        return refuse("it is for another bank");
    }
    const CohortId cohort(statement->cohort());
    if (statement->name() != account.name ||
        from_wire(statement->operation()) != expected.operation ||
        statement->kind() != expected.kind ||
        (cohort != expected.cohort && (cohort != expected.joining || cohort.value() == 0)) ||
        (!expected.operation.empty() && statement->epoch() != expected.epoch)) {
        return refuse("it is for something else");
    }
    // Late, or of a copy of the customer's state: no lie.
    if (statement->number() != account.statements() + 1 ||
        statement->previous() != account.statement_digest()) {
        tell_refused(Severity::info, account,
                     "refuses " + what + ": it does not follow statement " +
                         std::to_string(account.statements()));
        return std::nullopt;
    }
    const auto books = next_books({account.totals, account.channels()}, *statement);
    if (!books) {
        if (sealed && books.error().code == "false-statement") {
            disputes_.accuse_of_statement(account, signed_one, expected.operation,
                                          books.error().message);
        }
        return refuse(books.error().message);
    }
    // Nothing signed shows what the bank told of its operator's corrections: so nobody is accused.
    const Money adjustments = books.value().totals.adjustments;
    if (adjustments != account.totals.adjustments && !account.correction_at(adjustments)) {
        return refuse("it has corrections of " + to_string(adjustments) +
                      " that the operator never made, or has made anew since");
    }
    return statement;
}

void Decisions::tell_refused(Severity severity, const Account& account, const std::string& text) {
    if (!refusals_.allow(context_.now, account.name)) return;
    const uint64_t left_out = refusals_.take_left_out();
    if (left_out > 0) {
        context_.notice(severity,
                        "statements and operations refused in the last minutes and not told: " +
                            std::to_string(left_out));
    }
    context_.notice(severity, text);
}

std::optional<wire::Statement> Decisions::last_statement(const Account& account,
                                                         const wire::Exit& exit) {
    return take(account, exit.statement(), {});
}

void Decisions::on_evidence(const Account& account, const wire::Datagram& datagram) {
    disputes_.on_evidence(account, datagram);
}

bool Decisions::is_sane(const Activity& activity) {
    constexpr size_t kMaxWhatBytes = 64;
    if (static_cast<size_t>(activity.size()) > limits::kMaxActivityInSettlement) return false;
    return std::all_of(activity.begin(), activity.end(), [](const wire::Activity& line) {
        const bool what = line.what().empty() || check_text("it", line.what(), kMaxWhatBytes).ok();
        const bool note =
            line.note().empty() || check_text("it", line.note(), limits::kMaxNoteBytes).ok();
        return what && note && line.amount() != INT64_MIN && line.balance() >= 0;
    });
}

}  // namespace p2pbank::bank
