#include "bank/disputes.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

const Settlement* settlement_in(const Operation& operation, const std::string& name) {
    const auto found = operation.settlements.find(name);
    return found == operation.settlements.end() ? nullptr : &found->second;
}

const Channel& settled_channel(const Account& account, const std::string& peer) {
    static const Channel none;
    const auto found = account.channels().find(peer);
    return found == account.channels().end() ? none : found->second;
}

void describe(const Account& account, const Settlement* settlement, bank_evidence::Signer* out) {
    out->set_name(account.name);
    out->set_head(account.statement_digest());
    if (settlement == nullptr) {
        out->set_signing_key(secure::to_bytes(account.keys().signing));
        return;
    }
    out->set_signing_key(settlement->signing_key);
    *out->mutable_statement() = settlement->statement;
}

}  // namespace

void Disputes::open(const Operation& operation, const Account& sender, const Account& receiver) {
    if (!context_.sealed() || open_.size() >= limits::kMaxDisputes) return;
    const Settlement* claim = settlement_in(operation, receiver.name);
    const Settlement* denial = settlement_in(operation, sender.name);
    // Settled before there were statements: nobody can be held to it.
    if (claim == nullptr || claim->number == 0 || (denial != nullptr && denial->number == 0)) {
        return;
    }
    Open open;
    open.operation = operation.id;
    open.cohort = receiver.cohort;
    Dispute& dispute = open.dispute;
    dispute.sender = sender.name;
    dispute.receiver = receiver.name;
    dispute.sender_before = settled_channel(sender, receiver.name);
    dispute.sender_now = context_.state.channel(&operation, sender, receiver.name);
    dispute.receiver_before = settled_channel(receiver, sender.name);
    dispute.receiver_now = context_.state.channel(&operation, receiver, sender.name);
    dispute.sender_took_part = denial != nullptr;
    dispute.sender_epoch = Epoch(sender.epoch);
    if (denial != nullptr) {
        const auto statement = read_statement(denial->statement);
        if (!statement) return;
        dispute.sender_epoch = Epoch(statement->epoch());
    }
    to_wire(operation.id, open.facts.mutable_operation());
    describe(sender, denial, open.facts.mutable_sender());
    describe(receiver, claim, open.facts.mutable_receiver());
    open.facts.set_sender_epoch(dispute.sender_epoch.value());
    open.facts.set_cohort(open.cohort.value());
    const auto key = secure::key_from_bytes(open.facts.sender().signing_key());
    if (!key) return;
    open.sender_key = *key;
    open.receiver_instance = claim->instance;
    open.receiver_epoch = receiver.epoch;
    open.wanted = claimed(dispute);
    const bool claims = !open.wanted.empty();
    open.above = claims ? open.wanted.intervals().front().first - 1
                        : dispute.receiver_now.received.highest().value();
    open.deadline = context_.now + timing::kEvidence;
    open_.push_back(std::move(open));
    if (claims) return ask(open_.back());
    // It claims nothing new: what it has signed is all there is.
    decide(open_.back());
    open_.pop_back();
}

void Disputes::ask(Open& open) {
    open.at = context_.now + open.retry.next(context_.random);
    const Account* account = context_.state.find(open.dispute.receiver);
    if (account == nullptr) return;
    wire::Datagram message;
    wire::EvidenceRequest* request = message.mutable_evidence_request();
    to_wire(open.operation, request->mutable_operation());
    request->set_peer(open.dispute.sender);
    request->set_above(open.above);
    context_.send(*account, std::move(message));
}

bool Disputes::has_moved_on(const Open& open) const {
    const Account* account = context_.state.find(open.dispute.receiver);
    return account == nullptr || account->exited || account->cohort != open.cohort ||
           account->boots != open.receiver_instance || account->epoch != open.receiver_epoch ||
           account->statement_digest() != open.facts.receiver().head();
}

void Disputes::on_evidence(const Account& account, const wire::Datagram& datagram) {
    const wire::Evidence& evidence = datagram.evidence();
    const OperationId id = from_wire(evidence.operation());
    const auto at = std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
        return open.operation == id && open.dispute.receiver == account.name &&
               open.dispute.sender == evidence.peer() && open.above == evidence.above();
    });
    if (at == open_.end() || datagram.instance() != at->receiver_instance) return;
    if (!take(*at, evidence)) {
        at->deadline = context_.now + timing::kEvidence;
        at->retry.reset();
        ask(*at);
        return;
    }
    decide(*at);
    open_.erase(at);
}

std::optional<uint64_t> Disputes::first_unproven(Open& open) {
    for (const IntervalSet::Interval& stretch : open.wanted.intervals()) {
        uint64_t label = std::max(stretch.first, open.above + 1);
        while (label <= stretch.last && open.shown.erase(label) > 0) ++label;
        if (label <= stretch.last) return label;
    }
    return std::nullopt;
}

