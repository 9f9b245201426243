// What a member of a cohort may say to the bank that is not true: bob lies, alice and carol keep
// to the protocol. The bank is the real one, and each datagram is sealed with its sender's key.
#include <functional>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

constexpr uint64_t kHuge = uint64_t{1} << 62;

struct LyingBob : BankWorld {
    LyingBob() {
        unsigned char seed = 0;
        for (const std::string name : {"alice", "bob", "carol", "dave"}) {
            ++seed;
            all_.emplace(name, &customer(name, seed, static_cast<uint16_t>(9'000 + seed)));
        }
        type("add-product lamp Lamp 10 5 light");
        make_cohort({"alice", "bob", "carol"});
    }
    Process& at(const std::string& name) { return *all_.at(name); }
    OperationId begun_by(const std::string& name, uint64_t counter, wire::OperationKind kind) {
        OperationId id{name, 1, counter, ""};
        id.word = sign_operation(&at(name).identity, id, kind);
        return id;
    }
    // The id of somebody's operation, with words that are not the word for that.
    std::vector<OperationId> forged(const std::string& name, uint64_t counter,
                                    wire::OperationKind kind) {
        const auto other = kind == wire::OPERATION_CHECKPOINT ? wire::OPERATION_ROLLBACK
                                                              : wire::OPERATION_CHECKPOINT;
        OperationId id{name, 1, counter, ""};
        std::vector<OperationId> all;
        for (const std::string& word :
             {std::string(), std::string(64, 'x'), sign_operation(&at("bob").identity, id, kind),
              begun_by(name, counter, other).word, begun_by(name, counter + 7, kind).word,
              sign_decision(&identity(), id, true)}) {
            id.word = word;
            all.push_back(id);
        }
        return all;
    }
    std::vector<wire::Datagram>& say_in_cohort(const std::string& who, wire::Datagram message) {
        message.set_cohort(who == "dave" ? 0 : 1);
        message.set_epoch(1);
        return say(at(who), std::move(message));
    }

    bool settles(const std::string& who, const OperationId& id) {
        wire::Statement made;
        made.set_bank(secure::to_bytes(identity().keys().signing));
        made.set_name(who);
        made.set_number(account(who).statements() + 1);
        made.set_previous(account(who).statement_digest());
        to_wire(id, made.mutable_operation());
        made.set_kind(wire::OPERATION_CHECKPOINT);
        made.set_cohort(account(who).cohort.value());
        made.set_epoch(1);
        to_wire(account(who).totals, made.mutable_totals());
        wire::Datagram message;
        to_wire(id, message.mutable_settle()->mutable_operation());
        message.mutable_settle()->set_kind(wire::OPERATION_CHECKPOINT);
        *message.mutable_settle()->mutable_statement() = sign_statement(&at(who).identity, made);
        for (const wire::Datagram& heard : say_in_cohort(who, message)) {
            if (heard.has_settle_ack()) return heard.settle_ack().accepted();
        }
        return false;
    }
    bool begins(const std::string& who, const OperationId& id) {
        wire::Datagram message;
        to_wire(id, message.mutable_operation_begin()->mutable_operation());
        message.mutable_operation_begin()->set_kind(wire::OPERATION_ROLLBACK);
        for (const wire::Datagram& heard : say_in_cohort(who, message)) {
            if (heard.has_operation_begun()) return heard.operation_begun().accepted();
        }
        return false;
    }
    static wire::RolledBack rolled(const std::string& name, uint64_t epoch, std::string word) {
        wire::RolledBack out;
        out.set_name(name);
        out.set_epoch(epoch);
        out.set_word(std::move(word));
        return out;
    }
    // What the bank says, if it says anything.
    std::optional<bool> asks_to_commit(const std::string& who, const OperationId& id,
                                       wire::OperationKind kind,
                                       const std::vector<std::string>& participants,
                                       const std::vector<wire::RolledBack>& rolled_back = {}) {
        wire::Datagram message;
        auto* request = message.mutable_decision_request();
        to_wire(id, request->mutable_operation());
        request->set_kind(kind);
        for (const std::string& name : participants) request->add_participants(name);
        for (const auto& one : rolled_back) *request->add_rolled_back() = one;
        return decision(id, say_in_cohort(who, message));
    }
    std::optional<bool> asks_about(const std::string& who, const OperationId& id,
                                   wire::OperationKind kind) {
        wire::Datagram message;
        to_wire(id, message.mutable_decision_query()->mutable_operation());
        message.mutable_decision_query()->set_kind(kind);
        return decision(id, say_in_cohort(who, message));
    }
    void acknowledges(const std::string& who, const OperationId& id) {
        wire::Datagram message;
        to_wire(id, message.mutable_decision_ack()->mutable_operation());
        say_in_cohort(who, message);
    }
    // A checkpoint of the two, in which carol is the initiator.
    bool checkpoint_of_carol(const OperationId& id) {
        return settles("carol", id) && settles("alice", id) &&
               asks_to_commit("carol", id, wire::OPERATION_CHECKPOINT, {"carol", "alice"}) == true;
    }
    void nobody_is_accused() {
        for (const bank::Account& one : state().accounts()) {
            if (one.details != nullptr) CHECK(one.details->accusations.empty());
        }
    }
    size_t kept() const { return effects.records.size(); }

  private:
    std::optional<bool> decision(const OperationId& id, const std::vector<wire::Datagram>& said) {
        for (const wire::Datagram& heard : said) {
            if (!heard.has_decision() || from_wire(heard.decision().operation()) != id) continue;
            CHECK(is_decision_signed(id, heard.decision().commit(), heard.decision().word(),
                                     identity().keys().signing));
            return heard.decision().commit();
        }
        return std::nullopt;
    }

    std::map<std::string, Process*> all_;
};

}  // namespace

TEST_CASE("lying member: the bank knows no operation that its initiator has not signed") {
    LyingBob world;
    const size_t kept = world.kept();
    for (const uint64_t counter : {uint64_t{1}, kHuge}) {
        for (const OperationId& id : world.forged("carol", counter, wire::OPERATION_CHECKPOINT)) {
            CHECK_FALSE(world.settles("bob", id));
            CHECK_FALSE(world.asks_about("bob", id, wire::OPERATION_CHECKPOINT));
        }
        for (const OperationId& id : world.forged("carol", counter, wire::OPERATION_ROLLBACK)) {
            CHECK_FALSE(world.asks_about("bob", id, wire::OPERATION_ROLLBACK));
        }
        // Nor begins one in her name, nor asks for its COMMIT, be it with her own word.
        for (const auto kind : {wire::OPERATION_CHECKPOINT, wire::OPERATION_ROLLBACK}) {
            const OperationId id = world.begun_by("carol", counter, kind);
            CHECK_FALSE(world.begins("bob", id));
            CHECK_FALSE(world.asks_to_commit("bob", id, kind, {"bob"}));
        }
    }
    CHECK(world.kept() == kept);
    CHECK(world.state().operations.count("carol") == 0);

    CHECK(world.checkpoint_of_carol(world.begun_by("carol", 1, wire::OPERATION_CHECKPOINT)));
    CHECK(world.account("carol").statements() == 1);
    CHECK(world.account("bob").statements() == 0);
    world.nobody_is_accused();
}

TEST_CASE("lying member: in an operation under way only those meddle who were asked to take part") {
    LyingBob world;
    const auto kind = wire::OPERATION_CHECKPOINT;
    const OperationId id = world.begun_by("carol", 1, kind);
    REQUIRE(world.settles("carol", id));
    const size_t kept = world.kept();
    for (const OperationId& guessed : world.forged("carol", 1, kind)) {
        // A settlement too many would make it void, and a question decides it.
        CHECK_FALSE(world.settles("bob", guessed));
        CHECK_FALSE(world.asks_about("bob", guessed, kind));
        CHECK_FALSE(world.asks_to_commit("bob", guessed, kind, {"carol"}));
    }
    CHECK(world.kept() == kept);
    CHECK(world.state().operations.at("carol").settlements.size() == 1);
    CHECK(world.settles("alice", id));
    CHECK(world.asks_to_commit("carol", id, kind, {"carol", "alice"}) == true);

    // A rollback, which nobody settles.
    const OperationId rollback = world.begun_by("carol", 2, wire::OPERATION_ROLLBACK);
    REQUIRE(world.begins("carol", rollback));
    for (const OperationId& guessed : world.forged("carol", 2, wire::OPERATION_ROLLBACK)) {
        CHECK_FALSE(world.asks_about("bob", guessed, wire::OPERATION_ROLLBACK));
    }
    CHECK(world.state().undecided(rollback) != nullptr);
    // Whoever was asked has her word, and asking makes it an ABORT: so nobody is blocked.
    CHECK(world.asks_about("alice", rollback, wire::OPERATION_ROLLBACK) == false);
    CHECK(world.asks_to_commit("carol", rollback, wire::OPERATION_ROLLBACK, {"carol"}) == false);
    world.nobody_is_accused();
}

TEST_CASE("lying member: whoever has settled is told, also when its initiator has another key") {
    LyingBob world;
    const OperationId id = world.begun_by("carol", 1, wire::OPERATION_CHECKPOINT);
    REQUIRE(world.settles("alice", id));
    OperationId without = id;
    without.word.clear();
    CHECK(world.asks_about("alice", without, wire::OPERATION_CHECKPOINT) == false);
}

TEST_CASE("lying member: nobody outside of the cohort meddles either") {
    LyingBob world;
    const OperationId id = world.begun_by("carol", 1, wire::OPERATION_CHECKPOINT);
    REQUIRE(world.settles("carol", id));
    // Dave, with her own word, from somebody who betrays it.
    CHECK_FALSE(world.settles("dave", id));
    CHECK_FALSE(world.asks_about("dave", id, wire::OPERATION_CHECKPOINT));
    CHECK(world.settles("alice", id));
    CHECK(world.asks_to_commit("carol", id, wire::OPERATION_CHECKPOINT, {"carol", "alice"}) ==
          true);
    world.nobody_is_accused();
}

TEST_CASE("lying member: an acknowledgement counts for whoever sends it, once") {
    LyingBob world;
    const OperationId id = world.begun_by("carol", 1, wire::OPERATION_CHECKPOINT);
    REQUIRE(world.checkpoint_of_carol(id));
    const auto unacked = [&] { return world.state().committed.at(id).unacked; };
    REQUIRE(unacked().size() == 2);
    const size_t kept = world.kept();
    world.acknowledges("bob", id);
    world.acknowledges("dave", id);
    CHECK(world.kept() == kept);
    CHECK(unacked().size() == 2);
    world.acknowledges("carol", id);
    world.acknowledges("carol", id);
    CHECK(unacked() == std::set<std::string, std::less<>>{"alice"});
    // Alice is told until she has heard it.
    world.at("alice").heard.clear();
    world.pass(seconds(1));
    const auto& heard = world.at("alice").heard;
    CHECK(std::any_of(heard.begin(), heard.end(), [&](const wire::Datagram& d) {
        return d.has_decision() && d.decision().commit() &&
               from_wire(d.decision().operation()) == id;
    }));
    world.nobody_is_accused();
}

TEST_CASE("lying member: nobody rolls another back without that one's vote") {
    LyingBob world;
    // Alice has bought something that no checkpoint covers: a rollback of hers would cancel it.
    wire::Datagram purchase;
    wire::Deal* deal = purchase.mutable_deal();
    deal->set_number(1);
    deal->set_kind(wire::DEAL_PURCHASE);
    deal->set_what("lamp");
    deal->set_quantity(1);
    deal->set_amount(10'00);
    REQUIRE(world.say_in_cohort("alice", purchase)[0].deal_reply().accepted());
    const auto pending = [&] { return world.state().business.deals_of("alice").pending.size(); };
    REQUIRE(pending() == 1);

    const auto kind = wire::OPERATION_ROLLBACK;
    const secure::Identity& alice = world.at("alice").identity;
    const secure::Identity& bob = world.at("bob").identity;
    const secure::Identity& dave = world.at("dave").identity;
    const OperationId older = world.begun_by("bob", 1, kind);
    uint64_t counter = 1;
    const auto rolls_back = [&](const auto& word_for) {
        const OperationId id = world.begun_by("bob", ++counter, kind);
        REQUIRE(world.begins("bob", id));
        CHECK(world.asks_to_commit(
                  "bob", id, kind, {"bob", "alice", "dave"},
                  {LyingBob::rolled("alice", 9, word_for(id)),
                   LyingBob::rolled("dave", 9, sign_rollback_vote(&dave, id, "dave", Epoch(9))),
                   LyingBob::rolled("bob", counter, "")}) == true);
        CHECK(world.account("bob").epoch == counter);
    };
    const OperationId of_carol = world.begun_by("carol", 2, kind);
    const std::vector<std::function<std::string(const OperationId&)>> words = {
        [](const OperationId&) { return std::string(); },
        [](const OperationId&) { return std::string(64, 'x'); },
        [&](const OperationId& id) { return sign_rollback_vote(&bob, id, "alice", Epoch(9)); },
        [&](const OperationId& id) { return sign_rollback_vote(&bob, id, "bob", Epoch(9)); },
        [&](const OperationId& id) { return sign_rollback_vote(&alice, id, "bob", Epoch(9)); },
        // Alice's own votes, for another operation and another epoch.
        [&](const OperationId&) { return sign_rollback_vote(&alice, older, "alice", Epoch(9)); },
        [&](const OperationId&) { return sign_rollback_vote(&alice, of_carol, "alice", Epoch(9)); },
        [&](const OperationId& id) { return sign_rollback_vote(&alice, id, "alice", Epoch(2)); },
        [&](const OperationId&) { return sign_epoch(&alice, "alice", CohortId(1), Epoch(9)); },
    };
    for (const auto& word_for : words) {
        rolls_back(word_for);
        CHECK(world.account("alice").epoch == 1);
        CHECK(world.account("dave").epoch == 0);
        CHECK(pending() == 1);
    }
    world.restart();
    CHECK(world.account("alice").epoch == 1);
    CHECK(pending() == 1);
    // What she has signed counts; dave is in another cohort, whatever he signs.
    rolls_back(
        [&](const OperationId& id) { return sign_rollback_vote(&alice, id, "alice", Epoch(9)); });
    CHECK(world.account("alice").epoch == 9);
    CHECK(pending() == 0);
    world.nobody_is_accused();
}

TEST_CASE("lying member: the bank signs nothing about its own operations before they exist") {
    LyingBob world;
    const std::string initiator = world.state().cohorts.begin()->second.operation.initiator;
    const size_t kept = world.kept();
    for (uint64_t boots = world.state().boots; boots <= world.state().boots + 1; ++boots) {
        for (const uint64_t ahead : {uint64_t{1}, uint64_t{2}, uint64_t{100}}) {
            const OperationId id{initiator, boots, world.state().counter + ahead, ""};
            // With it bob could undo at alice what the bank commits.
            CHECK_FALSE(world.asks_about("bob", id, wire::OPERATION_FREEZE));
        }
    }
    CHECK(world.kept() == kept);
    // What is over can never be decided otherwise.
    const OperationId over{initiator, 1, 0, ""};
    CHECK(world.asks_about("bob", over, wire::OPERATION_JOIN) == false);
    world.nobody_is_accused();
}
