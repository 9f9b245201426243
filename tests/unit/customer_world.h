// A customer, and the bank and peers as a test plays them: each behind a Courier of its own, so
// that everything is introduced, sealed and opened as the programs do it.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/core/roster.h"
#include "customer/customer.h"
#include "tests/unit/recorded_effects.h"

namespace p2pbank {

inline KeyBytes seed_of(unsigned char first) {
    KeyBytes seed{};
    seed[0] = first;
    return seed;
}

inline constexpr Address kBankAt{0x7f000001, 8'600};
inline constexpr Address kCustomerAt[] = {{0x7f000001, 9'001}, {0x7f000001, 9'002}};
inline constexpr uint64_t kHourMs = 60 * 60 * 1'000;

// Somebody who talks with the customer.
struct Played {
    Played(std::string name_, unsigned char seed, Socket socket_, Address address_, bool sealed)
        : name(std::move(name_)),
          socket(socket_),
          address(address_),
          identity(seed_of(seed)),
          courier(seed, sealed ? &identity : nullptr,
                  seed_of(static_cast<unsigned char>(seed + 1))) {
        courier.identify(name, 1);
        if (sealed && name == "bank") courier.answer_key_requests();
    }

    std::string name;
    Socket socket;  // of the customer, that it talks to
    Address address;
    secure::Identity identity;
    Courier courier;
    RecordedEffects effects;
    std::vector<wire::Datagram> heard;
    bool reachable = true;
    std::function<void(const wire::Datagram&)> on_message = [](const wire::Datagram&) {};
};

class CustomerWorld {
  public:
    static CustomerSettings settings() {
        CustomerSettings made;
        made.bank = kBankAt;
        made.own_ip = kCustomerAt[0].ip;
        made.port1 = kCustomerAt[0].port;
        made.port2 = kCustomerAt[1].port;
        made.seed = 1;
        made.wall_offset_us = 1'795'000'000'000'000;
        made.secret_seed = seed_of(41);
        made.key_seed = seed_of(42);
        made.key_folder = "state/banks";
        return made;
    }

    explicit CustomerWorld(const CustomerSettings& s = settings(), unsigned char bank_seed = 2)
        : settings_(s) {
        add("bank", bank_seed, Socket::bank, kBankAt);
        bank().on_message = [this](const wire::Datagram& message) { answer_as_bank(message); };
        customer_.emplace(settings_);
    }

    Played& add(const std::string& name, unsigned char seed, Socket socket, Address address) {
        played_.push_back(
            std::make_unique<Played>(name, seed, socket, address, !settings_.insecure));
        return *played_.back();
    }
    Played& bank() { return *played_.front(); }
    Played* find(const std::string& name) {
        for (const auto& played : played_) {
            if (played->name == name) return played.get();
        }
        return nullptr;
    }
    void remove(const std::string& name) {
        std::erase_if(played_, [&](const auto& played) { return played->name == name; });
    }
    // The bank's program is another one from now on, with another key or in the other mode.
    void replace_bank(unsigned char seed, bool sealed) {
        played_.front() = std::make_unique<Played>("bank", seed, Socket::bank, kBankAt, sealed);
        bank().courier.identify("bank", 2);
        bank().on_message = [this](const wire::Datagram& message) { answer_as_bank(message); };
    }

    void start() {
        customer_->start(now_, effects);
        turn();
    }
    // The program is started again, with what is in its journal.
    void restart(const CustomerSettings& s) {
        settings_ = s;
        customer_.emplace(settings_);
        for (const std::string& record : effects.records) REQUIRE(customer_->replay(record).ok());
        start();
    }
    // Opens an account of 100.00 with a bank that agrees.
    void open(const std::string& name) {
        start();
        CHECK(answer_to("open " + name + " 100").code.empty());
        REQUIRE(state().phase == customer::Phase::open);
    }
    // Makes alice a member of a cohort with these, as the bank would.
    void join(uint64_t cohort, const wire::Roster& roster) {
        wire::Datagram message;
        auto* request = message.mutable_join_request();
        request->mutable_operation()->set_initiator("bank:cohort");
        request->mutable_operation()->set_epoch(1);
        request->mutable_operation()->set_counter(cohort);
        request->set_cohort(cohort);
        request->set_cohort_name("cohort");
        request->set_deadline_ms(5'000);
        say(bank(), message);
        wire::Datagram started;
        *started.mutable_cohort_started()->mutable_operation() = request->operation();
        *started.mutable_cohort_started()->mutable_roster() = roster;
        say(bank(), started);
    }
    // A roster of the customer and the peers that were added, which the bank has signed.
    wire::RosterBody roster_body(uint64_t cohort, uint64_t issued_ms) const {
        wire::RosterBody body;
        body.set_cohort(cohort);
        body.set_cohort_name("cohort");
        body.set_issued_ms(issued_ms);
        body.set_expires_ms(issued_ms + kRosterLifeMs);
        const auto add_member = [&](const std::string& name, Address address,
                                    const secure::PublicKeys& keys) {
            wire::Member* member = body.add_members();
            member->set_name(name);
            member->set_ip(address.ip);
            member->set_port2(address.port);
            member->set_epoch(1);
            if (settings_.insecure) return;
            member->set_channel_key(secure::to_bytes(keys.channel));
            member->set_signing_key(secure::to_bytes(keys.signing));
        };
        add_member(state().name, kCustomerAt[1], keys());
        for (const auto& played : played_) {
            if (played->socket == Socket::peer) {
                add_member(played->name, played->address, played->identity.keys());
            }
        }
        return body;
    }
    wire::Roster signed_roster(const wire::RosterBody& body) {
        return sign_roster(settings_.insecure ? nullptr : &bank().identity, body);
    }
    void say_roster(const wire::Roster& roster) {
        wire::Datagram message;
        *message.mutable_roster() = roster;
        say(bank(), message);
    }

    // Says something to the customer; false if there is no way to it.
    bool say(Played& who, wire::Datagram message) {
        message.set_receiver(state().phase == customer::Phase::none ? "" : state().name);
        message.set_receiver_instance(who.heard.empty() ? 0 : who.heard.back().instance());
        for (int i = 0; i < 5; ++i) {
            const bool out = who.courier.send(now_, who.socket, at(who.socket),
                                              settings_.insecure ? KeyBytes{} : keys().channel,
                                              message, who.effects);
            deliver();
            if (out) {
                turn();
                return true;
            }
            run(milliseconds(200));
        }
        return false;
    }
    CommandId type(const std::string& line) {
        customer_->on_command(now_, CommandId(++commands_), line, effects);
        turn();
        return CommandId(commands_);
    }
    // Types it and waits, for 20 seconds at most.
    Answer answer_to(const std::string& line) {
        const CommandId id = type(line);
        for (int i = 0; i < 200 && !effects.answers.contains(id); ++i) run(milliseconds(100));
        REQUIRE(effects.answers.contains(id));
        return effects.answers.at(id);
    }
    void type_secrets(const std::vector<std::string>& texts) {
        REQUIRE_FALSE(effects.asked.empty());
        std::vector<Secret> typed;
        for (const std::string& text : texts) typed.emplace_back(text);
        customer_->on_typed(now_, effects.asked.back().command, std::move(typed), effects);
        turn();
    }
    void run(Duration time) {
        const TimePoint end = now_ + time;
        for (int i = 0; i < 100'000; ++i) {
            const auto wake = customer_->next_wake();
            if (!wake || *wake > end) break;
            now_ = std::max(now_, *wake);
            customer_->on_timer(now_, effects);
            turn();
        }
        now_ = end;
    }
    void datagram(Socket socket, Address from, std::string_view bytes) {
        customer_->on_datagram(now_, socket, from, bytes, effects);
        turn();
    }

    void job(JobId id, JobResult result) {
        customer_->on_job(now_, id, std::move(result), effects);
        turn();
    }

    // The clock of its machine is set.
    void set_wall_offset(int64_t us) {
        settings_.wall_offset_us = us;
        customer_->set_wall_offset(us);
    }

    const customer::State& state() const { return customer_->state(); }
    secure::PublicKeys keys() const { return secure::Identity(settings_.key_seed).keys(); }
    TimePoint now() const { return now_; }
    uint64_t wall_ms() const {
        return static_cast<uint64_t>((now_.time_since_epoch().count() + settings_.wall_offset_us) /
                                     1'000);
    }
    // How many notices have this in them.
    int noticed(const std::string& text) const {
        int count = 0;
        for (const std::string& notice : effects.notices) {
            if (notice.find(text) != std::string::npos) ++count;
        }
        return count;
    }

    RecordedEffects effects;
    wire::AttachReply attach_reply;  // what the bank says to whoever attaches with a name
    // Otherwise it has the statements that this customer has made, unless attach_reply names some.
    bool bank_lost_its_data = false;
    std::string offer;  // the account that it has for a process without one
    std::function<wire::AnswerText(const wire::Ask&)> tell = [](const wire::Ask&) {
        return wire::AnswerText();
    };
    std::function<void(std::string&)> damage = [](std::string&) {};  // of packets to the customer
    uint64_t session = 0;  // that the bank gives to whoever signs in
    int key_requests = 0;  // that the customer has sent
    std::string last_key_request;

  private:
    static Address at(Socket socket) { return kCustomerAt[static_cast<size_t>(socket)]; }

    void turn() {
        customer_->end_of_turn(now_, effects);
        deliver();
    }
    void deliver() {
        for (bool any = true; any;) {
            any = false;
            for (const auto& sent : std::exchange(effects.sent, {})) {
                any = true;
                if (secure::type_of(sent.bytes) ==
                    static_cast<unsigned char>(secure::PacketType::key_request)) {
                    ++key_requests;
                    last_key_request = sent.bytes;
                }
                for (size_t i = 0; i < played_.size(); ++i) take(*played_[i], sent);
            }
            for (size_t i = 0; i < played_.size(); ++i) {
                Played& who = *played_[i];
                who.courier.end_of_turn(now_, who.effects);
                for (auto& sent : std::exchange(who.effects.sent, {})) {
                    any = true;
                    if (!who.reachable) continue;
                    damage(sent.bytes);
                    customer_->on_datagram(now_, who.socket, who.address, sent.bytes, effects);
                    customer_->end_of_turn(now_, effects);
                }
            }
        }
    }
    void take(Played& who, const RecordedEffects::Sent& sent) {
        if (who.address != sent.to || who.socket != sent.from || !who.reachable) return;
        const auto arrival =
            who.courier.receive(now_, who.socket, at(who.socket), sent.bytes, who.effects);
        if (!arrival.message) return;
        who.heard.push_back(who.courier.received());
        who.on_message(who.heard.back());
    }
    void answer_as_bank(const wire::Datagram& message) {
        wire::Datagram reply;
        if (message.has_probe()) {
            reply.mutable_probe()->set_nonce(message.probe().nonce());
            reply.mutable_probe()->set_answer(true);
        } else if (message.has_attach() && message.sender().empty()) {
            if (offer.empty()) return;
            reply.mutable_account_offer()->set_name(offer);
        } else if (message.has_attach()) {
            *reply.mutable_attach_reply() = attach_reply;
            reply.mutable_attach_reply()->set_opener(message.attach().opener());
            if (!bank_lost_its_data && attach_reply.statements() == 0) {
                reply.mutable_attach_reply()->set_statements(state().statements);
                reply.mutable_attach_reply()->set_statement_digest(state().statement_digest);
            }
        } else if (message.command().has_open()) {
            attach_reply.set_known(true);
            reply.mutable_reply()->set_request(message.command().request());
            reply.mutable_reply()->set_success(true);
        } else if (message.has_ask()) {
            reply.mutable_told()->set_nonce(message.ask().nonce());
            reply.mutable_told()->set_session(session);
            *reply.mutable_told()->mutable_answer() = tell(message.ask());
        } else {
            return;
        }
        reply.set_receiver(message.sender());
        reply.set_receiver_instance(message.instance());
        bank().courier.send(now_, Socket::bank, at(Socket::bank),
                            settings_.insecure ? KeyBytes{} : keys().channel, reply,
                            bank().effects);
    }

    CustomerSettings settings_;
    std::vector<std::unique_ptr<Played>> played_;
    std::optional<Customer> customer_;
    TimePoint now_ = TimePoint(seconds(1));
    uint64_t commands_ = 0;
};

}  // namespace p2pbank
