// The whole state as one record, and back. Part of customer::State.
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/state.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
using p2pbank::to_wire;
namespace records = customer_records;

namespace {

void write_activity(const ActivityEntry& entry, wire::Activity* out) {
    out->set_kind(static_cast<uint32_t>(entry.kind));
    out->set_what(entry.what);
    out->set_number(entry.number);
    out->set_amount(entry.amount.cents());
    out->set_balance(entry.balance.cents());
    out->set_at_ms(entry.at_ms);
    out->set_note(entry.note);
    out->set_rolled_back(entry.rolled_back);
}

std::optional<ActivityEntry> read_activity(const wire::Activity& in) {
    if (in.kind() > kLastActivityKind) return std::nullopt;
    return ActivityEntry{static_cast<ActivityKind>(in.kind()),
                         in.what(),
                         in.number(),
                         Money::from_cents(in.amount()),
                         Money::from_cents(in.balance()),
                         in.at_ms(),
                         in.note(),
                         in.rolled_back()};
}

Error bad(const char* what) {
    return Error{"bad-record", std::string("a snapshot is not readable: ") + what};
}

void write_checkpoint(const Checkpoint& checkpoint, records::Checkpoint* out) {
    to_wire(checkpoint.totals, out->mutable_totals());
    for (const auto& [peer, channel] : checkpoint.channels) {
        to_wire(peer, channel, out->add_channels());
    }
}

bool read_checkpoint(const records::Checkpoint& in, Checkpoint& out) {
    out.totals = from_wire(in.totals());
    out.channels.clear();
    for (const wire::Channel& channel : in.channels()) {
        auto read = from_wire(channel);
        if (!read) return false;
        out.channels[channel.peer()] = std::move(*read);
    }
    return true;
}

void write_operation(const Operation& operation, records::Operation* out) {
    to_wire(operation.id, out->mutable_id());
    out->set_kind(operation.kind);
    out->set_parent(operation.parent);
    if (operation.kind != wire::OPERATION_ROLLBACK) {
        write_checkpoint(operation.tentative, out->mutable_tentative());
    }
    out->set_next_epoch(operation.next_epoch.value());
    for (const auto& [asker, next] : operation.askers) {
        records::Asked* asked = out->add_askers();
        asked->set_asker(asker);
        asked->set_next_epoch(next.value());
    }
    out->set_cohort(operation.cohort.value());
    out->set_cohort_name(operation.cohort_name);
    if (operation.kind != wire::OPERATION_ROLLBACK) *out->mutable_statement() = operation.statement;
}

bool read_operation(const records::Operation& in, Operation& out) {
    out.id = from_wire(in.id());
    out.kind = in.kind();
    out.parent = in.parent();
    out.next_epoch = Epoch(in.next_epoch());
    for (const records::Asked& asked : in.askers()) {
        out.askers[asked.asker()] = Epoch(asked.next_epoch());
    }
    out.cohort = CohortId(in.cohort());
    out.cohort_name = in.cohort_name();
    out.statement = in.statement();
    return read_checkpoint(in.tentative(), out.tentative);
}

bool read_received_log(const records::Peer& in, Peer& out) {
    out.received_log.clear();
    uint64_t next = 1;
    for (const records::ReceivedRun& run : in.received_log()) {
        if (run.first_label() < next || run.first_label() > kMaxLabel) return false;
        uint64_t label = run.first_label();
        for (const int64_t cents : run.amounts()) {
            if (cents <= 0 || label > kMaxLabel) return false;
            out.received_log.add(Label(label++), Money::from_cents(cents));
        }
        next = label;
    }
    return true;
}

}  // namespace

void State::new_activity(google::protobuf::RepeatedPtrField<wire::Activity>* out, uint64_t upto,
                         size_t most, uint64_t* left_out) const {
    uint64_t first = std::max(activity.settled, activity.dropped);
    if (upto > first && upto - first > most) first = upto - most;
    if (left_out != nullptr) *left_out = first - std::min(first, activity.settled);
    for (uint64_t i = first; i < upto; ++i) {
        write_activity(activity.entries[i - activity.dropped], out->Add());
    }
}

