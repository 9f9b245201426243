// Registrations that nobody verifies do not fill the bank for good.
#include <doctest/doctest.h>

#include "bank/timing.h"
#include "common/base/limits.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

std::string email(size_t number) {
    return "p" + std::to_string(number) + "@example.org";
}

struct Registrations : Counter {
    Registrations() { context.now = TimePoint(std::chrono::hours(1'000)); }

    bool knows(const std::string& who) const {
        return context.state.business.people().find(who) != nullptr;
    }
    std::string add_unverified(const std::string& who) {
        return code(with_password({"register", who}, kPassword));
    }
    // As records would have made them, one each millisecond.
    void fill(size_t count) {
        for (size_t i = 0; i < count; ++i) {
            context.now += milliseconds(1);
            State::Record record;
            auto* person = record.mutable_person();
            person->set_email(email(i));
            person->set_password_hash("hash");
            person->set_code("code" + std::to_string(i));
            person->set_since_ms(static_cast<uint64_t>(context.wall_us() / 1'000));
            context.commit(record);
        }
    }
};

}  // namespace

TEST_CASE("people: who does not verify within a day is forgotten") {
    Registrations bank;
    REQUIRE(bank.add_unverified("late@example.org").empty());
    bank.add("good@example.org");
    bank.context.now += timing::kUnverifiedLife - seconds(1);
    REQUIRE(bank.add_unverified("second@example.org").empty());
    CHECK(bank.knows("late@example.org"));
    bank.context.now += seconds(2);
    REQUIRE(bank.add_unverified("third@example.org").empty());
    CHECK_FALSE(bank.knows("late@example.org"));
    CHECK(bank.knows("good@example.org"));
    CHECK(bank.knows("second@example.org"));
    CHECK(bank.context.state.business.people().unverified() == 2);
    // The e-mail may be registered again.
    CHECK(bank.add_unverified("late@example.org").empty());
    // By whoever was late too, with nobody else in between.
    bank.context.now += timing::kUnverifiedLife + seconds(1);
    CHECK(bank.add_unverified("second@example.org").empty());
    CHECK(bank.context.state.business.people().unverified() == 1);
    REQUIRE(bank.add_unverified("late@example.org").empty());
    REQUIRE(bank.add_unverified("third@example.org").empty());

    // The journal and a snapshot say the same.
    PeopleBank again;
    again.replay(bank.effects.records);
    CHECK(again.context.state.business.people().size() ==
          bank.context.state.business.people().size());
    PeopleBank from_snapshot;
    std::vector<std::string> records;
    bank.context.state.snapshot([&](std::string record) { records.push_back(std::move(record)); });
    from_snapshot.replay(records);
    const Person& second = from_snapshot.person("second@example.org");
    CHECK(second.since_ms == bank.person("second@example.org").since_ms);
    CHECK(second.since_ms != 0);
}

TEST_CASE("people: a flood of registrations does not end registration") {
    Registrations bank;
    bank.fill(limits::kMaxUnverifiedPeople);
    REQUIRE(bank.context.state.business.people().unverified() == limits::kMaxUnverifiedPeople);
    CHECK(bank.add_unverified("new@example.org").empty());
    CHECK(bank.knows("new@example.org"));
    CHECK_FALSE(bank.knows(email(0)));  // the oldest
    CHECK(bank.knows(email(1)));
    CHECK(bank.context.state.business.people().unverified() == limits::kMaxUnverifiedPeople);
    // Who has been given a role stays, and of the others the next oldest goes.
    State::Record record;
    to_record(bank.person(email(1)), record.mutable_person());
    record.mutable_person()->set_role(static_cast<uint32_t>(Role::teller));
    bank.context.commit(record);
    CHECK(bank.add_unverified("newer@example.org").empty());
    CHECK(bank.knows(email(1)));
    CHECK_FALSE(bank.knows(email(2)));
}

TEST_CASE("people: the sessions of who is forgotten end with it") {
    Registrations bank;
    REQUIRE(bank.add_unverified("late@example.org").empty());
    REQUIRE(bank.sign_in_as("late@example.org").code.empty());
    // Kept in use, so that it is not ended for being idle.
    for (int i = 0; i < 5; ++i) {
        bank.context.now += std::chrono::hours(5);
        if (i < 4) CHECK(bank.send(bank.signed_in({"people"})).code == "not-allowed");
    }
    REQUIRE(bank.add_unverified("other@example.org").empty());
    REQUIRE_FALSE(bank.knows("late@example.org"));
    // Somebody else is that e-mail now: the session of the first is not its.
    REQUIRE(bank.add_unverified("late@example.org").empty());
    CHECK(bank.send(bank.signed_in({"people"})).code == "not-signed-in");
}

TEST_CASE("people: records that forget somebody who is not to be forgotten are refused") {
    People people;
    bank_records::PersonRecord record;
    record.set_email("ann@example.org");
    record.set_removed(true);
    CHECK(people.apply(record).error().code == "bad-record");
    bank_records::PersonRecord ann;
    ann.set_email("ann@example.org");
    ann.set_password_hash("hash");
    ann.set_verified(true);
    REQUIRE(people.apply(ann).ok());
    CHECK(people.apply(record).error().code == "bad-record");
    ann.set_verified(false);
    REQUIRE(people.apply(ann).ok());
    CHECK(people.apply(record).ok());
    CHECK(people.size() == 0);
    CHECK(people.unverified() == 0);
}
