#include "bank/bank.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/core/secrets.h"
#include "common/wire/convert.h"

namespace p2pbank {

using namespace bank;

namespace {

// The program was started again since it asked, or another process has the account.
bool is_gone(const Account& account, const Requester& requester) {
    return requester.instance < account.boots || requester.opener != account.opener;
}

}  // namespace

Bank::Bank(BankSettings settings)
    : context_(settings),
      decisions_(context_, [this](const OperationId& id) { procedures_.on_settled(id); }),
      procedures_(
          context_, decisions_,
          [this](const Requester& requester, const Answer& answer) { promise(requester, answer); },
          [this](const Requester& requester, Answer answer) {
              reply(requester, std::move(answer));
          }),
      sign_in_(
          context_, [this] { return JobId(++jobs_); },
          [this](const Origin& to, uint64_t nonce, Answer answer, uint64_t session) {
              desk_.tell(to, nonce, std::move(answer), session);
          }),
      deals_(context_, decisions_, sign_in_),
      bindings_(context_, decisions_, sign_in_),
      desk_(
          context_, sign_in_, bindings_, [this] { return JobId(++jobs_); },
          [this](CommandId id, Answer answer) {
              if (under_way_ == id) under_way_.reset();
              context_.answer(id, std::move(answer));
          }),
      evidence_file_(context_, [this] { return JobId(++jobs_); }) {}

Result<void> Bank::replay(std::string_view bytes) {
    State::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return Error{"bad-record", "bytes that are no record of a bank"};
    }
    return context_.state.apply(record);
}

Fit Bank::fit(bool had_key) const {
    const State& state = context_.state;
    if (!context_.sealed()) return state.was_sealed ? Fit::sealed : Fit::fits;
    // Earlier versions let the two be mixed: what has keys stays sealed.
    if (!state.was_sealed) return state.was_in_clear ? Fit::in_clear : Fit::fits;
    const bool same =
        state.bank_keys.empty() ? had_key : state.bank_keys.back() == context_.identity.keys();
    return same ? Fit::fits : Fit::other_key;
}

std::string Bank::known_key() const {
    const auto& keys = context_.state.bank_keys;
    return keys.empty() ? std::string() : secure::fingerprint(keys.back());
}

void Bank::start(TimePoint now, Effects& effects) {
    at(now, effects);
    State::Record record;
    record.mutable_started()->set_boots(context_.state.boots + 1);
    if (context_.sealed()) {
        const secure::PublicKeys& keys = context_.identity.keys();
        record.mutable_started()->mutable_keys()->set_channel(secure::to_bytes(keys.channel));
        record.mutable_started()->mutable_keys()->set_signing(secure::to_bytes(keys.signing));
    }
    context_.commit(record);
    context_.courier.identify("bank", context_.state.boots);
    take_over_edits();
    decisions_.resume();
    if (context_.sealed()) {
        context_.notice(Severity::info,
                        "the key of this bank is " + secure::fingerprint(context_.identity.keys()));
    }
}

void Bank::on_datagram(TimePoint now, Socket socket, Address from, std::string_view bytes,
                       Effects& effects) {
    at(now, effects);
    const Courier::Arrival arrival = context_.courier.receive(now, socket, from, bytes, effects);
    if (arrival.introduced) context_.introduced(from, context_.courier.received_from());
    if (!arrival.message) return;
    wire::Datagram& datagram = context_.courier.received();
    const WipedSecrets wiped(datagram);
    dispatch(datagram, origin_of(from, datagram));
}

Origin Bank::origin_of(Address from, const wire::Datagram& datagram) {
    Origin origin{from, datagram.sender(), datagram.instance(), context_.courier.received_from(),
                  false};
    if (!context_.sealed()) {
        origin.is_account = !origin.name.empty();
        return origin;
    }
    const Account* account = context_.state.find(origin.name);
    origin.is_account =
        account != nullptr && !account->keys().empty() && account->keys().channel == origin.key;
    if (origin.is_account && origin.instance >= account->boots) {
        context_.heard(*account, from);
    }
    return origin;
}

