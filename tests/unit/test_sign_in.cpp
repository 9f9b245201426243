#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/base/limits.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

std::string fact(const Answer& answer, std::string_view name) {
    for (const auto& found : answer.facts) {
        if (found.name == name) return found.value;
    }
    return "";
}

}  // namespace

TEST_CASE("sign-in: a person registers, verifies with the code at the bank, and signs in") {
    Counter bank;
    Answer answer = bank.send(bank.with_password({"register", "Ann@Example.org"}, kPassword));
    CHECK(answer.text == "register ann@example.org");
    CHECK(fact(answer, "verified") == "false");
    const std::string code = bank.person(kAnn).code;
    CHECK(code.size() == 8);
    CHECK(bank.effects.notices.back() == "verification code of ann@example.org: " + code);

    std::string typed = code;
    for (char& c : typed) c = static_cast<char>(std::tolower(c));
    answer = bank.send(bank.words({"verify", typed}));
    CHECK(answer.text == "verify ann@example.org");
    CHECK(bank.person(kAnn).verified);
    CHECK(bank.person(kAnn).code.empty());

    answer = bank.sign_in_as("ANN@example.org");
    CHECK(answer.text == "sign-in ann@example.org");
    CHECK(fact(answer, "name") == "Ann");
    CHECK(fact(answer, "role") == "customer");
    CHECK(fact(answer, "verified") == "true");
    CHECK(bank.session != 0);
    CHECK(bank.sign_in.sessions() == 1);
}

TEST_CASE("sign-in: who has not verified may sign in, and is told") {
    Counter bank;
    REQUIRE(bank.code(bank.with_password({"register", kAnn}, kPassword)).empty());
    const Answer answer = bank.sign_in_as(kAnn);
    CHECK(answer.outcome == Outcome::success);
    CHECK(fact(answer, "verified") == "false");
    CHECK(answer.lines.size() == 1);
}

TEST_CASE("sign-in: neither journal nor log hold a password") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn, "something else");
    bank.sign_in_as(kAnn);
    bank.effects.records.erase(
        std::remove_if(
            bank.effects.records.begin(), bank.effects.records.end(),
            [](const std::string& record) { return record.find("hash of ") != std::string::npos; }),
        bank.effects.records.end());
    CHECK_FALSE(bank.is_written_anywhere(kPassword));
    CHECK_FALSE(bank.is_written_anywhere("something else"));
}

TEST_CASE("register: a repeated registration is the same one, another of that e-mail is refused") {
    Counter bank;
    const wire::Ask ask = bank.with_password({"register", kAnn}, kPassword);
    REQUIRE(bank.code(ask).empty());
    const std::string hash = bank.person(kAnn).password_hash;
    CHECK(bank.send(ask).text == "register ann@example.org");
    CHECK(bank.code(bank.with_password({"register", kAnn}, "another one")) == "email-taken");
    CHECK(bank.person(kAnn).password_hash == hash);

    // Also by a bank that was started again meanwhile.
    Counter again;
    again.replay(bank.effects.records);
    CHECK(again.code(ask).empty());
    CHECK(again.effects.records.empty());
}

TEST_CASE("register: of two at the same time the first one counts") {
    Counter bank;
    bank.sign_in.ask(bank.from, bank.with_password({"register", kAnn}, "first one"));
    bank.sign_in.ask(bank.from, bank.with_password({"register", kAnn}, "second one"));
    bank.work();
    REQUIRE(bank.told.size() == 2);
    CHECK(bank.told[0].answer.outcome == Outcome::success);
    CHECK(bank.told[1].answer.code == "email-taken");
    CHECK(bank.person(kAnn).password_hash == "hash of first one");
}

