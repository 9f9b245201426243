#include "bank/sign_in.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "bank/timing.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"

namespace p2pbank::bank {
namespace {

// Of a password that nobody knows; it costs what the hash of a real one costs.
constexpr const char* kNobodysHash =
    "$argon2id$v=19$m=65536,t=2,p=1$PymwuyFVpsrtm8Ys+PFU+A"
    "$Br4wSQIP20YirRuxKG1fDLqr46ZcQPdDPCqAo9VK1TI";

// No letter or digit that looks like another. All codes: 31^8, more than 8 * 10^11.
constexpr std::string_view kCodeLetters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
constexpr size_t kCodeLength = 8;

std::string to_code(std::string_view typed) {
    std::string code(typed);
    for (char& c : code) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return code;
}

Answer usage(std::string_view form) {
    return failure("usage", "write: " + std::string(form));
}

Answer too_many_attempts(Duration wait) {
    const auto whole = std::chrono::ceil<seconds>(wait).count();
    return failure("too-many-attempts", "wait " + std::to_string(whole) + " s");
}

Answer wrong_credentials() {
    return failure("wrong-credentials", "the e-mail or the password is wrong");
}

Answer email_taken(const std::string& email) {
    return failure("email-taken", email + " is registered already; `sign-in " + email + "`");
}

Answer registered_answer(const Person& person) {
    Answer answer = success("register " + person.email);
    answer.fact("email", person.email).fact("verified", person.verified ? "true" : "false");
    return answer.line("the bank's operator has the code for `verify <code>`");
}

// Of an Ask that should have some and has none.
Answer no_secrets() {
    return failure("bad-secrets", "the request came without what was typed; try again");
}

Answer no_result(const JobResult& result) {
    return failure("busy", "the bank cannot work on passwords now (" +
                               result.outcome.error().message +
                               "); nothing was changed, try again");
}

}  // namespace

SignIn::SignIn(Context& context, NextJob next_job, Tell tell)
    : context_(context),
      next_job_(std::move(next_job)),
      tell_(std::move(tell)),
      sessions_(context.secrets),
      refusals_(limits::kMaxRefusalsAMinute) {}

bool SignIn::handles(std::string_view verb) {
    constexpr std::array<std::string_view, 7> kVerbs = {"register", "verify", "sign-in", "sign-out",
                                                        "passwd",   "role",   "people"};
    return std::find(kVerbs.begin(), kVerbs.end(), verb) != kVerbs.end();
}

void SignIn::ask(const Origin& from, const wire::Ask& ask) {
    const Words words(ask.words().begin(), ask.words().end());
    P2PBANK_CHECK(!words.empty() && handles(words[0]));
    const std::string& verb = words[0];
    if (verb == "register") return register_person(from, ask, words);
    if (verb == "verify") return verify(from, ask, words);
    if (verb == "sign-in") return sign_in(from, ask, words);

    const auto caller = caller_of(ask.authority(), from, Repeats::refused);
    if (!caller) return tell(from, ask.nonce(), failure(caller.error()));
    if (verb == "passwd") return passwd(from, ask, caller.value(), words);
    if (verb == "sign-out") return tell(from, ask.nonce(), sign_out(caller.value(), words));
    if (!may(caller.value().role, Role::admin)) {
        return tell(from, ask.nonce(), not_allowed(caller.value(), verb, Role::admin));
    }
    tell(from, ask.nonce(), verb == "role" ? role(words) : people(words));
}

Answer SignIn::at_console(const Words& words) {
    P2PBANK_CHECK(!words.empty() && handles(words[0]));
    if (words[0] == "role") return role(words);
    if (words[0] == "people") return people(words);
    return failure("usage", "`" + words[0] + "` is typed at a customer's program, by the person");
}

bool SignIn::on_job(JobId job, JobResult result) {
    const auto found = pending_.find(job);
    if (found == pending_.end()) return false;
    Pending pending = std::move(found->second);
    pending_.erase(found);
    if (!result.outcome) {
        tell(pending.from, pending.nonce, no_result(result));
        return true;
    }
    switch (pending.stage) {
        case Stage::registering:
            registered(pending, result);
            break;
        case Stage::signing_in:
            signed_in(pending, result);
            break;
        case Stage::checking_old_password:
            old_password_checked(std::move(pending), result);
            break;
        case Stage::hashing_new_password:
            password_changed(pending, result);
            break;
    }
    return true;
}

// --- registration

void SignIn::register_person(const Origin& from, const wire::Ask& ask, const Words& words) {
    if (words.size() != 2) return tell(from, ask.nonce(), usage("register <email>"));
    const auto email = check_email(words[1]);
    if (!email) return tell(from, ask.nonce(), failure(email.error()));
    forget_late();
    if (const Person* known = context_.state.business.people().find(email.value())) {
        const bool same = known->registration == ask.nonce() && ask.nonce() != 0;
        return tell(from, ask.nonce(),
                    same ? registered_answer(*known) : email_taken(known->email));
    }
    if (!ask.has_secrets()) return tell(from, ask.nonce(), no_secrets());
    const auto named = check_person_name(ask.secrets().name());
    if (!named) return tell(from, ask.nonce(), failure(named.error()));
    const auto strong = check_password(ask.secrets().password(), email.value());
    if (!strong) return tell(from, ask.nonce(), failure(strong.error()));
    if (const auto why = busy()) return tell(from, ask.nonce(), failure(*why));
    if (!make_room()) {
        return tell(from, ask.nonce(),
                    failure("busy", "the bank cannot take more registrations now"));
    }
    Pending pending;
    pending.stage = Stage::registering;
    pending.from = from;
    pending.nonce = ask.nonce();
    pending.email = email.value();
    pending.name = ask.secrets().name();
    start(HashPassword{Secret(ask.secrets().password())}, std::move(pending));
}

void SignIn::registered(const Pending& pending, const JobResult& result) {
    if (context_.state.business.people().find(pending.email) != nullptr) {
        // Somebody else's registration of that e-mail was faster.
        return tell(pending.from, pending.nonce, email_taken(pending.email));
    }
    Person person;
    person.email = pending.email;
    person.name = pending.name;
    person.password_hash = result.text;
    person.registration = pending.nonce;
    person.since_ms = static_cast<uint64_t>(std::max<int64_t>(0, context_.wall_us() / 1'000));
    do {
        person.code.clear();
        for (size_t i = 0; i < kCodeLength; ++i) {
            person.code += kCodeLetters[context_.secrets.below(kCodeLetters.size())];
        }
    } while (context_.state.business.people().find_by_code(person.code) != nullptr);
    commit(person);
    context_.notice(Severity::info, "verification code of " + person.email + ": " + person.code);
    tell(pending.from, pending.nonce, registered_answer(person));
}

// Somebody else may register with that e-mail.
void SignIn::forget(const Person& person) {
    sessions_.end_others(person.email, 0);
    State::Record record;
    to_removal(person, record.mutable_person());
    context_.commit(record);
}

void SignIn::forget_late() {
    const People& people = context_.state.business.people();
    const int64_t now_ms = context_.wall_us() / 1'000;
    const int64_t life_ms = duration_cast<milliseconds>(timing::kUnverifiedLife).count();
    uint64_t late = 0;
    while (const Person* oldest = people.oldest_unverified()) {
        // When somebody of an older version registered is not known.
        const auto since_ms = static_cast<int64_t>(oldest->since_ms);
        // A clock that was far ahead then keeps nobody for longer.
        if (since_ms == 0 || std::abs(now_ms - since_ms) < life_ms) break;
        forget(*oldest);
        ++late;
    }
    if (late > 0) {
        context_.notice(Severity::info, std::to_string(late) +
                                            " did not verify their e-mails within a day and are "
                                            "forgotten");
    }
}

bool SignIn::make_room() {
    const People& people = context_.state.business.people();
    const auto is_full = [&] {
        return people.unverified() >= limits::kMaxUnverifiedPeople ||
               people.size() >= limits::kMaxPeople;
    };
    forget_late();
    bool early = false;
    for (const Person* oldest = people.oldest_unverified(); is_full() && oldest != nullptr;
         oldest = people.oldest_unverified()) {
        forget(*oldest);
        early = true;
    }
    if (early) {
        context_.notice(Severity::warning,
                        "too many wait to be verified: the one who registered first is forgotten");
    }
    return !is_full();
}

void SignIn::verify(const Origin& from, const wire::Ask& ask, const Words& words) {
    if (words.size() != 2) return tell(from, ask.nonce(), usage("verify <code>"));
    const std::string guesser = ip_to_string(from.address.ip);
    if (const auto wait = codes_.begin(context_.now, guesser)) {
        return tell(from, ask.nonce(), too_many_attempts(*wait));
    }
    forget_late();
    const Person* found = context_.state.business.people().find_by_code(to_code(words[1]));
    if (found == nullptr) {
        refused(from.who(), "verify", "wrong-code");
        return tell(from, ask.nonce(),
                    failure("wrong-code", "no registration waits for this code (any more)"));
    }
    codes_.forgive(guesser);
    Person person = *found;
    person.verified = true;
    person.code.clear();
    commit(person);
    // An account that could not be opened before is not opened now by a late copy.
    sessions_.close_past(person.email);
    context_.notice(Severity::info, person.email + " is verified");
    Answer answer = success("verify " + person.email);
    tell(from, ask.nonce(), answer.fact("email", person.email).fact("verified", "true"));
}

// --- signing in and out

void SignIn::sign_in(const Origin& from, const wire::Ask& ask, const Words& words) {
    if (words.size() != 2) return tell(from, ask.nonce(), usage("sign-in <email>"));
    const auto email = check_email(words[1]);
    if (!email) return tell(from, ask.nonce(), failure(email.error()));
    if (!ask.has_secrets()) return tell(from, ask.nonce(), no_secrets());
    if (const auto why = busy()) return tell(from, ask.nonce(), failure(*why));
    forget_late();
    if (const auto wait = sign_ins_.begin(context_.now, email.value())) {
        return tell(from, ask.nonce(), too_many_attempts(*wait));
    }
    const Person* person = context_.state.business.people().find(email.value());
    Pending pending;
    pending.stage = Stage::signing_in;
    pending.from = from;
    pending.nonce = ask.nonce();
    pending.email = email.value();
    pending.hash = person != nullptr ? person->password_hash : kNobodysHash;
    VerifyPassword work{Secret(ask.secrets().password()), pending.hash};
    start(std::move(work), std::move(pending));
}

void SignIn::signed_in(const Pending& pending, const JobResult& result) {
    const Person* person = context_.state.business.people().find(pending.email);
    if (!result.matches || person == nullptr || person->password_hash != pending.hash) {
        refused(pending.email, "sign-in", "wrong-credentials");
        return tell(pending.from, pending.nonce, wrong_credentials());
    }
    sign_ins_.forgive(pending.email);
    const uint64_t session = sessions_.begin(context_.now, pending.email, pending.from.party());
    Answer answer = success("sign-in " + person->email);
    answer.fact("email", person->email)
        .fact("name", person->name)
        .fact("role", std::string(to_string(person->role)))
        .fact("verified", person->verified ? "true" : "false");
    if (!person->verified) {
        answer.line(
            "the e-mail is not verified yet: the bank's operator has the code for "
            "`verify <code>`");
    }
    tell(pending.from, pending.nonce, std::move(answer), session);
}

Answer SignIn::sign_out(const Caller& caller, const Words& words) {
    if (words.size() != 1) return usage("sign-out");
    sessions_.end(caller.session);
    Answer answer = success("sign-out " + caller.email);
    return answer.fact("email", caller.email);
}

// --- passwords

void SignIn::passwd(const Origin& from, const wire::Ask& ask, const Caller& caller,
                    const Words& words) {
    if (words.size() != 1) return tell(from, ask.nonce(), usage("passwd"));
    if (!ask.has_secrets()) return tell(from, ask.nonce(), no_secrets());
    const auto strong = check_password(ask.secrets().new_password(), caller.email);
    if (!strong) return tell(from, ask.nonce(), failure(strong.error()));
    if (const auto why = busy()) return tell(from, ask.nonce(), failure(*why));
    if (const auto wait = sign_ins_.begin(context_.now, caller.email)) {
        return tell(from, ask.nonce(), too_many_attempts(*wait));
    }
    Pending pending;
    pending.stage = Stage::checking_old_password;
    pending.from = from;
    pending.nonce = ask.nonce();
    pending.email = caller.email;
    pending.new_password = Secret(ask.secrets().new_password());
    pending.session = caller.session;
    pending.hash = context_.state.business.people().find(caller.email)->password_hash;
    VerifyPassword work{Secret(ask.secrets().password()), pending.hash};
    start(std::move(work), std::move(pending));
}

void SignIn::old_password_checked(Pending pending, const JobResult& result) {
    if (!result.matches) {
        refused(pending.email, "passwd", "wrong-credentials");
        return tell(pending.from, pending.nonce,
                    failure("wrong-credentials", "the old password is wrong"));
    }
    sign_ins_.forgive(pending.email);
    pending.stage = Stage::hashing_new_password;
    HashPassword work{std::move(pending.new_password)};
    start(std::move(work), std::move(pending));
}

void SignIn::password_changed(const Pending& pending, const JobResult& result) {
    const Person* known = context_.state.business.people().find(pending.email);
    if (known == nullptr || known->password_hash != pending.hash) {
        return tell(pending.from, pending.nonce,
                    failure("busy", "the password was changed meanwhile; nothing was changed now"));
    }
    Person person = *known;
    person.password_hash = result.text;
    commit(person);
    sessions_.end_others(person.email, pending.session);
    context_.notice(Severity::info, person.email + " has a new password");
    Answer answer = success("passwd " + person.email);
    tell(pending.from, pending.nonce, answer.fact("email", person.email));
}

// --- roles

Answer SignIn::role(const Words& words) {
    if (words.size() != 3) return usage("role <email> customer|teller|admin");
    const auto email = check_email(words[1]);
    if (!email) return failure(email.error());
    const auto wanted = parse_role(words[2]);
    if (!wanted) return failure(wanted.error());
    const Person* known = context_.state.business.people().find(email.value());
    if (known == nullptr) {
        return failure("unknown-person", "nobody has registered as " + email.value());
    }
    Person person = *known;
    person.role = wanted.value();
    commit(person);
    const std::string name(to_string(person.role));
    context_.notice(Severity::info, person.email + " is now " + name);
    Answer answer = success("role " + person.email + " " + name);
    return answer.fact("email", person.email).fact("role", name);
}

Answer SignIn::people(const Words& words) const {
    const bool after = words.size() == 3 && words[1] == "--after";
    if (words.size() != 1 && !after) return usage("people [--after <email>]");
    const auto& all = context_.state.business.people().all();
    Answer answer = success("people " + std::to_string(all.size()));
    answer.fact("count", uint64_t(all.size()));
    std::vector<std::vector<Answer::Fact>> rows;
    // The last line tells how to go on.
    const size_t most = limits::kMaxReplyLines - 1;
    auto at = after ? all.upper_bound(words[2]) : all.begin();
    for (; at != all.end() && rows.size() < most; ++at) {
        const Person& person = at->second;
        const std::string role(to_string(person.role));
        answer.line(person.email + "  " + person.name + "  " + role +
                    (person.verified ? "" : "  not verified"));
        rows.push_back({{"email", person.email, false},
                        {"name", person.name, false},
                        {"role", role, false},
                        {"verified", person.verified ? "true" : "false", false}});
    }
    if (at != all.end()) {
        answer.line("more: people --after " + rows.back().front().value);
        answer.fact("more", "true");
    }
    answer.tables.emplace_back("people", std::move(rows));
    return answer;
}

}  // namespace p2pbank::bank
