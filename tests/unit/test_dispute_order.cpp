// A dispute over transfers that their sender has put into messages in an order of its own.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/bundle_helpers.h"
#include "tests/unit/proofs_of_alice.h"

using namespace p2pbank;

namespace {

// What lies in a checkpoint of alice, who proves it to the bank: bob has sent it in messages of his
// own making, and lowers the sum that he settles by a cent.
struct Disputed {
    EvidenceWorld world;
    customer::ProofsOfAlice alice;
    uint64_t labels = 0;

    // Each message has a word that is large, and not that of the next message.
    explicit Disputed(const std::vector<wire::Transfers>& messages) {
        const secure::Identity& bob = world.open("bob", 1'000'000'00).identity;
        world.open("alice", 100'00);
        world.join(1, {"alice", "bob"});
        alice.peer("bob").keys = bob.keys();
        std::vector<std::vector<wire::Transfers>> signed_together(
            messages.size() / limits::kMaxDigestsInSigned + 1);
        std::map<uint64_t, int64_t> cents;
        for (size_t i = 0; i < messages.size(); ++i) {
            for (const Transfer& transfer : read(messages[i])) {
                cents[transfer.label.value()] = transfer.amount.cents();
            }
            alice.receive(messages[i]);
            signed_together[i % signed_together.size()].push_back(messages[i]);
        }
        for (const auto& some : signed_together) {
            alice.proofs.on_signed(alice.peer("bob"), word_of(bob, "bob", some));
        }
        REQUIRE(alice.is_covered());
        std::vector<int64_t> amounts;
        for (const auto& [label, amount] : cents) {
            REQUIRE(label == amounts.size() + 1);
            amounts.push_back(amount);
        }
        labels = amounts.size();
        world.send("bob", "alice", amounts);
        const auto lowered = [](wire::Statement& s) {
            s.mutable_channels(0)->set_sent_sum(s.channels(0).sent_sum() - 1);
            s.mutable_totals()->set_balance(s.totals().balance() + 1);
        };
        REQUIRE_FALSE(world.checkpoint({"alice", "bob"}, {{"bob", lowered}}));
        REQUIRE(world.context->state.decision(world.newest) == std::optional<bool>(false));
        REQUIRE(world.accusations().empty());
    }
    // Alice answers what the bank asks. That is above some label: what it does not wait for it
    // drops, so she answers for each of which it may be.
    void alice_proves() {
        IntervalSet shown;
        std::set<uint64_t> asked;
        for (int rounds = 0; rounds < 100 && world.accusations().empty(); ++rounds) {
            uint64_t missing = 1;
            while (shown.contains(Label(missing))) ++missing;
            for (const uint64_t above : {missing - 1, shown.highest().value()}) {
                if (!world.accusations().empty() || !asked.insert(above).second) continue;
                const wire::Evidence evidence = alice.evidence(above);
                world.give(world.newest, "alice", "bob",
                           {evidence.items().begin(), evidence.items().end()}, above,
                           evidence.more());
                for (const wire::SignedTransfers& item : evidence.items()) {
                    for (const wire::Transfers& message : item.transfers()) {
                        for (const Transfer& transfer : read(message)) shown.add(transfer.label);
                    }
                }
            }
        }
    }
};

}  // namespace

TEST_CASE("disputes: a sender that packs labels far apart brings nobody into a lie") {
    // The first message has the highest label too: what stands above that is nothing.
    std::vector<wire::Transfers> first{transfers_of({{1, 10'00}, {400, 10'00}})};
    for (uint64_t label = 2; label < 400; ++label) {
        first.push_back(transfers_of({{label, 10'00}}));
    }
    // Or each has a label that is far above.
    std::vector<wire::Transfers> each;
    for (uint64_t label = 1; label <= 400; ++label) {
        each.push_back(transfers_of({{label, 10'00}, {label + 400, 10'00}}));
    }
    for (const auto& messages : {first, each}) {
        Disputed disputed(messages);
        disputed.alice_proves();
        CHECK(disputed.world.accusations().empty());
        // It is bob who is found out, with more evidence than is kept.
        const std::string count = std::to_string(disputed.labels);
        const std::string lie = "bob lied: says that its " + count +
                                " new transfers to alice come to " +
                                std::to_string(disputed.labels * 10 - 1) + ".99 and signed " +
                                std::to_string(disputed.labels * 10) + " for " + count + " of them";
        const auto& notices = disputed.world.effects.notices;
        CHECK(std::count_if(notices.begin(), notices.end(), [&](const std::string& notice) {
                  return notice.starts_with(lie);
              }) == 1);
        CHECK(codes(disputed.world.bundle()).empty());
    }
}
