// Part of SignIn: who is behind a request, and what all its commands need.
#include <sodium.h>

#include "bank/sign_in.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/core/authority.h"

namespace p2pbank::bank {

SignIn::Pending::~Pending() {
    sodium_memzero(session_key.data(), session_key.size());
}

Result<Caller> SignIn::caller_of(const wire::Authority& authority, std::string_view text,
                                 Repeats repeats) {
    const auto email = sessions_.email_of(context_.now, authority, text, repeats);
    if (!email) return email.error();
    const Person* person = context_.state.business.people().find(email.value());
    P2PBANK_CHECK(person != nullptr);
    return Caller{authority.session(), person->email, person->role, person->verified};
}

Answer SignIn::not_allowed(const Caller& caller, std::string_view verb, Role least) {
    refused(caller.email.empty() ? "somebody" : caller.email, verb, "not-allowed");
    return failure("not-allowed", "`" + std::string(verb) + "` is for a" +
                                      (least == Role::admin ? "n " : " ") +
                                      std::string(to_string(least)) +
                                      (least == Role::teller ? " or an admin" : ""));
}

void SignIn::refused(std::string_view who, std::string_view command, std::string_view code) {
    if (!refusals_.allow(context_.now)) return;
    const uint64_t left_out = refusals_.take_left_out();
    if (left_out > 0) {
        context_.notice(Severity::warning, "refused in the last minutes and not written down: " +
                                               std::to_string(left_out));
    }
    State::Record record;
    record.mutable_refused()->set_who(std::string(who));
    record.mutable_refused()->set_command(std::string(command));
    record.mutable_refused()->set_code(std::string(code));
    context_.commit(record);
    context_.notice(Severity::warning, "refused " + std::string(who) + ": " + std::string(command) +
                                           " (" + std::string(code) + ")");
}

Result<wire::Secrets> SignIn::secrets_of(const Origin& from, const wire::Ask& ask,
                                         bool own_key) const {
    const Error bad{"bad-secrets",
                    "what was sealed for the bank cannot be opened; start the customer's program "
                    "again, which asks for the bank's key"};
    auto secrets = unseal_secrets(ask.sealed(), keys_);
    if (!secrets) return bad;
    const auto key = key_from_bytes(secrets->session_key());
    const bool own = ask.authority().session() == 0 && key &&
                     is_signed(ask.authority(), *key, signed_text(from.name, from.instance, ask));
    if (secrets->nonce() != ask.nonce() || (own_key && !own)) {
        wipe(*secrets);
        return bad;
    }
    return std::move(*secrets);
}

std::optional<Error> SignIn::busy() const {
    if (pending_.size() < limits::kMaxPasswordJobs) return std::nullopt;
    return Error{"busy", "the bank works on many passwords now; nothing was changed, try again"};
}

void SignIn::start(Job work, Pending pending) {
    const JobId job = next_job_();
    pending_.emplace(job, std::move(pending));
    context_.effects->start_job(job, std::move(work));
}

void SignIn::tell(const Origin& to, uint64_t nonce, Answer answer, uint64_t session) {
    tell_(to, nonce, std::move(answer), session);
}

void SignIn::commit(const Person& person) {
    State::Record record;
    to_record(person, record.mutable_person());
    context_.commit(record);
}

}  // namespace p2pbank::bank
