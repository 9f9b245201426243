// The bank's decisions, and customers who settle with it by hand: honestly unless a test changes
// what they sign. With a history in memory, so that a bundle can be written of it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "bank/decisions.h"
#include "bank/history/schema.h"
#include "common/history/history_db.h"
#include "common/wire/convert.h"
#include "tests/unit/recorded_effects.h"

namespace p2pbank {

struct Signer {
    Signer(std::string name_, uint8_t seed)
        : name(std::move(name_)), identity(KeyBytes{seed, 77}) {}

    std::string name;
    secure::Identity identity;
    Totals totals;
    ChannelMap channels;
    bank::Books permanent;
    uint64_t number = 0;  // of the newest permanent statement
    std::string digest;
    uint64_t epoch = 1;
    uint64_t instance = 1;
    uint64_t cohort = 0;
    uint64_t counter = 0;
};

class EvidenceWorld : FactSink {
  public:
    using Change = std::function<void(wire::Statement&)>;
    using Statements = std::map<std::string, wire::SignedStatement>;

    explicit EvidenceWorld(bool insecure = false) : insecure_(insecure) {
        auto opened = HistoryDb::open(":memory:", bank::history_schema());
        REQUIRE(opened.ok());
        history_ = std::move(opened).value();
        start({});
    }

    // The bank is stopped and started again, with what is in its journal or in a snapshot.
    void restart() { start(effects.records); }
    void restart_from_snapshot() {
        std::vector<std::string> records;
        context->state.snapshot([&](std::string record) { records.push_back(std::move(record)); });
        start(records);
    }

