// A bank, and processes that talk with it as a test plays them: each behind a Courier with an
// identity of its own, so that everything is introduced, sealed and opened as the programs do it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "bank/bank.h"
#include "tests/unit/people_helpers.h"
#include "tests/unit/recorded_effects.h"

namespace p2pbank {

inline constexpr Address kBankAddress{0x7f000001, 8'600};
inline constexpr uint32_t kLocal = 0x7f000001;

inline KeyBytes bank_seed(unsigned char first, unsigned char second = 0) {
    KeyBytes seed{};
    seed[0] = first;
    seed[1] = second;
    return seed;
}

// A customer's process.
struct Process {
    Process(std::string name_, uint64_t instance, unsigned char seed_, Address address_,
            bool sealed_)
        : name(std::move(name_)),
          address(address_),
          seed(seed_),
          sealed(sealed_),
          identity(bank_seed(seed, 1)) {
        begin(address, instance);
    }
    // A run of the program, which knows no sessions.
    void begin(Address at, uint64_t instance) {
        address = at;
        ++runs;
        courier.emplace(runs, sealed ? &identity : nullptr, bank_seed(seed, runs));
        courier->identify(name, instance);
    }
    // The name under which it goes on; an account's process counts its runs.
    void identify(const std::string& as, uint64_t instance) {
        name = as;
        courier->identify(as, instance);
    }
    std::string signing() const { return secure::to_bytes(identity.keys().signing); }

    std::string name;
    Address address;
    unsigned char seed;
    bool sealed;
    unsigned char runs = 1;
    secure::Identity identity;
    std::optional<Courier> courier;
    RecordedEffects effects;
    std::vector<wire::Datagram> heard;  // what the bank said, since the last say()
    uint64_t opener = 7;
    uint64_t session = 0;  // of the person who has signed in
    uint64_t counter = 0;
    uint64_t requests = 0;
    // How far the account's state is, as its process says when it asks to be bound.
    uint64_t epoch = 0;
    uint64_t statements = 0;
};

class BankWorld {
  public:
    static BankSettings settings(bool insecure = false) {
        BankSettings made;
        made.seed = 1;
        made.wall_offset_us = 1'795'000'000'000'000;
        made.secret_seed = bank_seed(31);
        made.key_seed = bank_seed(32);
        made.insecure = insecure;
        return made;
    }

    explicit BankWorld(bool insecure = false) : settings_(settings(insecure)) { start({}); }

    // The program is started again, with these records; its sessions are gone, at both ends.
    void start(const std::vector<std::string>& records) {
        effects = RecordedEffects();
        for (auto& process : processes_) {
            process->begin(process->address, process->courier->instance());
        }
        bank_ = std::make_unique<Bank>(settings_);
        for (const std::string& record : records) REQUIRE(bank_->replay(record).ok());
        effects.records = records;
        bank_->start(now, effects);
        turn();
    }
    void restart() { start(std::vector<std::string>(effects.records)); }
    void restart_from_snapshot() {
        std::vector<std::string> records;
        bank_->snapshot([&](std::string record) { records.push_back(std::move(record)); });
        start(records);
    }

    Process& add(const std::string& name, unsigned char seed, uint16_t port, uint32_t ip = kLocal,
                 uint64_t instance = 99) {
        processes_.push_back(std::make_unique<Process>(name, instance, seed, Address{ip, port},
                                                       !settings_.insecure));
        return *processes_.back();
    }

    // Says it, introduced first where that is needed, and hears the answers.
    std::vector<wire::Datagram>& say(Process& from, wire::Datagram message) {
        from.heard.clear();
        for (int i = 0; i < 20; ++i) {
            if (from.courier->send(now, Socket::bank, kBankAddress, key(), message, from.effects)) {
                deliver();
                return from.heard;
            }
            deliver();
            now += milliseconds(50);
        }
        FAIL("never introduced");
        return from.heard;
    }
    // Until nothing is on the wire.
    void deliver() {
        turn();
        for (bool any = true; any;) {
            any = false;
            for (auto& process : processes_) {
                auto sent = std::exchange(process->effects.sent, {});
                for (const auto& packet : sent) {
                    any = true;
                    bank_->on_datagram(now, Socket::bank, process->address, packet.bytes, effects);
                    turn();
                }
            }
            for (const auto& packet : std::exchange(effects.sent, {})) {
                any = true;
                for (auto& process : processes_) {
                    if (process->address == packet.to) receive(*process, packet.bytes);
                }
            }
        }
    }
    // Time passes, and the bank is called when it wants to be.
    void pass(Duration time) {
        const TimePoint end = now + time;
        for (auto wake = bank_->next_wake(); wake && *wake <= end; wake = bank_->next_wake()) {
            now = std::max(now, *wake);
            bank_->on_timer(now, effects);
            deliver();
        }
        now = end;
    }

    // --- what processes do

    wire::Reply open(Process& from, const std::string& name, uint64_t cents = 100'00) {
        wire::Datagram message;
        message.mutable_command()->set_request(++from.requests);
        wire::Open* open = message.mutable_command()->mutable_open();
        open->set_name(name);
        open->set_balance(cents);
        open->set_ip(from.address.ip);
        open->set_port1(from.address.port);
        open->set_port2(from.address.port + 100U);
        open->set_opener(from.opener);
        open->set_signing_key(from.signing());
        authorize(from, open);
        from.identify(name, 1);
        for (const wire::Datagram& heard : say(from, message)) {
            if (heard.has_reply()) return heard.reply();
        }
        FAIL("no reply to open");
        return {};
    }
    // An account opened by its process.
    Process& customer(const std::string& name, unsigned char seed, uint16_t port) {
        Process& made = add("", seed, port);
        REQUIRE(open(made, name).success());
        return made;
    }
    static wire::Datagram attach_message(const Process& from, const std::string& wanted = "") {
        wire::Datagram message;
        wire::Attach* attach = message.mutable_attach();
        attach->set_ip(from.address.ip);
        attach->set_port1(from.address.port);
        attach->set_port2(from.address.port + 100U);
        attach->set_opener(from.opener);
        attach->set_signing_key(from.signing());
        attach->set_wanted(wanted);
        return message;
    }
    // Of an account's process that closes it.
    static wire::Datagram exit_message() {
        wire::Datagram message;
        message.mutable_command()->set_request(50);
        message.mutable_command()->mutable_exit();
        return message;
    }
    std::optional<wire::AttachReply> attach(Process& from, uint64_t epoch = 0) {
        wire::Datagram message = attach_message(from);
        message.set_epoch(epoch);
        for (const wire::Datagram& heard : say(from, message)) {
            if (heard.has_attach_reply()) return heard.attach_reply();
        }
        return std::nullopt;
    }
    // A process without an account asks; the name that it is offered, or nothing.
    std::string offered(Process& from, const std::string& wanted = "") {
        for (const wire::Datagram& heard : say(from, attach_message(from, wanted))) {
            if (heard.has_account_offer()) return heard.account_offer().name();
        }
        return "";
    }
    // The whole way of a process without an account to one that it is offered.
    std::optional<wire::AttachReply> take_over(Process& from, const std::string& wanted = "") {
        const std::string name = offered(from, wanted);
        if (name.empty()) return std::nullopt;
        from.identify(name, 1);
        return attach(from);
    }
    Answer ask(Process& from, const std::vector<std::string>& words,
               const wire::Secrets* secrets = nullptr) {
        wire::Datagram message;
        wire::Ask* ask = message.mutable_ask();
        ask->set_nonce(++nonce_);
        for (const std::string& word : words) ask->add_words(word);
        if (secrets != nullptr) *ask->mutable_secrets() = *secrets;
        ask->set_signing_key(from.signing());
        ask->set_epoch(from.epoch);
        ask->set_statements(from.statements);
        authorize(from, ask);
        say(from, message);
        do_jobs();
        for (const wire::Datagram& heard : from.heard) {
            if (!heard.has_told() || heard.told().nonce() != nonce_) continue;
            if (heard.told().session() != 0) {
                from.session = heard.told().session();
                from.counter = 0;
            }
            Answer answer;
            answer.outcome = static_cast<Outcome>(heard.told().answer().outcome());
            answer.code = heard.told().answer().code();
            answer.text = heard.told().answer().text();
            for (const auto& line : heard.told().answer().lines()) answer.line(line);
            return answer;
        }
        FAIL("no answer");
        return {};
    }
    // Registers, verifies and signs in.
    void sign_in(Process& from, const std::string& email) {
        wire::Secrets secrets;
        secrets.set_name("Somebody");
        secrets.set_password(kPassword);
        if (bank_->state().business.people().find(email) == nullptr) {
            REQUIRE(ask(from, {"register", email}, &secrets).code.empty());
            const std::string code = bank_->state().business.people().find(email)->code;
            REQUIRE(ask(from, {"verify", code}).code.empty());
        }
        REQUIRE(ask(from, {"sign-in", email}, &secrets).code.empty());
        REQUIRE(from.session != 0);
    }

    // --- the bank

    Answer type(const std::string& line) {
        const CommandId id(++commands_);
        bank_->on_command(now, id, line, effects);
        deliver();
        for (int i = 0; i < 200 && !effects.answers.contains(id); ++i) pass(milliseconds(50));
        REQUIRE(effects.answers.contains(id));
        return effects.answers.at(id);
    }
    const bank::Account& account(const std::string& name) const {
        const bank::Account* found = bank_->state().find(name);
        REQUIRE(found != nullptr);
        return *found;
    }
    // The records of the journal of that kind.
    std::vector<bank::State::Record> records(bank::State::Record::KindCase kind) const {
        std::vector<bank::State::Record> found;
        for (const std::string& bytes : effects.records) {
            bank::State::Record record;
            REQUIRE(record.ParseFromString(bytes));
            if (record.kind_case() == kind) found.push_back(std::move(record));
        }
        return found;
    }
    // A cohort of these, as records would have made it.
    void make_cohort(const std::vector<std::string>& members) {
        bank::State::Record forming;
        auto* cohort = forming.mutable_cohort_forming();
        cohort->set_cohort(bank_->state().next_cohort);
        cohort->set_cohort_name("cohort-" + std::to_string(cohort->cohort()));
        for (const std::string& member : members) cohort->add_members(member);
        cohort->mutable_operation()->set_initiator("bank:" + cohort->cohort_name());
        cohort->mutable_operation()->set_epoch(bank_->state().boots);
        cohort->mutable_operation()->set_counter(bank_->state().counter + 1);
        bank::State::Record decided;
        *decided.mutable_decided()->mutable_operation() = cohort->operation();
        decided.mutable_decided()->set_kind(wire::OPERATION_JOIN);
        decided.mutable_decided()->set_commit(true);
        std::vector<std::string> all = effects.records;
        all.push_back(forming.SerializeAsString());
        all.push_back(decided.SerializeAsString());
        start(all);
    }

    Bank& bank() { return *bank_; }
    const bank::State& state() const { return bank_->state(); }
    KeyBytes key() const { return settings_.insecure ? KeyBytes{} : identity_.keys().channel; }
    const secure::Identity& identity() const { return identity_; }
    uint64_t now_ms() const {
        return static_cast<uint64_t>(now.time_since_epoch().count() + settings_.wall_offset_us) /
               1'000;
    }

    TimePoint now{};
    RecordedEffects effects;  // of the bank

  private:
    template <class Request>
    static void authorize(Process& from, Request* request) {
        if (from.session == 0) return;
        request->mutable_authority()->set_session(from.session);
        request->mutable_authority()->set_counter(++from.counter);
    }
    void turn() { bank_->end_of_turn(now, effects); }
    void do_jobs() {
        while (!effects.jobs.empty()) {
            auto job = std::move(effects.jobs.front());
            effects.jobs.erase(effects.jobs.begin());
            bank_->on_job(now, job.id, done(job.work), effects);
            deliver();
        }
    }
    void receive(Process& process, const std::string& bytes) {
        const auto arrival =
            process.courier->receive(now, Socket::bank, kBankAddress, bytes, process.effects);
        if (!arrival.message) return;
        CHECK(process.courier->received_from() == key());
        process.heard.push_back(process.courier->received());
        process.courier->end_of_turn(now, process.effects);
    }

    BankSettings settings_;
    secure::Identity identity_{settings_.key_seed};
    std::unique_ptr<Bank> bank_;
    std::vector<std::unique_ptr<Process>> processes_;
    uint64_t commands_ = 0;
    uint64_t nonce_ = 1'000;
};

}  // namespace p2pbank
