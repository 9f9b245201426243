// A customer's account against a model of one: any sequence of commands, good and bad ones, and
// the balance and the answers are the model's.
#include <algorithm>
#include <map>
#include <ostream>
#include <rapidcheck/state.h>

#include <doctest/doctest.h>

#include "tests/unit/cohort_world.h"
#include "tests/unit/properties.h"

using namespace p2pbank;
using p2pbank::testing::holds;

namespace {

constexpr int64_t kMost = 1'000'000'000'000'000'000;  // of a sum, and four times that of a balance

// The bank account. Money is in cents; transfers stand in the order of their labels.
struct Sent {
    int64_t cents = 0;
    bool lost = false;
};
struct Books {
    int64_t balance = 100'00;
    int64_t deposits = 0;
    int64_t withdrawals = 0;
    std::map<std::string, std::vector<Sent>> sent;
    std::map<uint64_t, int64_t> from_bob;  // by label
};
struct Model {
    Books now;
    Books kept;  // of the permanent checkpoint
    bool journal = true;

    int64_t sent_to(const std::string& peer) const {
        const auto at = now.sent.find(peer);
        int64_t sum = 0;
        if (at == now.sent.end()) return sum;
        for (const Sent& one : at->second) sum += one.cents;
        return sum;
    }
    void roll_back() {
        now = kept;
        for (auto& [peer, all] : now.sent) {
            for (Sent& one : all) one.lost = false;  // they go out after all
        }
        kept = now;
    }
};

// Alice, and two peers and a bank that keep to the protocol.
struct Sut {
    Sut(bool insecure, StableMode mode)
        : stable(mode), cohort(CohortWorld::settings(insecure, mode)) {
        cohort.peers_sign = true;
        for (Played* who : {&cohort.bob, &cohort.carol}) {
            const auto before = who->on_message;
            who->on_message = [this, who, before](const wire::Datagram& heard) {
                if (!as_peer(*who, heard)) before(heard);
            };
        }
        const auto before = cohort.world.bank().on_message;
        cohort.world.bank().on_message = [this, before](const wire::Datagram& heard) {
            before(heard);
            if (!heard.has_operation_begin()) return;
            wire::Datagram message;
            auto* begun = message.mutable_operation_begun();
            *begun->mutable_operation() = heard.operation_begin().operation();
            begun->set_accepted(true);
            message.set_receiver("alice");
            message.set_receiver_instance(heard.instance());
            send(cohort.world.bank(), message);
        };
    }

    Answer type(const std::string& line) { return cohort.world.answer_to(line); }
    const customer::State& state() const { return cohort.state(); }

    // What is shown outside is what the model has.
    void require(const Model& model) {
        const customer::State& alice = state();
        RC_ASSERT(alice.adds_up());
        RC_ASSERT(alice.totals.balance.cents() == model.now.balance);
        RC_ASSERT(alice.totals.deposits.cents() == model.now.deposits);
        RC_ASSERT(alice.totals.withdrawals.cents() == model.now.withdrawals);
        RC_ASSERT(alice.permanent.totals.balance.cents() == model.kept.balance);
        RC_ASSERT(!alice.operation.has_value());
        for (const std::string name : {"bob", "carol"}) {
            const auto at = model.now.sent.find(name);
            const std::vector<Sent> sent =
                at == model.now.sent.end() ? std::vector<Sent>() : at->second;
            std::map<uint64_t, int64_t> to_arrive;
            for (size_t i = 0; i < sent.size(); ++i) {
                if (!sent[i].lost) to_arrive[i + 1] = sent[i].cents;
            }
            RC_ASSERT(alice.find_peer(name)->channel.sent_last.value() == sent.size());
            RC_ASSERT(alice.find_peer(name)->channel.sent_sum.cents() == model.sent_to(name));
            RC_ASSERT(arrived[name] == to_arrive);
        }
        int64_t received = 0;
        for (const auto& [label, cents] : model.now.from_bob) received += cents;
        const Channel& from_bob = alice.find_peer("bob")->channel;
        RC_ASSERT(from_bob.received.count() == model.now.from_bob.size());
        RC_ASSERT(from_bob.received_sum.cents() == received);
        const Answer said = type("balance");
        RC_ASSERT(said.text == "balance " + to_string(Money::from_cents(model.now.balance)));
    }

