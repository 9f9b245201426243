// Who is accused when the two ends of a channel contradict each other, and who is not.
#include <doctest/doctest.h>

#include "tests/unit/evidence_world.h"

using namespace p2pbank;
using Texts = std::vector<std::string>;
using Change = EvidenceWorld::Change;

namespace {

// Alice, bob and carol in a cohort. Alice has sent bob transfers 1 and 2, of 10.00 and 20.00, and
// both have settled that; then 3 and 4, of 1.00 and 2.00, with `proof`.
struct Three : EvidenceWorld {
    wire::SignedTransfers proof;

    Three() {
        open("alice", 100'00);
        open("bob", 100'00);
        open("carol", 100'00);
        join(1, {"alice", "bob", "carol"});
        send("alice", "bob", {10'00, 20'00});
        REQUIRE(checkpoint({"bob", "alice"}));
        proof = send("alice", "bob", {1'00, 2'00});
    }
    // A checkpoint that is aborted. Nobody is accused before there is evidence.
    void contradict(const std::map<std::string, Change>& changes,
                    const std::vector<std::string>& names = {"bob", "alice"}) {
        CHECK_FALSE(checkpoint(names, changes));
        REQUIRE(context->state.decision(newest) == std::optional<bool>(false));
        CHECK(accusations().empty());
    }
    void bob_gives(const std::vector<wire::SignedTransfers>& items) {
        give(newest, "bob", "alice", items, 2);
    }
    bool says_cannot_tell() const {
        return std::any_of(effects.notices.begin(), effects.notices.end(), [](const auto& notice) {
            return notice.find("cannot tell who is wrong") != std::string::npos;
        });
    }
};

// With this added to what it has received from its only peer.
Change receives(uint64_t labels, int64_t cents) {
    return [labels, cents](wire::Statement& s) {
        REQUIRE(s.channels_size() == 1);
        wire::Channel& channel = *s.mutable_channels(0);
        channel.set_received(1, channel.received(1) + labels);
        channel.set_received_sum(channel.received_sum() + cents);
        s.mutable_totals()->set_balance(s.totals().balance() + cents);
    };
}
// With this added to what it has sent to its only peer.
Change sends(int64_t labels, int64_t cents) {
    return [labels, cents](wire::Statement& s) {
        REQUIRE(s.channels_size() == 1);
        wire::Channel& channel = *s.mutable_channels(0);
        channel.set_sent_last(channel.sent_last() + static_cast<uint64_t>(labels));
        channel.set_sent_sum(channel.sent_sum() + cents);
        s.mutable_totals()->set_balance(s.totals().balance() - cents);
    };
}

}  // namespace

TEST_CASE("disputes: a receiver that invents a transfer") {
    Three three;
    three.contradict({{"bob", receives(1, 5'00)}});
    three.bob_gives({three.proof});
    CHECK(three.accusations() == Texts{"bob: claims transfer 5 of alice that it cannot prove"});
}

TEST_CASE("disputes: a receiver that inflates an amount") {
    Three three;
    three.contradict({{"bob", receives(0, 5'00)}});
    three.bob_gives({three.proof});
    CHECK(three.accusations() ==
          Texts{"bob: claims that its new transfers of alice come to 8 and proves 3"});
}

TEST_CASE("disputes: a sender that denies a transfer") {
    Three three;
    three.contradict({{"alice", sends(-1, -2'00)}});
    three.bob_gives({three.proof});
    CHECK(three.accusations() == Texts{"alice: denies transfer 4 of 2 to bob that it signed"});
}

TEST_CASE("disputes: a sender that lowers an amount, or raises it") {
    for (const int64_t cents : {-50, 50}) {
        Three three;
        three.contradict({{"alice", sends(0, cents)}});
        three.bob_gives({three.proof});
        CHECK(three.accusations() ==
              Texts{std::string("alice: says that its 2 new transfers to bob come to ") +
                    (cents < 0 ? "2.50" : "3.50") + " and signed 3 for 2 of them"});
    }
}

TEST_CASE("disputes: a sender that lowers an amount while others are on their way") {
    // The last one leaves nothing for the transfer on its way, which is a cent at least.
    for (const char* said : {"2.50", "3"}) {
        Three three;
        three.send("alice", "bob", {4'00}, false);
        three.contradict({{"alice", sends(0, said == std::string("3") ? -4'00 : -4'50)}});
        three.bob_gives({three.proof});
        CHECK(three.accusations() == Texts{"alice: says that its 3 new transfers to bob come to " +
                                           std::string(said) + " and signed 3 for 2 of them"});
    }
}

TEST_CASE("disputes: a sender that signs one transfer with two amounts") {
    Three three;
    three.contradict({{"alice", sends(0, -50)}});
    three.bob_gives({three.proof, three.sign("alice", "bob", Three::transfers(4, {1'50}))});
    CHECK(three.accusations() == Texts{"alice: signed transfer 4 to bob as 1.50 and as 2"});
}

TEST_CASE("disputes: a sender that was left out") {
    Three three;
    three.contradict({}, {"bob"});
    SUBCASE("by a receiver that cannot prove what it claims") {
        three.bob_gives({});
        CHECK(three.accusations() == Texts{"bob: claims transfer 3 of alice that it cannot prove"});
    }
    SUBCASE("or it has left itself out: that cannot be told") {
        three.bob_gives({three.proof});
        CHECK(three.accusations().empty());
        CHECK(three.says_cannot_tell());
    }
}

TEST_CASE("disputes: a receiver that gives no evidence") {
    Three three;
    three.contradict({{"bob", receives(1, 5'00)}});
    three.wait(seconds(4));
    CHECK(three.accusations().empty());
    three.wait(seconds(2));
    CHECK(three.accusations() == Texts{"bob: was asked to prove what it claims of alice above "
                                       "transfer 2 and did not answer"});
    // Too late: it is over.
    three.bob_gives({three.proof});
    CHECK(three.accusations().size() == 1);
}

TEST_CASE("disputes: evidence that proves nothing") {
    Three three;
    three.contradict({{"bob", receives(1, 5'00)}});
    const wire::Transfers fifth = Three::transfers(5, {5'00});
    std::vector<wire::SignedTransfers> items{three.proof};
    SUBCASE("of another channel") {
        items.push_back(three.sign("alice", "carol", fifth));
    }
    SUBCASE("of the other direction") {
        items.push_back(three.sign("bob", "alice", fifth));
    }
    SUBCASE("signed by somebody else") {
        wire::SignedTransfers item = three.sign("alice", "bob", fifth);
        *item.mutable_signed_() =
            sign_transfers(three.at("bob").identity,
                           {item.signed_().digests().begin(), item.signed_().digests().end()});
        items.push_back(item);
    }
    SUBCASE("of another cohort") {
        three.at("alice").cohort = 2;
        items.push_back(three.sign("alice", "bob", fifth));
        three.at("alice").cohort = 1;
    }
    SUBCASE("of another message") {
        wire::SignedTransfers item = three.proof;
        *item.mutable_transfers(0) = fifth;
        items.push_back(item);
    }
    SUBCASE("no transfers") {
        wire::SignedTransfers item = three.proof;
        item.mutable_transfers(0)->add_gaps(7);
        items.push_back(item);
    }
    three.bob_gives(items);
    CHECK(three.accusations() == Texts{"bob: claims transfer 5 of alice that it cannot prove"});
}

TEST_CASE("disputes: with evidence of an older epoch nobody can tell who did not follow") {
    // A sender could otherwise bring an honest receiver into it by a new epoch that it tells only
    // the bank of.
    Three three;
    ++three.at("alice").epoch;
    three.contradict({{"alice", sends(-1, -2'00)}});
    three.bob_gives({three.proof});
    CHECK(three.accusations().empty());
    CHECK(three.says_cannot_tell());
}

TEST_CASE("disputes: what a permanent checkpoint of the sender covers is proven by any epoch") {
    Three three;
    REQUIRE(three.checkpoint({"alice"}));
    ++three.at("alice").epoch;
    const auto fifth = three.send("alice", "bob", {4'00});
    SUBCASE("the sender lies") {
        three.contradict({{"alice", sends(0, -1'00)}});
        three.bob_gives({three.proof, fifth});
        CHECK(three.accusations() == Texts{"alice: says that its 1 new transfers to bob come to 3 "
                                           "and signed 4 for 1 of them"});
    }
    SUBCASE("the receiver lies") {
        three.contradict({{"bob", receives(0, 5'00)}});
        three.bob_gives({three.proof, fifth});
        CHECK(three.accusations() ==
              Texts{"bob: claims that its new transfers of alice come to 12 and proves 7"});
    }
}

TEST_CASE("disputes: of what the sender has given up in a rollback only the new one counts") {
    Three three;
    // Transfer 4 was of 2.00, and is of 1.50 now.
    ++three.at("alice").epoch;
    three.at("alice").channels["bob"].sent_sum = Money::from_cents(32'50);
    three.at("alice").totals.balance = Money::from_cents(67'50);
    three.at("bob").channels["alice"].received_sum = Money::from_cents(32'50);
    three.at("bob").totals.balance = Money::from_cents(132'50);
    three.contradict({{"bob", receives(0, 5'00)}});
    three.bob_gives({three.proof, three.sign("alice", "bob", Three::transfers(3, {1'00, 1'50}))});
    CHECK(three.accusations() ==
          Texts{"bob: claims that its new transfers of alice come to 7.50 and proves 2.50"});
}

TEST_CASE("disputes: what the sender has sent since is no contradiction") {
    Three three;
    three.contradict({{"bob", receives(0, 5'00)}});
    const auto later = three.send("alice", "bob", {4'00});
    three.bob_gives({three.proof, later});
    CHECK(three.accusations() ==
          Texts{"bob: claims that its new transfers of alice come to 8 and proves 3"});
}

TEST_CASE("disputes: a contradiction that is older than the permanent checkpoints") {
    Three three;
    // Bob inflates transfer 3 while transfer 4 is on its way: the cut still fits.
    three.at("bob").channels["alice"].received = IntervalSet();
    three.at("bob").channels["alice"].received.add(1, 3, [](uint64_t, uint64_t) {});
    three.at("bob").channels["alice"].received_sum = Money::from_cents(32'00);
    three.at("bob").totals.balance = Money::from_cents(132'00);
    REQUIRE(three.checkpoint({"bob", "alice"}));
    three.at("bob").channels["alice"].received.add(Label(4));
    three.at("bob").channels["alice"].received_sum = Money::from_cents(34'00);
    three.at("bob").totals.balance = Money::from_cents(134'00);
    three.contradict({});
    three.give(three.newest, "bob", "alice", {three.proof}, 3);
    CHECK(three.accusations().empty());
    CHECK(three.says_cannot_tell());
}

TEST_CASE("disputes: evidence comes in pieces") {
    Three three;
    const auto more = three.send("alice", "bob", {3'00, 4'00});
    const auto last = three.send("alice", "bob", {5'00});
    three.contradict({{"alice", sends(-1, -5'00)}});
    three.give(three.newest, "bob", "alice", {three.proof}, 2, true);
    CHECK(three.accusations().empty());
    // A piece that was asked for before counts once.
    three.give(three.newest, "bob", "alice", {three.proof}, 2, true);
    three.wait(seconds(4));
    three.give(three.newest, "bob", "alice", {more}, 4, true);
    three.wait(seconds(4));
    CHECK(three.accusations().empty());
    three.give(three.newest, "bob", "alice", {last}, 6);
    CHECK(three.accusations() == Texts{"alice: denies transfer 7 of 5 to bob that it signed"});
}

TEST_CASE("disputes: pieces that do not go on are the last ones") {
    Three three;
    three.contradict({{"bob", receives(1, 5'00)}});
    three.give(three.newest, "bob", "alice", {}, 2, true);
    CHECK(three.accusations() == Texts{"bob: claims transfer 3 of alice that it cannot prove"});
}

TEST_CASE("disputes: whoever may have lost its proof is not accused") {
    Three three;
    SUBCASE("it was started again") {
        three.contradict({{"bob", receives(1, 5'00)}});
        ++three.at("bob").instance;
        three.attach(three.at("bob"));
        three.bob_gives({});
    }
    SUBCASE("it has another permanent checkpoint") {
        three.contradict({{"bob", receives(1, 5'00)}});
        const OperationId id = three.newest;
        REQUIRE(three.checkpoint({"bob", "alice"}));
        three.give(id, "bob", "alice", {}, 2);
    }
    SUBCASE("it has rolled back") {
        three.contradict({{"bob", receives(1, 5'00)}});
        ++three.at("bob").epoch;
        three.attach(three.at("bob"));
        three.bob_gives({});
    }
    SUBCASE("its cohort has ended") {
        three.contradict({{"bob", receives(1, 5'00)}});
        three.end_cohort(1, {"alice", "bob", "carol"}, true);
        three.bob_gives({});
    }
    three.wait(seconds(10));
    CHECK(three.accusations().empty());
}

TEST_CASE("disputes: honest customers are accused of nothing") {
    Three three;
    // Everything that may go on at once: transfers on their way, late ones, two directions.
    three.send("bob", "alice", {7'00}, false);
    three.send("alice", "carol", {1'00});
    CHECK(three.checkpoint({"bob", "alice"}));
    CHECK(three.checkpoint({"carol", "alice"}));
    CHECK(three.checkpoint({"bob"}));
    // Evidence that nobody has asked for.
    three.bob_gives({three.proof});
    three.wait(seconds(10));
    CHECK(three.accusations().empty());
    CHECK_FALSE(three.says_cannot_tell());
}

TEST_CASE("disputes: what was found out outlives the bank, and only so much is kept") {
    Three three;
    three.contradict({{"alice", sends(-1, -2'00)}});
    three.bob_gives({three.proof});
    const Texts before = three.accusations();
    three.restart();
    CHECK(three.accusations() == before);
    three.restart_from_snapshot();
    CHECK(three.accusations() == before);
    for (size_t i = 0; i < 2 * limits::kMaxAccusations; ++i) {
        const Change wrong = [i](wire::Statement& s) {
            s.mutable_totals()->set_deposits(-1 - static_cast<int64_t>(i));
        };
        CHECK_FALSE(three.checkpoint({"bob"}, {{"bob", wrong}}));
    }
    CHECK(three.account("bob").details->accusations.size() == limits::kMaxAccusations);
    const auto recorded = std::count_if(
        three.effects.records.begin(), three.effects.records.end(), [](const std::string& bytes) {
            bank::State::Record record;
            return record.ParseFromString(bytes) && record.has_accused();
        });
    CHECK(recorded == 1 + static_cast<int64_t>(limits::kMaxAccusations));
    CHECK(three.account("alice").details->accusations.size() == 1);
}
