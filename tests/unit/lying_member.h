// A cohort in which bob, a member with a key of his own, does not keep to the protocol: alice's
// program is the real one, the bank and carol are honest.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/cohort_world.h"

namespace p2pbank {

struct LyingMember : CohortWorld {
    const std::string none = std::string(64, 'x');

    OperationId id_of(const std::string& initiator, uint64_t counter, std::string word) const {
        return {initiator, 1, counter, std::move(word)};
    }
    // As its initiator signs it.
    OperationId begun_by(const Played& who, uint64_t counter, wire::OperationKind kind) const {
        OperationId id = id_of(who.name, counter, "");
        id.word = sign_operation(&who.identity, id, kind);
        return id;
    }
    void request(Played& who, const OperationId& id, wire::OperationKind kind, uint64_t label,
                 uint64_t next_epoch = 2) {
        wire::Datagram message;
        if (kind == wire::OPERATION_CHECKPOINT) {
            auto* checkpoint = message.mutable_checkpoint_request();
            to_wire(id, checkpoint->mutable_operation());
            checkpoint->set_label(label);
            checkpoint->set_deadline_ms(3'000);
        } else {
            auto* rollback = message.mutable_rollback_request();
            to_wire(id, rollback->mutable_operation());
            rollback->set_label(label);
            rollback->set_next_epoch(next_epoch);
            rollback->set_deadline_ms(3'000);
        }
        say(who, message);
    }
    void say_outcome(Played& who, const OperationId& id, bool commit, const std::string& word) {
        wire::Datagram message;
        to_wire(id, message.mutable_outcome()->mutable_operation());
        message.mutable_outcome()->set_commit(commit);
        message.mutable_outcome()->set_word(word);
        say(who, message);
        // And as if it were the bank.
        wire::Datagram as_bank;
        *as_bank.mutable_decision() = message.outcome();
        say(who, as_bank);
    }
    std::string word_of_bank(const OperationId& id, bool commit) {
        return sign_decision(&world.bank().identity, id, commit);
    }
    void begun(const OperationId& id) {
        wire::Datagram message;
        to_wire(id, message.mutable_operation_begun()->mutable_operation());
        message.mutable_operation_begun()->set_accepted(true);
        REQUIRE(world.say(world.bank(), message));
    }
    // The bank says so, and alice follows.
    void decided(const OperationId& id, bool commit) {
        wire::OperationId wired;
        to_wire(id, &wired);
        decide(wired, commit);
    }
    // The bank keeps to itself what it decides; but it hears the questions.
    void silence_bank() {
        const auto before = world.bank().on_message;
        world.bank().on_message = [before](const wire::Datagram& message) {
            if (!message.has_decision_request()) before(message);
        };
    }
    void silence(Played& who) {
        who.on_message = [](const wire::Datagram&) {};
    }
    // Alice receives, and carol, who is honest, signs for it.
    void carol_pays(uint64_t first, uint64_t last) {
        send(carol, stretch(first, last));
        sign(carol, {stretch(first, last)});
    }

    size_t votes_heard(const Played& who, const OperationId& id) const {
        return count(who, [&](const wire::Datagram& d) {
            return d.has_vote() && from_wire(d.vote().operation()) == id;
        });
    }
    size_t queries(const OperationId& id) {
        return count(world.bank(), [&](const wire::Datagram& d) {
            return d.has_decision_query() && from_wire(d.decision_query().operation()) == id;
        });
    }
    size_t acknowledged(const OperationId& id) {
        return count(world.bank(), [&](const wire::Datagram& d) {
            return d.has_decision_ack() && from_wire(d.decision_ack().operation()) == id;
        });
    }
    const customer::Peer& peer(const Played& who) const { return state().peers.at(who.name); }
    int64_t cents() const { return state().totals.balance.cents(); }
    bool stopped() const { return world.effects.stopped != -1; }
};

}  // namespace p2pbank