void Bank::answer_probe(const wire::Probe& probe, const Origin& from) {
    wire::Datagram message;
    message.mutable_probe()->set_nonce(probe.nonce());
    message.mutable_probe()->set_answer(true);
    message.mutable_probe()->set_starting_balance(
        context_.state.business.settings().starting_balance.cents());
    context_.send(from, std::move(message));
}

void Bank::dispatch(const wire::Datagram& datagram, const Origin& from) {
    if (datagram.has_probe() && !datagram.probe().answer()) {
        answer_probe(datagram.probe(), from);
        return;
    }
    if (datagram.has_attach()) {
        on_attach(datagram, from);
        return;
    }
    if (datagram.has_ask()) {
        desk_.on_ask(datagram, from);
        return;
    }
    if (datagram.command().has_open()) {
        // By a process without an account, which already calls itself what it opens.
        const std::string& name = datagram.command().open().name();
        if (!context_.sealed() || from.name.empty() || from.name == name) {
            on_open(datagram, datagram.command(), from);
            return;
        }
    }
    if (!from.is_account) {
        refuse_other_key(datagram, from);
        return;
    }
    Account* account = context_.state.find(from.name);
    if (account == nullptr) return;
    // What an earlier run of the program sent is of no use to the present one.
    if (from.instance < account->boots) return tell_newer_run(*account, from);
    if (datagram.has_command()) {
        on_customer_command(datagram, from);
        return;
    }
    if (account->exited) {
        wire::Datagram message;
        message.mutable_attach_reply()->set_known(true);
        message.mutable_attach_reply()->set_exited(true);
        context_.send(from, std::move(message));
        return;
    }
    from_account(*account, datagram, from);
}

// Nothing comes of it. Written down where somebody may have wanted to act for another: not for an
// account that nobody's key has yet.
void Bank::refuse_other_key(const wire::Datagram& datagram, const Origin& from) {
    const Account* account = context_.state.find(from.name);
    if (account == nullptr || account->keys().empty()) return;
    const char* what = "a message";
    if (datagram.command().has_exit()) what = "exit";
    if (datagram.command().has_new_cohort()) what = "new-cohort";
    if (datagram.command().has_delete_cohort()) what = "delete-cohort";
    if (datagram.has_settle()) what = "a settlement";
    if (datagram.has_deal()) what = "a deal";
    if (datagram.has_decision_request()) what = "a decision";
    sign_in_.refused(to_string(from.address), std::string(what) + " of " + account->name,
                     "other-key");
}

void Bank::from_account(Account& account, const wire::Datagram& datagram, const Origin& from) {
    if (datagram.has_probe()) {
        procedures_.on_probe_answer(account, datagram.probe().nonce());
    } else if (datagram.has_deal()) {
        deals_.on_deal(account, datagram, from);
    } else if (datagram.has_settle()) {
        decisions_.on_settle(account, datagram, from);
    } else if (datagram.has_settle_refused()) {
        procedures_.on_settle_refused(account, datagram.settle_refused());
    } else if (datagram.has_operation_begin()) {
        decisions_.on_operation_begin(account, datagram.operation_begin(), from);
    } else if (datagram.has_decision_request()) {
        decisions_.on_decision_request(account, datagram.decision_request(), from);
    } else if (datagram.has_decision_query()) {
        decisions_.on_decision_query(account, datagram.decision_query(), from);
    } else if (datagram.has_decision_ack()) {
        decisions_.on_decision_ack(account, datagram.decision_ack());
        procedures_.on_acknowledged();
    } else if (datagram.has_cohort_ended_ack()) {
        decisions_.on_cohort_ended_ack(account, datagram.cohort_ended_ack());
        procedures_.on_acknowledged();
    } else if (datagram.has_evidence()) {
        decisions_.on_evidence(account, datagram);
    } else if (datagram.has_report()) {
        procedures_.on_report(account, datagram.report());
    } else if (datagram.has_roster_request()) {
        const Cohort* cohort = context_.state.find_cohort(account.cohort);
        if (cohort == nullptr || cohort->id != CohortId(datagram.roster_request().cohort())) return;
        wire::Datagram message;
        *message.mutable_roster() = context_.roster(*cohort);
        context_.send(from, std::move(message));
    }
}

