#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/core/roster.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

constexpr uint64_t kNow = 1'795'000'000'000;

const secure::Identity& bank_identity() {
    static const secure::Identity identity(bank_seed(1));
    return identity;
}

wire::RosterBody body_of(const std::vector<std::string>& names) {
    wire::RosterBody body;
    body.set_cohort(3);
    body.set_cohort_name("cohort-3");
    body.set_issued_ms(kNow);
    body.set_expires_ms(kNow + kRosterLifeMs);
    unsigned char seed = 10;
    for (const std::string& name : names) {
        const secure::Identity identity(bank_seed(++seed));
        wire::Member* member = body.add_members();
        member->set_name(name);
        member->set_ip(kLocal);
        member->set_port2(9'000U + seed);
        member->set_channel_key(secure::to_bytes(identity.keys().channel));
        member->set_signing_key(secure::to_bytes(identity.keys().signing));
    }
    return body;
}

// What comes of it, sealed: the code of the error, or "good".
std::string read(const wire::Roster& roster, uint64_t now_ms = kNow) {
    const auto body = read_roster(roster, &bank_identity().keys().signing, now_ms);
    return body ? "good" : body.error().code;
}
std::string read(const wire::RosterBody& body, uint64_t now_ms = kNow) {
    return read(sign_roster(&bank_identity(), body), now_ms);
}
std::string read_in_clear(const wire::RosterBody& body) {
    const auto read = read_roster(sign_roster(nullptr, body), nullptr, kNow);
    return read ? "good" : read.error().code;
}

}  // namespace

TEST_CASE("roster: what the bank signs is read as it was written") {
    const wire::RosterBody body = body_of({"alice", "bob"});
    const wire::Roster roster = sign_roster(&bank_identity(), body);
    const auto read_back = read_roster(roster, &bank_identity().keys().signing, kNow);
    REQUIRE(read_back.ok());
    CHECK(read_back.value().SerializeAsString() == body.SerializeAsString());
}

TEST_CASE("roster: one that is not the bank's, or was changed in any bit, is refused") {
    const wire::Roster good = sign_roster(&bank_identity(), body_of({"alice", "bob"}));
    CHECK(read(good) == "good");
    for (size_t i = 0; i < good.body().size(); ++i) {
        wire::Roster changed = good;
        (*changed.mutable_body())[i] = static_cast<char>(good.body()[i] ^ 4);
        CHECK(read(changed) == "bad-roster");
    }
    for (size_t i = 0; i < good.signature().size(); ++i) {
        wire::Roster changed = good;
        (*changed.mutable_signature())[i] = static_cast<char>(good.signature()[i] ^ 1);
        CHECK(read(changed) == "bad-roster");
    }
    const secure::Identity other(bank_seed(2));
    CHECK(read(sign_roster(&other, body_of({"alice", "bob"}))) == "bad-roster");
    CHECK(read(sign_roster(nullptr, body_of({"alice", "bob"}))) == "bad-roster");
    CHECK(read(wire::Roster()) == "bad-roster");
    // Signed for another purpose.
    wire::Roster statement = good;
    statement.set_signature(bank_identity().sign("p2pbank statement", good.body()));
    CHECK(read(statement) == "bad-roster");
    wire::Roster noise;
    noise.set_body("\x0a\xff\xff");
    noise.set_signature(bank_identity().sign(kRosterLabel, noise.body()));
    CHECK(read(noise) == "bad-roster");
}

TEST_CASE("roster: it counts until it expires, by a clock that may be a little wrong") {
    const wire::RosterBody body = body_of({"alice", "bob"});
    const uint64_t end = body.expires_ms();
    CHECK(read(body, end) == "good");
    CHECK(read(body, end + kClockSkewMs) == "good");
    CHECK(read(body, end + kClockSkewMs + 1) == "expired");
    CHECK(read(body, UINT64_MAX) == "expired");
    CHECK(read(body, kNow - kClockSkewMs) == "good");
    CHECK(read(body, kNow - kClockSkewMs - 1) == "bad-roster");
    CHECK(read(body, 0) == "bad-roster");
    wire::RosterBody for_ever = body;
    for_ever.set_expires_ms(UINT64_MAX);
    CHECK(read(for_ever, UINT64_MAX) == "good");
}