bool Disputes::take(Open& open, const wire::Evidence& evidence) {
    for (const wire::SignedTransfers& item : evidence.items()) {
        const size_t before = open.proven.size();
        if (!add_proof(open.dispute, open.cohort, open.sender_key, item, open.items.size(),
                       open.proven)) {
            continue;
        }
        open.items.push_back(known_part(item));
        for (size_t i = before; i < open.proven.size(); ++i) {
            const Label label = open.proven[i].label;
            if (label.value() > open.above && open.wanted.contains(label)) {
                open.shown.insert(label.value());
            }
        }
    }
    ++open.pieces;
    // Not above the highest: the sender has chosen which labels stand in one message.
    const auto missing = first_unproven(open);
    if (!evidence.more() || !missing || *missing - 1 <= open.above ||
        open.pieces >= limits::kMaxEvidencePieces ||
        open.proven.size() > limits::kMaxProvenTransfers) {
        return true;
    }
    open.above = *missing - 1;
    return false;
}

void Disputes::decide(Open& open) {
    const Dispute& dispute = open.dispute;
    if (auto lie = lie_of_sender(dispute, open.proven)) {
        accuse(open, bank_evidence::ACCUSATION_SENDER, dispute.sender, std::move(*lie));
        return;
    }
    const bool complete = open.pieces < limits::kMaxEvidencePieces &&
                          open.proven.size() <= limits::kMaxProvenTransfers;
    auto lie = complete && !has_moved_on(open) ? lie_of_receiver(dispute, open.proven)
                                               : std::optional<Lie>();
    if (lie) {
        accuse(open, bank_evidence::ACCUSATION_RECEIVER, dispute.receiver, std::move(*lie));
        return;
    }
    context_.notice(Severity::warning, "cannot tell who is wrong about the transfers from " +
                                           dispute.sender + " to " + dispute.receiver + " in " +
                                           to_string(open.operation) + ": " +
                                           undecided(dispute, open.proven));
}

void Disputes::accuse(Open& open, bank_evidence::AccusationKind kind, const std::string& name,
                      Lie lie) {
    Accusation accusation = std::move(open.facts);
    accusation.set_name(name);
    accusation.set_kind(kind);
    accusation.set_text(std::move(lie.text));
    size_t bytes = 0;
    for (const size_t index : lie.items) {
        bytes += open.items[index].ByteSizeLong();
        if (bytes > limits::kMaxProofBytes) break;
        *accusation.add_evidence() = std::move(open.items[index]);
    }
    if (kind == bank_evidence::ACCUSATION_SENDER && bytes > limits::kMaxProofBytes) {
        // Without all of it nobody else could see that it is so.
        context_.notice(Severity::warning,
                        name + " lied: " + accusation.text() +
                            "; the evidence is too large to be kept, so it is not recorded");
        return;
    }
    record(std::move(accusation));
}

void Disputes::accuse_of_statement(const Account& account, const wire::SignedStatement& statement,
                                   const OperationId& operation, const std::string& why) {
    Accusation accusation;
    accusation.set_name(account.name);
    accusation.set_kind(bank_evidence::ACCUSATION_STATEMENT);
    accusation.set_text(why);
    to_wire(operation, accusation.mutable_operation());
    bank_evidence::Signer* accused = accusation.mutable_accused();
    accused->set_name(account.name);
    accused->set_signing_key(secure::to_bytes(account.keys().signing));
    accused->set_head(account.statement_digest());
    *accused->mutable_statement() = known_part(statement);
    record(std::move(accusation));
}

void Disputes::record(Accusation accusation) {
    const Account* account = context_.state.find(accusation.name());
    if (account == nullptr) return;
    if (account->details != nullptr) {
        const auto& known = account->details->accusations;
        const OperationId id = from_wire(accusation.operation());
        const bool again = std::any_of(known.begin(), known.end(), [&](const Accusation& other) {
            return from_wire(other.operation()) == id && other.text() == accusation.text();
        });
        if (again || known.size() >= limits::kMaxAccusations) return;
    }
    const bool lied = accusation.kind() != bank_evidence::ACCUSATION_NO_EVIDENCE;
    context_.notice(
        Severity::warning,
        accusation.name() + (lied ? " lied: " : " gave no evidence: ") + accusation.text());
    accusation.set_at_ms(static_cast<uint64_t>(context_.wall_us() / 1'000));
    State::Record accused;
    *accused.mutable_accused() = std::move(accusation);
    context_.commit(accused);
}

void Disputes::on_timer() {
    for (auto at = open_.begin(); at != open_.end();) {
        Open& open = *at;
        if (context_.now < open.deadline && !has_moved_on(open)) {
            if (open.at <= context_.now) ask(open);
            ++at;
            continue;
        }
        if (!has_moved_on(open)) {
            Lie none;
            none.text = "was asked to prove what it claims of " + open.dispute.sender +
                        " above transfer " + std::to_string(open.above) + " and did not answer";
            const std::string name = open.dispute.receiver;
            accuse(open, bank_evidence::ACCUSATION_NO_EVIDENCE, name, std::move(none));
        }
        at = open_.erase(at);
    }
}

std::optional<TimePoint> Disputes::next_wake() const {
    std::optional<TimePoint> wake;
    for (const Open& open : open_) {
        const TimePoint at = std::min(open.at, open.deadline);
        wake = wake ? std::min(*wake, at) : at;
    }
    return wake;
}

}  // namespace p2pbank::bank
