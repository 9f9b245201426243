// Alice's program in a cohort with bob and carol, whom a test plays, and a bank that takes what is
// settled and decides as it is told.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "customer/timing.h"
#include "tests/unit/proof_helpers.h"

namespace p2pbank {

class CohortWorld {
  public:
    static CustomerSettings settings(bool insecure = false,
                                     StableMode stable = StableMode::journal) {
        CustomerSettings made = CustomerWorld::settings();
        made.insecure = insecure;
        made.stable = stable;
        return made;
    }

    explicit CohortWorld(const CustomerSettings& s = settings())
        : insecure(s.insecure),
          world(s),
          bob(world.add("bob", 10, Socket::peer, {0x7f000001, 9'010})),
          carol(world.add("carol", 12, Socket::peer, {0x7f000001, 9'020})) {
        const auto as_ever = world.bank().on_message;
        world.bank().on_message = [this, as_ever](const wire::Datagram& message) {
            as_ever(message);
            as_bank(message);
        };
        bob.on_message = [this](const wire::Datagram& message) { as_peer(bob, message); };
        carol.on_message = [this](const wire::Datagram& message) { as_peer(carol, message); };
        world.open("alice");
        world.join(1, world.signed_roster(world.roster_body(1, world.wall_ms())));
        REQUIRE(world.state().cohort == CohortId(1));
        joined = settled;
        settled.clear();
    }

    // What the peer sends goes in alice's and its own first epoch, if nothing else is said.
    void say(Played& who, wire::Datagram message) {
        message.set_cohort(1);
        if (message.epoch() == 0) message.set_epoch(1);
        if (message.receiver_epoch() == 0) {
            message.set_receiver_epoch(world.state().epoch.value());
        }
        REQUIRE(world.say(who, message));
    }
    void send(Played& who, const wire::Transfers& transfers) {
        wire::Datagram message;
        *message.mutable_transfers() = transfers;
        say(who, message);
    }
    void sign(Played& who, const std::vector<wire::Transfers>& messages) {
        wire::Datagram message;
        *message.mutable_signed_() = word_of(who.identity, who.name, messages);
        say(who, message);
    }
    void ask_to_sign(Played& who, const IntervalSet& labels) {
        wire::Datagram message;
        to_wire(labels, message.mutable_sign_request()->mutable_labels());
        say(who, message);
    }
    void request_checkpoint(Played& who, uint64_t counter, uint64_t label) {
        wire::Datagram message;
        auto* request = message.mutable_checkpoint_request();
        OperationId id{who.name, 1, counter};
        id.word =
            sign_operation(insecure ? nullptr : &who.identity, id, wire::OPERATION_CHECKPOINT);
        to_wire(id, request->mutable_operation());
        request->set_label(label);
        request->set_deadline_ms(3'000);
        say(who, message);
    }
    void request_freeze(uint64_t counter) {
        wire::Datagram message;
        auto* request = message.mutable_freeze_request();
        request->mutable_operation()->set_initiator("bank:cohort");
        request->mutable_operation()->set_epoch(1);
        request->mutable_operation()->set_counter(counter);
        request->set_cohort(1);
        request->set_deadline_ms(3'000);
        REQUIRE(world.say(world.bank(), message));
    }
    // The bank says so, until the customer has heard it.
    void decide(const wire::OperationId& id, bool commit) {
        wire::Datagram message;
        auto* decision = message.mutable_decision();
        *decision->mutable_operation() = id;
        decision->set_commit(commit);
        decision->set_kind(wire::OPERATION_CHECKPOINT);
        decision->set_word(
            sign_decision(insecure ? nullptr : &world.bank().identity, from_wire(id), commit));
        const auto is_open = [&] {
            return state().operation && state().operation->id == from_wire(id);
        };
        for (int i = 0; i < 5 && is_open(); ++i) {
            REQUIRE(world.say(world.bank(), message));
            world.run(milliseconds(100));
        }
        REQUIRE_FALSE(is_open());
    }
    void restart(StableMode stable = StableMode::journal) {
        CustomerSettings same = settings(insecure, stable);
        same.name = "alice";
        same.secret_seed = seed_of(static_cast<unsigned char>(60 + state().boots));
        same.bank_keys = insecure ? std::nullopt
                                  : std::optional<secure::PublicKeys>(world.bank().identity.keys());
        world.restart(same);
        world.run(milliseconds(100));  // it introduces itself
    }

    // How many of what somebody heard.
    template <class Is>
    static size_t count(const Played& who, Is&& is) {
        return static_cast<size_t>(std::count_if(who.heard.begin(), who.heard.end(), is));
    }
    static size_t sign_requests(const Played& who) {
        return count(who, [](const wire::Datagram& d) { return d.has_sign_request(); });
    }
    // The labels that somebody was sent, and those among them that are signed for.
    static IntervalSet sent_to(const Played& who) {
        IntervalSet out;
        for (const wire::Datagram& datagram : who.heard) {
            if (!datagram.has_transfers()) continue;
            for (const Transfer& transfer : read(datagram.transfers())) out.add(transfer.label);
        }
        return out;
    }
    IntervalSet signed_to(const Played& who) const {
        IntervalSet out;
        for (const wire::Datagram& datagram : who.heard) {
            if (!datagram.has_transfers()) continue;
            const std::string digest = transfers_digest(
                {"alice", who.name, CohortId(1), Epoch(datagram.epoch())}, datagram.transfers());
            for (const wire::Datagram& word : who.heard) {
                const auto& digests = word.signed_().digests();
                if (std::find(digests.begin(), digests.end(), digest) == digests.end()) continue;
                CHECK(is_signed_by(word.signed_(), world.keys().signing));
                for (const Transfer& transfer : read(datagram.transfers())) {
                    out.add(transfer.label);
                }
            }
        }
        return out;
    }
    const customer::State& state() const { return world.state(); }

    bool insecure;
    CustomerWorld world;
    Played& bob;
    Played& carol;
    std::vector<wire::Settle> joined;   // while the cohort was formed
    std::vector<wire::Settle> settled;  // each copy that the bank has heard since then
    size_t refused = 0;                 // settlements that alice refused
    std::string refused_code;
    size_t decision_requests = 0;
    bool bank_acknowledges = true;
    bool bank_commits = true;
    bool votes = true;        // the peers say yes
    bool hold_back = false;   // the peers agree to rollbacks, and have nothing to roll back
    bool acknowledge = true;  // the peers acknowledge what they are sent
    // The peers answer a SignRequest as they should, with what they have sent, packed anew.
    bool peers_sign = false;
    std::map<std::string, std::map<uint64_t, uint64_t>> sent;  // by peer: cents by label

  private:
    void reply(wire::Datagram message) {
        message.set_receiver("alice");
        message.set_receiver_instance(world.bank().heard.back().instance());
        world.bank().courier.send(world.now(), Socket::bank, kCustomerAt[0],
                                  insecure ? KeyBytes{} : world.keys().channel, message,
                                  world.bank().effects);
    }
    void as_bank(const wire::Datagram& heard) {
        wire::Datagram message;
        if (heard.has_settle()) {
            settled.push_back(heard.settle());
            if (!bank_acknowledges) return;
            *message.mutable_settle_ack()->mutable_operation() = heard.settle().operation();
            message.mutable_settle_ack()->set_accepted(true);
        } else if (heard.has_settle_refused()) {
            ++refused;
            refused_code = heard.settle_refused().code();
            return;
        } else if (heard.has_decision_request()) {
            ++decision_requests;
            auto* decision = message.mutable_decision();
            *decision->mutable_operation() = heard.decision_request().operation();
            decision->set_kind(heard.decision_request().kind());
            decision->set_commit(bank_commits);
            decision->set_word(sign_decision(insecure ? nullptr : &world.bank().identity,
                                             from_wire(heard.decision_request().operation()),
                                             bank_commits));
        } else {
            return;
        }
        reply(std::move(message));
    }
    void answer(Played& who, wire::Datagram message) {
        message.set_receiver("alice");
        message.set_cohort(1);
        message.set_epoch(1);
        message.set_receiver_epoch(1);
        who.courier.send(world.now(), Socket::peer, kCustomerAt[1],
                         insecure ? KeyBytes{} : world.keys().channel, message, who.effects);
    }
    void as_peer(Played& who, const wire::Datagram& heard) {
        wire::Datagram message;
        if (heard.has_epoch_notice()) {
            message.mutable_epoch_confirm()->set_epoch(heard.epoch());
            answer(who, std::move(message));
        } else if (heard.has_transfers() && acknowledge) {
            for (const Transfer& transfer : read(heard.transfers())) {
                received_[who.name].add(transfer.label);
            }
            to_wire(received_[who.name], message.mutable_ack()->mutable_received());
            answer(who, std::move(message));
        } else if (heard.has_checkpoint_request() && votes) {
            auto* vote = message.mutable_vote();
            *vote->mutable_operation() = heard.checkpoint_request().operation();
            vote->set_yes(true);
            answer(who, std::move(message));
        } else if (heard.has_rollback_request() && hold_back) {
            auto* vote = message.mutable_vote();
            *vote->mutable_operation() = heard.rollback_request().operation();
            vote->set_yes(true);
            vote->add_participants()->set_name(who.name);
            vote->mutable_participants(0)->set_holder(true);
            answer(who, std::move(message));
        } else if (heard.has_sign_request() && peers_sign) {
            sign_again(who, heard.sign_request());
        }
    }
    void sign_again(Played& who, const wire::SignRequest& request) {
        const auto labels = from_wire(request.labels());
        REQUIRE(labels.has_value());
        std::vector<wire::Transfers> messages;
        LabelsAndCents some;
        for (const auto& [label, cents] : sent[who.name]) {
            if (!labels->contains(Label(label))) continue;
            some.emplace_back(label, cents);
            if (some.size() < 3) continue;
            messages.push_back(transfers_of(std::exchange(some, {})));
        }
        if (!some.empty()) messages.push_back(transfers_of(some));
        if (messages.empty()) return;
        for (const wire::Transfers& transfers : messages) {
            wire::Datagram message;
            *message.mutable_transfers() = transfers;
            answer(who, std::move(message));
        }
        wire::Datagram message;
        *message.mutable_signed_() = word_of(who.identity, who.name, messages);
        answer(who, std::move(message));
    }

    std::map<std::string, IntervalSet> received_;  // by peer: what it has of alice
};

}  // namespace p2pbank
