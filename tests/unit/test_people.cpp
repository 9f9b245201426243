#include <doctest/doctest.h>

#include "bank/attempts.h"
#include "bank/people.h"
#include "bank/recent_asks.h"
#include "bank/sessions.h"
#include "common/base/limits.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

bank_records::PersonRecord ann() {
    bank_records::PersonRecord record;
    record.set_email("ann@example.org");
    record.set_name("Ann");
    record.set_password_hash("hash");
    record.set_code("ABCDEFGH");
    record.set_registration(17);
    return record;
}

wire::Told told(uint64_t nonce, size_t bytes = 10) {
    wire::Told message;
    message.set_nonce(nonce);
    message.mutable_answer()->set_text(std::string(bytes, 'x'));
    return message;
}

// Ann's session, and requests that name it.
struct Signed {
    KeyedRandom random{KeyBytes{}};
    Sessions sessions{random};
    Party party{KeyBytes{1, 2, 3}, {}};
    TimePoint now{};
    uint64_t id = sessions.begin(now, "ann@example.org", party);

    wire::Authority authority(uint64_t counter) const {
        wire::Authority made;
        made.set_session(id);
        made.set_counter(counter);
        return made;
    }
    std::string ask(const wire::Authority& authority, const Party& from,
                    Repeats repeats = Repeats::refused) {
        const auto email = sessions.email_of(now, authority, from, repeats);
        return email ? email.value() : email.error().code;
    }
    std::string ask(uint64_t counter, Repeats repeats = Repeats::refused) {
        return ask(authority(counter), party, repeats);
    }
};

constexpr const char* kAnn = "ann@example.org";

}  // namespace

TEST_CASE("people: a record makes a person and replaces what was known") {
    People people;
    REQUIRE(people.apply(ann()).ok());
    REQUIRE(people.find(kAnn) != nullptr);
    CHECK(people.find(kAnn)->name == "Ann");
    CHECK(people.find(kAnn)->role == Role::customer);
    CHECK(people.unverified() == 1);
    CHECK(people.find("ANN@example.org") == nullptr);

    bank_records::PersonRecord record = ann();
    record.set_verified(true);
    record.clear_code();
    record.set_role(2);
    REQUIRE(people.apply(record).ok());
    CHECK(people.size() == 1);
    CHECK(people.unverified() == 0);
    CHECK(people.find(kAnn)->role == Role::admin);
}

TEST_CASE("people: records that are none are refused") {
    People people;
    bank_records::PersonRecord record = ann();
    record.clear_email();
    CHECK(people.apply(record).error().code == "bad-record");
    record = ann();
    record.clear_password_hash();
    CHECK(people.apply(record).error().code == "bad-record");
    record = ann();
    record.set_role(3);
    CHECK(people.apply(record).error().code == "bad-record");
    CHECK(people.size() == 0);
}

TEST_CASE("people: a snapshot gives the same people") {
    People people;
    REQUIRE(people.apply(ann()).ok());
    bank_records::PersonRecord bob = ann();
    bob.set_email("bob@example.org");
    bob.set_verified(true);
    bob.set_role(1);
    REQUIRE(people.apply(bob).ok());
    People copy;
    size_t records = 0;
    people.snapshot([&](const bank_records::PersonRecord& record) {
        REQUIRE(copy.apply(record).ok());
        ++records;
        const auto& original = records == 1 ? ann() : bob;
        CHECK(record.SerializeAsString() == original.SerializeAsString());
    });
    CHECK(records == 2);
    CHECK(copy.unverified() == 1);
}