void Bank::on_job(TimePoint now, JobId job, JobResult result, Effects& effects) {
    at(now, effects);
    if (desk_.on_job(job, result) || evidence_file_.on_job(job, result)) return;
    sign_in_.on_job(job, std::move(result));
}

void Bank::on_timer(TimePoint now, Effects& effects) {
    at(now, effects);
    decisions_.on_timer();
    procedures_.on_timer();
}

void Bank::end_of_turn(TimePoint now, Effects& effects) {
    at(now, effects);
    pump();
    publish_table_if_due();
    context_.release_outbox();
    context_.courier.end_of_turn(now, effects);
}

void Bank::on_close(TimePoint now, int step, Effects& effects) {
    at(now, effects);
    if (step == 0) {
        next_table_ = now;  // whatever its interval
        return;
    }
    if (context_.state.table_changed || context_.state.table_hashes.empty()) return;
    State::Record record;
    record.mutable_closed();
    context_.commit(record);
}

std::optional<TimePoint> Bank::next_wake() const {
    auto wake = decisions_.next_wake();
    const auto consider = [&](std::optional<TimePoint> other) {
        if (other) wake = wake ? std::min(*wake, *other) : *other;
    };
    consider(procedures_.next_wake());
    if (context_.state.table_changed) consider(next_table_);
    return wake;
}

bool Bank::wants_commands() const {
    return waiting_.size() < limits::kMaxCommandsInProgress;
}

void Bank::snapshot(const std::function<void(std::string)>& take) const {
    context_.state.snapshot(take);
}

// A customer's request gets the same answer again, also after the bank was started anew.
void Bank::promise(const Requester& requester, const Answer& answer) {
    if (requester.customer.empty()) return;
    // What the present one has been told stays.
    const Account* account = context_.state.find(requester.customer);
    if (account == nullptr || is_gone(*account, requester)) return;
    State::Record record;
    auto* replied = record.mutable_replied();
    replied->set_name(requester.customer);
    replied->set_instance(requester.instance);
    wire::Reply* out = replied->mutable_reply();
    out->set_request(requester.request);
    out->set_success(answer.outcome == Outcome::success);
    out->set_code(answer.code);
    out->set_text(answer.text);
    for (const std::string& line : answer.lines) {
        if (static_cast<size_t>(out->lines_size()) == limits::kMaxReplyLines) {
            out->add_lines("and " + std::to_string(answer.lines.size() - limits::kMaxReplyLines) +
                           " more");
            break;
        }
        out->add_lines(line);
    }
    context_.commit(record);
}

void Bank::reply(const Requester& requester, Answer answer) {
    if (requester.customer.empty()) {
        if (evidence_path_) {
            const std::string path = std::move(*evidence_path_);
            evidence_path_.reset();
            evidence_file_.write(path, std::move(answer), [this, requester](Answer written) {
                reply(requester, std::move(written));
            });
            return;
        }
        if (under_way_ == requester.command) under_way_.reset();
        context_.answer(requester.command, std::move(answer));
        return;
    }
    const Account* account = context_.state.find(requester.customer);
    if (account == nullptr || is_gone(*account, requester)) return;
    const AccountDetails* details = account->details.get();
    const bool promised = details != nullptr && details->replied_instance == requester.instance &&
                          details->reply.request() == requester.request;
    if (!promised) promise(requester, answer);
    wire::Datagram message;
    *message.mutable_reply() = account->details->reply;
    context_.send(requester.from, std::move(message));
}

}  // namespace p2pbank
