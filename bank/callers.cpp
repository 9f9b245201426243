// Part of SignIn: who is behind a request, and what all its commands need.
#include "bank/sign_in.h"
#include "common/base/limits.h"

namespace p2pbank::bank {

Result<Caller> SignIn::caller_of(const wire::Authority& authority, const Origin& from,
                                 Repeats repeats) {
    const auto email = sessions_.email_of(context_.now, authority, from.party(), repeats);
    if (!email) return email.error();
    const Person* person = context_.state.business.people().find(email.value());
    if (person == nullptr) {  // was never verified, and is forgotten
        return Error{"not-signed-in", "the bank knows nobody of that e-mail any more"};
    }
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