TEST_CASE("people: a code finds who waits for it, and nobody else") {
    People people;
    REQUIRE(people.apply(ann()).ok());
    CHECK(people.find_by_code("ABCDEFGH")->email == kAnn);
    for (const char* code : {"", "A", "ABCDEFG", "ABCDEFGHI", "ABCDEFGX", "abcdefgh"}) {
        CHECK(people.find_by_code(code) == nullptr);
    }
    CHECK(people.find_by_code(std::string(1'000, 'A')) == nullptr);
    bank_records::PersonRecord record = ann();
    record.set_verified(true);
    record.clear_code();
    REQUIRE(people.apply(record).ok());
    CHECK(people.find_by_code("ABCDEFGH") == nullptr);
    CHECK(people.find_by_code("") == nullptr);
}

TEST_CASE("attempts: after three failures the next one waits, longer each time") {
    Attempts attempts;
    TimePoint now{};
    for (int i = 0; i < 4; ++i) CHECK_FALSE(attempts.begin(now, "ann"));
    CHECK(attempts.begin(now, "ann") == Duration(seconds(1)));
    // Trying too early is not counted.
    CHECK(attempts.begin(now, "ann") == Duration(seconds(1)));
    now += seconds(1);
    CHECK_FALSE(attempts.begin(now, "ann"));
    CHECK(attempts.begin(now, "ann") == Duration(seconds(2)));
    CHECK_FALSE(attempts.begin(now, "bob"));
    attempts.forgive("ann");
    CHECK_FALSE(attempts.begin(now, "ann"));
    attempts.forgive("nobody");
}

TEST_CASE("attempts: of too many, those that were not tried for longest are forgotten") {
    Attempts attempts;
    const TimePoint now{};
    for (int i = 0; i < 4; ++i) {
        CHECK_FALSE(attempts.begin(now, "old"));
        CHECK_FALSE(attempts.begin(now, "tried"));
    }
    for (size_t i = 0; i + 2 < limits::kMaxAttemptsKnown; ++i) {
        CHECK_FALSE(attempts.begin(now, std::to_string(i)));
    }
    CHECK(attempts.begin(now, "tried"));
    CHECK_FALSE(attempts.begin(now, "one more"));
    CHECK(attempts.begin(now, "tried"));
    CHECK_FALSE(attempts.begin(now, "old"));
}

TEST_CASE("rate limit: so many in a minute, the others are counted") {
    RateLimit limit(2);
    TimePoint now = TimePoint{} + seconds(100);
    CHECK(limit.allow(now));
    CHECK(limit.allow(now));
    CHECK_FALSE(limit.allow(now));
    CHECK_FALSE(limit.allow(now + seconds(59)));
    CHECK(limit.allow(now + seconds(60)));
    CHECK(limit.take_left_out() == 2);
    CHECK(limit.take_left_out() == 0);
}

TEST_CASE("recent asks: one is new once, then in progress, then answered the same") {
    RecentAsks asks;
    const Party one{KeyBytes{}, {1, 1}};
    const Party other{KeyBytes{}, {1, 2}};
    CHECK(asks.begin(one, 5) == RecentAsks::Known::fresh);
    CHECK(asks.begin(one, 5) == RecentAsks::Known::in_progress);
    CHECK(asks.begin(other, 5) == RecentAsks::Known::fresh);
    asks.end(one, told(5, 3));
    CHECK(asks.begin(one, 5) == RecentAsks::Known::answered);
    CHECK(asks.told(one, 5).answer().text() == "xxx");
    CHECK(asks.begin(other, 5) == RecentAsks::Known::in_progress);
    asks.end(one, told(6));
    CHECK(asks.begin(one, 6) == RecentAsks::Known::fresh);
}

TEST_CASE("recent asks: neither too many nor too many bytes are kept") {
    RecentAsks asks;
    const Party from{KeyBytes{1}, {}};
    for (uint64_t i = 0; i < limits::kMaxRecentAsks + 1; ++i) {
        REQUIRE(asks.begin(from, i) == RecentAsks::Known::fresh);
        asks.end(from, told(i));
    }
    CHECK(asks.begin(from, 1) == RecentAsks::Known::answered);
    CHECK(asks.begin(from, 0) == RecentAsks::Known::fresh);
    const size_t large = limits::kMaxRecentAskBytes / 2 + 1;
    for (const uint64_t nonce : {10'001U, 10'002U}) {
        REQUIRE(asks.begin(from, nonce) == RecentAsks::Known::fresh);
        asks.end(from, told(nonce, large));
    }
    CHECK(asks.begin(from, 10'002) == RecentAsks::Known::answered);
    CHECK(asks.begin(from, 10'001) == RecentAsks::Known::fresh);
}

TEST_CASE("sessions: a request is its person's when it comes from who signed in") {
    Signed ann;
    CHECK(ann.ask(1) == kAnn);
    CHECK(ann.ask(wire::Authority(), ann.party) == "not-signed-in");
    wire::Authority unknown = ann.authority(2);
    unknown.set_session(ann.id + 1);
    CHECK(ann.ask(unknown, ann.party) == "not-signed-in");
    for (const Party& other : {Party{KeyBytes{1, 2, 4}, {}}, Party{KeyBytes{}, {0x7f000001, 9'000}},
                               Party{}, Party{ann.party.key, {0x7f000001, 9'000}}}) {
        CHECK(ann.ask(ann.authority(2), other) == "not-signed-in");
    }
    // None of that has used up a counter.
    CHECK(ann.ask(2) == kAnn);
}

TEST_CASE("sessions: no request counts twice, also when datagrams overtake each other") {
    Signed ann;
    CHECK(ann.ask(1) == kAnn);
    CHECK(ann.ask(1) == "repeated-request");
    CHECK(ann.ask(1, Repeats::allowed) == kAnn);
    CHECK(ann.ask(4) == kAnn);
    CHECK(ann.ask(2) == kAnn);
    CHECK(ann.ask(3) == kAnn);
    for (uint64_t i = 1; i <= 4; ++i) CHECK(ann.ask(i) == "repeated-request");
    CHECK(ann.ask(68) == kAnn);
    CHECK(ann.ask(4) == "repeated-request");
    CHECK(ann.ask(5) == kAnn);
    CHECK(ann.ask(69) == kAnn);
    CHECK(ann.ask(5) == "repeated-request");
    CHECK(ann.ask(6) == kAnn);
    CHECK(ann.ask(1'000) == kAnn);
    CHECK(ann.ask(69) == "repeated-request");
    CHECK(ann.ask(935) == "repeated-request");  // too old to tell
    CHECK(ann.ask(936) == kAnn);
}

TEST_CASE("sessions: one ends when it is told to, or idle for twelve hours") {
    Signed ann;
    ann.now += std::chrono::hours(11);
    CHECK(ann.ask(1) == kAnn);
    ann.now += std::chrono::hours(12);
    CHECK(ann.ask(2) == kAnn);
    ann.now += std::chrono::hours(12) + seconds(1);
    CHECK(ann.ask(3) == "not-signed-in");
    CHECK(ann.sessions.size() == 0);

    Signed bob;
    bob.sessions.end(bob.id);
    bob.sessions.end(bob.id);
    CHECK(bob.ask(1) == "not-signed-in");
}

TEST_CASE("sessions: a person has only so many, and all others can be ended") {
    Signed ann;
    const uint64_t of_bob = ann.sessions.begin(ann.now, "bob@example.org", ann.party);
    for (size_t i = 1; i < limits::kMaxSessionsOfPerson; ++i) {
        ann.sessions.begin(ann.now, kAnn, ann.party);
    }
    CHECK(ann.sessions.size() == limits::kMaxSessionsOfPerson + 1);
    CHECK(ann.ask(1) == kAnn);
    ann.sessions.begin(ann.now, kAnn, ann.party);
    CHECK(ann.sessions.size() == limits::kMaxSessionsOfPerson + 1);
    CHECK(ann.ask(2) == kAnn);  // it was not idle longest
    ann.sessions.end_others(kAnn, ann.id);
    CHECK(ann.sessions.size() == 2);
    CHECK(ann.ask(3) == kAnn);
    ann.id = of_bob;
    CHECK(ann.ask(1) == "bob@example.org");
}

TEST_CASE("sessions: the bank keeps only so many, and forgets the one that was idle longest") {
    Signed ann;
    for (size_t i = 0; i < limits::kMaxSessions; ++i) {
        ann.sessions.begin(ann.now, std::to_string(i), ann.party);
    }
    CHECK(ann.sessions.size() == limits::kMaxSessions);
    CHECK(ann.ask(1) == "not-signed-in");
}
