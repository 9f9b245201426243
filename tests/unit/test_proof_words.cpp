// Words that are none, and strangers: what a customer's proofs make of what nobody who keeps to the
// protocol sends.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/proofs_of_alice.h"

using namespace p2pbank;
using namespace p2pbank::customer;

TEST_CASE("proofs: a word that is none proves nothing, and the right one counts behind it") {
    const std::function<void(wire::Signed&)> changes[] = {
        [](wire::Signed& word) { word.clear_digests(); },
        [](wire::Signed& word) { word.mutable_digests(0)->pop_back(); },
        [](wire::Signed& word) { word.mutable_digests(0)->push_back('x'); },
        [](wire::Signed& word) { word.add_digests(""); },
        [](wire::Signed& word) {
            const std::string digest = word.digests(0);
            for (size_t i = 0; i < limits::kMaxDigestsInSigned; ++i) word.add_digests(digest);
        },
        [](wire::Signed& word) { word.clear_signature(); },
        [](wire::Signed& word) { word.mutable_signature()->pop_back(); },
        [](wire::Signed& word) { word.mutable_signature()->push_back('x'); },
    };
    for (const auto& change : changes) {
        ProofsOfAlice alice;
        const wire::Transfers message = stretch(1, 3);
        const wire::Signed word = word_of(alice.bob, "bob", {message});
        wire::Signed none = word;
        change(none);
        // Neither before the message nor behind it.
        alice.proofs.on_signed(alice.peer(), none);
        alice.receive(message);
        CHECK_FALSE(alice.is_covered());
        alice.proofs.on_signed(alice.peer(), none);
        CHECK_FALSE(alice.is_covered());
        CHECK(alice.covered == 0);
        CHECK(alice.proofs.unsigned_messages() == 1);
        CHECK(alice.proofs.proven_messages() == 0);
        // Nobody was deaf for it.
        alice.proofs.on_signed(alice.peer(), word);
        CHECK(alice.is_covered());
        CHECK(alice.proven(alice.evidence()) == set_of({{1, 3}}));
    }
}

TEST_CASE("proofs: as many messages as one word may stand for are proven by it, and not one more") {
    for (const size_t count : {limits::kMaxDigestsInSigned, limits::kMaxDigestsInSigned + 1}) {
        ProofsOfAlice alice;
        std::vector<std::string> digests;
        std::string text;
        for (uint64_t label = 1; label <= count; ++label) {
            const wire::Transfers message = transfers_of({{label, 5}});
            alice.receive(message);
            digests.push_back(transfers_digest({"bob", "alice", CohortId(1), Epoch(1)}, message));
            text += digests.back();
        }
        wire::Signed word;
        for (const std::string& digest : digests) word.add_digests(digest);
        word.set_signature(alice.bob.sign(kTransfersLabel, text));
        alice.proofs.on_signed(alice.peer(), word);
        CHECK(alice.is_covered() == (count == limits::kMaxDigestsInSigned));
    }
}

TEST_CASE("proofs: of somebody who is no peer nothing is kept, and nothing is proven") {
    ProofsOfAlice alice;
    alice.receive(stretch(1, 3));
    alice.sign({stretch(1, 3)});
    REQUIRE(alice.is_covered());
    Peer dave = alice.peer();
    dave.name = "dave";
    wire::Transfers message = stretch(4, 6);
    const wire::Signed word = word_of(alice.bob, "dave", {message});
    alice.proofs.on_transfers(dave, Epoch(1), read(message), message);
    alice.proofs.on_signed(dave, word);
    alice.proofs.on_epoch_raised(dave);
    CHECK(alice.proofs.unsigned_messages() == 0);
    CHECK(alice.proofs.proven_messages() == 1);
    wire::EvidenceRequest request;
    to_wire(kOperationOfAlice, request.mutable_operation());
    request.set_peer("dave");
    request.set_above(3);
    const wire::Evidence evidence = alice.proofs.evidence(request);
    CHECK(evidence.items_size() == 0);
    CHECK_FALSE(evidence.more());
    CHECK(evidence.peer() == "dave");
    CHECK(evidence.above() == 3);
    CHECK(from_wire(evidence.operation()) == kOperationOfAlice);
    CHECK(alice.proofs.not_signed(alice.context.state.take_checkpoint(), "dave") == "transfers");
}

TEST_CASE("proofs: what is not signed is told in a few words") {
    const std::pair<LabelsAndCents, const char*> cases[] = {
        {{{7, 1}}, "transfer 7"},
        {{{1, 1}, {2, 1}, {3, 1}}, "transfers 1-3"},
        {{{1, 1}, {3, 1}, {4, 1}, {9, 1}}, "transfers 1, 3-4, 9"},
        {{{1, 1}, {3, 1}, {5, 1}, {7, 1}, {9, 1}}, "transfers 1, 3, 5, 7 and more"},
    };
    for (const auto& [labels, text] : cases) {
        ProofsOfAlice alice;
        alice.receive(transfers_of(labels));
        const Checkpoint checkpoint = alice.context.state.take_checkpoint();
        CHECK(alice.proofs.not_signed_by(checkpoint) == "bob");
        CHECK(alice.proofs.not_signed(checkpoint, "bob") == text);
    }
}
