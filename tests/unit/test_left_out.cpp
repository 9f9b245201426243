// An initiator that lies about who took part in its rollback: whoever voted hears the same as the
// others, however late it asks.

#include <set>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

// Alice begins rollbacks of the cohort and names as participants whom she likes.
struct LyingInitiator {
    LyingInitiator() {
        world.make_cohort({"alice", "bob", "carol"});
        for (Process* process : {&alice, &bob, &carol}) REQUIRE(world.attach(*process, 1));
    }
    static OperationId id(uint64_t counter) { return {"alice", 1, counter}; }
    wire::OperationId signed_id(uint64_t counter) const {
        OperationId signed_one = id(counter);
        signed_one.word = sign_operation(&alice.identity, signed_one, wire::OPERATION_ROLLBACK);
        wire::OperationId out;
        to_wire(signed_one, &out);
        return out;
    }
    void begin(uint64_t counter) {
        wire::Datagram message;
        *message.mutable_operation_begin()->mutable_operation() = signed_id(counter);
        message.mutable_operation_begin()->set_kind(wire::OPERATION_ROLLBACK);
        world.say(alice, message);
    }
    void commit(uint64_t counter, const std::vector<std::string>& participants,
                const std::vector<const Process*>& voters) {
        CHECK(asks_for_commit(counter, participants, voters) == true);
    }
    std::optional<bool> asks_for_commit(uint64_t counter,
                                        const std::vector<std::string>& participants,
                                        const std::vector<const Process*>& voters) {
        begin(counter);
        wire::Datagram message;
        wire::DecisionRequest* request = message.mutable_decision_request();
        *request->mutable_operation() = signed_id(counter);
        request->set_kind(wire::OPERATION_ROLLBACK);
        for (const std::string& name : participants) request->add_participants(name);
        for (const Process* voter : voters) {
            wire::RolledBack* rolled = request->add_rolled_back();
            rolled->set_name(voter->name);
            rolled->set_epoch(2);
            rolled->set_word(
                sign_rollback_vote(&voter->identity, id(counter), voter->name, Epoch(2)));
        }
        return decision(world.say(alice, message));
    }
    void acknowledge(Process& from, uint64_t counter) {
        wire::Datagram message;
        to_wire(id(counter), message.mutable_decision_ack()->mutable_operation());
        world.say(from, message);
    }
    std::optional<bool> asks(Process& from, uint64_t counter,
                             wire::OperationKind kind = wire::OPERATION_ROLLBACK) {
        wire::Datagram message;
        *message.mutable_decision_query()->mutable_operation() = signed_id(counter);
        message.mutable_decision_query()->set_kind(kind);
        return decision(world.say(from, message));
    }
    // Whom the bank waits for, over all rollbacks that are committed.
    std::multiset<std::string> waiting_for() const {
        std::multiset<std::string> all;
        for (const auto& [id, commit] : world.state().committed) {
            if (commit.kind != wire::OPERATION_ROLLBACK) continue;
            all.insert(commit.unacked.begin(), commit.unacked.end());
        }
        return all;
    }
    static std::optional<bool> decision(const std::vector<wire::Datagram>& heard) {
        for (const wire::Datagram& message : heard) {
            if (message.has_decision()) return message.decision().commit();
        }
        return std::nullopt;
    }

    BankWorld world;
    Process& alice = world.customer("alice", 1, 9001);
    Process& bob = world.customer("bob", 2, 9002);
    Process& carol = world.customer("carol", 3, 9003);
};

}  // namespace

TEST_CASE("left out: who has voted is told, though the initiator does not name it") {
    LyingInitiator liar;
    liar.commit(1, {"alice"}, {&liar.alice, &liar.bob});
    liar.acknowledge(liar.alice, 1);
    const auto found = liar.world.state().committed.find(LyingInitiator::id(1));
    REQUIRE(found != liar.world.state().committed.end());
    CHECK(found->second.unacked.contains("bob"));
    liar.bob.heard.clear();
    liar.world.pass(seconds(5));
    CHECK(LyingInitiator::decision(liar.bob.heard) == true);
}

