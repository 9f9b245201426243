// Who is heard by the bank, in whose name.
#include <doctest/doctest.h>

#include "common/core/secrets.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Kind = bank::State::Record;

// Everything that a customer's process says under an account's name.
std::vector<std::pair<std::string, wire::Datagram>> all_messages() {
    std::vector<std::pair<std::string, wire::Datagram>> all;
    const auto add = [&](const char* what) -> wire::Datagram& {
        return all.emplace_back(what, wire::Datagram()).second;
    };
    const auto operation = [](wire::OperationId* out) {
        out->set_initiator("alice");
        out->set_epoch(1);
        out->set_counter(1);
    };
    add("exit").mutable_command()->mutable_exit();
    add("new-cohort").mutable_command()->mutable_new_cohort()->set_size(2);
    add("delete-cohort").mutable_command()->mutable_delete_cohort()->set_force(true);
    for (auto& [what, message] : all) message.mutable_command()->set_request(50);
    wire::Settle* settle = add("settle").mutable_settle();
    operation(settle->mutable_operation());
    settle->set_kind(wire::OPERATION_CHECKPOINT);
    operation(add("settle refused").mutable_settle_refused()->mutable_operation());
    wire::OperationBegin* begin = add("begin").mutable_operation_begin();
    operation(begin->mutable_operation());
    begin->set_kind(wire::OPERATION_ROLLBACK);
    wire::DecisionRequest* request = add("decision request").mutable_decision_request();
    operation(request->mutable_operation());
    request->set_kind(wire::OPERATION_ROLLBACK);
    wire::DecisionQuery* query = add("decision query").mutable_decision_query();
    operation(query->mutable_operation());
    query->set_kind(wire::OPERATION_CHECKPOINT);
    operation(add("decision ack").mutable_decision_ack()->mutable_operation());
    add("report").mutable_report()->set_nonce(1);
    add("cohort ended ack").mutable_cohort_ended_ack()->set_cohort(1);
    add("roster request").mutable_roster_request()->set_cohort(1);
    wire::Deal* deal = add("deal").mutable_deal();
    deal->set_number(1);
    deal->set_kind(wire::DEAL_LOAN);
    deal->set_amount(1'000'00);
    deal->set_months(12);
    add("question").mutable_deal()->set_kind(wire::DEAL_LOAN);
    add("evidence").mutable_evidence()->set_peer("bob");
    wire::Datagram& probe = add("probe answer");
    probe.mutable_probe()->set_nonce(1);
    probe.mutable_probe()->set_answer(true);
    for (auto& [what, message] : all) message.set_epoch(1'000);
    return all;
}

size_t refusals(const BankWorld& world) {
    const auto all = world.records(Kind::kRefused);
    for (const auto& record : all) CHECK(record.refused().code() == "other-key");
    return all.size();
}

}  // namespace

