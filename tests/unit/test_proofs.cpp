// What a customer keeps to prove what it received, one message at a time.
#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/proofs_of_alice.h"

using namespace p2pbank;
using namespace p2pbank::customer;

TEST_CASE("proofs: what was received is covered when its sender has signed for it") {
    ProofsOfAlice alice;
    CHECK(alice.is_covered());
    const wire::Transfers message = stretch(1, 5);
    alice.receive(message);
    CHECK_FALSE(alice.is_covered());
    CHECK(alice.proofs.not_signed_by(alice.context.state.take_checkpoint()) == "bob");
    CHECK(alice.proofs.not_signed(alice.context.state.take_checkpoint(), "bob") == "transfers 1-5");
    alice.sign({message});
    CHECK(alice.is_covered());
    CHECK(alice.covered == 1);
    CHECK(alice.proofs.unsigned_messages() == 0);
    CHECK(alice.proofs.proven_messages() == 1);
}

TEST_CASE("proofs: a word of somebody else, or for something else, covers nothing") {
    ProofsOfAlice alice;
    const wire::Transfers message = stretch(1, 5);
    alice.receive(message);
    alice.sign({stretch(1, 4)});
    CHECK_FALSE(alice.is_covered());
    alice.sign({message}, 2);
    CHECK_FALSE(alice.is_covered());
    alice.proofs.on_signed(alice.peer("carol"), word_of(alice.bob, "bob", {message}));
    CHECK_FALSE(alice.is_covered());
    alice.proofs.on_signed(alice.peer(), word_of(alice.carol, "bob", {message}));
    CHECK_FALSE(alice.is_covered());
    // After a word that is none the next is looked at a little later.
    alice.sign({message});
    CHECK_FALSE(alice.is_covered());
    alice.pass(timing::kBadWordPause);
    alice.sign({message});
    CHECK(alice.is_covered());
}

TEST_CASE("proofs: a message proves only the amounts that were credited") {
    ProofsOfAlice alice;
    alice.receive(stretch(1, 3));
    wire::Transfers other = stretch(1, 3);
    other.set_amounts(1, 500);
    alice.pass(timing::kUnsignedLife * 2);  // the first message is not waited for any more
    alice.arrives(other);
    alice.sign({other});
    CHECK_FALSE(alice.is_covered());
    CHECK(alice.proofs.not_signed(alice.context.state.take_checkpoint(), "bob") == "transfer 2");
    const wire::Transfers right = transfers_of({{2, 2}});
    alice.pass(timing::kUnsignedLife * 2);
    alice.arrives(right);
    alice.sign({right});
    CHECK(alice.is_covered());
}

TEST_CASE("proofs: words and messages may come in any order, doubled and overlapping") {
    ProofsOfAlice alice;
    const std::vector<wire::Transfers> messages{stretch(1, 4), stretch(3, 6),
                                                transfers_of({{8, 8}, {10, 10}}), stretch(7, 9)};
    alice.sign({messages[0], messages[2]});  // before any of them
    alice.receive(messages[1]);
    alice.receive(messages[1]);
    alice.sign({messages[1], messages[3]});
    alice.sign({messages[1], messages[3]});
    alice.receive(messages[0]);
    alice.receive(messages[3]);
    alice.receive(messages[2]);
    alice.receive(messages[0]);
    CHECK(alice.is_covered());
    CHECK(alice.peer().channel.received == set_of({{1, 10}}));
    CHECK(alice.proofs.unsigned_messages() == 0);
    alice.begin();
    CHECK(alice.proven(alice.evidence()) == set_of({{1, 10}}));
}

TEST_CASE("proofs: a word that came too early is forgotten after a while, and those of a flood") {
    ProofsOfAlice alice;
    const wire::Transfers message = stretch(1, 1);
    alice.sign({message});
    for (uint64_t i = 0; i < limits::kMaxEarlyWords; ++i) alice.sign({stretch(100 + i, 100 + i)});
    alice.receive(message);
    CHECK_FALSE(alice.is_covered());
    alice.pass(timing::kUnsignedLife * 2);
    alice.arrives(message);
    alice.sign({message});
    CHECK(alice.is_covered());
}

