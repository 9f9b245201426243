// A customer whose key the bank does not know for the account, and how it is bound.
#include <doctest/doctest.h>

#include "tests/unit/customer_world.h"

using namespace p2pbank;

namespace {

wire::AnswerText bound(const wire::Ask& ask) {
    wire::AnswerText text;
    text.set_text("bind " + ask.words(1));
    return text;
}

wire::AnswerText refused(const wire::Ask&) {
    wire::AnswerText text;
    text.set_outcome(static_cast<uint32_t>(Outcome::failure));
    text.set_code("not-allowed");
    text.set_text("not yours");
    return text;
}

const wire::Ask* last_ask(Played& bank) {
    for (size_t i = bank.heard.size(); i > 0; --i) {
        if (bank.heard[i - 1].has_ask()) return &bank.heard[i - 1].ask();
    }
    return nullptr;
}

}  // namespace

TEST_CASE("bind: what opens and attaches says which key signs for it") {
    CustomerWorld world;
    world.open("alice");
    world.run(seconds(1));
    const std::string signing = secure::to_bytes(world.keys().signing);
    bool opened = false;
    bool attached = false;
    for (const auto& message : world.bank().heard) {
        opened = opened || message.command().open().signing_key() == signing;
        attached =
            attached || (message.sender() == "alice" && message.attach().signing_key() == signing);
    }
    CHECK(opened);
    CHECK(attached);
}