    StableMode stable;
    CohortWorld cohort;
    std::map<std::string, std::map<uint64_t, int64_t>> arrived;  // cents by label, at each peer

  private:
    void send(Played& who, wire::Datagram& message) {
        who.courier.send(
            cohort.world.now(), who.socket, kCustomerAt[static_cast<size_t>(who.socket)],
            cohort.insecure ? KeyBytes{} : cohort.world.keys().channel, message, who.effects);
    }
    // True for what is answered here and not by CohortWorld: what depends on the epoch.
    bool as_peer(Played& who, const wire::Datagram& heard) {
        auto& here = arrived[who.name];
        wire::Datagram message;
        if (heard.has_transfers()) {
            IntervalSet labels;
            for (const Transfer& transfer : read(heard.transfers())) {
                here.emplace(transfer.label.value(), transfer.amount.cents());
            }
            for (const auto& [label, cents] : here) labels.add(Label(label));
            to_wire(labels, message.mutable_ack()->mutable_received());
        } else if (heard.has_epoch_notice()) {
            message.mutable_epoch_confirm()->set_epoch(heard.epoch());
            message.mutable_epoch_confirm()->set_last_label(here.empty() ? 0
                                                                         : here.rbegin()->first);
        } else if (heard.has_rollback_request()) {
            // It has nothing to roll back but this, and the bank commits what it is asked to.
            if (cohort.bank_commits) {
                here.erase(here.upper_bound(heard.rollback_request().label()), here.end());
            }
            auto* vote = message.mutable_vote();
            *vote->mutable_operation() = heard.rollback_request().operation();
            vote->set_yes(true);
            vote->add_participants()->set_name(who.name);
            vote->mutable_participants(0)->set_holder(true);
        } else {
            return false;
        }
        message.set_receiver("alice");
        message.set_cohort(1);
        message.set_epoch(1);
        message.set_receiver_epoch(heard.epoch());
        send(who, message);
        return true;
    }
};

using Command = rc::state::Command<Model, Sut>;

// As it is typed, and what it means; nothing for what is no amount.
struct Amount {
    std::string text;
    std::optional<int64_t> cents;
};

// Often what is just possible or just too much: there are `all` to give, and `room` for more.
Amount any_amount(int64_t all, int64_t room) {
    const int kind = *rc::gen::weightedElement<int>({{12, 0}, {3, 1}, {2, 2}, {1, 3}, {3, 4}});
    if (kind == 0) {
        const auto cents = *rc::gen::inRange<int64_t>(1, 60'00);
        return {to_string(Money::from_cents(cents)), cents};
    }
    if (kind == 1) {
        return {*rc::gen::element<std::string>("0", "0.00", "-1", "1.234", "1e3", "x", "1,5",
                                               "1000000000000000.01"),
                std::nullopt};
    }
    if (kind == 2) {
        return *rc::gen::elementOf(std::vector<Amount>{{"007", 7'00}, {"1.5", 1'50}, {"0.01", 1}});
    }
    if (kind == 3) return {"1000000000000000", kMost / 10};
    const int64_t edge = *rc::gen::element(all, room) + *rc::gen::inRange<int64_t>(-1, 2);
    const int64_t cents = std::clamp<int64_t>(edge, 1, kMost / 10);
    return {to_string(Money::from_cents(cents)), cents};
}

// The code of a failure: empty if it is none.
template <bool deposit>
struct Cash : Command {
    explicit Cash(const Model& model)
        : amount(any_amount(model.now.balance, kMost - sum(model))),
          noted(*rc::gen::arbitrary<bool>()) {}

    Amount amount;
    bool noted;

    static int64_t sum(const Model& model) {
        return deposit ? model.now.deposits : model.now.withdrawals;
    }

    std::string code(const Model& model) const {
        if (!amount.cents) return "bad-amount";
        if (!deposit && model.now.balance < *amount.cents) return "overdraft";
        if (sum(model) + *amount.cents > kMost) return "limit";
        return deposit && model.now.balance > 4 * kMost - *amount.cents ? "limit" : "";
    }
    void apply(Model& model) const override {
        if (!code(model).empty()) return;
        model.now.balance += deposit ? *amount.cents : -*amount.cents;
        (deposit ? model.now.deposits : model.now.withdrawals) += *amount.cents;
    }
    void run(const Model& before, Sut& sut) const override {
        const Model after = this->nextState(before);
        const Answer said = sut.type(line());
        RC_ASSERT(said.code == code(before));
        if (said.code.empty()) {
            RC_ASSERT(said.text == verb() + " " + to_string(Money::from_cents(*amount.cents)) +
                                       " balance " +
                                       to_string(Money::from_cents(after.now.balance)));
        }
        sut.require(after);
    }
    std::string verb() const { return deposit ? "deposit" : "withdrawal"; }
    std::string line() const {
        return verb() + " " + amount.text + (noted ? " --note \"a b\"" : "");
    }
    void show(std::ostream& out) const override { out << line(); }
};

template <bool lost>
struct TransferTo : Command {
    explicit TransferTo(const Model& model)
        : to(*rc::gen::weightedElement<std::string>(
              {{8, "bob"}, {8, "carol"}, {1, "alice"}, {1, "dave"}, {1, "9x"}})),
          amount(any_amount(model.now.balance, kMost - model.sent_to(to))) {}

    std::string to;
    Amount amount;

    std::string code(const Model& model) const {
        if (!amount.cents) return "bad-amount";
        if (to == "9x") return "bad-name";
        if (to == "alice") return "self-transfer";
        if (to == "dave") return "not-in-your-cohort";
        if (model.now.balance < *amount.cents) return "overdraft";
        return model.sent_to(to) + *amount.cents > kMost ? "limit" : "";
    }
    void apply(Model& model) const override {
        if (!code(model).empty()) return;
        model.now.balance -= *amount.cents;
        model.now.sent[to].push_back({*amount.cents, lost});
    }
    void run(const Model& before, Sut& sut) const override {
        const Model after = this->nextState(before);
        const Answer said = sut.type(line());
        RC_ASSERT(said.code == code(before));
        if (said.code.empty()) {
            RC_ASSERT(said.outcome == Outcome::success);
            RC_ASSERT(said.text == verb() + " " + to_string(Money::from_cents(*amount.cents)) +
                                       " to " + to + " label " +
                                       std::to_string(after.now.sent.at(to).size()) + " balance " +
                                       to_string(Money::from_cents(after.now.balance)));
        }
        sut.require(after);
    }
    std::string verb() const { return lost ? "lost-transfer" : "transfer"; }
    std::string line() const { return verb() + " " + amount.text + " " + to; }
    void show(std::ostream& out) const override { out << line(); }
};

// Bob sends some labels, some of them again.
struct Receive : Command {
    uint64_t first = *rc::gen::inRange<uint64_t>(1, 12);
    uint64_t last = first + *rc::gen::inRange<uint64_t>(0, 5);

    void apply(Model& model) const override {
        for (uint64_t label = first; label <= last; ++label) {
            const auto cents = static_cast<int64_t>(label * 7);
            if (model.now.from_bob.emplace(label, cents).second) model.now.balance += cents;
        }
    }
    void run(const Model& before, Sut& sut) const override {
        LabelsAndCents transfers;
        for (uint64_t label = first; label <= last; ++label) {
            transfers.emplace_back(label, label * 7);
            sut.cohort.sent["bob"][label] = label * 7;
        }
        sut.cohort.send(sut.cohort.bob, transfers_of(transfers));
        sut.require(this->nextState(before));
    }
    void show(std::ostream& out) const override { out << "bob sends " << first << "-" << last; }
};

// A checkpoint or a rollback, of which the bank may say that it is none.
template <bool checkpoint>
struct Recover : Command {
    bool commit = *rc::gen::inRange(0, 4) != 0;

    void apply(Model& model) const override {
        if (!commit) return;
        if (checkpoint) {
            model.kept = model.now;
        } else {
            model.roll_back();
        }
    }
    void run(const Model& before, Sut& sut) const override {
        const Model after = this->nextState(before);
        const Epoch epoch = sut.state().epoch;
        sut.cohort.bank_commits = commit;
        const Answer said = sut.type(checkpoint ? "checkpoint" : "rollback");
        sut.cohort.bank_commits = true;
        RC_ASSERT((said.outcome == Outcome::success) == commit);
        RC_ASSERT((said.outcome == Outcome::failure) == !commit);
        RC_ASSERT((sut.state().epoch > epoch) == (commit && !checkpoint));
        sut.cohort.world.run(seconds(2));  // the peers hear of it, and what was lost arrives
        sut.require(after);
    }
    void show(std::ostream& out) const override {
        out << (checkpoint ? "checkpoint" : "rollback")
            << (commit ? "" : ", which the bank refuses");
    }
};

struct Restart : Command {
    void apply(Model& model) const override {
        if (!model.journal) model.roll_back();
    }
    void run(const Model& before, Sut& sut) const override {
        sut.cohort.restart(sut.stable);
        // The peers follow, and what is on its way to them arrives again.
        for (int i = 0; i < 100 && (sut.state().recovering || sut.state().operation); ++i) {
            sut.cohort.world.run(milliseconds(100));
        }
        RC_ASSERT(!sut.state().recovering);
        sut.cohort.world.run(seconds(2));
        sut.require(this->nextState(before));
    }
    void show(std::ostream& out) const override { out << "restart"; }
};

// The account is new, or at the edge of what it may hold, pay out or send.
void enrich(Model& model, Sut& sut) {
    const int how = *rc::gen::weightedElement<int>({{4, 0}, {1, 1}, {1, 2}, {1, 3}});
    const auto often = [&](const std::string& verb, const std::string& to) {
        for (int i = 0; i < 9; ++i) {
            RC_ASSERT(sut.type(verb + " 1000000000000000" + to).outcome == Outcome::success);
        }
    };
    constexpr int64_t much = kMost / 10;
    if (how == 0) return;
    often("deposit", "");
    model.now.deposits = 9 * much;
    if (how == 1) {
        model.now.balance += 9 * much;
    } else if (how == 2) {
        often("withdrawal", "");
        model.now.withdrawals = 9 * much;
    } else {  // 50.00 more may go to bob
        often("transfer", " bob");
        RC_ASSERT(sut.type("deposit 1000000000000000").outcome == Outcome::success);
        RC_ASSERT(sut.type("transfer 999999999999950 bob").outcome == Outcome::success);
        model.now.deposits += much;
        model.now.balance += 50'00;
        model.now.sent["bob"].assign(9, Sent{much, false});
        model.now.sent["bob"].push_back({much - 50'00, false});
    }
}

void any_commands(bool insecure, StableMode mode) {
    Sut sut(insecure, mode);
    Model model;
    model.journal = mode == StableMode::journal;
    enrich(model, sut);
    sut.require(model);
    rc::state::check(model, sut,
                     rc::state::gen::execOneOfWithArgs<Cash<true>, Cash<false>, TransferTo<false>,
                                                       TransferTo<false>, TransferTo<true>, Receive,
                                                       Recover<true>, Recover<false>, Restart>());
}

}  // namespace

TEST_CASE("properties: an account is what a model of it is, whatever is typed") {
    const auto every = [](bool insecure, StableMode mode) {
        return [=] { any_commands(insecure, mode); };
    };
    CHECK(holds("in clear, journal mode", {60, 60}, every(true, StableMode::journal)));
    CHECK(holds("in clear, checkpoint mode", {60, 60}, every(true, StableMode::checkpoint)));
    CHECK(holds("sealed, journal mode", {25, 40}, every(false, StableMode::journal)));
    CHECK(holds("sealed, checkpoint mode", {25, 40}, every(false, StableMode::checkpoint)));
}
