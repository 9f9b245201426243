// A customer under fuzzing: datagrams of the bank, of peers and of strangers, in clear and sealed,
// lines and secrets, records of its journal. After each event its account adds up. The bank is
// believed what it says of an account (docs/protocol.md), so its totals add up here, whatever else
// it says.
#include "tests/fuzz/customer_nodes.h"

#include "common/base/check.h"
#include "common/core/roster.h"
#include "customer/customer.h"
#include "tests/fuzz/messages.h"
#include "tests/fuzz/node_run.h"
#include "tests/fuzz/targets.h"

namespace p2pbank::fuzz {
namespace {

constexpr uint64_t kMostEvents = 64;
constexpr Address kBank{0x7f000001, 8'500};
constexpr uint64_t kBankRun = 3;

constexpr KeyBytes kBankSeed{2};
constexpr KeyBytes kOwnSeed{3};

// Of alice's peers: their identities.
KeyBytes seed_of(std::string_view name) {
    return KeyBytes{static_cast<unsigned char>(name.empty() ? 0 : name[0])};
}

CustomerSettings settings(StableMode mode, bool has_account, bool sealed) {
    CustomerSettings made;
    made.bank = kBank;
    made.own_ip = 0x7f000001;
    made.port1 = 9'001;
    made.port2 = 9'101;
    made.stable = mode;
    made.name = has_account ? "alice" : "";
    made.seed = 1;
    made.wall_offset_us = kWallOffset;
    made.secret_seed[0] = 1;
    made.key_seed = kOwnSeed;
    made.insecure = !sealed;
    made.key_folder = "keys";
    return made;
}

// Puts in the members' keys, and signs, as the bank does it.
void complete(wire::Roster& roster, bool sealed) {
    wire::RosterBody body;
    if (!body.ParseFromString(roster.body())) return;
    body.set_issued_ms(kWallOffset / 1'000);
    body.set_expires_ms(body.issued_ms() + kRosterLifeMs);
    for (wire::Member& member : *body.mutable_members()) {
        if (!sealed) continue;
        const secure::Identity identity(seed_of(member.name()));
        member.set_channel_key(secure::to_bytes(identity.keys().channel));
        member.set_signing_key(secure::to_bytes(identity.keys().signing));
    }
    const secure::Identity bank(kBankSeed);
    roster = sign_roster(sealed ? &bank : nullptr, body);
}

// What a customer in a sealed cohort has beside its journal in clear: the peers' keys.
std::string roster_record() {
    customer_records::Record record;
    auto* roster = record.mutable_roster();
    roster->set_issued_ms(kWallOffset / 1'000 - 1);
    roster->set_expires_ms(roster->issued_ms() + kRosterLifeMs);
    uint32_t port = 9'102;
    for (const char* name : {"bob", "carol", "dave"}) {
        const secure::Identity identity(seed_of(name));
        wire::Member* member = roster->add_members();
        member->set_name(name);
        member->set_ip(0x7f000001);
        member->set_port2(port++);
        member->set_channel_key(secure::to_bytes(identity.keys().channel));
        member->set_signing_key(secure::to_bytes(identity.keys().signing));
    }
    return record.SerializeAsString();
}

void sound(wire::Totals& totals) {
    const int64_t balance = std::max<int64_t>(0, totals.balance());
    totals.Clear();
    totals.set_balance(balance);
    totals.set_opening(balance);
}

// Where a peer is, is told again after each start, and not journalled.
std::vector<std::string> journalled_part(const Customer& customer) {
    std::vector<std::string> records = snapshot_of(customer);
    for (std::string& bytes : records) {
        customer_records::Record record;
        P2PBANK_CHECK(record.ParseFromString(bytes));
        for (auto& peer : *record.mutable_snapshot()->mutable_live()->mutable_peers()) {
            peer.mutable_member()->clear_ip();
            peer.mutable_member()->clear_port2();
        }
        bytes = record.SerializeAsString();
    }
    return records;
}

class CustomerRun {
  public:
    CustomerRun(Input& in, bool sealed)
        : sealed_(sealed),
          kind_(in.below(5)),
          mode_(kind_ == 2 || kind_ == 4 ? StableMode::checkpoint : StableMode::journal),
          customer_(new Customer(settings(mode_, kind_ != 0, sealed))),
          run_(std::unique_ptr<Node>(customer_),
               sealed ? secure::Identity(kOwnSeed).keys().channel : KeyBytes{}) {
        run_.heard = [this](NodeRun::Friend& who, const wire::Datagram& datagram) {
            remember(datagram, heard_[who.name]);
            remember(datagram, newest_);
        };
        auto records =
            kind_ == 0 ? std::vector<std::string>() : customer_journal(kind_ >= 3, mode_);
        if (sealed && kind_ >= 3) records.push_back(roster_record());
        run_.start(records);
        run_.add_friend("bank", kBankRun, Socket::bank, kBank, kBankSeed);
        uint16_t port = 9'102;
        for (const char* name : {"bob", "carol", "dave"}) {
            run_.add_friend(name, 1, Socket::peer, {0x7f000001, port++}, seed_of(name));
        }
        for (int i = 0; i < (sealed ? 10 : 1); ++i) run_.wait(seconds(1));
        check();
    }

    void event(Input& in) {
        const size_t whom = in.below(8);
        NodeRun::Friend& who = run_.friend_at(whom < 4 ? 0 : whom - 4);
        switch (in.below(10)) {
            case 0:
                run_.bytes(in.coin() ? Socket::bank : Socket::peer,
                           {0x7f000001, static_cast<uint16_t>(9'100 + in.below(8))}, in.piece());
                break;
            case 1: {
                wire::Datagram message;
                const std::string_view bytes = in.piece();
                if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) break;
                if (message.has_cohort_ended()) {
                    sound(*message.mutable_cohort_ended()->mutable_totals());
                }
                if (message.has_attach_reply()) {
                    sound(*message.mutable_attach_reply()->mutable_totals());
                }
                say(who, std::move(message));
                break;
            }
            case 2:
                run_.wait(milliseconds(1) * (1 << in.below(16)));
                break;
            case 3:
                type(in);
                break;
            case 4:
                run_.type_secrets(in);
                run_.end_job(in);
                break;
            default: {
                const Heard& heard = in.below(4) == 0 ? newest_ : heard_[who.name];
                wire::Datagram message = who.name == "bank"
                                             ? from_bank(in, heard, customer_->state().totals)
                                             : from_peer(in, heard);
                if (who.name == "bank" && in.below(16) != 0) {
                    if (message.has_roster()) complete(*message.mutable_roster(), sealed_);
                    if (message.has_cohort_started()) {
                        complete(*message.mutable_cohort_started()->mutable_roster(), sealed_);
                    }
                }
                message.set_epoch(in.below(4) == 0 ? in.number() : 1);
                message.set_receiver_epoch(in.below(16) == 0 ? in.number() : 1);
                message.set_cohort(in.below(16) == 0 ? in.number() : 1);
                say(who, std::move(message));
            }
        }
        check();
    }
    void type(std::string_view line, Input& in) {
        run_.type(line);
        answer_as_bank(in);
        run_.type_secrets(in);
        answer_as_bank(in);
        run_.end_job(in);
        check();
    }
    void settle_down() {
        for (int i = 0; i < 8 && !run_.stopped(); ++i) run_.wait(seconds(10));
        check();
    }

    void finish(std::string_view input) {
        // A fuzzer that has found the password out types it openly.
        if (input.find(kPassword) == std::string_view::npos) run_.check_secrets();
        Customer again(settings(mode_, kind_ != 0, sealed_));
        for (const std::string& record : run_.effects().records) {
            P2PBANK_CHECK(again.replay(record).ok());
        }
        // In checkpoint mode what is about money is not journalled as it happens.
        if (mode_ == StableMode::journal) {
            P2PBANK_CHECK(journalled_part(again) == journalled_part(*customer_));
        }
        const auto expected = snapshot_of(*customer_);
        Customer short_one(settings(mode_, kind_ != 0, sealed_));
        for (const std::string& record : expected) P2PBANK_CHECK(short_one.replay(record).ok());
        P2PBANK_CHECK(snapshot_of(short_one) == expected);
    }
    bool stopped() const { return run_.stopped(); }

  private:
    void say(NodeRun::Friend& who, wire::Datagram message) {
        const customer::State& state = customer_->state();
        message.set_receiver(state.phase == customer::Phase::none ? "" : state.name);
        message.set_receiver_instance(heard_["bank"].instance);
        run_.say(who, std::move(message));
    }
    // What the bank would say at once, so that a command gets beyond its first step.
    void answer_as_bank(Input& in) {
        wire::Datagram message;
        message.mutable_probe()->set_nonce(heard_["bank"].probe);
        message.mutable_probe()->set_answer(true);
        message.mutable_probe()->set_starting_balance(500'00);
        say(run_.friend_at(0), std::move(message));
        if (in.below(4) == 0) return;
        say(run_.friend_at(0), from_bank(in, heard_["bank"], customer_->state().totals));
    }
    void type(Input& in) {
        constexpr const char* kLines[] = {"open alice 500",
                                          "open alice 500 127.0.0.1 9001 9101",
                                          "deposit 10 --note \"a gift\"",
                                          "withdrawal 5",
                                          "transfer 3 bob",
                                          "lost-transfer 2 carol",
                                          "checkpoint",
                                          "rollback",
                                          "buy lamp-1 2",
                                          "pay Electricity 30",
                                          "loan 100 12",
                                          "repay 3 10",
                                          "sign-in ann@example.org",
                                          "register zoe@example.org",
                                          "passwd",
                                          "sign-out",
                                          "bind alice",
                                          "statement --csv",
                                          "history",
                                          "exit alice",
                                          "new-cohort alice 3",
                                          "delete-cohort alice --force",
                                          "products",
                                          "close",
                                          "status",
                                          "peers"};
        run_.type(in.below(4) == 0 ? in.piece() : std::string_view(in.pick(kLines)));
    }
    void check() const {
        const customer::State& state = customer_->state();
        if (state.has_account() && !state.restore_due) P2PBANK_CHECK(state.adds_up());
    }

    bool sealed_;
    size_t kind_;  // 0: without an account, 1 and 2: outside a cohort, 3 and 4: in one
    StableMode mode_;
    Customer* customer_;
    NodeRun run_;
    std::map<std::string, Heard> heard_;
    Heard newest_;
};

}  // namespace

namespace {

void messages(std::string_view input, bool sealed) {
    Input in(input);
    CustomerRun run(in, sealed);
    for (uint64_t events = 0; !in.empty() && !run.stopped() && events < kMostEvents; ++events) {
        run.event(in);
    }
    run.finish(input);
}

}  // namespace

void customer_messages(std::string_view input) {
    messages(input, false);
}

void customer_sealed(std::string_view input) {
    messages(input, true);
}

void customer_lines(std::string_view input) {
    Input in(input);
    CustomerRun run(in, false);
    Input choices(input);
    for (uint64_t lines = 0; !in.empty() && !run.stopped() && lines < kMostEvents; ++lines) {
        run.type(in.line(), choices);
    }
    run.settle_down();
    run.finish(input);
}

void customer_records(std::string_view input) {
    Input in(input);
    const size_t kind = in.below(4);
    const StableMode mode = kind == 1 ? StableMode::checkpoint : StableMode::journal;
    Customer customer(settings(mode, true, false));
    if (kind != 0) {
        for (const std::string& record : customer_journal(kind != 2, mode)) {
            P2PBANK_CHECK(customer.replay(record).ok());
        }
    }
    while (!in.empty()) {
        if (!customer.replay(in.piece())) return;
    }
    const auto records = snapshot_of(customer);
    NodeRun run(std::make_unique<Customer>(settings(mode, true, false)));
    run.start(records);
    for (const char* line : {"status", "balance", "peers", "history", "statement", "last"}) {
        run.type(line);
    }
    run.wait(seconds(1));
}

}  // namespace p2pbank::fuzz
