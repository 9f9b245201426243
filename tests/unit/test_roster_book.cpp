// Which peers a customer believes, and for how long.
#include <doctest/doctest.h>

#include "tests/unit/customer_world.h"

using namespace p2pbank;

namespace {

constexpr Address kBobAt{0x7f000001, 9'102};
constexpr Address kMovedTo{0x7f000002, 9'102};
constexpr unsigned char kBobSeed = 11;
constexpr unsigned char kMallorySeed = 66;

wire::Datagram transfer(uint64_t label, uint64_t cents) {
    wire::Datagram message;
    message.set_cohort(1);
    message.set_epoch(1);
    message.set_receiver_epoch(1);
    message.mutable_transfers()->set_first_label(label);
    message.mutable_transfers()->add_amounts(cents);
    return message;
}

// Alice in a cohort with bob, whom the test plays.
struct Cohort : CustomerWorld {
    explicit Cohort(const CustomerSettings& s = settings()) : CustomerWorld(s) {
        open("alice");
        add("bob", kBobSeed, Socket::peer, kBobAt);
        join(1, signed_roster(roster_body(1, wall_ms())));
        REQUIRE(state().in_cohort());
    }
    Played& bob() { return *find("bob"); }
    const customer::Peer& bob_here() const { return *state().find_peer("bob"); }
    Money balance() const { return state().totals.balance; }
    // Plays bob with another key from now on.
    Played& replace_bob(unsigned char seed, Address address = kBobAt) {
        remove("bob");
        return add("bob", seed, Socket::peer, address);
    }
    bool bob_hears_transfers() {
        for (const auto& message : bob().heard) {
            if (message.has_transfers()) return true;
        }
        return false;
    }
    size_t roster_requests() {
        size_t count = 0;
        for (const auto& message : bank().heard) count += message.has_roster_request() ? 1 : 0;
        return count;
    }
};

const Money k100 = Money::from_cents(10'000);
const Money k101 = Money::from_cents(10'100);

}  // namespace

TEST_CASE("roster: a member is believed by its key") {
    Cohort world;
    CHECK(world.bob_here().keys == world.bob().identity.keys());
    CHECK(world.say(world.bob(), transfer(1, 100)));
    CHECK(world.balance() == k101);
    world.type("transfer 5 bob");
    world.run(seconds(1));
    CHECK(world.bob_hears_transfers());
}

TEST_CASE("roster: who has another key is not the member, wherever it is") {
    Cohort world;
    for (const Address at : {kBobAt, kMovedTo}) {
        Played& mallory = world.replace_bob(kMallorySeed, at);
        CHECK_FALSE(world.say(mallory, transfer(1, 100)));
        world.run(seconds(10));
        CHECK(mallory.heard.empty());
        CHECK(world.balance() == k100);
    }
}

TEST_CASE("roster: a member cannot speak for another, nor for the bank") {
    CustomerWorld world;
    world.open("alice");
    world.add("bob", kBobSeed, Socket::peer, kBobAt);
    Played& carol = world.add("carol", 12, Socket::peer, {0x7f000001, 9'103});
    world.join(1, world.signed_roster(world.roster_body(1, world.wall_ms())));
    REQUIRE(world.say(carol, transfer(1, 100)));
    CHECK(world.state().totals.balance == k101);
    carol.courier.identify("bob", 9);
    CHECK(world.say(carol, transfer(1, 100)));
    CHECK(world.state().totals.balance == k101);

    // Also not from the bank's own address, with a session that is genuine.
    world.bank().reachable = false;
    Played& liar = world.add("bank", 12, Socket::peer, kBankAt);
    liar.courier.identify("bank", 99);
    wire::Datagram message;
    message.mutable_cohort_ended()->set_cohort(1);
    REQUIRE_FALSE(world.bank().heard.empty());
    liar.heard.push_back(world.bank().heard.back());
    CHECK(world.say(liar, message));
    CHECK(world.state().in_cohort());
}

TEST_CASE("roster: it makes nobody a member who was none when the cohort started") {
    Cohort world;
    Played& carol = world.add("carol", 12, Socket::peer, {0x7f000001, 9'103});
    world.say_roster(world.signed_roster(world.roster_body(1, world.wall_ms() + 1)));
    CHECK(world.state().find_peer("carol") == nullptr);
    CHECK_FALSE(world.say(carol, transfer(1, 100)));
}

TEST_CASE("roster: one that the bank has not signed starts no cohort") {
    CustomerWorld world;
    world.open("alice");
    world.add("bob", kBobSeed, Socket::peer, kBobAt);
    const secure::Identity mallory(seed_of(kMallorySeed));
    const auto body = world.roster_body(1, world.wall_ms());
    world.join(1, sign_roster(&mallory, body));
    CHECK_FALSE(world.state().in_cohort());
    CHECK(world.noticed("is not signed by the bank") == 1);
    world.join(1, world.signed_roster(body));
    CHECK(world.state().in_cohort());
}

TEST_CASE("roster: neither one of another cohort, nor one that has expired, starts a cohort") {
    CustomerWorld world;
    world.open("alice");
    world.add("bob", kBobSeed, Socket::peer, kBobAt);
    world.join(1, world.signed_roster(world.roster_body(2, world.wall_ms())));
    CHECK_FALSE(world.state().in_cohort());
    const uint64_t old = world.wall_ms() - kRosterLifeMs - kClockSkewMs - 1;
    world.join(1, world.signed_roster(world.roster_body(1, old)));
    CHECK_FALSE(world.state().in_cohort());
    CHECK(world.noticed("has expired") == 1);
    world.join(1, world.signed_roster(world.roster_body(1, world.wall_ms())));
    CHECK(world.state().in_cohort());
}

TEST_CASE(
    "roster: a newer one brings another key and address, and ends sessions with the old key") {
    Cohort world;
    CHECK(world.say(world.bob(), transfer(1, 100)));
    const auto old_roster = world.signed_roster(world.roster_body(1, world.wall_ms()));

    world.run(seconds(1));
    Played& bob = world.replace_bob(kBobSeed + 1, kMovedTo);
    bob.courier.identify("bob", 2);
    world.say_roster(world.signed_roster(world.roster_body(1, world.wall_ms())));
    CHECK(world.bob_here().keys == bob.identity.keys());
    CHECK(world.bob_here().ip == kMovedTo.ip);
    CHECK(world.say(bob, transfer(2, 100)));
    CHECK(world.balance() == Money::from_cents(10'200));

    // The older one, again: nothing comes back.
    world.say_roster(old_roster);
    CHECK(world.bob_here().keys == bob.identity.keys());
    Played& thief = world.replace_bob(kBobSeed);
    CHECK_FALSE(world.say(thief, transfer(3, 100)));
    CHECK(world.balance() == Money::from_cents(10'200));
}

TEST_CASE("roster: forged and foreign ones change nothing") {
    Cohort world;
    const secure::Identity mallory(seed_of(kMallorySeed));
    auto body = world.roster_body(1, world.wall_ms() + 5);
    body.mutable_members(1)->set_channel_key(secure::to_bytes(mallory.keys().channel));
    body.mutable_members(1)->set_signing_key(secure::to_bytes(mallory.keys().signing));
    const auto before = world.bob_here().keys;
    const size_t records = world.effects.records.size();
    world.say_roster(sign_roster(&mallory, body));
    auto changed = world.signed_roster(body);
    changed.set_signature(world.signed_roster(world.roster_body(1, 5)).signature());
    world.say_roster(changed);
    body.set_cohort(2);
    world.say_roster(world.signed_roster(body));
    CHECK(world.bob_here().keys == before);
    CHECK(world.effects.records.size() == records);
}

TEST_CASE("roster: the same one again is not written down again") {
    Cohort world;
    const auto roster = world.signed_roster(world.roster_body(1, world.wall_ms() + 5));
    world.say_roster(roster);
    const size_t records = world.effects.records.size();
    world.say_roster(roster);
    CHECK(world.effects.records.size() == records);
}

TEST_CASE("roster: it expires, transfers wait, and a new one lets them go") {
    Cohort world;
    CHECK(world.say(world.bob(), transfer(1, 100)));
    world.run(std::chrono::hours(12) + seconds(11));
    const size_t asked = world.roster_requests();
    CHECK(asked > 0);  // half of its life is over
    world.run(std::chrono::hours(12) + std::chrono::minutes(11));
    CHECK(world.noticed("has expired") == 1);
    CHECK_FALSE(world.say(world.bob(), transfer(2, 100)));
    CHECK(world.balance() == k101);
    world.bob().heard.clear();
    CHECK(world.answer_to("transfer 5 bob").outcome == Outcome::unknown);
    CHECK_FALSE(world.bob_hears_transfers());

    world.say_roster(world.signed_roster(world.roster_body(1, world.wall_ms())));
    world.run(seconds(10));
    CHECK(world.bob_hears_transfers());
    CHECK(world.say(world.bob(), transfer(2, 100)));
    CHECK(world.balance() == Money::from_cents(9'700));
    CHECK(world.noticed("has expired") == 1);
}

TEST_CASE("roster: a young one is not asked for again") {
    Cohort world;
    world.say(world.bob(), transfer(1, 100));
    world.run(std::chrono::hours(11));
    CHECK(world.roster_requests() == 0);
}

TEST_CASE("roster: a stranger who knocks makes the customer ask, now and then") {
    Cohort world;
    const size_t before = world.roster_requests();
    Played& mallory = world.replace_bob(kMallorySeed);
    for (int i = 0; i < 20; ++i) {
        wire::Datagram message = transfer(1, 100);
        world.say(mallory, message);
        world.run(milliseconds(100));
    }
    const size_t asked = world.roster_requests() - before;
    CHECK(asked > 0);
    CHECK(asked < 20);
}

TEST_CASE("roster: a restart without the bank keeps the peers and their keys") {
    for (const StableMode mode : {StableMode::journal, StableMode::checkpoint}) {
        CustomerSettings settings = CustomerWorld::settings();
        settings.stable = mode;
        Cohort world(settings);
        settings.bank_keys = world.bank().identity.keys();
        settings.secret_seed = seed_of(90);
        settings.seed = 90;
        settings.name = "alice";
        world.bank().reachable = false;
        world.restart(settings);
        CHECK(world.bob_here().keys == world.bob().identity.keys());
        bool heard = false;
        world.bob().heard.clear();
        world.run(seconds(5));
        for (const auto& message : world.bob().heard) heard = heard || message.has_epoch_notice();
        CHECK(heard);
        CHECK_FALSE(world.say(world.replace_bob(kMallorySeed), transfer(1, 100)));
    }
}

TEST_CASE("roster: a snapshot keeps keys and times") {
    Cohort world;
    customer::State::Record record;
    world.state().snapshot(record);
    customer::State copy;
    REQUIRE(copy.apply(record).ok());
    CHECK(copy.find_peer("bob")->keys == world.bob_here().keys);
    CHECK(copy.roster_issued_ms == world.state().roster_issued_ms);
    CHECK(copy.roster_expires_ms == world.state().roster_expires_ms);
    CHECK(copy.roster_expires_ms != 0);
}

TEST_CASE("roster: a cohort that has ended leaves no sessions") {
    Cohort world;
    CHECK(world.say(world.bob(), transfer(1, 100)));
    wire::Datagram message;
    message.mutable_cohort_ended()->set_cohort(1);
    message.mutable_cohort_ended()->mutable_totals()->set_balance(10'100);
    message.mutable_cohort_ended()->mutable_totals()->set_opening(10'100);
    world.say(world.bank(), message);
    CHECK_FALSE(world.state().in_cohort());
    CHECK(world.state().roster_expires_ms == 0);
    wire::Datagram late = transfer(2, 100);
    CHECK_FALSE(world.say(world.replace_bob(kBobSeed), late));
}

TEST_CASE("roster: in clear it only says where the members are, and does not expire") {
    CustomerSettings settings = CustomerWorld::settings();
    settings.insecure = true;
    Cohort world(settings);
    CHECK(world.bob_here().keys.empty());
    world.run(std::chrono::hours(30));
    CHECK(world.noticed("expired") == 0);
    CHECK(world.say(world.bob(), transfer(1, 100)));
    CHECK(world.balance() == k101);
}
