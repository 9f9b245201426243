// Records of checkpoints, rollbacks and cohorts, and what a rollback restores. Part of State.
#include <algorithm>
#include <string_view>
#include <tuple>

#include "common/base/limits.h"
#include "common/core/bad_record.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "customer/state.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
namespace records = customer_records;

namespace {

constexpr std::string_view kBank = "bank:";  // and the cohort: its initiators

bool is_of_bank(std::string_view initiator) {
    return initiator.starts_with(kBank);
}

}  // namespace

Result<void> State::apply_tentative(const records::Tentative& tentative) {
    // An open deal of a run in `journal` mode may have been answered in one that journals no money.
    if (tentative.has_live()) drop_deal();
    if (operation || deal) return bad_record("a tentative checkpoint within something else");
    if (tentative.has_live()) {
        const auto applied = apply_live(tentative.live());
        if (!applied) return applied;
    }
    operation.emplace();
    operation->id = from_wire(tentative.operation());
    operation->kind = tentative.kind();
    operation->parent = tentative.parent();
    operation->tentative = take_checkpoint();
    operation->statement = tentative.statement();
    activity.tentative = activity.count();
    operation->cohort = CohortId(tentative.cohort());
    operation->cohort_name = tentative.cohort_name();
    counter = std::max(counter, tentative.counter());
    return {};
}

Result<void> State::apply_permanent(const OperationId& id) {
    if (!operation || operation->id != id) return bad_record("permanent");
    make_permanent();
    operation.reset();
    restore_if_due();
    refuse(id);
    remember(ActivityKind::checkpoint, "", 0, Money());
    return {};
}

void State::make_permanent() {
    permanent = std::move(operation->tentative);
    activity.settled = activity.tentative;
    if (!operation->statement.statement().empty()) {
        ++statements;
        statement_digest = p2pbank::statement_digest(operation->statement);
    }
    for (auto& [peer_name, peer] : peers) {
        peer.received_log.drop(permanent.channel(peer_name).received);
    }
}

void State::apply_cohort_ended(const records::CohortEnded& ended) {
    const bool joined = in_cohort();
    const Totals last = from_wire(ended.totals());
    if (operation) refuse(operation->id);
    // The bank may have recorded its COMMIT, and with it the epoch.
    if (operation && operation->kind == wire::OPERATION_ROLLBACK) {
        epoch = std::max(epoch, operation->next_epoch);
    }
    if (joined) {
        // The last checkpoint that the bank recorded counts: one that is under way here, or by
        // force the one before it.
        const bool settled =
            ended.settled() && operation && operation->kind != wire::OPERATION_ROLLBACK;
        if (settled) make_permanent();
        activity.roll_back();
        drop_deal();
        totals = last;
        restore_due = false;
    } else {
        // It ended before this customer heard that it had started: nothing was sent or received in
        // it, and cash since the initial checkpoint stays.
        make_permanent();
        restore_if_due();
    }
    cohort = CohortId();
    cohort_name.clear();
    roster_issued_ms = roster_expires_ms = 0;
    peers.clear();
    forget_refused_of_peers();
    operation.reset();
    held_back.clear();
    recovering = false;
    if (joined) permanent = take_checkpoint();
    remember(ActivityKind::cohort_ended, "", 0, Money());
    activity.settled = joined ? activity.count() : activity.settled;
}

void State::apply_undone(const OperationId& id) {
    if (operation && operation->id == id) {
        operation.reset();
        restore_if_due();
    }
    refuse(id);
}

void State::apply_released(const OperationId& id, bool commit) {
    for (const HoldBack& hold : held_back) {
        if (commit && hold.operation == id) raise_known_epoch(hold.peer, hold.next_epoch);
    }
    std::erase_if(held_back, [&](const HoldBack& hold) { return hold.operation == id; });
    refuse(id);
}

