// Operations, decisions and votes that a member of a cohort makes up, and what alice makes of them.
#include <doctest/doctest.h>

#include "tests/unit/lying_member.h"

using namespace p2pbank;

namespace {

constexpr uint64_t kHuge = uint64_t{1} << 62;

}  // namespace

TEST_CASE("lying member: an operation begun in somebody's name is none") {
    for (const auto kind : {wire::OPERATION_CHECKPOINT, wire::OPERATION_ROLLBACK}) {
        const bool checkpoint = kind == wire::OPERATION_CHECKPOINT;
        const auto other = checkpoint ? wire::OPERATION_ROLLBACK : wire::OPERATION_CHECKPOINT;
        LyingMember cohort;
        // So that alice would have to take part in whatever bob begins: both ways, unsettled.
        cohort.world.type("transfer 1 bob");
        cohort.world.type("transfer 1 carol");
        cohort.send(cohort.bob, stretch(1, 1));
        cohort.sign(cohort.bob, {stretch(1, 1)});
        cohort.carol_pays(1, 1);
        // Words of alice and of carol, for operations that are over.
        cohort.world.answer_to("checkpoint");
        const auto asked =
            std::find_if(cohort.bob.heard.begin(), cohort.bob.heard.end(),
                         [](const wire::Datagram& d) { return d.has_checkpoint_request(); });
        REQUIRE(asked != cohort.bob.heard.end());
        const OperationId of_alice = from_wire(asked->checkpoint_request().operation());
        CHECK(of_alice.initiator == "alice");
        CHECK(
            is_operation_signed(of_alice, wire::OPERATION_CHECKPOINT, cohort.world.keys().signing));
        const OperationId of_carol = cohort.begun_by(cohort.carol, 1, kind);
        // Again something that is not settled.
        cohort.world.type("transfer 1 bob");
        cohort.send(cohort.bob, stretch(2, 2));
        cohort.sign(cohort.bob, {stretch(2, 2)});
        cohort.world.run(seconds(1));

        const uint64_t counter = cohort.state().counter;
        const size_t records = cohort.world.effects.records.size();
        for (const uint64_t wanted : {counter + 1, kHuge}) {
            for (const std::string name : {"alice", "carol"}) {
                const OperationId id = cohort.id_of(name, wanted, "");
                std::vector<std::string> words = {"",
                                                  cohort.none,
                                                  sign_operation(&cohort.bob.identity, id, kind),
                                                  of_alice.word,
                                                  of_carol.word,
                                                  cohort.word_of_bank(id, true)};
                if (name == "carol") {
                    // Carol's own word, for an operation of the other kind.
                    words.push_back(sign_operation(&cohort.carol.identity, id, other));
                }
                for (const std::string& word : words) {
                    const OperationId forged = cohort.id_of(name, wanted, word);
                    cohort.request(cohort.bob, forged, kind, checkpoint ? 2 : 0);
                    CHECK(cohort.votes_heard(cohort.bob, forged) == 0);
                }
            }
        }
        // The bank's own do not come from members either.
        cohort.request(cohort.bob, cohort.id_of("bank:cohort", kHuge, ""), kind, 2);
        cohort.world.run(seconds(5));
        CHECK_FALSE(cohort.state().operation.has_value());
        CHECK(cohort.state().held_back.empty());
        CHECK(cohort.state().counter == counter);
        CHECK(cohort.world.effects.records.size() == records);

        // Those in whose names it was begin their own next ones.
        cohort.world.type("transfer 1 carol");
        const OperationId next = cohort.begun_by(cohort.carol, 2, kind);
        cohort.request(cohort.carol, next, kind, checkpoint ? 2 : 0);
        if (!checkpoint) cohort.begun(next);
        REQUIRE(cohort.state().operation.has_value());
        CHECK(cohort.state().operation->id == next);
        cohort.decided(next, checkpoint);
        if (checkpoint) {
            CHECK(cohort.world.answer_to("checkpoint").outcome == Outcome::success);
            CHECK(cohort.state().counter == counter + 1);
        }
    }
}

