#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;

TEST_CASE("passwd: the new password counts, and all other sessions end") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    bank.sign_in_as(kAnn);
    CHECK(bank.sign_in.sessions() == 2);
    CHECK(bank.send(bank.passwd(kPassword, "battery staple")).text == "passwd ann@example.org");
    CHECK(bank.sign_in.sessions() == 1);
    CHECK(bank.person(kAnn).verified);
    CHECK(bank.code(bank.signed_in({"sign-out"})).empty());
    CHECK(bank.sign_in_as(kAnn).code == "wrong-credentials");
    CHECK(bank.sign_in_as(kAnn, "battery staple").outcome == Outcome::success);
}

TEST_CASE("passwd: the old password must be right and the new one good") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    CHECK(bank.code(bank.passwd(kPassword, "short")) == "bad-password");
    for (int i = 0; i < 4; ++i) {
        CHECK(bank.code(bank.passwd("wrong one", "battery staple")) == "wrong-credentials");
    }
    CHECK(bank.code(bank.passwd(kPassword, "battery staple")) == "too-many-attempts");
    CHECK(bank.person(kAnn).password_hash == "hash of correct horse");
    bank.session = 0;
    CHECK(bank.code(bank.passwd(kPassword, "battery staple")) == "not-signed-in");
}

TEST_CASE("passwd: of two at the same time the first one counts") {
    Counter bank;
    bank.add(kAnn);
    bank.sign_in_as(kAnn);
    bank.told.clear();
    bank.sign_in.ask(bank.from, bank.passwd(kPassword, "battery staple"));
    bank.sign_in.ask(bank.from, bank.passwd(kPassword, "another staple"));
    bank.work();
    REQUIRE(bank.told.size() == 2);
    CHECK(bank.told[0].answer.outcome == Outcome::success);
    CHECK(bank.told[1].answer.code == "busy");
    CHECK(bank.person(kAnn).password_hash == "hash of battery staple");
}

TEST_CASE("role: only an admin gives roles and sees the people; refusals are written down") {
    Counter bank;
    bank.add(kAnn);
    bank.add("bob@example.org");
    bank.sign_in_as(kAnn);
    const Answer answer = bank.send(bank.signed_in({"role", kAnn, "admin"}));
    CHECK(answer.code == "not-allowed");
    CHECK(answer.text == "`role` is for an admin");
    CHECK(bank.code(bank.signed_in({"people"})) == "not-allowed");
    CHECK(bank.is_written_anywhere("refused ann@example.org: role (not-allowed)"));
    State::Record record;
    REQUIRE(record.ParseFromString(bank.effects.records.back()));
    CHECK(record.refused().who() == kAnn);
    CHECK(record.refused().command() == "people");
    CHECK(record.refused().code() == "not-allowed");

    CHECK(bank.sign_in.at_console({"role", "ANN@example.org", "admin"}).text ==
          "role ann@example.org admin");
    CHECK(bank.send(bank.signed_in({"role", "bob@example.org", "teller"})).text ==
          "role bob@example.org teller");
    CHECK(bank.person("bob@example.org").role == Role::teller);
    CHECK(bank.code(bank.signed_in({"role", "carol@example.org", "teller"})) == "unknown-person");
    CHECK(bank.code(bank.signed_in({"role", "bob@example.org", "king"})) == "bad-role");
    CHECK(bank.code(bank.signed_in({"role", kAnn})) == "usage");
    const Answer people = bank.send(bank.signed_in({"people"}));
    CHECK(people.text == "people 2");
    CHECK(people.lines ==
          std::vector<std::string>{"ann@example.org  Ann  admin", "bob@example.org  Ann  teller"});
}

TEST_CASE("people: more than fit into an answer are shown page by page") {
    Counter bank;
    for (int i = 0; i < 250; ++i) {
        State::Record record;
        record.mutable_person()->set_email("p" + std::to_string(1'000 + i) + "@example.org");
        record.mutable_person()->set_password_hash("hash");
        bank.context.commit(record);
    }
    const Answer first = bank.sign_in.at_console({"people"});
    CHECK(first.lines.size() == limits::kMaxReplyLines);
    CHECK(first.lines.back() == "more: people --after p1198@example.org");
    const Answer second = bank.sign_in.at_console({"people", "--after", "p1198@example.org"});
    CHECK(second.text == "people 250");
    CHECK(second.lines.size() == 51);
}

TEST_CASE("refusals: a flood of them does not fill the journal") {
    Counter bank;
    for (uint32_t i = 0; i < 2 * limits::kMaxRefusalsAMinute; ++i) {
        bank.sign_in.refused("mallory", "role", "not-allowed");
    }
    CHECK(bank.effects.records.size() == limits::kMaxRefusalsAMinute);
    bank.context.now += std::chrono::minutes(2);
    bank.sign_in.refused("mallory", "role", "not-allowed");
    CHECK(bank.is_written_anywhere("not written down: 120"));
}