void State::live(records::Live* out, bool with_activity) const {
    if (with_activity) {
        new_activity(out->mutable_activity(), activity.count(), limits::kMaxActivity, nullptr);
    }
    to_wire(totals, out->mutable_totals());
    for (const auto& [peer_name, peer] : peers) {
        records::Peer* peer_out = out->add_peers();
        wire::Member* member = peer_out->mutable_member();
        member->set_name(peer_name);
        member->set_ip(peer.ip);
        member->set_port2(peer.port2);
        member->set_epoch(peer.known_epoch.value());
        if (!peer.keys.empty()) {
            member->set_channel_key(secure::to_bytes(peer.keys.channel));
            member->set_signing_key(secure::to_bytes(peer.keys.signing));
        }
        peer_out->set_signed_epoch(peer.signed_epoch.value());
        peer_out->set_epoch_word(peer.epoch_word);
        to_wire(peer_name, peer.channel, peer_out->mutable_channel());
        for (const SentEntry& entry : peer.sent_log) {
            records::LogEntry* logged = peer_out->add_sent_log();
            logged->set_label(entry.label.value());
            logged->set_amount(entry.amount.cents());
            logged->set_lost(entry.lost);
        }
        // Neighbours are joined, so that the same transfers are written the same way.
        records::ReceivedRun* run = nullptr;
        for (const auto& [first, amounts] : peer.received_log.runs()) {
            const bool follows =
                run != nullptr &&
                run->first_label() + static_cast<uint64_t>(run->amounts_size()) == first;
            if (!follows) {
                run = peer_out->add_received_log();
                run->set_first_label(first);
            }
            run->mutable_amounts()->Add(amounts.begin(), amounts.end());
        }
    }
}

Result<void> State::apply_live(const records::Live& in) {
    if (in.activity_size() > 0) {
        // What the journal has of these lines are checkpoints and the like: the list has them too.
        while (activity.count() > activity.settled && !activity.entries.empty()) {
            activity.entries.pop_back();
        }
        for (const wire::Activity& line : in.activity()) {
            auto entry = read_activity(line);
            if (!entry) return bad("its activity");
            activity.add(std::move(*entry));
        }
    }
    totals = from_wire(in.totals());
    for (const records::Peer& peer_in : in.peers()) {
        auto channel = from_wire(peer_in.channel());
        if (!channel) return bad("a channel");
        Peer& peer = peers[peer_in.member().name()];
        peer.name = peer_in.member().name();
        peer.ip = peer_in.member().ip();
        peer.port2 = static_cast<uint16_t>(peer_in.member().port2());
        peer.known_epoch = std::max(peer.known_epoch, Epoch(peer_in.member().epoch()));
        peer.keys = keys_of(peer_in.member());
        if (Epoch(peer_in.signed_epoch()) > peer.signed_epoch) {
            peer.signed_epoch = Epoch(peer_in.signed_epoch());
            peer.epoch_word = peer_in.epoch_word();
        }
        peer.channel = std::move(*channel);
        if (!read_received_log(peer_in, peer)) return bad("what was received");
        peer.sent_log.clear();
        std::optional<Money> sum = Money();
        for (const records::LogEntry& entry : peer_in.sent_log()) {
            const bool rises =
                peer.sent_log.empty() || peer.sent_log.back().label < Label(entry.label());
            sum = checked_add(*sum, Money::from_cents(entry.amount()));
            if (!rises || entry.amount() <= 0 || !sum) return bad("what was sent");
            peer.sent_log.push_back({Label(entry.label()),
                                     Money::from_cents(entry.amount()),
                                     entry.lost(),
                                     false,
                                     0,
                                     {},
                                     {}});
        }
    }
    return {};
}