void State::apply_rolled_back(const OperationId& id, Epoch new_epoch) {
    if (operation && operation->id == id) {
        for (const auto& [asker, next] : operation->askers) raise_known_epoch(asker, next);
        operation.reset();
    }
    apply_released(id, true);
    restore_permanent();
    // The recovery of a restart is done when a rollback that began after it has committed.
    if (id.initiator == name && Epoch(id.epoch) == epoch) recovering = false;
    epoch = std::max(epoch, new_epoch);
    remember(ActivityKind::rolled_back, "", 0, Money());
}

// The sent log of the permanent checkpoint is the part of today's log up to its last label: only
// what the peer's permanent checkpoint covers has been pruned meanwhile, and that is never
// un-received.
void State::restore_permanent() {
    totals = permanent.totals;
    drop_deal();
    activity.roll_back();
    for (auto& [peer_name, peer] : peers) {
        peer.channel = permanent.channel(peer_name);
        peer.received_log.clear();
        auto& log = peer.sent_log;
        while (!log.empty() && log.back().label > peer.channel.sent_last) log.pop_back();
        for (SentEntry& entry : log) {
            entry.lost = entry.acked = false;
            entry.send_index = 0;
        }
    }
}

void State::restore_if_due() {
    if (!restore_due) return;
    restore_due = false;
    restore_permanent();
}

void State::raise_known_epoch(std::string_view peer_name, Epoch to) {
    Peer* peer = find_peer(peer_name);
    if (peer != nullptr && to > peer->known_epoch) peer->known_epoch = to;
}

void State::refuse(const OperationId& id) {
    const auto [at, fresh] = refused.try_emplace(id.initiator, id);
    if (!fresh && at->second < id) at->second = id;
    if (fresh && is_of_bank(id.initiator)) forget_refused_of_bank(at);
}

// The bank has an initiator for each cohort, and cohorts come and go. Its operations rise over all
// of them, and it knows how each has ended: the oldest, but for `newest`, are the ones to forget.
void State::forget_refused_of_bank(Refused::const_iterator newest) {
    size_t count = 0;
    auto oldest = refused.cend();
    for (auto it = refused.lower_bound(kBank); it != refused.end() && is_of_bank(it->first); ++it) {
        ++count;
        const auto order = [](const OperationId& id) { return std::tie(id.epoch, id.counter); };
        if (it != newest &&
            (oldest == refused.cend() || order(it->second) < order(oldest->second))) {
            oldest = it;
        }
    }
    if (count > limits::kMaxRefusedOfBank) refused.erase(oldest);
}

// Of peers: whoever is in no cohort, or in another one, takes nothing that they said in this one.
void State::forget_refused_of_peers() {
    std::erase_if(refused,
                  [&](const auto& one) { return one.first != name && !is_of_bank(one.first); });
}

void State::apply_cohort(const records::CohortStarted& started) {
    cohort = CohortId(started.cohort());
    cohort_name = started.cohort_name();
    roster_issued_ms = started.issued_ms();
    roster_expires_ms = started.expires_ms();
    peers.clear();
    for (const wire::Member& member : started.members()) {
        if (member.name() == name) continue;
        Peer& peer = peers[member.name()];
        peer.name = member.name();
        peer.ip = member.ip();
        peer.port2 = static_cast<uint16_t>(member.port2());
        peer.keys = keys_of(member);
        peer.known_epoch = Epoch(member.epoch());
    }
    remember(ActivityKind::cohort_started, cohort_name, 0, Money());
}

void State::apply_roster(const records::Roster& roster) {
    roster_issued_ms = roster.issued_ms();
    roster_expires_ms = roster.expires_ms();
    for (const wire::Member& member : roster.members()) {
        Peer* peer = find_peer(member.name());
        if (peer == nullptr) continue;
        peer->ip = member.ip();
        peer->port2 = static_cast<uint16_t>(member.port2());
        peer->keys = keys_of(member);
    }
}

}  // namespace p2pbank::customer
