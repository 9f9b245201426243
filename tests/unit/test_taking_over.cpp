// Which key an account gets when it is opened, taken over or let go, and that it is kept.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Kind = bank::State::Record;

constexpr const char* kOwner = "alice@example.org";

}  // namespace

TEST_CASE("open: one key is of one account, and says of which") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    // The same open again, also by a later run: the same answer.
    const size_t records = world.effects.records.size();
    CHECK(world.open(alice, "alice").success());
    CHECK(world.effects.records.size() == records);

    Process& again = world.add("", 1, 9'002);
    again.opener = 8;
    const wire::Reply second = world.open(again, "alice2");
    CHECK(second.code() == "key-taken");
    CHECK(second.text().find("alice") != std::string::npos);
    CHECK(world.open(again, "alice").code() == "name-taken");

    // With the same opener, which it has seen, but another key.
    Process& mallory = world.add("", 9, 9'009);
    CHECK(world.open(mallory, "alice").code() == "name-taken");
    CHECK(world.account("alice").keys() == alice.identity.keys());

    // Somebody else's signing key, or none.
    wire::Datagram message;
    message.mutable_command()->set_request(1);
    wire::Open* open = message.mutable_command()->mutable_open();
    open->set_name("mallory");
    open->set_ip(kLocal);
    open->set_port1(9'009);
    open->set_port2(9'010);
    open->set_opener(3);
    mallory.identify("mallory", 1);
    for (const std::string& key :
         {alice.signing(), secure::to_bytes(alice.identity.keys().channel)}) {
        open->set_signing_key(key);
        CHECK(world.say(mallory, message)[0].reply().code() == "key-taken");
    }
    for (const std::string& key : {std::string(), std::string("short"), std::string(32, '\0'),
                                   secure::to_bytes(mallory.identity.keys().channel)}) {
        open->set_signing_key(key);
        CHECK(world.say(mallory, message)[0].reply().code() == "bad-key");
    }
    CHECK(world.state().accounts().size() == 1);
}

TEST_CASE("open: in the name of an account nobody else opens another") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    Process& mallory = world.add("alice", 9, 9'009);
    wire::Datagram message;
    message.mutable_command()->set_request(1);
    message.mutable_command()->mutable_open()->set_name("mallory");
    CHECK(world.say(mallory, message).empty());
    CHECK(world.state().find("mallory") == nullptr);
}

TEST_CASE("taking over: the first process at the registered IP address has its key bound") {
    for (const bool named : {true, false}) {
        CAPTURE(named);
        BankWorld world;
        world.type("open carol 5 127.0.0.1 9003 9103");
        Process& elsewhere = world.add("", 8, 9'003, 0x0a000001);
        CHECK(world.offered(elsewhere, named ? "carol" : "").empty());
        elsewhere.identify("carol", 1);
        CHECK(world.attach(elsewhere)->other_key());
        CHECK(world.account("carol").keys().empty());

        Process& carol = world.add("", 3, named ? 9'500 : 9'003);
        const auto reply = world.take_over(carol, named ? "carol" : "");
        REQUIRE(reply);
        CHECK(reply->known());
        CHECK(reply->totals().balance() == 5'00);
        CHECK(reply->statements() == 0);
        CHECK(world.account("carol").keys() == carol.identity.keys());
        CHECK(world.account("carol").port1 == carol.address.port);
        // Nobody after it.
        Process& second = world.add("", 4, 9'003);
        CHECK(world.offered(second, "carol").empty());
        second.identify("carol", 1);
        second.opener = carol.opener;
        CHECK(world.attach(second)->other_key());
    }
}

TEST_CASE("taking over: a process that has an account takes no second one") {
    BankWorld world;
    world.type("open carol 5 127.0.0.1 9003 9103");
    Process& alice = world.customer("alice", 1, 9'001);
    alice.identify("", 1);
    CHECK(world.offered(alice, "carol").empty());
    alice.identify("carol", 1);
    alice.opener = 11;
    CHECK(world.attach(alice)->other_key());
    CHECK(world.account("carol").keys().empty());
}

TEST_CASE("taking over: a process that does not say where it is takes nothing over") {
    BankWorld world;
    world.type("open carol 5 127.0.0.1 9003 9103");
    Process& carol = world.add("carol", 3, 9'003, kLocal, 1);
    wire::Datagram message = BankWorld::attach_message(carol);
    message.mutable_attach()->set_port1(0);
    CHECK(world.say(carol, message).empty());
    CHECK(world.account("carol").keys().empty());
    CHECK(world.account("carol").opener == 0);
}

TEST_CASE("unbind: the account's own process attaches again, from where it is registered") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    CHECK(world.type("unbind zed").code == "unknown-customer");
    CHECK(world.type("unbind").code == "usage");
    CHECK(world.type("unbind alice").text == "unbind alice");
    CHECK(world.account("alice").keys().empty());
    CHECK(world.type("unbind alice").code == "no-key");
    const auto customers = world.type("customers");
    CHECK(customers.lines[1].find("no key") != std::string::npos);
    // Before that nothing is done for it, and nobody is refused.
    CHECK(world.say(alice, BankWorld::exit_message()).empty());
    CHECK(world.records(Kind::kRefused).empty());

    // Its state, started with a new key: elsewhere, and then where it is registered.
    Process& elsewhere = world.add("alice", 5, 9'001, 0x0a000001, 2);
    CHECK(world.attach(elsewhere)->other_key());
    Process& here = world.add("alice", 6, 9'701, kLocal, 2);
    CHECK(world.attach(here)->known());
    CHECK(world.account("alice").keys() == here.identity.keys());
    CHECK(world.account("alice").boots == 2);
    CHECK(world.records(Kind::kBound).size() == 1);  // no reset
    CHECK(world.attach(alice)->other_key());
}

TEST_CASE("unbind: without its state the account is taken over when it is asked for by name") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    wire::Datagram later;
    later = BankWorld::attach_message(alice);
    later.set_epoch(3);
    world.say(alice, later);
    CHECK(world.account("alice").epoch == 3);
    world.type("unbind alice");
    Process& taker = world.add("", 5, 9'001);
    taker.opener = 12;
    CHECK(world.offered(taker).empty());  // not by accident
    const auto reply = world.take_over(taker, "alice");
    REQUIRE(reply);
    CHECK(reply->known());
    CHECK(reply->epoch() == 4);
    CHECK(world.account("alice").opener == 12);
    CHECK(world.account("alice").keys() == taker.identity.keys());

    // A later run with an opener that the bank does not know is no such process.
    world.type("unbind alice");
    Process& stale = world.add("alice", 6, 9'702, kLocal, 3);
    stale.opener = 55;
    CHECK_FALSE(world.attach(stale)->known());
    CHECK(world.account("alice").opener == 12);
    CHECK(world.account("alice").keys().empty());
}

TEST_CASE("unbind: nobody takes over what is in a cohort, but its own process attaches") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});
    world.type("unbind alice");
    Process& taker = world.add("", 5, 9'501);
    taker.opener = 12;
    CHECK(world.offered(taker, "alice").empty());
    taker.identify("alice", 1);
    CHECK_FALSE(world.attach(taker)->known());
    CHECK(world.account("alice").opener == 7);
    CHECK(world.attach(alice)->known());
    CHECK(world.account("alice").keys() == alice.identity.keys());
}

TEST_CASE("binding: the journal and a snapshot keep whose key an account is") {
    BankWorld world;
    Process& alice = world.add("", 1, 9'001);
    world.sign_in(alice, kOwner);
    REQUIRE(world.open(alice, "alice").success());
    Process& bob = world.customer("bob", 2, 9'002);
    world.type("open carol 5 127.0.0.1 9003 9103");
    Process& carol = world.add("", 3, 9'003);
    REQUIRE(world.take_over(carol));
    world.type("unbind bob");
    Process& again = world.add("alice", 5, 9'501, kLocal, 2);
    world.sign_in(again, kOwner);
    REQUIRE(world.ask(again, {"bind", "alice"}).outcome == Outcome::success);
    const auto check = [&] {
        CHECK(world.account("alice").keys() == again.identity.keys());
        CHECK(world.account("bob").keys().empty());
        CHECK(world.account("carol").keys() == carol.identity.keys());
        CHECK(world.state().find_by_key(alice.identity.keys().channel) == nullptr);
        CHECK(world.state().find_by_key(bob.identity.keys().signing) == nullptr);
        CHECK(world.state().find_by_key(carol.identity.keys().signing) ==
              world.state().find("carol"));
    };
    check();
    world.restart();
    check();
    CHECK(world.attach(alice)->other_key());
    CHECK(world.attach(carol)->known());
    world.restart_from_snapshot();
    check();
    CHECK(world.attach(carol)->known());
}

TEST_CASE("binding: records with keys that cannot be are refused") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    const std::string channel = secure::to_bytes(alice.identity.keys().channel);
    world.customer("bob", 2, 9'002);
    const std::pair<std::string, std::string> wrong[] = {
        {channel, std::string(32, 'x')},  // alice's
        {std::string(32, 'x'), alice.signing()},
        {std::string(32, 'x'), std::string(32, 'x')},
        {std::string(32, 'x'), ""},
        {"", std::string(32, 'x')},
        {std::string(31, 'x'), std::string(32, 'y')},
        {std::string(32, '\0'), std::string(32, 'y')},
    };
    for (const auto& keys : wrong) {
        Kind record;
        record.mutable_bound()->set_name("bob");
        record.mutable_bound()->set_channel_key(keys.first);
        record.mutable_bound()->set_signing_key(keys.second);
        CHECK_FALSE(world.bank().replay(record.SerializeAsString()).ok());
    }
    Kind record;
    record.mutable_bound()->set_name("zed");
    CHECK_FALSE(world.bank().replay(record.SerializeAsString()).ok());
}