TEST_CASE("roster: members have names, addresses and keys of their own") {
    const auto with = [](auto change) {
        wire::RosterBody body = body_of({"alice", "bob", "carol"});
        change(body);
        return body;
    };
    const auto keys_twice = with([](wire::RosterBody& body) {
        body.mutable_members(1)->set_channel_key(body.members(0).channel_key());
    });
    CHECK(read(keys_twice) == "bad-roster");
    CHECK(read(with([](wire::RosterBody& body) {
              body.mutable_members(1)->set_signing_key(body.members(2).signing_key());
          })) == "bad-roster");
    const wire::RosterBody no_keys =
        with([](wire::RosterBody& body) { body.mutable_members(0)->clear_channel_key(); });
    CHECK(read(no_keys) == "bad-roster");
    CHECK(read(with([](wire::RosterBody& body) {
              body.mutable_members(0)->set_signing_key(std::string(32, '\0'));
          })) == "bad-roster");
    CHECK(read(with([](wire::RosterBody& body) {
              body.mutable_members(0)->set_channel_key(std::string(33, 'x'));
          })) == "bad-roster");

    // The rest counts in clear, too.
    CHECK(read_in_clear(no_keys) == "good");
    CHECK(read_in_clear(keys_twice) == "good");
    const wire::RosterBody wrong[] = {
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_name("alice"); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_name("bank"); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_name("b\x1b[2J"); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->clear_name(); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_ip(0); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_ip(0xffffffff); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_port2(0); }),
        with([](wire::RosterBody& body) { body.mutable_members(1)->set_port2(65'536); }),
        with([](wire::RosterBody& body) { body.clear_cohort(); }),
        with([](wire::RosterBody& body) { body.clear_members(); }),
        body_of({"alice"}),
    };
    for (const wire::RosterBody& body : wrong) {
        CHECK(read(body) == "bad-roster");
        CHECK(read_in_clear(body) == "bad-roster");
    }
}

TEST_CASE("roster: in clear it is not signed and does not expire") {
    wire::RosterBody body = body_of({"alice", "bob"});
    const wire::Roster roster = sign_roster(nullptr, body);
    CHECK(roster.signature().empty());
    CHECK(read_roster(roster, nullptr, UINT64_MAX).ok());
    CHECK(read_roster(roster, nullptr, 0).ok());
}

namespace {

// What the bank says when a member asks for the roster of cohort 1.
std::optional<wire::Roster> ask_for_roster(BankWorld& world, Process& member, uint64_t cohort = 1) {
    wire::Datagram message;
    message.mutable_roster_request()->set_cohort(cohort);
    message.set_cohort(cohort);
    for (const wire::Datagram& heard : world.say(member, message)) {
        if (heard.has_roster()) return heard.roster();
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("roster: the bank signs who is in the cohort, where, and with which keys") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    Process& bob = world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});
    world.deliver();
    const auto roster = ask_for_roster(world, alice);
    REQUIRE(roster);
    const auto body = read_roster(*roster, &world.identity().keys().signing, world.now_ms());
    REQUIRE(body.ok());
    CHECK(body.value().cohort() == 1);
    CHECK(body.value().cohort_name() == "cohort-1");
    CHECK(body.value().expires_ms() == body.value().issued_ms() + kRosterLifeMs);
    REQUIRE(body.value().members_size() == 2);
    CHECK(body.value().members(0).channel_key() == secure::to_bytes(alice.identity.keys().channel));
    CHECK(body.value().members(1).signing_key() == bob.signing());
    CHECK(body.value().members(1).port2() == 9'102);
    // The same is the same, byte for byte; a stranger and another cohort get none.
    CHECK(ask_for_roster(world, bob)->SerializeAsString() == roster->SerializeAsString());
    CHECK_FALSE(ask_for_roster(world, alice, 2));
    Process& mallory = world.add("alice", 9, 9'009);
    CHECK_FALSE(ask_for_roster(world, mallory));
}

TEST_CASE("roster: it is signed anew when a member has moved, and when it is no longer fresh") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    Process& bob = world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});
    const auto read = [&](const std::optional<wire::Roster>& roster) {
        REQUIRE(roster);
        const auto body = read_roster(*roster, &world.identity().keys().signing, world.now_ms());
        REQUIRE(body.ok());
        return body.value();
    };
    const wire::RosterBody first = read(ask_for_roster(world, alice));
    bob.begin({kLocal, 9'502}, 2);
    REQUIRE(world.attach(bob)->known());
    const wire::RosterBody second = read(ask_for_roster(world, alice));
    CHECK(second.members(1).port2() == 9'602);
    CHECK(second.issued_ms() > first.issued_ms());
    world.now += std::chrono::hours(5);
    CHECK(read(ask_for_roster(world, alice)).issued_ms() == second.issued_ms());
    world.now += std::chrono::hours(2);
    const uint64_t asked_ms = world.now_ms();
    CHECK(read(ask_for_roster(world, alice)).issued_ms() >= asked_ms);
}

TEST_CASE("roster: the start of a cohort brings it") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});
    // Everybody who has not heard of the start is told: as soon as the bank knows where.
    bank::State::Record decided;
    const auto all = world.records(bank::State::Record::kDecided);
    REQUIRE(all.size() == 1);
    std::vector<std::string> records = world.effects.records;
    decided = all[0];
    decided.mutable_decided()->add_participants("alice");
    for (std::string& bytes : records) {
        if (bytes == all[0].SerializeAsString()) bytes = decided.SerializeAsString();
    }
    world.start(records);
    alice.heard.clear();
    world.pass(seconds(2));
    const auto started = std::find_if(alice.heard.begin(), alice.heard.end(),
                                      [](const auto& heard) { return heard.has_cohort_started(); });
    REQUIRE(started != alice.heard.end());
    const auto body = read_roster(started->cohort_started().roster(),
                                  &world.identity().keys().signing, world.now_ms());
    REQUIRE(body.ok());
    CHECK(body.value().members_size() == 2);
}