TEST_CASE("bind: a process without the account takes it over") {
    CustomerWorld world;
    world.start();
    world.tell = [&](const wire::Ask& ask) {
        world.offer = ask.words(1);
        world.attach_reply.set_known(true);
        world.attach_reply.set_epoch(7);
        world.attach_reply.mutable_totals()->set_balance(5'000);
        world.attach_reply.mutable_totals()->set_opening(5'000);
        return bound(ask);
    };
    const Answer answer = world.answer_to("bind alice");
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.text == "bind alice");
    const wire::Ask* ask = last_ask(world.bank());
    REQUIRE(ask != nullptr);
    CHECK(ask->signing_key() == secure::to_bytes(world.keys().signing));
    // The account is here when the command is answered, in an epoch that nobody has seen.
    CHECK(world.state().phase == customer::Phase::open);
    CHECK(world.state().name == "alice");
    CHECK(world.state().epoch == Epoch(8));
    CHECK(world.state().totals.balance == Money::from_cents(5'000));
    CHECK(world.effects.claimed == "alice");
    CHECK(world.effects.claimed_secret == seed_of(42));
    CHECK(world.answer_to("deposit 1").code.empty());
}

TEST_CASE("bind: the epoch of an account that was taken over is kept") {
    CustomerWorld world;
    world.start();
    world.offer = "alice";
    world.attach_reply.set_known(true);
    world.attach_reply.set_epoch(3);
    world.run(seconds(5));
    REQUIRE(world.state().phase == customer::Phase::open);
    CHECK(world.state().epoch == Epoch(4));
    world.restart(CustomerWorld::settings());
    CHECK(world.state().epoch == Epoch(4));
}

TEST_CASE("bind: refused, and nothing is taken over") {
    CustomerWorld world;
    world.start();
    world.tell = refused;
    CHECK(world.answer_to("bind alice").code == "not-allowed");
    CHECK(world.answer_to("bind").code == "usage");
    CHECK(world.answer_to("bind al/ice").code == "bad-name");
    for (const auto& message : world.bank().heard) {
        CHECK(message.attach().wanted() != "alice");
    }
    CHECK(world.state().phase == customer::Phase::none);
}

TEST_CASE("bind: the bank has not let go of the account in time") {
    CustomerWorld world;
    world.start();
    world.tell = bound;
    const Answer answer = world.answer_to("bind alice");
    CHECK(answer.outcome == Outcome::success);
    REQUIRE(answer.lines.size() == 1);
    CHECK(answer.lines[0].find("not confirmed") != std::string::npos);
    // It goes on asking for it.
    world.offer = "alice";
    world.attach_reply.set_known(true);
    world.run(seconds(15));
    CHECK(world.state().phase == customer::Phase::open);
}

TEST_CASE("bind: with another key the account waits, and nothing is promised") {
    CustomerWorld world;
    world.open("alice");
    world.run(seconds(1));
    world.attach_reply.Clear();
    world.attach_reply.set_other_key(true);
    world.run(seconds(30));
    CHECK(world.effects.stopped == -1);
    CHECK(world.noticed("another key") == 1);
    for (const char* line :
         {"deposit 1", "withdrawal 1", "transfer 1 bob", "lost-transfer 1 bob", "checkpoint",
          "rollback", "buy lamp-1 1", "pay Water 3", "loan 10 3", "repay 1 1", "exit", "close",
          "new-cohort alice 2", "delete-cohort alice", "products", "tokens"}) {
        CAPTURE(line);
        CHECK(world.answer_to(line).code == "other-key");
    }
    CHECK(world.answer_to("balance").code.empty());
    CHECK(world.answer_to("bind bob").code == "has-account");
    // Who it is can still be shown.
    CHECK(world.type("sign-in ann@example.org").value() != 0);
    REQUIRE(world.effects.asked.size() == 1);
    world.type_secrets({"correct horse"});
    world.run(seconds(1));

    world.tell = [&](const wire::Ask& ask) {
        world.attach_reply.Clear();
        world.attach_reply.set_known(true);
        return bound(ask);
    };
    CHECK(world.answer_to("bind alice").outcome == Outcome::success);
    CHECK(world.answer_to("deposit 1").code.empty());
    CHECK(world.noticed("this program's key again") == 1);
}

TEST_CASE("bind: the operator lets go of the key, and the account goes on") {
    CustomerWorld world;
    world.open("alice");
    world.attach_reply.Clear();
    world.attach_reply.set_other_key(true);
    world.run(seconds(15));
    CHECK(world.answer_to("deposit 1").code == "other-key");
    world.attach_reply.Clear();
    world.attach_reply.set_known(true);
    world.run(seconds(15));
    CHECK(world.answer_to("deposit 1").code.empty());
}

TEST_CASE("bind: somebody else has taken the account that was offered") {
    CustomerWorld world;
    world.start();
    world.offer = "alice";
    world.attach_reply.set_other_key(true);
    world.run(seconds(1));
    CHECK(world.state().phase == customer::Phase::none);
    CHECK(world.effects.claimed.empty());
}

TEST_CASE("bind: the bank is told how far the state is, with what is in doubt") {
    CustomerWorld world;
    world.open("alice");
    world.attach_reply.set_other_key(true);
    world.run(seconds(15));
    world.tell = refused;
    world.answer_to("bind alice");
    const wire::Ask* ask = last_ask(world.bank());
    REQUIRE(ask != nullptr);
    CHECK(ask->epoch() == world.state().epoch.value());
    CHECK(ask->statements() == 0);
    // A settlement that nobody has decided yet may be committed.
    wire::Datagram message;
    auto* join = message.mutable_join_request();
    join->mutable_operation()->set_initiator("bank:cohort");
    join->mutable_operation()->set_epoch(1);
    join->mutable_operation()->set_counter(1);
    join->set_cohort(1);
    join->set_deadline_ms(60'000);
    REQUIRE(world.say(world.bank(), message));
    REQUIRE(world.state().operation);
    world.answer_to("bind alice");
    CHECK(last_ask(world.bank())->statements() == 1);
}

TEST_CASE("bind: where another state of the account is, nothing is asked of the bank") {
    CustomerWorld world;
    world.start();
    world.effects.in_use = "alice";
    const Answer answer = world.answer_to("bind alice");
    CHECK(answer.code == "state-exists");
    CHECK(answer.text.find("nothing was changed") != std::string::npos);
    CHECK(answer.text.find("move its folder away") != std::string::npos);
    CHECK(last_ask(world.bank()) == nullptr);
    CHECK(world.state().phase == customer::Phase::none);
}

TEST_CASE("a program without an account names those that have a state here") {
    CustomerSettings settings = CustomerWorld::settings();
    settings.accounts = {"bob", "carol"};
    CustomerWorld world(settings);
    world.start();
    for (const char* line : {"balance", "deposit 1", "statement", "last", "buy lamp 1"}) {
        CAPTURE(line);
        const Answer answer = world.answer_to(line);
        CHECK(answer.code == "no-account");
        CHECK(answer.text.find("--name: there is the state of bob, carol") != std::string::npos);
    }
    // And a command of the bank's is no guess.
    CHECK(world.answer_to("audit").text.find("at the bank's prompt") != std::string::npos);
    CHECK(world.answer_to("audit").text.find("did you mean") == std::string::npos);
}

TEST_CASE("status: who is signed in") {
    CustomerWorld world;
    world.start();
    const auto signed_in = [&] {
        for (const auto& fact : world.answer_to("status").facts) {
            if (fact.name == "signed in") return fact.value;
        }
        return std::string();
    };
    CHECK(signed_in() == "nobody");
    world.tell = [](const wire::Ask&) {
        wire::AnswerText text;
        text.set_text("sign-in ann@example.org");
        return text;
    };
    world.session = 77;
    world.type("sign-in ann@example.org");
    world.type_secrets({"correct horse"});
    world.run(seconds(1));
    CHECK(signed_in() == "ann@example.org");
}

TEST_CASE("secrets: they travel as one size, are sealed, and are not kept") {
    CustomerWorld world;
    world.start();
    std::vector<size_t> sizes;
    for (const std::string& password : {std::string("12345678"), std::string(256, 'x')}) {
        world.type("sign-in ann@example.org");
        world.type_secrets({password});
        world.run(seconds(1));
        const wire::Ask* ask = last_ask(world.bank());
        REQUIRE(ask != nullptr);
        CHECK(ask->secrets().password() == password);
        sizes.push_back(ask->secrets().ByteSizeLong());
    }
    CHECK(sizes == std::vector<size_t>(2, limits::kSecretsBytes));
    for (const auto& notice : world.effects.notices) {
        CHECK(notice.find("12345678") == std::string::npos);
    }
    CHECK(world.effects.records.empty());
    // One that cannot be anybody's is not sent.
    const CommandId id = world.type("sign-in ann@example.org");
    world.type_secrets({std::string(257, 'x')});
    world.run(seconds(1));
    CHECK(world.effects.answers.at(id).code == "bad-password");
}

TEST_CASE("secrets: they are overwritten when the command is over") {
    wire::Secrets secrets;
    secrets.set_password("correct horse battery staple");
    const char* const where = secrets.password().data();
    const size_t size = secrets.password().size();
    customer::wipe(secrets);
    CHECK(secrets.password().empty());
    // The text was long enough for memory of its own, which the string still has.
    CHECK(secrets.password().capacity() >= size);
    CHECK(std::string(where, size) == std::string(size, '\0'));
}

TEST_CASE("bind: a program that closes its account gets its key back, too") {
    CustomerWorld world;
    world.open("alice");
    world.run(seconds(1));
    CHECK(world.answer_to("exit").outcome == Outcome::unknown);
    REQUIRE(world.state().phase == customer::Phase::exiting);
    // Its key is lost, and it is started with a new one.
    CustomerSettings changed = CustomerWorld::settings();
    changed.key_seed = seed_of(77);
    world.attach_reply.Clear();
    world.attach_reply.set_other_key(true);
    world.restart(changed);
    world.run(seconds(15));
    REQUIRE(world.noticed("another key") == 1);
    world.session = 5;
    world.type("sign-in ann@example.org");
    REQUIRE(world.effects.asked.size() == 1);
    world.type_secrets({"correct horse"});
    world.run(seconds(1));
    uint64_t epoch = 7;
    world.tell = [&](const wire::Ask& ask) {
        epoch = ask.statements();
        world.attach_reply.Clear();
        world.attach_reply.set_known(true);
        wire::AnswerText text;
        text.set_text("bind " + ask.words(1));
        return text;
    };
    CHECK(world.answer_to("bind alice").outcome == Outcome::success);
    CHECK(epoch == world.state().statements);
    // The exit is asked for again, and what the bank says of it counts.
    const size_t before = world.bank().heard.size();
    world.run(seconds(2));
    uint64_t request = 0;
    for (size_t i = before; i < world.bank().heard.size(); ++i) {
        const wire::Datagram& heard = world.bank().heard[i];
        if (heard.command().has_exit()) request = heard.command().request();
    }
    REQUIRE(request != 0);
    wire::Datagram message;
    message.mutable_reply()->set_request(request);
    message.mutable_reply()->set_code("refused");
    message.mutable_reply()->set_text("the last balance cannot be taken as it is");
    REQUIRE(world.say(world.bank(), message));
    CHECK(world.state().phase == customer::Phase::open);
    CHECK(world.answer_to("deposit 1").code.empty());
}