TEST_CASE("register: what is wrong with it is said, and nothing is kept") {
    Counter bank;
    CHECK(bank.code(bank.with_password({"register"}, kPassword)) == "usage");
    CHECK(bank.code(bank.with_password({"register", "ann"}, kPassword)) == "bad-email");
    CHECK(bank.code(bank.with_password({"register", kAnn}, "short")) == "bad-password");
    CHECK(bank.code(bank.with_password({"register", kAnn}, "Ann@Example.org")) == "bad-password");
    for (const char* name :
         {"Ann\n", "\x1b[31mAnn", "Ann\xc2\x9b", "A\xe2\x80\xaenn", " ", "\xff"}) {
        wire::Ask ask = bank.with_password({"register", kAnn}, kPassword);
        ask.mutable_secrets()->set_name(name);
        CHECK(bank.code(ask) == "bad-text");
    }
    for (const char* email : {"ann\x1b[0m@example.org", "=cmd@example.org\n"}) {
        CHECK(bank.code(bank.with_password({"register", email}, kPassword)) == "bad-email");
    }
    CHECK(bank.code(bank.words({"register", kAnn})) == "bad-secrets");
    CHECK(bank.code(bank.words({"sign-in", kAnn})) == "bad-secrets");
    CHECK(bank.effects.records.empty());
}

TEST_CASE("verify: wrong codes are refused, written down, and soon have to wait") {
    Counter bank;
    REQUIRE(bank.code(bank.with_password({"register", kAnn}, kPassword)).empty());
    const std::string code = bank.person(kAnn).code;
    for (int i = 0; i < 4; ++i) CHECK(bank.code(bank.words({"verify", "WRONG"})) == "wrong-code");
    CHECK(bank.is_written_anywhere("refused alice: verify (wrong-code)"));
    CHECK(bank.code(bank.words({"verify", code})) == "too-many-attempts");
    bank.from.address.port = 9'001;  // the same guesser
    CHECK(bank.send(bank.words({"verify", code})).text == "wait 1 s");
    bank.context.now += seconds(1);
    CHECK(bank.code(bank.words({"verify", code})).empty());
    CHECK(bank.code(bank.words({"verify", code})) == "wrong-code");
    CHECK(bank.code(bank.words({"verify"})) == "usage");
}

TEST_CASE("sign-in: an unknown e-mail gets the same answer after the same work") {
    Counter bank;
    bank.add(kAnn);
    const auto attempt = [&](const char* email) {
        bank.told.clear();
        bank.sign_in.ask(bank.from, bank.with_password({"sign-in", email}, "wrong one"));
        REQUIRE(bank.effects.jobs.size() == 1);
        CHECK(std::holds_alternative<VerifyPassword>(bank.effects.jobs[0].work));
        bank.work();
        REQUIRE(bank.told.size() == 1);
        return to_lines(bank.told[0].answer);
    };
    const std::string known = attempt(kAnn);
    const std::string unknown = attempt("nobody@example.org");
    CHECK(known == "FAILURE wrong-credentials: the e-mail or the password is wrong\n");
    CHECK(known == unknown);
    for (int i = 0; i < 3; ++i) {
        attempt(kAnn);
        attempt("nobody@example.org");
    }
    CHECK(bank.code(bank.with_password({"sign-in", kAnn}, kPassword)) == "too-many-attempts");
    CHECK(bank.code(bank.with_password({"sign-in", "nobody@example.org"}, kPassword)) ==
          "too-many-attempts");
    CHECK(bank.sign_in.sessions() == 0);
}