TEST_CASE("gate: nobody but the account's key is heard in its name, whatever it says") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    world.customer("bob", 2, 9'002);
    world.make_cohort({"alice", "bob"});
    const std::string before = world.type("customers").lines[1];
    // Another process, with a key of its own, or that of another account.
    Process& mallory = world.add("alice", 9, 9'009);
    Process& bob_as_alice = world.add("alice", 2, 9'012);
    const size_t records = world.effects.records.size();
    size_t said = 0;
    for (Process* who : {&mallory, &bob_as_alice}) {
        for (const auto& message : all_messages()) {
            CAPTURE(message.first);
            CHECK(world.say(*who, message.second).empty());
            CHECK(refusals(world) == ++said);
        }
    }
    // Written down, and nothing else.
    CHECK(world.effects.records.size() == records + said);
    const auto refused = world.records(Kind::kRefused);
    CHECK(refused[0].refused().who() == "127.0.0.1:9009");
    CHECK(refused[0].refused().command() == "exit of alice");
    CHECK(world.type("customers").lines[1] == before);
    CHECK(world.account("alice").epoch == 0);
    CHECK_FALSE(world.state().operations.contains("alice"));

    // The account's own process is.
    wire::Datagram question;
    question.mutable_deal()->set_kind(wire::DEAL_LOAN);
    question.mutable_deal()->set_nonce(5);
    REQUIRE(world.say(alice, question).size() == 1);
    CHECK(alice.heard[0].has_deal_reply());
}

TEST_CASE("gate: an attach in another's name is told so, and nothing more") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    Process& mallory = world.add("alice", 9, 9'009, kLocal, 5);
    const auto reply = world.attach(mallory);
    REQUIRE(reply);
    wire::AttachReply expected;
    expected.set_other_key(true);
    expected.set_opener(mallory.opener);
    CHECK(reply->SerializeAsString() == expected.SerializeAsString());
    CHECK(world.account("alice").boots == 1);
    CHECK(world.account("alice").port1 == 9'001);
    CHECK(refusals(world) == 0);
    // Also with everything else right.
    mallory.opener = 7;
    mallory.begin({kLocal, 9'001}, 5);
    CHECK(world.attach(mallory)->other_key());
}

TEST_CASE("gate: a probe and an ask in another's name are those of a process without an account") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    Process& mallory = world.add("alice", 9, 9'009);
    wire::Datagram probe;
    probe.mutable_probe()->set_nonce(4);
    REQUIRE(world.say(mallory, probe).size() == 1);
    CHECK(mallory.heard[0].probe().answer());
    CHECK(mallory.heard[0].receiver() == "alice");  // as it calls itself
    CHECK(world.ask(mallory, {"loans"}).code == "no-account");
    CHECK(world.ask(mallory, {"statement", "alice"}).code == "not-signed-in");
    CHECK(world.ask(mallory, {"products"}).code.empty());
}

TEST_CASE("gate: without a name only open, attach, ask and probe are heard") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    Process& nobody = world.add("", 9, 9'009);
    for (const auto& message : all_messages()) {
        CAPTURE(message.first);
        CHECK(world.say(nobody, message.second).empty());
    }
    CHECK(world.effects.answers.empty());
    CHECK_FALSE(world.account("alice").exited);
    // The account's own process neither, when it does not say who it is.
    alice.identify("", 1);
    CHECK(world.say(alice, all_messages()[0].second).empty());
    CHECK_FALSE(world.account("alice").exited);
}

TEST_CASE("gate: in clear whoever says the name is heard") {
    BankWorld world(true);
    world.customer("alice", 1, 9'001);
    Process& other = world.add("alice", 9, 9'009);
    wire::Datagram question;
    question.mutable_deal()->set_kind(wire::DEAL_LOAN);
    CHECK(world.say(other, question).size() == 1);
    CHECK(world.account("alice").keys().empty());
}

TEST_CASE("gate: an account without a key gets nothing, and no unproven address does") {
    BankWorld world;
    world.type("open carol 5 127.0.0.1 9003 9103");
    world.customer("alice", 1, 9'001);
    world.make_cohort({"alice", "carol"});
    world.effects.sent.clear();
    world.type("audit");  // asks everybody
    for (const auto& sent : world.effects.sent) CHECK(sent.to.port == 9'001);

    // Its process says that it is where somebody else is.
    BankWorld other;
    Process& mallory = other.add("", 9, 9'009);
    wire::Datagram message;
    message.mutable_command()->set_request(1);
    wire::Open* open = message.mutable_command()->mutable_open();
    open->set_name("mallory");
    open->set_ip(0x0a000001);
    open->set_port1(53);
    open->set_port2(54);
    open->set_opener(3);
    open->set_signing_key(mallory.signing());
    mallory.identify("mallory", 1);
    REQUIRE(other.say(mallory, message)[0].reply().success());
    CHECK_FALSE(other.account("mallory").proven);
    const auto ports_asked = [&] {
        other.effects.sent.clear();
        const CommandId id(77);
        other.bank().on_command(other.now, id, "audit", other.effects);
        other.bank().end_of_turn(other.now, other.effects);
        std::vector<uint16_t> ports;
        for (const auto& sent : other.effects.sent) ports.push_back(sent.to.port);
        other.pass(seconds(2));
        return ports;
    };
    CHECK(ports_asked() == std::vector<uint16_t>{9'009});  // where it was heard
    other.restart();
    CHECK(ports_asked().empty());
}

TEST_CASE("bank: who is introduced does not wait for a timer") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    world.restart();  // which knows no sessions any more
    alice.heard.clear();
    const CommandId id(77);
    world.bank().on_command(world.now, id, "audit", world.effects);
    world.deliver();  // no time passes
    REQUIRE(alice.heard.size() == 1);
    CHECK(alice.heard[0].has_report_request());
}

TEST_CASE("secrets: what came in an ask is overwritten when it has been handled") {
    wire::Datagram datagram;
    wire::Secrets* secrets = datagram.mutable_ask()->mutable_secrets();
    secrets->set_password("correct horse battery");
    secrets->set_new_password("another one that is long");
    secrets->set_name("Somebody with a long name");
    const char* password = secrets->password().data();
    const char* new_password = secrets->new_password().data();
    const char* name = secrets->name().data();
    {
        const WipedSecrets wiped(datagram);
        CHECK(secrets->password() == "correct horse battery");
    }
    CHECK(secrets->password().empty());
    // The strings keep their memory: nothing is left in it.
    for (const char* bytes : {password, new_password, name}) {
        for (size_t i = 0; i < 20; ++i) CHECK(bytes[i] == 0);
    }
    wire::Datagram without;
    without.mutable_deal();
    { const WipedSecrets wiped(without); }
    CHECK_FALSE(without.has_ask());
}

TEST_CASE("secrets: a password is in no record, notice or trace of the bank") {
    BankWorld world;
    Process& alice = world.add("", 1, 9'001);
    world.sign_in(alice, "alice@example.org");
    REQUIRE(world.open(alice, "alice").success());
    for (const auto& record : world.effects.records) {
        Kind read;
        REQUIRE(read.ParseFromString(record));
        // The stand-in for a hash, of these tests, shows it.
        if (read.has_person()) continue;
        CHECK(record.find(kPassword) == std::string::npos);
    }
    for (const auto& notice : world.effects.notices) {
        CHECK(notice.find(kPassword) == std::string::npos);
    }
    for (const auto& sent : world.effects.sent) {
        CHECK(sent.bytes.find(kPassword) == std::string::npos);
    }
}
