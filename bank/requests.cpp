// What customer processes ask for: to be attached, and commands that they pass on. Part of Bank.
#include <algorithm>

#include "bank/bank.h"
#include "common/base/names.h"
#include "common/wire/convert.h"

namespace p2pbank {

using namespace bank;

namespace {

// "Bank", "BANK": people would take it for the bank.
bool is_like_bank(std::string_view name) {
    constexpr std::string_view kBank = "bank";
    return std::equal(name.begin(), name.end(), kBank.begin(), kBank.end(),
                      [](char a, char b) { return a == b || a == b - 'a' + 'A'; });
}

}  // namespace

void Bank::on_customer_command(const wire::Datagram& datagram, const Origin& from) {
    const wire::Command& command = datagram.command();
    const Account* account = context_.state.find(datagram.sender());
    if (account == nullptr || datagram.instance() < account->boots) return;
    // A run is attached before its requests count, as before its deals: a late copy of an earlier
    // run's exit would close what a later run has been told is open. (A closed one attaches none.)
    if (datagram.instance() != account->boots && !account->exited) return;
    const Requester requester{CommandId(),       account->name, datagram.instance(),
                              command.request(), from,          account->opener};
    if (procedures_.is_under_way(requester)) return;
    if (account->details != nullptr && account->details->replied_instance == requester.instance &&
        account->details->reply.request() >= requester.request) {
        if (account->details->reply.request() != requester.request) return;  // long answered
        wire::Datagram message;
        *message.mutable_reply() = account->details->reply;
        context_.send(from, std::move(message));
        return;
    }
    if (command.has_exit()) {
        decisions_.heard_in_epoch(*account, datagram.epoch());
        procedures_.on_exit(requester, *account, command.exit());
    } else if (account->exited) {
        reply(requester, failure("exited", "the account is closed"));
    } else if (command.has_new_cohort()) {
        const uint32_t size = command.new_cohort().size();
        const auto checked = parse_count(std::to_string(size));
        if (checked) {
            procedures_.new_cohort(requester, *account, size);
        } else {
            reply(requester, failure(checked.error()));
        }
    } else if (command.has_delete_cohort()) {
        const CohortId wanted(command.delete_cohort().cohort());
        if (wanted.value() != 0 && account->cohort.value() != 0 && wanted != account->cohort) {
            reply(requester, failure("not-in-cohort",
                                     "the cohort in which that was typed has "
                                     "ended; nothing was changed"));
            return;
        }
        procedures_.delete_cohort(requester, *account, command.delete_cohort().force());
    }
}

std::optional<Answer> Bank::why_not_open(std::string_view name, const wire::Open& open) const {
    const auto checked = check_name(name);
    if (!checked) return failure(checked.error());
    if (is_like_bank(name)) {
        return failure("bad-name", "it would be taken for the bank itself: choose another name");
    }
    if (open.balance() > static_cast<uint64_t>(limits::kMaxAmountUnits) * 100) {
        return failure("bad-amount", "the most is 1000000000000000");
    }
    const auto ip = parse_ip(ip_to_string(open.ip()));
    if (!ip) return failure(ip.error());
    if (open.port1() == 0 || open.port1() > 65'535 || open.port2() == 0 || open.port2() > 65'535) {
        return failure("bad-port", "a port is a number from 1 to 65535");
    }
    if (open.port1() == open.port2()) {
        return failure("bad-port", "the port for the bank and the port for peers must differ");
    }
    const Account* other = context_.state.find(name);
    if (other != nullptr) {
        return failure("name-taken",
                       "there is " +
                           std::string(other->exited ? "a closed account " : "an account ") +
                           std::string(name) + " already; choose another name");
    }
    return std::nullopt;
}

Answer Bank::opened_answer(const Account& account) const {
    Answer answer =
        success("open " + account.name + " balance " + to_string(account.totals.opening));
    return answer.fact("name", account.name).fact("balance", account.totals.opening);
}

Result<std::string> Bank::owner_of(const wire::Open& open, const Origin& from) {
    if (open.authority().session() == 0) {
        if (!context_.settings.require_verified) return std::string();
        sign_in_.refused(open.name(), "open", "not-signed-in");
        return Error{"not-signed-in",
                     "this bank opens accounts for verified people only: `register`, `verify` and "
                     "`sign-in` first"};
    }
    const auto caller = sign_in_.caller_of(open.authority(), from, Repeats::allowed);
    if (!caller) return caller.error();
    if (caller.value().verified) return caller.value().email;
    sign_in_.refused(caller.value().email, "open", "not-verified");
    return Error{"not-verified",
                 "the e-mail is not verified yet: `verify <code>` first, with the "
                 "code that the bank's operator has"};
}

void Bank::on_open(const wire::Datagram& datagram, const wire::Command& command,
                   const Origin& from) {
    const wire::Open& open = command.open();
    const Account* known = context_.state.find(open.name());
    const bool same_key =
        known != nullptr && (!context_.sealed() || known->keys().channel == from.key);
    wire::Datagram message;
    wire::Reply* out = message.mutable_reply();
    out->set_request(command.request());
    if (!same_key || known->opener != open.opener() || open.opener() == 0) {
        auto why_not = why_not_open(open.name(), open);
        const auto keys = context_.sealed() ? bindings_.keys_of(from, open.signing_key(), nullptr)
                                            : Result<secure::PublicKeys>(secure::PublicKeys());
        if (why_not && why_not->code == "name-taken" && !known->exited && context_.sealed()) {
            why_not->text = "there is an account " + open.name() +
                            " already; if it is yours: sign-in <email>, then bind " + open.name() +
                            "; otherwise choose another name";
        }
        if (!why_not && !keys) why_not = failure(keys.error());
        const auto owner = why_not ? Result<std::string>(std::string()) : owner_of(open, from);
        if (!owner) why_not = failure(owner.error());
        if (why_not) {
            out->set_code(why_not->code);
            out->set_text(why_not->text);
            context_.send(from, std::move(message));
            return;
        }
        State::Record record;
        auto* opened = record.mutable_opened();
        opened->set_name(open.name());
        opened->set_balance(static_cast<int64_t>(open.balance()));
        opened->set_ip(open.ip());
        opened->set_port1(open.port1());
        opened->set_port2(open.port2());
        opened->set_opener(open.opener());
        opened->set_owner(owner.value());
        if (context_.sealed()) {
            opened->set_channel_key(secure::to_bytes(keys.value().channel));
            opened->set_signing_key(secure::to_bytes(keys.value().signing));
        }
        context_.commit(record);
        record.Clear();
        auto* attached = record.mutable_attached();
        attached->set_name(open.name());
        attached->set_ip(open.ip());
        attached->set_port1(open.port1());
        attached->set_port2(open.port2());
        attached->set_opener(open.opener());
        attached->set_boots(datagram.instance());
        attached->set_epoch(datagram.epoch());
        attached->set_proven(from.address ==
                             Address{open.ip(), static_cast<uint16_t>(open.port1())});
        context_.commit(record);
        known = context_.state.find(open.name());
        context_.heard(*known, from.address);
        context_.notice(Severity::info,
                        "opened account " + known->name + " at " + to_string(known->bank_side()));
    }
    // The same open again, perhaps by a process that was started again: the same answer.
    out->set_success(true);
    out->set_text(opened_answer(*known).text);
    context_.send(from, std::move(message));
}

void Bank::on_attach(const wire::Datagram& datagram, const Origin& from) {
    const wire::Attach& attach = datagram.attach();
    if (datagram.sender().empty()) {
        offer_account(attach, from);
        return;
    }
    Account* account = context_.state.find(datagram.sender());
    wire::Datagram message;
    wire::AttachReply* out = message.mutable_attach_reply();
    out->set_opener(attach.opener());
    secure::PublicKeys taken;  // the keys of whoever takes over what was nobody's
    if (account != nullptr && context_.sealed() && !from.is_account) {
        const auto keys = account->keys().empty()
                              ? bindings_.take_over(*account, from, attach)
                              : Result<secure::PublicKeys>(Error{"other-key", ""});
        if (!keys) {
            out->set_other_key(true);
            context_.send(from, std::move(message));
            return;
        }
        taken = keys.value();
    }
    if (account == nullptr || attach.opener() == 0 ||
        (account->opener != 0 && account->opener != attach.opener())) {
        context_.send(from, std::move(message));
        return;
    }
    if (datagram.instance() < account->boots) return tell_newer_run(*account, from);
    const bool elsewhere = attach.ip() != account->ip || attach.port1() != account->port1 ||
                           attach.port2() != account->port2;
    const bool another_run =
        attach.run() == 0 ? elsewhere : account->run != 0 && attach.run() != account->run;
    if (datagram.instance() == account->boots && account->attached && !account->exited &&
        another_run) {
        // Two runs of a program do not have the same number: its storage went back to where an
        // earlier run began. (The same run does not move: then the table was edited.)
        context_.notice(Severity::error,
                        account->name + " comes back from an old copy of its state");
        out->set_known(true);
        out->set_boots(account->boots);
        out->set_old_copy(true);
        context_.send(from, std::move(message));
        return;
    }
    const bool sane = parse_ip(ip_to_string(attach.ip())).ok() && attach.port1() > 0 &&
                      attach.port1() <= 65'535 && attach.port2() > 0 && attach.port2() <= 65'535;
    const bool news = datagram.instance() > account->boots || !account->attached ||
                      datagram.epoch() > account->epoch || !taken.empty() || elsewhere ||
                      (account->run == 0 && attach.run() != 0);
    if (sane && news && !account->exited) {
        // A newer epoch leaves what is undecided of older ones: nothing that it covers is pending
        // any more.
        if (datagram.epoch() > account->epoch) {
            decisions_.heard_in_epoch(*account, datagram.epoch());
        }
        State::Record record;
        auto* attached = record.mutable_attached();
        attached->set_name(account->name);
        attached->set_ip(attach.ip());
        attached->set_port1(attach.port1());
        attached->set_port2(attach.port2());
        attached->set_opener(attach.opener());
        attached->set_boots(datagram.instance());
        attached->set_run(attach.run());
        attached->set_epoch(std::max(datagram.epoch(), account->epoch));
        attached->set_proven(from.address ==
                             Address{attach.ip(), static_cast<uint16_t>(attach.port1())});
        if (!taken.empty()) {
            attached->set_channel_key(secure::to_bytes(taken.channel));
            attached->set_signing_key(secure::to_bytes(taken.signing));
        }
        context_.commit(record);
        context_.heard(*account, from.address);
        if (!taken.empty()) {
            context_.notice(Severity::info,
                            "account " + account->name + " is now bound to the key " +
                                secure::fingerprint(taken) + " at " + to_string(from.address));
        }
    } else if (!taken.empty() && !account->exited) {
        return;  // nothing was taken over
    }
    const Cohort* cohort = context_.state.find_cohort(account->cohort);
    out->set_known(true);
    out->set_exited(account->exited);
    out->set_cohort(account->cohort.value());
    if (cohort != nullptr) out->set_cohort_name(cohort->name);
    out->set_adjustments(account->corrections.cents());
    to_wire(account->totals, out->mutable_totals());
    out->set_epoch(account->epoch);
    out->set_statements(account->statements());
    out->set_statement_digest(account->statement_digest());
    out->set_boots(account->boots);
    context_.send(from, std::move(message));
    if (account->ended_cohort().value() != 0) {
        context_.send(from, decisions_.cohort_ended(*account));
    }
}

// To an earlier run of the program, or one from an older copy of its state.
void Bank::tell_newer_run(const Account& account, const Origin& from) {
    wire::Datagram message;
    message.mutable_attach_reply()->set_known(true);
    message.mutable_attach_reply()->set_boots(account.boots);
    context_.send(from, std::move(message));
}

// An account that nobody has, for a process without one: the one that it names, or that is
// registered where the process listens.
void Bank::offer_account(const wire::Attach& attach, const Origin& from) {
    const bool named = !attach.wanted().empty();
    const Account* found = nullptr;
    if (named) {
        found = context_.state.find(attach.wanted());
    } else {
        for (const Account& account : context_.state.accounts()) {
            if (account.opener == 0 && !account.exited && account.ip == attach.ip() &&
                account.port1 == attach.port1() && account.port2 == attach.port2()) {
                found = &account;
            }
        }
    }
    if (found == nullptr || !bindings_.may_take_over(*found, from, named)) return;
    wire::Datagram message;
    message.mutable_account_offer()->set_name(found->name);
    context_.send(from, std::move(message));
}

}  // namespace p2pbank