TEST_CASE("lying member: a COMMIT that the bank did not decide is none") {
    LyingMember cohort;
    cohort.world.type("transfer 1 carol");
    cohort.request_checkpoint(cohort.carol, 1, 1);
    const OperationId older = cohort.begun_by(cohort.carol, 1, wire::OPERATION_CHECKPOINT);
    cohort.decided(older, true);
    const auto all_words = [&](const OperationId& id) {
        const OperationId of_bob = cohort.id_of("bob", id.counter, "");
        return std::vector<std::string>{"",
                                        cohort.none,
                                        id.word,
                                        sign_decision(&cohort.bob.identity, id, true),
                                        sign_decision(&cohort.carol.identity, id, true),
                                        cohort.word_of_bank(id, false),
                                        cohort.word_of_bank(older, true),
                                        cohort.word_of_bank(of_bob, true)};
    };

    SUBCASE("of somebody's checkpoint") {
        cohort.world.type("transfer 1 carol");
        cohort.request_checkpoint(cohort.carol, 2, 2);
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_CHECKPOINT);
        REQUIRE(cohort.votes_heard(cohort.carol, id) == 1);
        for (const std::string& word : all_words(id)) {
            cohort.say_outcome(cohort.bob, id, true, word);
            REQUIRE(cohort.state().operation.has_value());
        }
        CHECK(cohort.state().permanent.channel("carol").sent_last == Label(1));
        CHECK(cohort.acknowledged(id) == 0);
        cohort.decided(id, false);
        CHECK(cohort.state().permanent.channel("carol").sent_last == Label(1));
    }
    SUBCASE("of an own checkpoint") {
        cohort.silence_bank();
        const CommandId command = cohort.world.type("checkpoint");
        cohort.world.run(seconds(1));
        REQUIRE(cohort.state().operation.has_value());
        const OperationId id = cohort.state().operation->id;
        cohort.world.type("transfer 1 bob");  // waits
        for (const std::string& word : all_words(id)) {
            cohort.say_outcome(cohort.bob, id, true, word);
            REQUIRE(cohort.state().operation.has_value());
        }
        CHECK_FALSE(cohort.world.effects.answers.contains(command));
        cohort.decided(id, true);
        CHECK(cohort.world.effects.answers.at(command).outcome == Outcome::success);
    }
    SUBCASE("of a rollback") {
        cohort.carol_pays(1, 2);
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_ROLLBACK);
        cohort.request(cohort.carol, id, wire::OPERATION_ROLLBACK, 0);
        cohort.begun(id);
        REQUIRE(cohort.votes_heard(cohort.carol, id) == 1);
        const int64_t before = cohort.cents();
        for (const std::string& word : all_words(id)) {
            cohort.say_outcome(cohort.bob, id, true, word);
            REQUIRE(cohort.state().operation.has_value());
        }
        CHECK(cohort.state().epoch == Epoch(1));
        CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(1));
        CHECK(cohort.cents() == before);
        CHECK(cohort.acknowledged(id) == 0);
    }
    SUBCASE("of a rollback for which something is held back") {
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_ROLLBACK);
        cohort.request(cohort.carol, id, wire::OPERATION_ROLLBACK, 0);
        REQUIRE(cohort.state().held_back.size() == 1);
        for (const std::string& word : all_words(id)) {
            cohort.say_outcome(cohort.bob, id, true, word);
            REQUIRE(cohort.state().held_back.size() == 1);
        }
        CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(1));
        CHECK(cohort.acknowledged(id) == 0);
    }
}

TEST_CASE("lying member: whoever is told of an ABORT without the bank's word asks the bank") {
    LyingMember cohort;
    const auto told = [&](const OperationId& id) {
        for (Played* liar : {&cohort.bob, &cohort.carol}) {
            for (const std::string& word :
                 {std::string(), cohort.none, sign_decision(&liar->identity, id, false),
                  cohort.word_of_bank(id, true),
                  cohort.word_of_bank(cohort.id_of(id.initiator, id.counter - 1, ""), false)}) {
                cohort.say_outcome(*liar, id, false, word);
            }
            cohort.world.run(milliseconds(10));
            // The bank takes a question for an abort: bob, who has asked for nothing, causes none.
            if (liar == &cohort.bob) CHECK(cohort.queries(id) == 0);
        }
    };
    SUBCASE("of a checkpoint, which is permanent") {
        cohort.world.type("transfer 1 carol");
        cohort.request_checkpoint(cohort.carol, 2, 1);
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_CHECKPOINT);
        REQUIRE(cohort.votes_heard(cohort.carol, id) == 1);
        told(id);
        REQUIRE(cohort.state().operation.has_value());
        CHECK(cohort.queries(id) >= 1);
        // Only the checkpoint waits, not the money.
        CHECK(cohort.world.answer_to("transfer 1 bob").outcome == Outcome::success);
        REQUIRE(cohort.state().operation.has_value());
        SUBCASE("COMMIT") {
            cohort.decided(id, true);
            CHECK(cohort.state().permanent.channel("carol").sent_last == Label(1));
        }
        SUBCASE("ABORT") {
            cohort.decided(id, false);
            CHECK(cohort.state().permanent.channel("carol").sent_last == Label(0));
        }
        CHECK(cohort.cents() == 98'00);
    }
    SUBCASE("of a rollback, which is done") {
        cohort.carol_pays(1, 2);
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_ROLLBACK);
        cohort.request(cohort.carol, id, wire::OPERATION_ROLLBACK, 0);
        cohort.begun(id);
        REQUIRE(cohort.votes_heard(cohort.carol, id) == 1);
        told(id);
        REQUIRE(cohort.state().operation.has_value());
        CHECK(cohort.queries(id) >= 1);
        SUBCASE("COMMIT") {
            cohort.decided(id, true);
            CHECK(cohort.state().epoch == Epoch(2));
            CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(2));
            CHECK(cohort.cents() == 100'00);
        }
        SUBCASE("ABORT") {
            cohort.decided(id, false);
            CHECK(cohort.state().epoch == Epoch(1));
            CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(1));
            CHECK(cohort.cents() == 100'03);
        }
    }
    SUBCASE("of a rollback for which something is held back") {
        const OperationId id = cohort.begun_by(cohort.carol, 2, wire::OPERATION_ROLLBACK);
        cohort.request(cohort.carol, id, wire::OPERATION_ROLLBACK, 0);
        REQUIRE(cohort.state().held_back.size() == 1);
        told(id);
        CHECK(cohort.state().held_back.size() == 1);
        CHECK(cohort.queries(id) >= 1);
        // What carol takes back is not credited meanwhile.
        cohort.carol_pays(1, 1);
        CHECK(cohort.cents() == 100'00);
        wire::Datagram message;
        to_wire(id, message.mutable_decision()->mutable_operation());
        message.mutable_decision()->set_commit(true);
        message.mutable_decision()->set_word(cohort.word_of_bank(id, true));
        REQUIRE(cohort.world.say(cohort.world.bank(), message));
        CHECK(cohort.state().held_back.empty());
        CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(2));
    }
    SUBCASE("of an own operation: only the bank knows") {
        cohort.silence_bank();
        const CommandId command = cohort.world.type("checkpoint");
        cohort.world.run(milliseconds(100));
        REQUIRE(cohort.state().operation.has_value());
        const OperationId id = cohort.state().operation->id;
        told(id);
        CHECK(cohort.queries(id) == 0);  // it would make itself the abort
        CHECK_FALSE(cohort.world.effects.answers.contains(command));
        cohort.decided(id, true);
        CHECK(cohort.world.effects.answers.at(command).outcome == Outcome::success);
    }
}