TEST_CASE("left out: a rollback is never answered with abort after others heard commit") {
    LyingInitiator liar;
    // Carol has voted, and shows up nowhere.
    liar.commit(1, {"alice", "bob"}, {&liar.alice, &liar.bob});
    CHECK(liar.asks(liar.carol, 1) == true);
    liar.acknowledge(liar.alice, 1);
    liar.acknowledge(liar.bob, 1);
    CHECK(liar.waiting_for().empty());
    CHECK(liar.asks(liar.carol, 1) == true);
    // A newer one of the same initiator, decided or not, changes nothing.
    liar.begin(2);
    CHECK(liar.asks(liar.carol, 1) == true);
    CHECK(liar.asks(liar.carol, 2) == false);
    liar.world.restart();
    CHECK(liar.asks(liar.carol, 1) == true);
    liar.world.restart_from_snapshot();
    CHECK(liar.asks(liar.carol, 1) == true);
    CHECK(liar.asks(liar.carol, 2) == false);
}

TEST_CASE("left out: old rollbacks are remembered up to a limit, and with their cohort") {
    LyingInitiator liar;
    for (uint64_t i = 1; i <= limits::kMaxRollbacksKnown + 5; ++i) {
        liar.commit(i, {"alice"}, {&liar.alice});
        liar.acknowledge(liar.alice, i);
    }
    CHECK(liar.world.state().rollbacks.size() == limits::kMaxRollbacksKnown);
    // What may have been committed long ago is not answered at all.
    CHECK_FALSE(liar.asks(liar.bob, 5).has_value());
    CHECK_FALSE(liar.asks(liar.bob, 5, wire::OPERATION_CHECKPOINT).has_value());
    CHECK_FALSE(liar.asks_for_commit(5, {"alice"}, {&liar.alice}).has_value());
    CHECK(liar.asks(liar.bob, 6) == true);
    CHECK(liar.asks(liar.bob, limits::kMaxRollbacksKnown + 6) == false);
    liar.world.type("delete-cohort alice --force");
    CHECK(liar.world.state().rollbacks.empty());
}

TEST_CASE("left out: nobody is waited for in more than one operation that it took part in") {
    LyingInitiator liar;
    for (uint64_t i = 1; i <= 20; ++i) {
        liar.commit(i, {"alice", "bob", "carol"}, {&liar.alice, &liar.bob});
    }
    const std::multiset<std::string> everybody{"alice", "bob", "carol"};
    CHECK(liar.waiting_for() == everybody);
    // What it was forgotten of is still answered.
    CHECK(liar.asks(liar.carol, 3) == true);
    liar.world.restart();
    CHECK(liar.waiting_for() == everybody);
}

TEST_CASE("left out: whoever is in no cohort begins operations of its own only") {
    LyingInitiator liar;
    Process& dave = liar.world.customer("dave", 4, 9004);
    // Alice leaves the cohort: she and dave are in none.
    liar.world.type("delete-cohort alice --force");
    for (Process* process : {&liar.alice, &liar.bob, &liar.carol}) {
        wire::Datagram message;
        message.mutable_cohort_ended_ack()->set_cohort(1);
        liar.world.say(*process, message);
    }
    liar.commit(1, {"alice", "bob", "dave"}, {&liar.alice, &dave});
    CHECK(liar.waiting_for() == std::multiset<std::string>{"alice"});
    CHECK(liar.world.account("dave").epoch == 0);
    // Of operations that concern nobody else the bank waits for their initiator, in the newest.
    for (uint64_t i = 2; i < 20; ++i) liar.commit(i, {"bob"}, {});
    CHECK(liar.waiting_for() == std::multiset<std::string>{"alice"});
    liar.acknowledge(liar.alice, 19);
    CHECK(liar.waiting_for().empty());
    CHECK_FALSE(liar.world.state().committed.contains(LyingInitiator::id(19)));
    liar.begin(20);
    CHECK_FALSE(liar.asks(dave, 20).has_value());
    CHECK(liar.world.state().undecided(LyingInitiator::id(20)) != nullptr);
    CHECK(liar.asks_for_commit(20, {"alice"}, {&liar.alice}) == true);
}
