#include "customer/state.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::customer {

using p2pbank::from_wire;
namespace records = customer_records;

namespace {

constexpr std::string_view kBank = "bank:";  // and the cohort: its initiators

bool is_of_bank(std::string_view initiator) {
    return initiator.starts_with(kBank);
}

Error bad(const char* what) {
    return Error{"bad-record", std::string("a record does not fit: ") + what};
}

}  // namespace

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
            if (!balance || balance->is_negative()) return bad("a correction below zero");
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
            if (peer == nullptr || !covered) return bad("pruned");
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
            if (operation) return bad("a rollback within an operation");
            operation.emplace();
            operation->id = from_wire(record.rollback_begun().operation());
            operation->kind = wire::OPERATION_ROLLBACK;
            operation->parent = record.rollback_begun().parent();
            operation->next_epoch = Epoch(record.rollback_begun().next_epoch());
            counter = std::max(counter, record.rollback_begun().counter());
            return {};
        }
        case Record::kAsked: {
            if (!operation) return bad("asked outside an operation");
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
            if (!operation || operation->kind != wire::OPERATION_JOIN) return bad("no join");
            refuse(operation->id);
            make_permanent();
            operation.reset();
            restore_if_due();
            apply_cohort(started);
            return {};
        }
        case Record::kCohortEnded:
            if (!in_cohort() && !operation) return bad("the end of no cohort");
            apply_cohort_ended(record.cohort_ended());
            return {};
        case Record::kExiting:
            phase = record.exiting().given_up() ? Phase::open : Phase::exiting;
            exit_statement.reset();
            if (record.exiting().has_statement()) exit_statement = record.exiting().statement();
            deals = std::max(deals, record.exiting().deals());
            if (record.exiting().has_live()) return apply_live(record.exiting().live());
            return {};
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
    return bad("unknown kind");
}

Result<void> State::apply_cash(const records::Cash& cash) {
    const Money amount = Money::from_cents(cash.amount());
    const auto balance = checked_add(totals.balance, amount);
    Money& sum = amount.is_negative() ? totals.withdrawals : totals.deposits;
    const auto total =
        amount.is_negative() ? checked_subtract(sum, amount) : checked_add(sum, amount);
    if (!balance || balance->is_negative() || !total) return bad("cash");
    totals.balance = *balance;
    sum = *total;
    remember(amount.is_negative() ? ActivityKind::withdrawal : ActivityKind::deposit, "", 0, amount,
             cash.note());
    return {};
}

Result<void> State::apply_dealt(const records::Dealt& dealt) {
    if (deal || operation) return bad("a deal");
    const Money amount = Money::from_cents(dealt.amount());
    if (amount.is_negative()) {
        const auto balance = checked_add(totals.balance, amount);
        const auto dealings = checked_add(totals.dealings, amount);
        if (!balance || balance->is_negative() || !dealings) return bad("what a deal costs");
        totals.balance = *balance;
        totals.dealings = *dealings;
    }
    deals = std::max(deals, dealt.number());
    deal = OpenDeal{dealt.number(),   dealt.kind(), dealt.what(),
                    dealt.quantity(), amount,       dealt.months()};
    return {};
}

std::optional<Money> State::deal_change(bool accepted) const {
    const bool pays = deal->amount.is_negative();
    if (pays == accepted) return Money();
    const Money change = pays ? must_subtract(Money(), deal->amount) : deal->amount;
    const bool fits = checked_add(totals.balance, change) && checked_add(totals.dealings, change);
    return fits ? std::optional<Money>(change) : std::nullopt;
}

Result<void> State::apply_deal_answered(const records::DealAnswered& answered) {
    if (!deal || deal->number != answered.number()) return bad("an answer to no deal");
    const auto change = deal_change(answered.accepted());
    if (!change) return bad("an answer to a deal");
    totals.balance = must_add(totals.balance, *change);
    totals.dealings = must_add(totals.dealings, *change);
    const OpenDeal made = *deal;
    deal.reset();
    if (!answered.accepted()) return {};
    const ActivityKind kind = made.kind == wire::DEAL_PURCHASE  ? ActivityKind::purchase
                              : made.kind == wire::DEAL_PAYMENT ? ActivityKind::payment
                              : made.kind == wire::DEAL_LOAN    ? ActivityKind::loan
                                                                : ActivityKind::repayment;
    std::string what = made.kind == wire::DEAL_LOAN ? std::to_string(answered.order()) : made.what;
    std::string note = made.quantity > 1 ? std::to_string(made.quantity) + " pieces" : "";
    remember(kind, std::move(what), answered.order(), made.amount, std::move(note));
    return {};
}

Result<void> State::apply_sent(const records::Sent& sent) {
    Peer* peer = find_peer(sent.peer());
    const Money amount = Money::from_cents(sent.amount());
    if (peer == nullptr || amount <= Money()) return bad("sent");
    Channel& channel = peer->channel;
    const auto sum = checked_add(channel.sent_sum, amount);
    if (Label(sent.label()) != channel.sent_last.next() || totals.balance < amount || !sum) {
        return bad("sent");
    }
    channel.sent_last = Label(sent.label());
    channel.sent_sum = *sum;
    totals.balance = must_subtract(totals.balance, amount);
    peer->sent_log.push_back({Label(sent.label()), amount, sent.lost(), false, 0, {}, {}});
    remember(sent.lost() ? ActivityKind::lost : ActivityKind::sent, sent.peer(), sent.label(),
             Money::from_cents(-amount.cents()));
    return {};
}

Result<void> State::apply_received(const records::Received& received) {
    Peer* peer = find_peer(received.peer());
    if (peer == nullptr || received.labels_size() != received.amounts_size()) {
        return bad("received");
    }
    for (int i = 0; i < received.labels_size(); ++i) {
        const Money amount = Money::from_cents(received.amounts(i));
        const auto balance = checked_add(totals.balance, amount);
        const auto sum = checked_add(peer->channel.received_sum, amount);
        if (amount <= Money() || !balance || !sum ||
            !peer->channel.received.add(Label(received.labels(i)))) {
            return bad("received");
        }
        peer->received_log.add(Label(received.labels(i)), amount);
        totals.balance = *balance;
        peer->channel.received_sum = *sum;
        remember(ActivityKind::received, received.peer(), received.labels(i), amount);
    }
    return {};
}

void State::apply_pruned(Peer& peer, const IntervalSet& covered) {
    auto& log = peer.sent_log;
    while (!log.empty() && covered.contains(log.front().label)) log.pop_front();
    const auto kept = std::remove_if(log.begin(), log.end(), [&](const SentEntry& entry) {
        return covered.contains(entry.label);
    });
    log.erase(kept, log.end());
}

Result<void> State::apply_tentative(const records::Tentative& tentative) {
    // An open deal of a run in `journal` mode may have been answered in one that journals no money.
    if (tentative.has_live()) drop_deal();
    if (operation || deal) return bad("a tentative checkpoint within something else");
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
    if (!operation || operation->id != id) return bad("permanent");
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

void State::remember(ActivityKind kind, std::string what, uint64_t number, Money amount,
                     std::string note) {
    activity.add(
        {kind, std::move(what), number, amount, totals.balance, at_ms_, std::move(note), false});
}

// Its debit goes with the totals that are restored; the bank cancels what it accepted, as soon as
// it knows of the new epoch or of the cohort's end.
void State::drop_deal() {
    deal.reset();
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

bool State::adds_up() const {
    return p2pbank::adds_up(totals, take_checkpoint().channels) &&
           p2pbank::adds_up(permanent.totals, permanent.channels);
}

}  // namespace p2pbank::customer
