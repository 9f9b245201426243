#include "customer/state.h"

#include <algorithm>
#include <string_view>

#include "common/core/bad_record.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
namespace records = customer_records;

secure::PublicKeys keys_of(const wire::Member& member) {
    const auto channel = secure::key_from_bytes(member.channel_key());
    const auto signing = secure::key_from_bytes(member.signing_key());
    return channel && signing ? secure::PublicKeys{*channel, *signing} : secure::PublicKeys();
}

SentEntry* Peer::entry(Label label) {
    // Labels follow each other but for what was pruned in the middle: guess, then search.
    if (sent_log.empty() || label < sent_log.front().label) return nullptr;
    const uint64_t guess = label.value() - sent_log.front().label.value();
    if (guess < sent_log.size() && sent_log[guess].label == label) return &sent_log[guess];
    const auto at =
        std::lower_bound(sent_log.begin(), sent_log.end(), label,
                         [](const SentEntry& entry, Label wanted) { return entry.label < wanted; });
    return at != sent_log.end() && at->label == label ? &*at : nullptr;
}

const Channel& Checkpoint::channel(std::string_view peer) const {
    static const Channel none;
    const auto found = channels.find(peer);
    return found == channels.end() ? none : found->second;
}

Peer* State::find_peer(std::string_view peer_name) {
    const auto found = peers.find(peer_name);
    return found == peers.end() ? nullptr : &found->second;
}

const Peer* State::find_peer(std::string_view peer_name) const {
    const auto found = peers.find(peer_name);
    return found == peers.end() ? nullptr : &found->second;
}

bool State::received_since_checkpoint(const Peer& peer) const {
    return peer.channel.received != permanent.channel(peer.name).received;
}

uint64_t State::count_received_since_checkpoint(const Peer& peer) const {
    return peer.channel.received.count() - permanent.channel(peer.name).received.count();
}

uint64_t State::count_sent_since_checkpoint(const Peer& peer) const {
    return peer.channel.sent_last.value() - permanent.channel(peer.name).sent_last.value();
}

std::optional<Label> State::first_label_sent(const Peer& peer) const {
    const Label covered = permanent.channel(peer.name).sent_last;
    if (peer.channel.sent_last == covered) return std::nullopt;
    return covered.next();
}

bool State::is_refused(const OperationId& id) const {
    const auto found = refused.find(id.initiator);
    return found != refused.end() && id <= found->second;
}

Checkpoint State::take_checkpoint() const {
    Checkpoint copy;
    copy.totals = totals;
    for (const auto& [peer_name, peer] : peers) {
        if (peer.channel != Channel()) {
            copy.channels.emplace_hint(copy.channels.end(), peer_name, peer.channel);
        }
    }
    return copy;
}

