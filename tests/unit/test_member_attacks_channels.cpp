// Epochs and acknowledgements that a member of a cohort makes up, and what alice makes of them.
#include <doctest/doctest.h>

#include "tests/unit/lying_member.h"

using namespace p2pbank;

namespace {

constexpr uint64_t kHuge = uint64_t{1} << 61;

}  // namespace

TEST_CASE("lying member: epochs without their owner's signature throw nothing away") {
    LyingMember cohort;
    Played& bob = cohort.bob;
    const auto in_epoch = [&](uint64_t epoch, uint64_t receiver_epoch, wire::Datagram message) {
        message.set_epoch(epoch);
        message.set_receiver_epoch(receiver_epoch);
        cohort.say(bob, message);
    };
    const auto transfers = [](uint64_t label) {
        wire::Datagram message;
        *message.mutable_transfers() = stretch(label, label);
        return message;
    };
    cohort.world.type("transfer 1 bob");
    in_epoch(1, 1, transfers(1));
    REQUIRE(cohort.cents() == 99'01);

    // Of a later epoch of bob's or of alice's, which nobody has signed.
    in_epoch(7, 1, transfers(2));
    in_epoch(1, 7, transfers(2));
    CHECK(cohort.cents() == 99'01);
    wire::Datagram proof;
    const auto& own = cohort.world.keys();
    const secure::Identity alice(CohortWorld::settings().key_seed);
    REQUIRE(alice.keys().signing == own.signing);
    for (const std::string& word :
         {std::string(), cohort.none, sign_epoch(&bob.identity, "alice", CohortId(1), Epoch(7)),
          sign_epoch(&alice, "alice", CohortId(1), Epoch(1)),  // of the present epoch
          sign_epoch(&alice, "alice", CohortId(2), Epoch(7)),  // of another cohort
          sign_epoch(&bob.identity, "bob", CohortId(1), Epoch(7)),
          sign_rollback_vote(&alice, cohort.id_of("alice", 1, ""), "alice", Epoch(7))}) {
        proof.mutable_epoch_proof()->set_epoch(7);
        proof.mutable_epoch_proof()->set_word(word);
        in_epoch(1, 7, proof);
        CHECK_FALSE(cohort.stopped());
    }
    for (const std::string& word :
         {std::string(), cohort.none,
          sign_epoch(&cohort.carol.identity, "bob", CohortId(1), Epoch(7)),
          sign_epoch(&bob.identity, "bob", CohortId(1), Epoch(6)),
          sign_epoch(&bob.identity, "bob", CohortId(2), Epoch(7)),
          sign_epoch(&bob.identity, "carol", CohortId(1), Epoch(7))}) {
        wire::Datagram notice;
        notice.mutable_epoch_notice()->set_word(word);
        in_epoch(7, 1, notice);
        CHECK(cohort.peer(bob).known_epoch == Epoch(1));
    }
    // What it sends in its true epoch counts, and it is sent to.
    in_epoch(1, 1, transfers(2));
    CHECK(cohort.cents() == 99'03);
    CHECK(cohort.world.answer_to("transfer 1 bob").outcome == Outcome::success);
    CHECK(CohortWorld::sent_to(bob) == set_of({{1, 2}}));
    CHECK(cohort.world.answer_to("transfer 1 carol").outcome == Outcome::success);

    // Alice's own signature is the proof that an honest peer has.
    proof.mutable_epoch_proof()->set_word(sign_epoch(&alice, "alice", CohortId(1), Epoch(7)));
    in_epoch(1, 7, proof);
    CHECK(cohort.stopped());
}

TEST_CASE("lying member: transfers that alice has not sent, confirmed without her signature") {
    LyingMember cohort;
    cohort.world.type("transfer 1 bob");
    cohort.world.run(seconds(1));
    wire::SignedTransfers genuine;
    for (const wire::Datagram& heard : cohort.bob.heard) {
        if (heard.has_transfers()) {
            genuine.clear_transfers();
            *genuine.add_transfers() = heard.transfers();
        }
        if (heard.has_signed_()) *genuine.mutable_signed_() = heard.signed_();
    }
    genuine.set_epoch(1);
    REQUIRE(proves({"alice", "bob", CohortId(1), Epoch(1)}, genuine, cohort.world.keys().signing));
    const auto as_ever = cohort.bob.on_message;
    cohort.silence(cohort.bob);
    cohort.restart();

    wire::SignedTransfers of_bob;
    of_bob.set_epoch(1);
    *of_bob.add_transfers() = stretch(5, 5);
    *of_bob.mutable_signed_() = sign_transfers(
        cohort.bob.identity,
        {transfers_digest({"alice", "bob", CohortId(1), Epoch(1)}, of_bob.transfers(0))});
    wire::SignedTransfers changed = genuine;
    changed.mutable_transfers(0)->set_first_label(5);
    for (const auto& item : {wire::SignedTransfers(), of_bob, genuine, changed}) {
        wire::Datagram message;
        message.mutable_epoch_confirm()->set_epoch(1);
        message.mutable_epoch_confirm()->set_last_label(5);
        *message.mutable_epoch_confirm()->mutable_proof() = item;
        cohort.say(cohort.bob, message);
        CHECK_FALSE(cohort.stopped());
    }
    CHECK(cohort.world.noticed("Nothing is sent there") == 1);
    // She goes on with the others, and with bob when he says what is true.
    cohort.bob.heard.clear();
    cohort.world.type("transfer 1 bob");
    CHECK(cohort.world.answer_to("transfer 1 carol").outcome == Outcome::success);
    CHECK(CohortWorld::sent_to(cohort.bob).empty());
    cohort.bob.on_message = as_ever;
    cohort.world.run(seconds(5));
    CHECK(CohortWorld::sent_to(cohort.bob) == set_of({{1, 2}}));
    CHECK(cohort.cents() == 97'00);
}

TEST_CASE("lying member: acknowledged what was not sent") {
    LyingMember cohort;
    cohort.acknowledge = false;
    const auto ack = [&](const IntervalSet& received, const IntervalSet& covered) {
        wire::Datagram message;
        to_wire(received, message.mutable_ack()->mutable_received());
        to_wire(covered, message.mutable_ack()->mutable_covered());
        cohort.say(cohort.bob, message);
    };
    const CommandId command = cohort.world.type("transfer 1 bob");
    ack(set_of({{1, kHuge}}), {});
    ack(set_of({{2, 9}}), {});
    CHECK_FALSE(cohort.stopped());
    CHECK_FALSE(cohort.world.effects.answers.contains(command));
    REQUIRE(cohort.peer(cohort.bob).sent_log.size() == 1);
    // It is sent again until it is acknowledged.
    cohort.bob.heard.clear();
    cohort.world.run(seconds(1));
    CHECK(CohortWorld::sent_to(cohort.bob) == set_of({{1, 1}}));
    ack(set_of({{1, 1}}), {});
    CHECK(cohort.world.effects.answers.at(command).outcome == Outcome::success);

    // What bob gives up of what he is owed is his; what is sent later is sent all the same.
    ack({}, set_of({{1, 9}}));
    CHECK(cohort.peer(cohort.bob).sent_log.empty());
    cohort.bob.heard.clear();
    cohort.world.type("transfer 2 bob");
    cohort.world.type("transfer 3 bob");
    cohort.world.run(seconds(1));
    CHECK(CohortWorld::sent_to(cohort.bob) == set_of({{2, 3}}));
    CHECK(cohort.peer(cohort.bob).sent_log.size() == 2);
    CHECK(cohort.peer(cohort.bob).channel.sent_sum.cents() == 6'00);
    CHECK(cohort.cents() == 94'00);
    // Nothing of it is another's: carol is owed what she is owed.
    cohort.world.type("transfer 1 carol");
    ack(set_of({{1, 3}}), set_of({{1, 3}}));
    CHECK(cohort.peer(cohort.carol).sent_log.size() == 1);
    CHECK_FALSE(cohort.peer(cohort.carol).sent_log[0].acked);
}

TEST_CASE("lying member: denied what was acknowledged") {
    LyingMember cohort;
    CHECK(cohort.world.answer_to("transfer 1 bob").outcome == Outcome::success);
    CHECK(cohort.world.answer_to("transfer 2 bob").outcome == Outcome::success);
    cohort.bob.heard.clear();
    const auto sent = [&] {
        std::vector<Transfer> all;
        for (const wire::Datagram& heard : cohort.bob.heard) {
            if (!heard.has_transfers()) continue;
            for (const Transfer& one : read(heard.transfers())) all.push_back(one);
        }
        return all;
    };
    // In the same epoch what was said once stays said.
    wire::Datagram message;
    to_wire(IntervalSet(), message.mutable_ack()->mutable_received());
    cohort.say(cohort.bob, message);
    to_wire(set_of({{2, 2}}), message.mutable_ack()->mutable_received());
    cohort.say(cohort.bob, message);
    cohort.world.run(seconds(2));
    CHECK(sent().empty());
    // In a later one, as if he had rolled back: the same transfers, with the same labels.
    wire::Datagram notice;
    notice.set_epoch(2);
    notice.mutable_epoch_notice()->set_word(
        sign_epoch(&cohort.bob.identity, "bob", CohortId(1), Epoch(2)));
    cohort.say(cohort.bob, notice);
    cohort.world.run(milliseconds(50));
    const std::vector<Transfer> both = {{Label(1), Money::from_cents(1'00)},
                                        {Label(2), Money::from_cents(2'00)}};
    CHECK(sent() == both);
    CHECK(cohort.cents() == 97'00);
    CHECK(cohort.peer(cohort.bob).channel.sent_last == Label(2));
    CHECK(cohort.peer(cohort.bob).channel.sent_sum.cents() == 3'00);
    // What comes next is new, and has a new label.
    cohort.bob.heard.clear();
    cohort.world.type("transfer 4 bob");
    const std::vector<Transfer> next = {{Label(3), Money::from_cents(4'00)}};
    CHECK(sent() == next);
    CHECK(cohort.cents() == 93'00);
}