    Signer& open(const std::string& name, int64_t cents) {
        Signer& signer = *signers
                              .emplace(name, std::make_unique<Signer>(
                                                 name, static_cast<uint8_t>(signers.size() + 1)))
                              .first->second;
        signer.totals.opening = signer.totals.balance = Money::from_cents(cents);
        signer.permanent.totals = signer.totals;
        bank::State::Record record;
        record.mutable_opened()->set_name(name);
        record.mutable_opened()->set_balance(cents);
        record.mutable_opened()->set_opener(1);
        record.mutable_opened()->set_ip(0x7f000001);
        record.mutable_opened()->set_port1(9'001);
        record.mutable_opened()->set_port2(9'002);
        if (!insecure_) {
            const secure::PublicKeys& keys = signer.identity.keys();
            record.mutable_opened()->set_channel_key(secure::to_bytes(keys.channel));
            record.mutable_opened()->set_signing_key(secure::to_bytes(keys.signing));
        }
        context->commit(record);
        attach(signer);
        return signer;
    }
    void attach(const Signer& signer) {
        bank::State::Record record;
        auto* attached = record.mutable_attached();
        attached->set_name(signer.name);
        attached->set_opener(1);
        attached->set_ip(0x7f000001);
        attached->set_port1(9'001);
        attached->set_port2(9'002);
        attached->set_boots(signer.instance);
        attached->set_epoch(signer.epoch);
        context->commit(record);
    }
    Signer& at(const std::string& name) { return *signers.at(name); }
    bank::Account& account(const std::string& name) { return *context->state.find(name); }

    void join(uint64_t cohort, const std::vector<std::string>& names) {
        const OperationId id{"bank:cohort-" + std::to_string(cohort), context->state.boots + 1,
                             context->state.counter + 1};
        bank::State::Record record;
        auto* forming = record.mutable_cohort_forming();
        forming->set_cohort(cohort);
        forming->set_cohort_name("cohort-" + std::to_string(cohort));
        for (const std::string& name : names) forming->add_members(name);
        to_wire(id, forming->mutable_operation());
        context->commit(record);
        for (const std::string& name : names) {
            REQUIRE(settle(name, id, wire::OPERATION_JOIN));
        }
        decisions->decide(id, wire::OPERATION_JOIN, true, names);
        for (const std::string& name : names) {
            made_permanent(name, settled_.at(name));
            at(name).cohort = cohort;
            acknowledge(name, id);
        }
    }

    // One message of transfers, with its sender's signature; the receiver has it.
    wire::SignedTransfers send(const std::string& from, const std::string& to,
                               const std::vector<int64_t>& amounts, bool arrives = true) {
        Signer& sender = at(from);
        Signer& receiver = at(to);
        Channel& out = sender.channels[to];
        Channel& in = receiver.channels[from];
        wire::Transfers transfers;
        transfers.set_first_label(out.sent_last.value() + 1);
        for (const int64_t cents : amounts) {
            const Money amount = Money::from_cents(cents);
            transfers.add_amounts(static_cast<uint64_t>(cents));
            out.sent_last = out.sent_last.next();
            out.sent_sum = must_add(out.sent_sum, amount);
            sender.totals.balance = must_subtract(sender.totals.balance, amount);
            if (!arrives) continue;
            in.received.add(out.sent_last);
            in.received_sum = must_add(in.received_sum, amount);
            receiver.totals.balance = must_add(receiver.totals.balance, amount);
        }
        return sign(from, to, transfers);
    }
    wire::SignedTransfers sign(const std::string& from, const std::string& to,
                               const wire::Transfers& transfers, uint64_t epoch = 0) {
        const Signer& sender = at(from);
        wire::SignedTransfers item;
        item.set_epoch(epoch == 0 ? sender.epoch : epoch);
        *item.add_transfers() = transfers;
        *item.mutable_signed_() = sign_transfers(
            sender.identity,
            {transfers_digest({from, to, CohortId(sender.cohort), Epoch(item.epoch())},
                              transfers)});
        return item;
    }
    static wire::Transfers transfers(uint64_t first, const std::vector<uint64_t>& amounts) {
        wire::Transfers made;
        made.set_first_label(first);
        for (const uint64_t cents : amounts) made.add_amounts(cents);
        return made;
    }

    wire::Statement statement(const Signer& signer, const OperationId& id,
                              wire::OperationKind kind) const {
        wire::Statement made;
        if (!insecure_) made.set_bank(secure::to_bytes(context->identity.keys().signing));
        made.set_name(signer.name);
        made.set_number(signer.number + 1);
        made.set_previous(signer.digest);
        if (!id.empty()) to_wire(id, made.mutable_operation());
        made.set_kind(kind);
        made.set_cohort(signer.cohort);
        made.set_epoch(signer.epoch);
        to_wire(signer.totals, made.mutable_totals());
        for (const auto& [peer, channel] : signer.channels) {
            const auto before = signer.permanent.channels.find(peer);
            if (before != signer.permanent.channels.end() && before->second == channel) continue;
            to_wire(peer, channel, made.add_channels());
        }
        return made;
    }
    wire::SignedStatement sign(const std::string& name, const wire::Statement& made) const {
        return sign_statement(insecure_ ? nullptr : &signers.at(name)->identity, made);
    }

    // True if the bank has taken it.
    bool settle(const std::string& name, const OperationId& id, wire::OperationKind kind,
                const Change& change = {}) {
        wire::Statement made = statement(at(name), id, kind);
        if (change) change(made);
        settled_[name] = sign(name, made);
        return settle_with(name, id, kind, settled_[name]);
    }
    bool settle_with(const std::string& name, const OperationId& id, wire::OperationKind kind,
                     const wire::SignedStatement& signed_one) {
        wire::Datagram datagram = from(name);
        to_wire(id, datagram.mutable_settle()->mutable_operation());
        datagram.mutable_settle()->set_kind(kind);
        *datagram.mutable_settle()->mutable_statement() = signed_one;
        decisions->on_settle(account(name), datagram, origin(name));
        const bank::Operation* operation = context->state.undecided(id);
        return operation != nullptr && operation->settlements.contains(name);
    }
    wire::Datagram from(const std::string& name) {
        const Signer& signer = at(name);
        wire::Datagram datagram;
        datagram.set_sender(name);
        datagram.set_instance(signer.instance);
        datagram.set_epoch(signer.epoch);
        datagram.set_cohort(signer.cohort);
        return datagram;
    }
    bank::Origin origin(const std::string& name) {
        return {
            {0x7f000001, 9'001}, name, at(name).instance, at(name).identity.keys().channel, true};
    }

    OperationId next_id(const std::string& initiator) {
        Signer& signer = at(initiator);
        OperationId id{initiator, signer.epoch, ++signer.counter};
        if (!insecure_) {
            id.word = sign_operation(&signer.identity, id, wire::OPERATION_CHECKPOINT);
        }
        return id;
    }
    // The initiator asks for COMMIT.
    bool commits(const OperationId& id, const std::vector<std::string>& names) {
        wire::DecisionRequest request;
        to_wire(id, request.mutable_operation());
        request.set_kind(wire::OPERATION_CHECKPOINT);
        for (const std::string& name : names) request.add_participants(name);
        decisions->on_decision_request(account(id.initiator), request, origin(id.initiator));
        if (!context->state.decision(id).value_or(false)) return false;
        for (const std::string& name : names) {
            made_permanent(name, settled_.at(name));
            acknowledge(name, id);
        }
        return true;
    }
    bool checkpoint(const std::vector<std::string>& names,
                    const std::map<std::string, Change>& changes = {}) {
        newest = next_id(names[0]);
        for (const std::string& name : names) {
            const auto change = changes.find(name);
            if (!settle(name, newest, wire::OPERATION_CHECKPOINT,
                        change == changes.end() ? Change() : change->second)) {
                return false;
            }
        }
        return commits(newest, names);
    }
    void made_permanent(const std::string& name, const wire::SignedStatement& signed_one) {
        Signer& signer = at(name);
        const auto read = read_statement(signed_one);
        REQUIRE(read.has_value());
        signer.permanent = {from_wire(read->totals()), signer.channels};
        signer.number = read->number();
        signer.digest = statement_digest(signed_one);
        CHECK(account(name).statements() == signer.number);
        CHECK(account(name).statement_digest() == signer.digest);
    }
    void acknowledge(const std::string& name, const OperationId& id) {
        wire::DecisionAck ack;
        to_wire(id, ack.mutable_operation());
        decisions->on_decision_ack(account(name), ack);
    }

    // From the newest cut; or else from the freeze, which all have settled.
    void end_cohort(uint64_t cohort, const std::vector<std::string>& names, bool forced);

    void give(const OperationId& id, const std::string& receiver, const std::string& sender,
              const std::vector<wire::SignedTransfers>& items, uint64_t above = 0,
              bool more = false) {
        wire::Datagram datagram = from(receiver);
        wire::Evidence* evidence = datagram.mutable_evidence();
        to_wire(id, evidence->mutable_operation());
        evidence->set_peer(sender);
        evidence->set_above(above);
        for (const wire::SignedTransfers& item : items) *evidence->add_items() = item;
        evidence->set_more(more);
        decisions->on_evidence(account(receiver), datagram);
    }
    void wait(Duration duration) {
        context->now += duration;
        decisions->on_timer();
    }

    // "bob: denies ...", in the order of opening.
    std::vector<std::string> accusations() {
        std::vector<std::string> all;
        for (const bank::Account& one : context->state.accounts()) {
            if (one.details == nullptr) continue;
            for (const auto& accusation : one.details->accusations) {
                all.push_back(one.name + ": " + accusation.text());
            }
        }
        return all;
    }

    // What `audit --evidence` writes.
    std::string bundle();

    RecordedEffects effects;
    std::unique_ptr<bank::Context> context;
    std::unique_ptr<bank::Decisions> decisions;
    std::map<std::string, std::unique_ptr<Signer>> signers;
    OperationId newest;  // of the newest checkpoint

  private:
    void start(const std::vector<std::string>& records);
    void fact(uint64_t position, Fact fact) override {
        position_ = position;
        facts_.push_back(std::move(fact));
    }

    bool insecure_;
    std::unique_ptr<HistoryDb> history_;
    std::vector<Fact> facts_;
    uint64_t position_ = 0;
    uint64_t jobs_ = 0;
    Statements settled_;  // the newest of each
};

}  // namespace p2pbank
