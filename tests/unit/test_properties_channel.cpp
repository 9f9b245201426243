// Two customers and the wire between them, which loses, doubles and reorders: against a list of
// what each has sent. Every transfer arrives once, and in the end all have.
#include <memory>
#include <ostream>
#include <rapidcheck/state.h>
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/customer_world.h"
#include "tests/unit/properties.h"

using namespace p2pbank;
using p2pbank::testing::holds;

namespace {

constexpr int64_t kOpening = 100'00;
const char* const kNames[] = {"alice", "bob"};
constexpr size_t kBoth[] = {0, 1};

// One program with its journal.
struct Member {
    explicit Member(CustomerSettings s) : settings(std::move(s)) { node.emplace(settings); }
    Address at(Socket socket) const {
        return {settings.own_ip, socket == Socket::bank ? settings.port1 : settings.port2};
    }
    KeyBytes key() const {
        return settings.insecure ? KeyBytes{} : secure::Identity(settings.key_seed).keys().channel;
    }

    CustomerSettings settings;
    std::optional<Customer> node;
    RecordedEffects effects;
    uint64_t commands = 0;
    std::map<CommandId, std::string> promised;  // of this run: how the answers will begin
};

// Alice, bob, a bank that has opened their accounts, and the wire between the two. What goes to the
// bank and comes from it arrives at once.
class Two {
  public:
    explicit Two(bool insecure)
        : bank_(2, insecure ? nullptr : &bank_identity_, seed_of(3)), insecure_(insecure) {
        bank_.identify("bank", 1);
        if (!insecure) bank_.answer_key_requests();
        for (const size_t i : kBoth) {
            CustomerSettings made = CustomerWorld::settings();
            made.port1 = static_cast<uint16_t>(9'001 + 100 * i);
            made.port2 = static_cast<uint16_t>(9'002 + 100 * i);
            made.seed = 1 + i;
            made.secret_seed = seed_of(static_cast<unsigned char>(50 + i));
            made.key_seed = seed_of(static_cast<unsigned char>(60 + i));
            made.insecure = insecure;
            members.push_back(std::make_unique<Member>(made));
            members[i]->node->start(now, members[i]->effects);
            turn(i);
            const CommandId id = type(i, "open " + std::string(kNames[i]) + " 100");
            for (int tries = 0; tries < 50 && !members[i]->effects.answers.contains(id); ++tries) {
                run(milliseconds(100));
            }
            REQUIRE(state(i).phase == customer::Phase::open);
        }
        for (const size_t i : kBoth) join(i);
        run_clean(seconds(2));  // the two introduce themselves to each other
    }

    CommandId type(size_t who, const std::string& line) {
        Member& member = *members[who];
        const CommandId id(++member.commands);
        member.node->on_command(now, id, line, member.effects);
        turn(who);
        return id;
    }
    // Time passes, and nothing arrives but what the bank says.
    void run(Duration time) {
        const TimePoint end = now + time;
        for (int i = 0; i < 100'000; ++i) {
            size_t next = 0;
            std::optional<TimePoint> first;
            for (size_t who = 0; who < members.size(); ++who) {
                const auto wake = members[who]->node->next_wake();
                if (wake && (!first || *wake < *first)) {
                    first = wake;
                    next = who;
                }
            }
            if (!first || *first > end) break;
            now = std::max(now, *first);
            members[next]->node->on_timer(now, members[next]->effects);
            turn(next);
        }
        now = end;
    }
    // Time passes, and everything arrives at once.
    void run_clean(Duration time) {
        for (const TimePoint end = now + time; now < end;) {
            for (int i = 0; i < 10'000 && !wire.empty(); ++i) deliver(0, false);
            run(milliseconds(5));
        }
    }
    void deliver(size_t at, bool again) {
        const RecordedEffects::Sent packet = wire[at];
        if (!again) wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(at));
        const size_t to = packet.to == members[0]->at(Socket::peer) ? 0 : 1;
        members[to]->node->on_datagram(now, Socket::peer, members[1 - to]->at(Socket::peer),
                                       packet.bytes, members[to]->effects);
        turn(to);
    }
    // Its program is started again with what is in its journal.
    void restart(size_t who) {
        Member& member = *members[who];
        member.settings.name = kNames[who];
        member.settings.secret_seed = seed_of(static_cast<unsigned char>(++runs_));
        if (!insecure_) member.settings.bank_keys = bank_identity_.keys();
        member.promised.clear();
        member.node.emplace(member.settings);
        for (const std::string& record : member.effects.records) {
            RC_ASSERT(member.node->replay(record).ok());
        }
        member.node->start(now, member.effects);
        turn(who);
    }
    const customer::State& state(size_t who) const { return members[who]->node->state(); }
    // Of what it has sent to the other and received from it.
    const Channel& channel(size_t who) const {
        return state(who).find_peer(kNames[1 - who])->channel;
    }

    std::vector<std::unique_ptr<Member>> members;
    std::vector<RecordedEffects::Sent> wire;  // between the two
    TimePoint now = TimePoint(seconds(1));

  private:
    void turn(size_t who) {
        Member& member = *members[who];
        member.node->end_of_turn(now, member.effects);
        for (bool any = true; any;) {
            any = false;
            for (auto& sent : std::exchange(member.effects.sent, {})) {
                any = true;
                if (sent.to == kBankAt) {
                    as_bank(who, sent.bytes);
                } else if (sent.from == Socket::peer) {
                    wire.push_back(std::move(sent));
                }
            }
            bank_.end_of_turn(now, from_bank_);
            for (const auto& sent : std::exchange(from_bank_.sent, {})) {
                any = true;
                member.node->on_datagram(now, Socket::bank, kBankAt, sent.bytes, member.effects);
                member.node->end_of_turn(now, member.effects);
            }
        }
    }
    void as_bank(size_t who, const std::string& bytes) {
        const Address from = members[who]->at(Socket::bank);
        if (!bank_.receive(now, Socket::bank, from, bytes, from_bank_).message) return;
        const wire::Datagram heard = bank_.received();
        wire::Datagram reply;
        if (heard.has_probe()) {
            reply.mutable_probe()->set_nonce(heard.probe().nonce());
            reply.mutable_probe()->set_answer(true);
        } else if (heard.has_attach() && !heard.sender().empty()) {
            reply.mutable_attach_reply()->set_known(true);
        } else if (heard.command().has_open()) {
            reply.mutable_reply()->set_request(heard.command().request());
            reply.mutable_reply()->set_success(true);
        } else if (heard.has_settle()) {
            *reply.mutable_settle_ack()->mutable_operation() = heard.settle().operation();
            reply.mutable_settle_ack()->set_accepted(true);
        } else {
            return;
        }
        reply.set_receiver(heard.sender());
        reply.set_receiver_instance(heard.instance());
        instance_[who] = heard.instance();
        bank_.send(now, Socket::bank, from, members[who]->key(), reply, from_bank_);
    }
    void join(size_t who) {
        wire::Datagram message;
        auto* request = message.mutable_join_request();
        request->mutable_operation()->set_initiator("bank:cohort");
        request->mutable_operation()->set_epoch(1);
        request->mutable_operation()->set_counter(1);
        request->set_cohort(1);
        request->set_cohort_name("cohort");
        request->set_deadline_ms(5'000);
        say(who, message);
        wire::Datagram started;
        *started.mutable_cohort_started()->mutable_operation() = request->operation();
        wire::RosterBody body;
        body.set_cohort(1);
        body.set_cohort_name("cohort");
        const auto wall = CustomerWorld::settings().wall_offset_us / 1'000;
        body.set_issued_ms(static_cast<uint64_t>(wall));
        body.set_expires_ms(static_cast<uint64_t>(wall) + kRosterLifeMs);
        for (const size_t i : kBoth) {
            const secure::PublicKeys keys = secure::Identity(members[i]->settings.key_seed).keys();
            wire::Member* member = body.add_members();
            member->set_name(kNames[i]);
            member->set_ip(members[i]->at(Socket::peer).ip);
            member->set_port2(members[i]->at(Socket::peer).port);
            member->set_epoch(1);
            if (insecure_) continue;
            member->set_channel_key(secure::to_bytes(keys.channel));
            member->set_signing_key(secure::to_bytes(keys.signing));
        }
        *started.mutable_cohort_started()->mutable_roster() =
            sign_roster(insecure_ ? nullptr : &bank_identity_, body);
        say(who, started);
        REQUIRE(state(who).cohort == CohortId(1));
    }
    void say(size_t who, wire::Datagram message) {
        message.set_receiver(kNames[who]);
        message.set_receiver_instance(instance_[who]);
        RC_ASSERT(bank_.send(now, Socket::bank, members[who]->at(Socket::bank), members[who]->key(),
                             message, from_bank_));
        turn(who);
    }

    const secure::Identity bank_identity_{seed_of(2)};
    Courier bank_;
    RecordedEffects from_bank_;
    uint64_t instance_[2] = {0, 0};
    bool insecure_;
    int runs_ = 70;
};

// What each has sent to the other, in the order of the labels: cents, and whether it was lost on
// purpose.
struct Model {
    std::vector<std::pair<int64_t, bool>> sent[2];
    int64_t sum(size_t who) const {
        int64_t sum = 0;
        for (const auto& one : sent[who]) sum += one.first;
        return sum;
    }
};

// Requires that every transfer has been received once at most, and `all` of them if so.
void require(const Model& model, const Two& two, bool all) {
    for (const size_t who : kBoth) {
        const Channel& from = two.channel(who);
        const Channel& to = two.channel(1 - who);
        RC_ASSERT(from.sent_last.value() == model.sent[who].size());
        RC_ASSERT(from.sent_sum.cents() == model.sum(who));
        int64_t received = 0;
        for (const auto& interval : to.received.intervals()) {
            for (uint64_t label = interval.first; label <= interval.last; ++label) {
                RC_ASSERT(label <= model.sent[who].size());
                const auto& [cents, lost] = model.sent[who][label - 1];
                RC_ASSERT(!lost);
                received += cents;
            }
        }
        RC_ASSERT(to.received_sum.cents() == received);
        const auto lost = std::count_if(model.sent[who].begin(), model.sent[who].end(),
                                        [](const auto& one) { return one.second; });
        if (all) {
            RC_ASSERT(to.received.count() + static_cast<uint64_t>(lost) == model.sent[who].size());
        }
        RC_ASSERT(two.state(who).totals.balance.cents() ==
                  kOpening - model.sum(who) + two.channel(who).received_sum.cents());
        RC_ASSERT(two.members[who]->effects.stopped == -1);
    }
}

using Command = rc::state::Command<Model, Two>;

template <bool lost>
struct TransferFrom : Command {
    size_t who = *rc::gen::inRange<size_t>(0, 2);
    int64_t cents = *rc::gen::inRange<int64_t>(1, 3'00);

    void checkPreconditions(const Model& model) const override {
        RC_PRE(model.sum(who) + cents < kOpening);  // whatever has arrived
    }
    void apply(Model& model) const override { model.sent[who].emplace_back(cents, lost); }
    void run(const Model& before, Two& two) const override {
        const CommandId id = two.type(who, line());
        two.members[who]->promised[id] = verb() + " to " + kNames[1 - who] + " label " +
                                         std::to_string(before.sent[who].size() + 1) + " balance ";
        require(this->nextState(before), two, false);
    }
    std::string line() const { return verb() + " " + kNames[1 - who]; }
    std::string verb() const {
        return std::string(lost ? "lost-transfer " : "transfer ") +
               to_string(Money::from_cents(cents));
    }
    void show(std::ostream& out) const override { out << kNames[who] << ": " << line(); }
};

// What happens to the datagrams on the wire, the oldest first or not.
struct OnWire : Command {
    enum What { arrive, arrive_and_stay, vanish };
    What what = *rc::gen::weightedElement<What>({{6, arrive}, {3, arrive_and_stay}, {3, vanish}});
    size_t which = *rc::gen::inRange<size_t>(0, 40);
    size_t count = *rc::gen::inRange<size_t>(1, 5);

    void run(const Model& model, Two& two) const override {
        for (size_t i = 0; i < count && !two.wire.empty(); ++i) {
            const size_t at = which % two.wire.size();
            if (what == vanish) {
                two.wire.erase(two.wire.begin() + static_cast<std::ptrdiff_t>(at));
            } else {
                two.deliver(at, what == arrive_and_stay);
            }
            require(model, two, false);
        }
    }
    void show(std::ostream& out) const override {
        out << count << " from " << which
            << (what == arrive   ? " arrive"
                : what == vanish ? " are lost"
                                 : " arrive, and again later");
    }
};

struct Wait : Command {
    int ms = *rc::gen::element(1, 20, 60, 300, 2'000);
    void run(const Model& model, Two& two) const override {
        two.run(milliseconds(ms));
        require(model, two, false);
    }
    void show(std::ostream& out) const override { out << "wait " << ms << " ms"; }
};

struct Restart : Command {
    size_t who = *rc::gen::inRange<size_t>(0, 2);
    void run(const Model& model, Two& two) const override {
        two.restart(who);
        two.run(milliseconds(1));
        require(model, two, false);
    }
    void show(std::ostream& out) const override { out << kNames[who] << " starts again"; }
};

void any_weather(bool insecure) {
    Two two(insecure);
    const Model nothing;
    const auto commands = *rc::state::gen::commands(
        nothing, rc::state::gen::execOneOfWithArgs<TransferFrom<false>, TransferFrom<false>,
                                                   TransferFrom<true>, OnWire, OnWire, OnWire, Wait,
                                                   Restart>());
    rc::state::runAll(commands, nothing, two);
    Model model;
    rc::state::applyAll(commands, model);
    two.run_clean(seconds(20));
    require(model, two, true);
    for (const size_t who : kBoth) {
        const Member& member = *two.members[who];
        for (const auto& [id, text] : member.promised) {
            const auto answer = member.effects.answers.find(id);
            RC_ASSERT(answer != member.effects.answers.end());
            RC_ASSERT(answer->second.outcome != Outcome::failure);  // it may have been late
            RC_ASSERT(answer->second.text.starts_with(text));
        }
        // And the channel goes on.
        two.type(who, "transfer 0.01 " + std::string(kNames[1 - who]));
        model.sent[who].emplace_back(1, false);
        two.run_clean(seconds(1));
        const auto& answers = two.members[who]->effects.answers;
        const auto last = answers.find(CommandId(two.members[who]->commands));
        RC_ASSERT(last != answers.end());
        RC_ASSERT(last->second.outcome == Outcome::success);
    }
    require(model, two, true);
}

}  // namespace

TEST_CASE("properties: every transfer arrives once, whatever becomes of the datagrams") {
    CHECK(holds("in clear", {60, 80}, [] { any_weather(true); }));
    CHECK(holds("sealed", {40, 80}, [] { any_weather(false); }));
}