TEST_CASE("sign-in: the hash for unknown e-mails costs what a real one costs") {
    Counter bank;
    bank.sign_in.ask(bank.from, bank.with_password({"sign-in", kAnn}, "wrong one"));
    const auto& work = std::get<VerifyPassword>(bank.effects.jobs.at(0).work);
    CHECK(crypto_pwhash_str_needs_rehash(work.hash.c_str(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                         crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0);
    // Even who knew its password would not get in.
    JobResult matches;
    matches.matches = true;
    CHECK(bank.sign_in.on_job(bank.effects.jobs[0].id, std::move(matches)));
    CHECK(bank.told.at(0).answer.code == "wrong-credentials");
}

TEST_CASE("sign-in: attempts at the same time are counted, and success forgives") {
    Counter bank;
    bank.add(kAnn);
    for (int i = 0; i < 5; ++i) {
        bank.sign_in.ask(bank.from, bank.with_password({"sign-in", kAnn}, "wrong one"));
    }
    CHECK(bank.effects.jobs.size() == 4);
    bank.work();
    CHECK(bank.sign_in_as(kAnn).text == "wait 1 s");
    bank.context.now += seconds(1);
    CHECK(bank.sign_in_as(kAnn).outcome == Outcome::success);
    for (int i = 0; i < 3; ++i)
        CHECK(bank.sign_in_as(kAnn, "wrong one").code == "wrong-credentials");
    CHECK(bank.sign_in_as(kAnn).outcome == Outcome::success);
}

TEST_CASE("sign-in: only so many passwords are worked on at once") {
    Counter bank;
    for (size_t i = 0; i < limits::kMaxPasswordJobs; ++i) {
        bank.sign_in.ask(
            bank.from,
            bank.with_password({"sign-in", std::to_string(i) + "@example.org"}, kPassword));
    }
    CHECK(bank.told.empty());
    bank.sign_in.ask(bank.from, bank.with_password({"sign-in", kAnn}, kPassword));
    bank.sign_in.ask(bank.from, bank.with_password({"register", kAnn}, kPassword));
    REQUIRE(bank.told.size() == 2);
    CHECK(bank.told[0].answer.code == "busy");
    CHECK(bank.told[1].answer.code == "busy");
    bank.work();
    CHECK(bank.code(bank.with_password({"register", kAnn}, kPassword)).empty());
}

TEST_CASE("sign-in: work that fails changes nothing") {
    Counter bank;
    bank.sign_in.ask(bank.from, bank.with_password({"register", kAnn}, kPassword));
    JobResult failed;
    failed.outcome = Error{"io-error", "no memory"};
    CHECK(bank.sign_in.on_job(JobId(1), std::move(failed)));
    CHECK(bank.told.at(0).answer.code == "busy");
    CHECK(bank.effects.records.empty());
    CHECK_FALSE(bank.sign_in.on_job(JobId(1), JobResult()));
}

TEST_CASE("caller: a request of a session is its person's, with the role of this moment") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    const auto caller = [&](const wire::Ask& ask) {
        return bank.sign_in.caller_of(ask.authority(), bank.from, Repeats::refused);
    };
    const wire::Ask ask = bank.signed_in({"products"});
    REQUIRE(caller(ask).ok());
    CHECK(caller(ask).error().code == "repeated-request");
    CHECK(caller(bank.signed_in({"products"})).value().email == kAnn);
    CHECK(caller(bank.signed_in({"products"})).value().verified);
    CHECK(bank.sign_in.at_console({"role", kAnn, "teller"}).outcome == Outcome::success);
    CHECK(caller(bank.signed_in({"products"})).value().role == Role::teller);
    CHECK(caller(bank.words({"products"})).error().code == "not-signed-in");
    // A bank that was started again does not know the session.
    Counter again;
    again.replay(bank.effects.records);
    again.session = bank.session;
    CHECK(again.code(again.signed_in({"sign-out"})) == "not-signed-in");
}

TEST_CASE("caller: a session counts only from the key that signed in, wherever that is") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    const Origin ann = bank.from;
    // Another process says that it is the same one, at the same address even.
    bank.from.key = KeyBytes{8};
    CHECK(bank.code(bank.signed_in({"sign-out"})) == "not-signed-in");
    CHECK(bank.code(bank.passwd(kPassword, "battery staple")) == "not-signed-in");
    // Its owner has moved, and has an account by now.
    bank.from = ann;
    bank.from.address = {0x0a000001, 1'234};
    bank.from.name = "bob";
    bank.from.instance = 1;
    CHECK(bank.code(bank.signed_in({"sign-out"})).empty());
}

TEST_CASE("caller: in clear a session counts only from the address that signed in") {
    Counter bank;
    bank.from.key = KeyBytes{};
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    bank.from.address.port = 9'001;
    CHECK(bank.code(bank.signed_in({"sign-out"})) == "not-signed-in");
    bank.from.address.port = 9'000;
    CHECK(bank.code(bank.signed_in({"sign-out"})).empty());
}

TEST_CASE("sign-out: the session is over") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    CHECK(bank.send(bank.signed_in({"sign-out"})).text == "sign-out ann@example.org");
    CHECK(bank.code(bank.signed_in({"sign-out"})) == "not-signed-in");
    CHECK(bank.sign_in.sessions() == 0);
}

TEST_CASE("sign-in: at the console people are told where to type it") {
    Counter bank;
    for (const char* verb : {"register", "verify", "sign-in", "sign-out", "passwd"}) {
        CHECK(SignIn::handles(verb));
        CHECK(bank.sign_in.at_console({verb}).code == "usage");
    }
    CHECK_FALSE(SignIn::handles("deposit"));
}