void State::snapshot(Record& record) const {
    records::Snapshot* out = record.mutable_snapshot();
    out->set_name(name);
    out->set_phase(static_cast<uint32_t>(phase));
    out->set_opener(opener);
    out->set_offered(offered);
    out->set_ip(ip);
    out->set_port1(port1);
    out->set_port2(port2);
    out->set_boots(boots);
    out->set_in_clear(in_clear);
    out->set_mode(mode == StableMode::checkpoint ? records::STABLE_CHECKPOINT
                                                 : records::STABLE_JOURNAL);
    out->set_epoch(epoch.value());
    out->set_counter(counter);
    out->set_recovering(recovering);
    out->set_restore_due(restore_due);
    out->set_cohort(cohort.value());
    out->set_cohort_name(cohort_name);
    out->set_roster_issued_ms(roster_issued_ms);
    out->set_roster_expires_ms(roster_expires_ms);
    out->set_statements(statements);
    out->set_statement_digest(statement_digest);
    if (exit_statement) *out->mutable_exit_statement() = *exit_statement;
    out->set_exit_order(exit_order);
    out->set_exit_empty(exit_empty);
    live(out->mutable_live(), false);
    write_checkpoint(permanent, out->mutable_permanent());
    if (operation) write_operation(*operation, out->mutable_operation());
    for (const HoldBack& hold : held_back) {
        records::HeldBack* held = out->add_held_back();
        to_wire(hold.operation, held->mutable_operation());
        held->set_peer(hold.peer);
        held->set_label(hold.label.value());
        held->set_next_epoch(hold.next_epoch.value());
    }
    for (const auto& [initiator, id] : refused) to_wire(id, out->add_refused());
    for (const ActivityEntry& entry : activity.entries) {
        write_activity(entry, out->add_activity());
    }
    out->set_dropped_activity(activity.dropped);
    out->set_settled_activity(activity.settled);
    out->set_tentative_activity(activity.tentative);
    out->set_deals(deals);
    if (deal) {
        records::Dealt* asked = out->mutable_deal();
        asked->set_number(deal->number);
        asked->set_kind(deal->kind);
        asked->set_what(deal->what);
        asked->set_quantity(deal->quantity);
        asked->set_amount(deal->amount.cents());
        asked->set_months(deal->months);
    }
}

Result<void> State::apply_snapshot(const records::Snapshot& in) {
    *this = State();
    name = in.name();
    if (in.phase() > static_cast<uint32_t>(Phase::exited)) return bad("its phase");
    phase = static_cast<Phase>(in.phase());
    opener = in.opener();
    offered = in.offered();
    ip = in.ip();
    port1 = static_cast<uint16_t>(in.port1());
    port2 = static_cast<uint16_t>(in.port2());
    boots = in.boots();
    in_clear = in.in_clear();
    mode = in.mode() == records::STABLE_CHECKPOINT ? StableMode::checkpoint : StableMode::journal;
    epoch = Epoch(in.epoch());
    counter = in.counter();
    recovering = in.recovering();
    restore_due = in.restore_due();
    cohort = CohortId(in.cohort());
    cohort_name = in.cohort_name();
    roster_issued_ms = in.roster_issued_ms();
    roster_expires_ms = in.roster_expires_ms();
    statements = in.statements();
    statement_digest = in.statement_digest();
    if (in.has_exit_statement()) exit_statement = in.exit_statement();
    exit_order = in.exit_order();
    exit_empty = in.exit_empty();
    const auto applied = apply_live(in.live());
    if (!applied) return applied;
    if (!read_checkpoint(in.permanent(), permanent)) return bad("its checkpoint");
    if (in.has_operation()) {
        operation.emplace();
        if (!read_operation(in.operation(), *operation)) return bad("its operation");
    }
    for (const records::HeldBack& held : in.held_back()) {
        held_back.push_back({from_wire(held.operation()), held.peer(), Label(held.label()),
                             Epoch(held.next_epoch())});
    }
    for (const wire::OperationId& id : in.refused()) refused[id.initiator()] = from_wire(id);
    activity = ActivityLog();
    activity.dropped = in.dropped_activity();
    activity.settled = in.settled_activity();
    activity.tentative = in.tentative_activity();
    for (const wire::Activity& line : in.activity()) {
        auto entry = read_activity(line);
        if (!entry) return bad("its activity");
        activity.entries.push_back(std::move(*entry));
    }
    if (activity.dropped > INT64_MAX || activity.settled > activity.count() ||
        activity.tentative > activity.count()) {
        return bad("how much of its activity is settled");
    }
    deals = in.deals();
    if (in.has_deal()) {
        if (in.deal().amount() == INT64_MIN) return bad("its deal");
        deal = OpenDeal{in.deal().number(),
                        in.deal().kind(),
                        in.deal().what(),
                        in.deal().quantity(),
                        Money::from_cents(in.deal().amount()),
                        in.deal().months()};
    }
    return {};
}

}  // namespace p2pbank::customer