Result<void> State::apply(const Record& record) {
    at_ms_ = record.at_ms();
    switch (record.kind_case()) {
        case Record::kSnapshot:
            return apply_snapshot(record.snapshot());
        case Record::kOpening:
            name = record.opening().name();
            phase = Phase::opening;
            opener = record.opening().opener();
            totals = Totals();
            totals.opening = totals.balance = Money::from_cents(record.opening().opening());
            ip = record.opening().ip();
            port1 = static_cast<uint16_t>(record.opening().port1());
            port2 = static_cast<uint16_t>(record.opening().port2());
            offered = record.opening().offered();
            return {};
        case Record::kOpened:
            name = record.opened().name();
            phase = Phase::open;
            totals = from_wire(record.opened().totals());
            permanent = take_checkpoint();
            remember(ActivityKind::opened, "", 0, totals.balance);
            activity.settled = activity.count();
            epoch = std::max(epoch, Epoch(record.opened().epoch()));
            statements = record.opened().statements();
            statement_digest = record.opened().statement_digest();
            return {};
        case Record::kStarted:
            boots = record.started().boots();
            in_clear = in_clear || record.started().in_clear();
            mode = record.started().mode() == records::STABLE_CHECKPOINT ? StableMode::checkpoint
                                                                         : StableMode::journal;
            epoch = std::max(epoch, Epoch(record.started().epoch()));
            if (record.started().restored()) {
                restore_due = operation && operation->kind != wire::OPERATION_ROLLBACK;
                if (!restore_due) restore_permanent();
                recovering = in_cohort();
            }
            return {};
        case Record::kCash:
            return apply_cash(record.cash());
        case Record::kAdjusted: {
            const Money total = Money::from_cents(record.adjusted().total());
            const auto by = checked_subtract(total, totals.adjustments);
            const auto balance = by ? checked_add(totals.balance, *by) : std::nullopt;
            if (!balance || balance->is_negative()) return bad_record("a correction below zero");
            totals.balance = *balance;
            totals.adjustments = total;
            remember(ActivityKind::correction, "", 0, *by);
            return {};
        }
        case Record::kSent:
            return apply_sent(record.sent());
        case Record::kReceived:
            return apply_received(record.received());
        case Record::kPruned: {
            Peer* peer = find_peer(record.pruned().peer());
            const auto covered = from_wire(record.pruned().covered());
            if (peer == nullptr || !covered) return bad_record("pruned");
            apply_pruned(*peer, *covered);
            return {};
        }
        case Record::kTentative:
            return apply_tentative(record.tentative());
        case Record::kPermanent:
            return apply_permanent(from_wire(record.permanent().operation()));
        case Record::kUndone:
            apply_undone(from_wire(record.undone().operation()));
            return {};
        case Record::kRollbackBegun: {
            if (operation) return bad_record("a rollback within an operation");
            operation.emplace();
            operation->id = from_wire(record.rollback_begun().operation());
            operation->kind = wire::OPERATION_ROLLBACK;
            operation->parent = record.rollback_begun().parent();
            operation->next_epoch = Epoch(record.rollback_begun().next_epoch());
            counter = std::max(counter, record.rollback_begun().counter());
            return {};
        }
        case Record::kAsked: {
            if (!operation) return bad_record("asked outside an operation");
            Epoch& next = operation->askers[record.asked().asker()];
            next = std::max(next, Epoch(record.asked().next_epoch()));
            return {};
        }
        case Record::kRolledBack:
            apply_rolled_back(from_wire(record.rolled_back().operation()),
                              Epoch(record.rolled_back().epoch()));
            return {};
        case Record::kHeldBack:
            held_back.push_back({from_wire(record.held_back().operation()),
                                 record.held_back().peer(), Label(record.held_back().label()),
                                 Epoch(record.held_back().next_epoch())});
            return {};
        case Record::kReleased:
            apply_released(from_wire(record.released().operation()), record.released().commit());
            return {};
        case Record::kEpochKnown:
            raise_known_epoch(record.epoch_known().peer(), Epoch(record.epoch_known().epoch()));
            if (Peer* peer = find_peer(record.epoch_known().peer());
                peer != nullptr && !record.epoch_known().word().empty()) {
                peer->signed_epoch = Epoch(record.epoch_known().epoch());
                peer->epoch_word = record.epoch_known().word();
            }
            return {};
        case Record::kRefused:
            refuse(from_wire(record.refused().operation()));
            return {};
        case Record::kCohortStarted: {
            const auto& started = record.cohort_started();
            if (!operation || operation->kind != wire::OPERATION_JOIN) return bad_record("no join");
            refuse(operation->id);
            make_permanent();
            operation.reset();
            restore_if_due();
            apply_cohort(started);
            return {};
        }
        case Record::kCohortEnded:
            if (!in_cohort() && !operation) return bad_record("the end of no cohort");
            apply_cohort_ended(record.cohort_ended());
            return {};
        case Record::kExiting:
            phase = record.exiting().given_up() ? Phase::open : Phase::exiting;
            exit_statement.reset();
            if (record.exiting().has_statement()) exit_statement = record.exiting().statement();
            exit_order = record.exiting().order();
            exit_empty = record.exiting().empty();
            deals = std::max(deals, record.exiting().deals());
            if (!record.exiting().has_live()) return {};
            drop_deal();  // open in a record of before, and answered in none: as with a checkpoint
            return apply_live(record.exiting().live());
        case Record::kExited:
            phase = Phase::exited;
            return {};
        case Record::kRoster:
            apply_roster(record.roster());
            return {};
        case Record::kDealt:
            return apply_dealt(record.dealt());
        case Record::kDealAnswered:
            return apply_deal_answered(record.deal_answered());
        case Record::KIND_NOT_SET:
            break;
    }
    return bad_record("unknown kind");
}

bool State::is_suspended() const {
    return phase != Phase::open || recovering || restore_due ||
           (operation && (operation->kind == wire::OPERATION_ROLLBACK ||
                          operation->kind == wire::OPERATION_FREEZE));
}

bool State::is_deaf() const {
    const bool only_waits = phase == Phase::open && !recovering && !restore_due && operation &&
                            operation->kind == wire::OPERATION_ROLLBACK &&
                            operation->said_to_be_aborted;
    return is_suspended() && !only_waits;
}

void State::remember(ActivityKind kind, std::string what, uint64_t number, Money amount,
                     std::string note) {
    activity.add(
        {kind, std::move(what), number, amount, totals.balance, at_ms_, std::move(note), false});
}

bool State::adds_up() const {
    return p2pbank::adds_up(totals, take_checkpoint().channels) &&
           p2pbank::adds_up(permanent.totals, permanent.channels);
}

}  // namespace p2pbank::customer