TEST_CASE("proofs: what a peer never signs takes bounded memory") {
    ProofsOfAlice alice;
    constexpr uint64_t kLabels = 50;
    alice.receive(stretch(1, kLabels));
    size_t most = 0;
    for (uint64_t round = 0; round < 300; ++round) {
        for (uint64_t label = 1; label <= kLabels; ++label) {
            // Always another message: its second label is one that was never credited.
            alice.arrives(transfers_of({{label, label}, {1'000 + round * kLabels + label, 1}}));
        }
        most = std::max(most, alice.proofs.unsigned_messages());
        alice.pass(milliseconds(50));
    }
    CHECK(most <= 3 * kLabels);
    // The same while an operation waits and asks again and again.
    alice.begin();
    for (uint64_t round = 300; round < 600; ++round) {
        for (uint64_t label = 1; label <= kLabels; ++label) {
            alice.arrives(transfers_of({{label, label}, {1'000 + round * kLabels + label, 1}}));
        }
        most = std::max(most, alice.proofs.unsigned_messages());
        alice.pass(milliseconds(50));
    }
    CHECK(most <= 30 * kLabels);
    CHECK(alice.proofs.proven_messages() == 0);
}

TEST_CASE("proofs: duplicates of what is proven are not kept") {
    ProofsOfAlice alice;
    const wire::Transfers message = stretch(1, 5);
    alice.receive(message);
    alice.sign({message});
    for (uint64_t label = 1; label <= 5; ++label) alice.arrives(transfers_of({{label, label}}));
    alice.arrives(message);
    CHECK(alice.proofs.unsigned_messages() == 0);
    CHECK(alice.proofs.proven_messages() == 1);
}

TEST_CASE("proofs: a permanent checkpoint needs no proof any more") {
    ProofsOfAlice alice;
    const wire::Transfers before = stretch(1, 5);
    const wire::Transfers both = stretch(5, 7);
    alice.receive(before);
    alice.sign({before});
    alice.begin();
    const wire::Transfers after = stretch(8, 9);
    alice.receive(both);
    alice.receive(after);
    alice.sign({both, after});
    alice.commit();
    CHECK(alice.is_covered());
    CHECK(alice.proofs.proven_messages() == 2);  // what came meanwhile
    CHECK(alice.proven(alice.evidence()) == set_of({{5, 9}}));
}

TEST_CASE("proofs: a rollback gives up the proof with what it proves") {
    ProofsOfAlice alice;
    const wire::Transfers old = stretch(1, 3);
    alice.receive(old);
    alice.receive(stretch(4, 6));
    alice.sign({old});
    alice.roll_back(2);
    CHECK(alice.is_covered());
    CHECK(alice.proofs.proven_messages() == 0);
    CHECK(alice.proofs.unsigned_messages() == 0);
    // The label means something else in the next epoch, and the word for the old one is late.
    State::Record record;
    record.mutable_epoch_known()->set_peer("bob");
    record.mutable_epoch_known()->set_epoch(2);
    alice.apply(record);
    const wire::Transfers again = transfers_of({{1, 700}});
    alice.receive(again, 2);
    alice.sign({old, stretch(4, 6)}, 1);
    CHECK_FALSE(alice.is_covered());
    alice.sign({again}, 2);
    CHECK(alice.is_covered());
}

TEST_CASE("proofs: of an older epoch a message counts only for what was credited from it") {
    ProofsOfAlice alice;
    const wire::Transfers whole = stretch(1, 2);
    const wire::Transfers half = stretch(3, 4);
    alice.receive(whole);
    alice.credit(transfers_of({{3, 3}}));  // 4 was held back
    alice.arrives(half);
    State::Record record;
    record.mutable_epoch_known()->set_peer("bob");
    record.mutable_epoch_known()->set_epoch(2);
    alice.apply(record);
    alice.proofs.on_epoch_raised(alice.peer());
    const wire::Transfers again = transfers_of({{4, 4}});
    alice.receive(again, 2);
    alice.sign({whole, half}, 1);
    CHECK(alice.proofs.not_signed(alice.context.state.take_checkpoint(), "bob") == "transfers 3-4");
    const wire::Transfers third = transfers_of({{3, 3}});
    alice.arrives(third, 2);
    alice.sign({third, again}, 2);
    CHECK(alice.is_covered());
}

TEST_CASE("proofs: evidence is complete, proves what it says, and comes in pieces") {
    ProofsOfAlice alice;
    constexpr uint64_t kLabels = 3'000;
    for (uint64_t label = 1; label <= kLabels; label += 3) {
        // Each message has a label in the middle of those of the next.
        std::vector<wire::Transfers> messages{
            transfers_of({{label, label}, {label + 2, label + 2}}),
            transfers_of({{label + 1, label + 1}})};
        alice.receive(messages[0]);
        alice.receive(messages[1]);
        alice.sign(messages);
    }
    alice.begin();
    const wire::Transfers later = stretch(kLabels + 1, kLabels + 5);
    alice.receive(later);
    alice.sign({later});
    alice.undo();
    REQUIRE(alice.proofs.covers(alice.context.state.take_checkpoint()));

    IntervalSet all;
    uint64_t above = 0;
    int pieces = 0;
    for (bool more = true; more; ++pieces) {
        const wire::Evidence evidence = alice.evidence(above);
        CHECK(evidence.peer() == "bob");
        CHECK(evidence.above() == above);
        CHECK(evidence.ByteSizeLong() <
              limits::kMaxEvidenceBytes + limits::kMaxEvidenceOverrun + 1'000);
        const IntervalSet labels = alice.proven(evidence);
        REQUIRE_FALSE(labels.empty());
        for (const auto& interval : labels.intervals()) {
            all.add(interval.first, interval.last, [](uint64_t, uint64_t) {});
        }
        above = labels.highest().value();
        more = evidence.more();
        REQUIRE(pieces < 1'000);
    }
    CHECK(pieces > 1);
    CHECK(all == set_of({{1, kLabels}}));  // and not what came later
    CHECK(alice.evidence(kLabels + 5).items_size() == 0);
}

TEST_CASE("proofs: the bank may ask for what has just been rolled back") {
    ProofsOfAlice alice;
    const wire::Transfers message = stretch(1, 3);
    alice.receive(message);
    alice.sign({message});
    alice.begin();
    alice.undo();
    alice.roll_back(2);
    CHECK(alice.proven(alice.evidence()) == set_of({{1, 3}}));
    alice.pass(timing::kEvidenceLife);
    alice.proofs.on_timer();
    CHECK(alice.evidence().items_size() == 0);
}

TEST_CASE("proofs: what nobody signs takes no memory in what is kept") {
    ProofsOfAlice alice;
    const std::string unknown("\xfa\x07\x05hello", 8);  // field 127
    wire::Transfers message;
    REQUIRE(message.ParseFromString(stretch(1, 5).SerializeAsString() + unknown));
    REQUIRE(message.ByteSizeLong() > stretch(1, 5).ByteSizeLong());
    alice.receive(message);
    const wire::Signed clean = word_of(alice.bob, "bob", {stretch(1, 5)});
    wire::Signed word;
    REQUIRE(word.ParseFromString(clean.SerializeAsString() + unknown));
    alice.proofs.on_signed(alice.peer(), word);
    CHECK(alice.is_covered());
    const wire::Evidence evidence = alice.evidence();
    REQUIRE(evidence.items_size() == 1);
    CHECK(evidence.items(0).transfers(0).SerializeAsString() == stretch(1, 5).SerializeAsString());
    CHECK(evidence.items(0).signed_().SerializeAsString() == clean.SerializeAsString());
    // Nor do words of the wrong size.
    wire::Signed large = word_of(alice.bob, "bob", {stretch(6, 7)});
    large.add_digests(std::string(100'000, 'x'));
    alice.proofs.on_signed(alice.peer(), large);
    alice.receive(stretch(6, 7));
    CHECK_FALSE(alice.is_covered());
}

TEST_CASE("proofs: messages of one word are given with the word once") {
    ProofsOfAlice alice;
    for (const auto& message : {stretch(1, 2), stretch(3, 3), stretch(4, 6), stretch(7, 7)}) {
        alice.receive(message);
    }
    alice.sign({stretch(1, 2), stretch(3, 3), stretch(4, 6)});
    alice.sign({stretch(7, 7)});
    const wire::Evidence all = alice.evidence();
    REQUIRE(all.items_size() == 2);
    CHECK(all.items(0).transfers_size() == 3);
    CHECK(all.items(1).transfers_size() == 1);
    CHECK(alice.proven(all) == set_of({{1, 7}}));
    const wire::Evidence rest = alice.evidence(3);
    REQUIRE(rest.items_size() == 2);
    CHECK(rest.items(0).transfers_size() == 1);
    CHECK(alice.proven(rest) == set_of({{4, 7}}));
}

TEST_CASE("proofs: in clear everything is covered and nothing is kept") {
    ProofsOfAlice alice(true);
    const wire::Transfers message = stretch(1, 5);
    alice.receive(message);
    CHECK(alice.is_covered());
    alice.sign({message});
    CHECK(alice.proofs.unsigned_messages() == 0);
    CHECK(alice.proofs.proven_messages() == 0);
    CHECK_FALSE(alice.proofs.next_wake().has_value());
    CHECK(alice.evidence().items_size() == 0);
}

TEST_CASE("proofs: a set without another") {
    const IntervalSet set = set_of({{1, 10}, {20, 30}, {40, 40}});
    CHECK(without(set, {}) == set);
    CHECK(without({}, set).empty());
    CHECK(without(set, set).empty());
    CHECK(without(set, set_of({{3, 5}, {10, 22}, {29, 50}})) == set_of({{1, 2}, {6, 9}, {23, 28}}));
    CHECK(without(set, set_of({{2, 2}, {4, 4}, {40, 41}})) ==
          set_of({{1, 1}, {3, 3}, {5, 10}, {20, 30}}));
}