TEST_CASE("lying member: a vote moves nobody's epoch, and hides nobody's own") {
    LyingMember cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.type("transfer 1 carol");
    cohort.world.run(seconds(1));
    cohort.silence_bank();
    cohort.world.type("rollback");
    REQUIRE(cohort.state().operation.has_value());
    const OperationId id = cohort.state().operation->id;
    cohort.begun(id);
    const auto vote = [&](Played& who, const std::vector<wire::Participant>& participants) {
        wire::Datagram message;
        to_wire(id, message.mutable_vote()->mutable_operation());
        message.mutable_vote()->set_yes(true);
        for (const auto& one : participants) *message.mutable_vote()->add_participants() = one;
        cohort.say(who, message);
    };
    const auto participant = [&](const Played& who, uint64_t epoch, std::string word) {
        wire::Participant out;
        out.set_name(who.name);
        out.set_next_epoch(epoch);
        out.set_word(std::move(word));
        return out;
    };
    // Bob says of carol that she rolls back into epoch 900; carol says what is true.
    const std::vector<wire::Participant> of_bob = {
        participant(cohort.bob, 2, sign_rollback_vote(&cohort.bob.identity, id, "bob", Epoch(2))),
        participant(cohort.carol, 900,
                    sign_rollback_vote(&cohort.bob.identity, id, "carol", Epoch(900)))};
    const auto of_carol = participant(
        cohort.carol, 2, sign_rollback_vote(&cohort.carol.identity, id, "carol", Epoch(2)));
    SUBCASE("bob first") {
        vote(cohort.bob, of_bob);
        vote(cohort.carol, {of_carol});
    }
    SUBCASE("carol first") {
        vote(cohort.carol, {of_carol});
        vote(cohort.bob, of_bob);
    }
    cohort.world.run(milliseconds(100));
    const auto asked =
        std::find_if(cohort.world.bank().heard.begin(), cohort.world.bank().heard.end(),
                     [](const wire::Datagram& d) { return d.has_decision_request(); });
    REQUIRE(asked != cohort.world.bank().heard.end());
    const auto& rolled_back = asked->decision_request().rolled_back();
    const auto found = std::find_if(rolled_back.begin(), rolled_back.end(),
                                    [](const wire::RolledBack& r) { return r.name() == "carol"; });
    REQUIRE(found != rolled_back.end());
    CHECK(found->epoch() == 2);
    CHECK(found->word() == of_carol.word());
    cohort.decided(id, true);
    CHECK(cohort.state().epoch == Epoch(2));
    CHECK(cohort.peer(cohort.bob).known_epoch == Epoch(1));
    CHECK(cohort.peer(cohort.carol).known_epoch == Epoch(1));
}

TEST_CASE("lying member: a vote with names that are none fails nothing but that vote") {
    LyingMember cohort;
    cohort.votes = false;
    cohort.send(cohort.bob, stretch(1, 1));
    cohort.sign(cohort.bob, {stretch(1, 1)});
    const CommandId command = cohort.world.type("checkpoint");
    REQUIRE(cohort.state().operation.has_value());
    wire::Datagram message;
    to_wire(cohort.state().operation->id, message.mutable_vote()->mutable_operation());
    message.mutable_vote()->set_yes(true);
    message.mutable_vote()->add_participants()->set_name("=\x1b[2J");
    cohort.say(cohort.bob, message);
    cohort.world.run(seconds(12));
    REQUIRE(cohort.world.effects.answers.contains(command));
    const Answer& answer = cohort.world.effects.answers.at(command);
    CHECK(answer.code == "unreachable");
    CHECK(answer.text.find("bob") != std::string::npos);
}
