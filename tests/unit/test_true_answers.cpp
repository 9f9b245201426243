// Answers and notices that are not true, or that were promised and do not come.
#include <string>

#include <doctest/doctest.h>

#include "common/core/answer_wire.h"
#include "tests/unit/bank_world.h"
#include "tests/unit/cohort_world.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;

namespace {

// The bank says what a deal comes to, and to the deal itself nothing or that it is accepted.
void prices_deals(CustomerWorld& world, bool accepts) {
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [&world, as_ever, accepts](const wire::Datagram& message) {
        as_ever(message);
        if (!message.has_deal() || (message.deal().number() != 0 && !accepts)) return;
        wire::Datagram reply;
        reply.mutable_deal_reply()->set_nonce(message.deal().nonce());
        reply.mutable_deal_reply()->set_number(message.deal().number());
        reply.mutable_deal_reply()->set_epoch(message.epoch());
        reply.mutable_deal_reply()->set_amount(5'00);
        reply.mutable_deal_reply()->set_order(message.deal().number() == 0 ? 0 : 7);
        reply.mutable_deal_reply()->set_what(message.deal().what());
        reply.mutable_deal_reply()->set_name(message.deal().what());
        reply.mutable_deal_reply()->set_accepted(true);
        reply.set_receiver("alice");
        reply.set_receiver_instance(message.instance());
        world.bank().courier.send(world.now(), Socket::bank, kCustomerAt[0], world.keys().channel,
                                  reply, world.bank().effects);
    };
}

// From now on the bank acknowledges settlements and beginnings, and decides nothing.
void decides_nothing(CustomerWorld& world) {
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [&world, as_ever](const wire::Datagram& message) {
        if (message.has_decision_request() || message.has_decision_query()) return;
        as_ever(message);
        if (!message.has_operation_begin()) return;
        wire::Datagram reply;
        auto* begun = reply.mutable_operation_begun();
        *begun->mutable_operation() = message.operation_begin().operation();
        begun->set_accepted(true);
        reply.set_receiver("alice");
        reply.set_receiver_instance(message.instance());
        world.bank().courier.send(world.now(), Socket::bank, kCustomerAt[0], world.keys().channel,
                                  reply, world.bank().effects);
    };
}

// The bank ends the cohort. `committed`: it had recorded the checkpoint that is under way.
void end_cohort(CohortWorld& cohort, bool committed) {
    wire::Datagram message;
    auto* ended = message.mutable_cohort_ended();
    ended->set_cohort(1);
    ended->set_statements(cohort.state().statements + (committed ? 1 : 0));
    const customer::Checkpoint& cut =
        committed ? cohort.state().operation->tentative : cohort.state().permanent;
    to_wire(cut.totals, ended->mutable_totals());
    REQUIRE(cohort.world.say(cohort.world.bank(), message));
    REQUIRE_FALSE(cohort.state().in_cohort());
}

wire::OperationId id_of_operation(const CohortWorld& cohort) {
    REQUIRE(cohort.state().operation.has_value());
    wire::OperationId id;
    to_wire(cohort.state().operation->id, &id);
    return id;
}

}  // namespace

TEST_CASE("answers: a deal that was unknown and is taken back is told, as was promised") {
    CohortWorld cohort;
    prices_deals(cohort.world, false);
    const Answer answer = cohort.world.answer_to("buy lamp 1");
    REQUIRE(answer.outcome == Outcome::unknown);
    REQUIRE(answer.lines.size() == 1);
    CHECK(answer.lines[0].find("a notice tells what became of it") != std::string::npos);
    REQUIRE(cohort.state().deal.has_value());
    end_cohort(cohort, false);
    CHECK_FALSE(cohort.state().deal.has_value());
    cohort.world.run(seconds(30));
    CHECK(cohort.world.noticed("what was unknown is now") == 1);
}

TEST_CASE("answers: a checkpoint that the bank has recorded did not fail") {
    CohortWorld cohort;
    decides_nothing(cohort.world);
    CHECK(cohort.world.answer_to("deposit 5").code.empty());
    const CommandId id = cohort.world.type("checkpoint");
    cohort.world.run(milliseconds(500));
    REQUIRE(cohort.state().operation.has_value());
    end_cohort(cohort, true);
    CHECK(cohort.state().permanent.totals.balance == Money::from_cents(105'00));
    REQUIRE(cohort.world.effects.answers.contains(id));
    const Answer& answer = cohort.world.effects.answers.at(id);
    CAPTURE(answer.code + ": " + answer.text);
    CHECK(answer.outcome == Outcome::success);
}

TEST_CASE("answers: an operation in doubt is told when the cohort ends") {
    for (const bool committed : {true, false}) {
        CAPTURE(committed);
        CohortWorld cohort;
        decides_nothing(cohort.world);
        CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::unknown);
        end_cohort(cohort, committed);
        cohort.world.run(seconds(5));
        CHECK(cohort.world.noticed("the checkpoint that was in doubt is ") == 1);
        CHECK(cohort.world.noticed("the checkpoint that was in doubt is done: alice") ==
              (committed ? 1 : 0));
    }
}

TEST_CASE("answers: an operation in doubt is told by the next run of the program, too") {
    for (const bool rollback : {false, true}) {
        for (const bool commit : {true, false}) {
            CAPTURE(rollback);
            CAPTURE(commit);
            CohortWorld cohort;
            decides_nothing(cohort.world);
            CHECK(cohort.world.answer_to("deposit 5").code.empty());
            const std::string verb = rollback ? "rollback" : "checkpoint";
            CHECK(cohort.world.answer_to(verb).outcome == Outcome::unknown);
            const wire::OperationId id = id_of_operation(cohort);
            cohort.restart();
            REQUIRE(cohort.state().operation.has_value());
            cohort.decide(id, commit);
            CHECK(cohort.world.noticed("the " + verb + " that was in doubt is " +
                                       (commit ? "done" : "undone")) == 1);
        }
    }
}

TEST_CASE("answers: an account that may stay open is not said to be closed") {
    CustomerWorld world;
    world.open("alice");
    world.run(seconds(1));
    CHECK(world.answer_to("exit").outcome == Outcome::unknown);
    REQUIRE(world.state().phase == customer::Phase::exiting);
    const Answer answer = world.answer_to("deposit 5");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.text != "the account is closed");
}

TEST_CASE("answers: what a bank may have done before it was started again did not fail") {
    for (const bool restarted : {true, false}) {
        CAPTURE(restarted);
        CustomerWorld world;
        world.start();
        world.session = 5;
        world.type("sign-in ann@example.org");
        REQUIRE(world.effects.asked.size() == 1);
        world.type_secrets({"correct horse"});
        world.run(seconds(1));
        // It is done, and the word of that is lost.
        int done = 0;
        const auto as_ever = world.bank().on_message;
        world.bank().on_message = [&](const wire::Datagram& message) {
            if (message.has_ask()) {
                ++done;
            } else {
                as_ever(message);
            }
        };
        const CommandId id = world.type("restock lamp 5");
        world.run(milliseconds(20));
        REQUIRE(done > 0);
        if (restarted) {
            world.replace_bank(2, true);
        } else {
            world.bank().on_message = as_ever;
        }
        world.tell = [](const wire::Ask&) {
            wire::AnswerText text;
            to_wire(failure("not-signed-in", "sign in first: `sign-in <email>`"), &text);
            return text;
        };
        world.run(seconds(8));
        REQUIRE(world.effects.answers.contains(id));
        const Answer& answer = world.effects.answers.at(id);
        CAPTURE(answer.code + ": " + answer.text);
        CHECK(answer.outcome == (restarted ? Outcome::unknown : Outcome::failure));
    }
}

TEST_CASE("answers: a late confirmation of a binding is told, as was promised") {
    CustomerWorld world;
    world.open("alice");
    world.session = 5;
    world.type("sign-in ann@example.org");
    REQUIRE(world.effects.asked.size() == 1);
    world.type_secrets({"correct horse"});
    world.run(seconds(1));
    const auto as_ever = world.bank().on_message;
    world.bank().on_message = [as_ever](const wire::Datagram& message) {
        if (!message.has_attach()) as_ever(message);
    };
    const Answer answer = world.answer_to("bind alice");
    REQUIRE(answer.outcome == Outcome::success);
    REQUIRE(answer.lines.size() == 1);
    REQUIRE(answer.lines[0].find("a notice tells when it has") != std::string::npos);
    world.bank().on_message = as_ever;
    world.run(seconds(20));
    CHECK(world.noticed("has confirmed") == 1);
}

TEST_CASE("answers: nobody signs in with an e-mail that was not verified within a day") {
    Counter bank;
    bank.context.now += seconds(1'000);
    REQUIRE(bank.code(bank.with_password({"register", kAnn}, kPassword)).empty());
    REQUIRE(bank.sign_in_as(kAnn).code.empty());
    bank.context.now += seconds(24 * 60 * 60 + 1);
    // `verify` would say that nobody waits for the code.
    CHECK(bank.sign_in_as(kAnn).code == "wrong-credentials");
}

TEST_CASE("answers: what was bought and is not settled is told at the next start") {
    CohortWorld cohort;
    prices_deals(cohort.world, true);
    REQUIRE(cohort.world.answer_to("buy lamp 1").outcome == Outcome::success);
    cohort.restart();
    CHECK(cohort.world.noticed("1 order is pending; the next `checkpoint` settles it") == 1);
    CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
    cohort.restart();
    CHECK(cohort.world.noticed("1 order is pending") == 1);
}

TEST_CASE("answers: an open that was refused is not obeyed later") {
    Counter bank;
    REQUIRE(bank.code(bank.with_password({"register", kAnn}, kPassword)).empty());
    REQUIRE(bank.sign_in_as(kAnn).code.empty());
    const auto caller = [&](const wire::Ask& open) {
        return bank.sign_in.caller_of(open.authority(), bank.from, bank::Repeats::allowed);
    };
    const wire::Ask refused = bank.signed_in({});
    for (int i = 0; i < 2; ++i) {  // it may come again, to the same answer
        REQUIRE(caller(refused).ok());
        CHECK_FALSE(caller(refused).value().verified);
    }
    REQUIRE(bank.code(bank.words({"verify", bank.person(kAnn).code})).empty());
    REQUIRE_FALSE(caller(refused).ok());
    CHECK(caller(refused).error().code == "repeated-request");
    const auto fresh = caller(bank.signed_in({}));
    REQUIRE(fresh.ok());
    CHECK(fresh.value().verified);
}

TEST_CASE("answers: every transfer that was unknown and is taken back is told") {
    CohortWorld cohort;
    cohort.acknowledge = false;
    cohort.hold_back = true;
    const size_t count = limits::kMaxCommandsInProgress + 1;
    for (size_t i = 0; i < count; ++i) {
        if (i == limits::kMaxCommandsInProgress) cohort.world.run(seconds(6));
        cohort.world.type("transfer 0.01 bob");
    }
    cohort.world.run(seconds(6));
    size_t unknown = 0;
    for (const auto& [id, answer] : cohort.world.effects.answers) {
        if (answer.outcome == Outcome::unknown) ++unknown;
    }
    REQUIRE(unknown == count);
    const auto as_ever = cohort.world.bank().on_message;
    cohort.world.bank().on_message = [&](const wire::Datagram& message) {
        as_ever(message);
        if (!message.has_operation_begin()) return;
        wire::Datagram reply;
        *reply.mutable_operation_begun()->mutable_operation() =
            message.operation_begin().operation();
        reply.mutable_operation_begun()->set_accepted(true);
        reply.set_receiver("alice");
        reply.set_receiver_instance(message.instance());
        cohort.world.bank().courier.send(cohort.world.now(), Socket::bank, kCustomerAt[0],
                                         cohort.world.keys().channel, reply,
                                         cohort.world.bank().effects);
    };
    REQUIRE(cohort.world.answer_to("rollback").outcome == Outcome::success);
    CHECK(cohort.world.noticed("which was in transit, was taken back by a rollback") ==
          static_cast<int>(count));
}

TEST_CASE("answers: a change whose answer the bank has forgotten is not called a failure") {
    BankWorld world;
    REQUIRE(world.type("add-product lamp Lamp 5 10 home").code.empty());
    Process& tina = world.add("", 2, 9'002);
    world.sign_in(tina, "tina@example.org");
    REQUIRE(world.type("role tina@example.org teller").code.empty());
    wire::Datagram restock;
    wire::Ask* ask = restock.mutable_ask();
    ask->set_nonce(77);
    for (const char* word : {"restock", "lamp", "5"}) ask->add_words(word);
    ask->set_signing_key(tina.signing());
    ask->mutable_authority()->set_session(tina.session);
    ask->mutable_authority()->set_counter(++tina.counter);
    const auto told = [&] {
        for (const wire::Datagram& heard : tina.heard) {
            if (heard.has_told() && heard.told().nonce() == 77) return heard.told().answer();
        }
        return wire::AnswerText();
    };
    world.say(tina, restock);
    const wire::AnswerText first = told();
    REQUIRE(first.code() == "");
    REQUIRE(world.state().business.find_product("lamp")->quantity == 15);
    // The answer is lost on the way; others ask meanwhile, and the request comes again.
    Process& other = world.add("", 3, 9'003);
    for (size_t i = 0; i < limits::kMaxRecentAsks; ++i) world.ask(other, {"services"});
    tina.heard.clear();
    world.say(tina, restock);
    CHECK(world.state().business.find_product("lamp")->quantity == 15);

    // What tina's program makes of this.
    CustomerWorld program;
    program.open("alice");
    program.session = 9;
    program.type("sign-in tina@example.org");
    program.type_secrets({"correct horse"});
    program.run(seconds(1));
    const wire::AnswerText again = told();
    CAPTURE(again.code() + ": " + again.text());
    program.tell = [&](const wire::Ask&) { return again; };
    CHECK(program.answer_to("restock lamp 5").outcome !=
          (again.code().empty() ? Outcome::unknown : Outcome::failure));
}
