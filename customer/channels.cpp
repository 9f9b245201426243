#include "customer/channels.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

constexpr size_t kFewGaps = 16;
constexpr size_t kFewIntervals = 4;
constexpr size_t kCoveredIntervals = 12;
constexpr size_t kTransferBytes = 900;  // of a datagram; the rest is for its ids and an ack
constexpr uint64_t kOvertaken = 3;  // acknowledged entries sent later, before one counts as lost

size_t varint_bytes(uint64_t value) {
    size_t bytes = 1;
    while (value >>= 7) ++bytes;
    return bytes;
}

}  // namespace

Channels::Link::Link(Peer* p, size_t i)
    : peer(p), index(i), announce_pause(timing::kAnnounceFirst, timing::kAnnounceMost) {}

Channels::Channels(Context& context, Acknowledged acknowledged)
    : context_(context), acknowledged_(std::move(acknowledged)) {}

void Channels::rebuild(bool announce) {
    links_.clear();
    dirty_.clear();
    timers_.clear();
    by_index_.clear();
    for (auto& [peer_name, peer] : context_.state.peers) {
        const auto at =
            links_.emplace(peer_name, std::make_unique<Link>(&peer, by_index_.size())).first;
        by_index_.push_back(at->second.get());
        forget_acks(*at->second);
        at->second->announcing = announce;
        at->second->sent_before = peer.channel.sent_last;
        touch(*at->second);
    }
}

void Channels::touch(Link& link) {
    if (link.dirty) return;
    link.dirty = true;
    dirty_.push_back(&link);
}

void Channels::forget_acks(Link& link) {
    link.flight.clear();
    link.again.clear();
    link.acked.clear();
    link.next_unsent = Label(1);
    link.timeouts = 0;
    for (SentEntry& entry : link.peer->sent_log) {
        entry.acked = false;
        entry.send_index = 0;
    }
    touch(link);
}

void Channels::announce_all() {
    for (auto& [peer_name, link] : links_) {
        link->announcing = true;
        link->sent_before = link->peer->channel.sent_last;
        link->announce_pause.reset();
        link->announce_at = context_.now;
        touch(*link);
    }
}

void Channels::on_rolled_back() {
    for (auto& [peer_name, link] : links_) {
        forget_acks(*link);
        link->ack_due = false;
    }
    announce_all();
}

void Channels::on_epoch_raised(Peer& peer) {
    forget_acks(link(peer));
}

void Channels::on_permanent() {
    for (auto& [peer_name, link] : links_) {
        if (context_.state.permanent.channel(peer_name).received.empty()) continue;
        link->ack_due = true;
        touch(*link);
    }
}

SentEntry& Channels::transfer(Peer& peer, Money amount, bool lost) {
    const Label label = peer.channel.sent_last.next();
    record_.Clear();
    customer_records::Sent* sent = record_.mutable_sent();
    sent->set_peer(peer.name);
    sent->set_label(label.value());
    sent->set_amount(amount.cents());
    sent->set_lost(lost);
    context_.commit(record_);
    if (!lost) touch(link(peer));
    return peer.sent_log.back();
}

void Channels::on_transfers(Peer& peer, const wire::Datagram& datagram) {
    const wire::Transfers& transfers = datagram.transfers();
    Link& channel_link = link(peer);
    const bool gapped = transfers.gaps_size() > 0;
    if (context_.state.is_suspended() || Epoch(datagram.epoch()) != peer.known_epoch ||
        (gapped && transfers.gaps_size() != transfers.amounts_size())) {
        return;
    }
    Label most(kMaxLabel);
    for (const HoldBack& hold : context_.state.held_back) {
        if (hold.peer == peer.name) most = std::min(most, hold.label);
    }
    record_.Clear();
    customer_records::Received* received = record_.mutable_received();
    Money balance = context_.state.totals.balance;
    Money sum = peer.channel.received_sum;
    uint64_t label = transfers.first_label();
    uint64_t last = 0;  // of those taken: labels must rise, so that none is taken twice
    for (int i = 0; i < transfers.amounts_size(); ++i) {
        if (gapped) {
            if (transfers.gaps(i) > kMaxLabel) return;
            label += transfers.gaps(i);
        } else if (i > 0) {
            ++label;
        }
        if (label == 0 || label > most.value()) continue;
        if (channel_link.lowest_touched.value() == 0 ||
            label < channel_link.lowest_touched.value()) {
            channel_link.lowest_touched = Label(label);
        }
        channel_link.ack_due = true;
        if (label <= last || peer.channel.received.contains(Label(label))) continue;
        const uint64_t cents = transfers.amounts(i);
        if (cents == 0 || cents > static_cast<uint64_t>(limits::kMaxAmountUnits) * 100) continue;
        const Money amount = Money::from_cents(static_cast<int64_t>(cents));
        const auto new_balance = checked_add(balance, amount);
        const auto new_sum = checked_add(sum, amount);
        if (!new_balance || !new_sum || !has_room_for_gap(peer, Label(label))) {
            continue;  // not acknowledged: it stays in transit until there is room
        }
        balance = *new_balance;
        sum = *new_sum;
        last = label;
        received->add_labels(label);
        received->add_amounts(amount.cents());
    }
    touch(channel_link);
    if (received->labels_size() == 0) return;
    received->set_peer(peer.name);
    channel_link.credited_count += static_cast<uint64_t>(received->labels_size());
    for (const int64_t cents : received->amounts()) {
        channel_link.credited_sum += Money::from_cents(cents);
    }
    notice_due_ = true;
    context_.commit(record_);
}

// Each label that does not follow the one before leaves a gap in the received set, and all sets of
// a customer have to fit into one settlement.
bool Channels::has_room_for_gap(const Peer& peer, Label label) const {
    const IntervalSet& received = peer.channel.received;
    if (received.highest().next() == label || received.intervals().size() < kFewGaps) return true;
    size_t intervals = 0;
    for (const auto& [peer_name, other] : context_.state.peers) {
        intervals += other.channel.received.intervals().size();
    }
    return intervals < limits::kMaxReceivedIntervals;
}

void Channels::on_ack(Peer& peer, const wire::Datagram& datagram) {
    Link& channel_link = link(peer);
    const bool same_epochs = Epoch(datagram.epoch()) == peer.known_epoch &&
                             Epoch(datagram.receiver_epoch()) == context_.state.epoch;
    if (same_epochs && !context_.state.recovering && !context_.state.restore_due) {
        const auto received = p2pbank::from_wire(datagram.ack().received());
        if (!received) return;
        if (received->highest() > peer.channel.sent_last) {
            context_.refuse_to_go_on(peer.name + " has received transfer " +
                                     std::to_string(received->highest().value()) +
                                     ", the last one known here is " +
                                     std::to_string(peer.channel.sent_last.value()));
            return;
        }
        mark_acked(channel_link, *received);
    }
    const auto covered = p2pbank::from_wire(datagram.ack().covered());
    if (covered && !covered->empty() && !context_.state.restore_due) prune(channel_link, *covered);
    touch(channel_link);
}

void Channels::mark_acked(Link& channel_link, const IntervalSet& received) {
    Peer& peer = *channel_link.peer;
    bool progress = false;
    const auto fresh = [&](uint64_t first, uint64_t last) {
        for (uint64_t label = first; label <= last; ++label) {
            SentEntry* entry = peer.entry(Label(label));
            if (entry == nullptr || entry->acked || entry->lost) continue;
            entry->acked = true;
            progress = true;
            channel_link.highest_acked_index =
                std::max(channel_link.highest_acked_index, entry->send_index);
            if (entry->send_index != 0 && channel_link.timeouts == 0) {
                measure(channel_link, context_.now - entry->sent_at);
            }
            acknowledged_(peer, *entry);
        }
    };
    for (const auto& interval : received.intervals()) {
        channel_link.acked.add(interval.first, interval.last, fresh);
    }
    if (!progress) return;
    channel_link.timeouts = 0;
    find_overtaken(channel_link);
}

void Channels::find_overtaken(Link& channel_link) {
    auto& flight = channel_link.flight;
    while (!flight.empty()) {
        const Flying front = flight.front();
        const SentEntry* entry = channel_link.peer->entry(front.label);
        const bool landed =
            entry == nullptr || entry->acked || entry->send_index != front.send_index;
        if (!landed) {
            if (front.send_index + kOvertaken > channel_link.highest_acked_index) break;
            channel_link.again.push_back(front.label);
        }
        flight.pop_front();
    }
}

void Channels::prune(Link& channel_link, const IntervalSet& covered) {
    Peer& peer = *channel_link.peer;
    if (peer.sent_log.empty() || peer.sent_log.front().label > covered.highest()) return;
    bool any = false;
    for (SentEntry& entry : peer.sent_log) {
        if (entry.label > covered.highest()) break;
        if (!covered.contains(entry.label)) continue;
        any = true;
        if (!entry.acked && !entry.lost) acknowledged_(peer, entry);
    }
    if (!any) return;
    record_.Clear();
    record_.mutable_pruned()->set_peer(peer.name);
    to_wire(covered, record_.mutable_pruned()->mutable_covered());
    context_.commit(record_);
    find_overtaken(channel_link);
}

void Channels::on_epoch_notice(Peer& peer, const wire::Datagram& datagram) {
    Link& channel_link = link(peer);
    const Epoch announced(datagram.epoch());
    // While a rollback is undecided here, its own decision says which epochs count.
    const auto& operation = context_.state.operation;
    if (announced < peer.known_epoch || context_.state.restore_due ||
        (operation && operation->kind == wire::OPERATION_ROLLBACK)) {
        return;
    }
    const auto received = p2pbank::from_wire(datagram.epoch_notice().received());
    if (!received) return;
    if (announced > peer.known_epoch) {
        State::Record record;
        record.mutable_epoch_known()->set_peer(peer.name);
        record.mutable_epoch_known()->set_epoch(announced.value());
        context_.commit(record);
        forget_acks(channel_link);
    }
    if (Epoch(datagram.receiver_epoch()) == context_.state.epoch && !context_.state.recovering &&
        received->highest() <= peer.channel.sent_last) {
        mark_acked(channel_link, *received);
    }
    touch(channel_link);
    wire::Datagram reply;
    reply.mutable_epoch_confirm()->set_epoch(announced.value());
    reply.mutable_epoch_confirm()->set_last_label(peer.channel.received.highest().value());
    context_.send_to_peer(peer, reply);
}

void Channels::on_epoch_confirm(Peer& peer, const wire::Datagram& datagram) {
    const wire::EpochConfirm& confirm = datagram.epoch_confirm();
    Link& channel_link = link(peer);
    if (Epoch(confirm.epoch()) != context_.state.epoch || !channel_link.announcing) return;
    // Nothing goes to the peer before it confirms: what it has beyond this was sent and forgotten.
    if (Epoch(datagram.epoch()) == peer.known_epoch && !context_.state.recovering &&
        !context_.state.restore_due && Label(confirm.last_label()) > channel_link.sent_before) {
        context_.refuse_to_go_on(
            peer.name + " has received transfer " + std::to_string(confirm.last_label()) +
            ", the last one known here was " + std::to_string(channel_link.sent_before.value()));
        return;
    }
    channel_link.announcing = false;
    touch(channel_link);
}

void Channels::heard(Peer& peer, Address from, uint64_t instance) {
    Link& channel_link = link(peer);
    channel_link.heard_at = context_.now;
    if (instance <= channel_link.instance) return;
    // A new run of the peer's program, perhaps at another address. The address has proven that it
    // receives, or the message would not be here.
    channel_link.instance = instance;
    peer.ip = from.ip;
    peer.port2 = from.port;
}

void Channels::introduced(Address address) {
    for (auto& [peer_name, channel_link] : links_) {
        if (channel_link->peer->ip != address.ip || channel_link->peer->port2 != address.port) {
            continue;
        }
        channel_link->announce_at = context_.now;
        channel_link->timeouts = 0;
        touch(*channel_link);
    }
}

void Channels::resumed() {
    for (auto& [peer_name, channel_link] : links_) touch(*channel_link);
}

void Channels::measure(Link& channel_link, Duration round_trip) {
    if (channel_link.smoothed.count() == 0) {
        channel_link.smoothed = round_trip;
        channel_link.variation = round_trip / 2;
        return;
    }
    const Duration error = round_trip - channel_link.smoothed;
    channel_link.variation += (std::max(error, -error) - channel_link.variation) / 4;
    channel_link.smoothed += error / 8;
}

Duration Channels::timeout(const Link& channel_link) const {
    Duration base = timing::kFirstTimeout;
    if (channel_link.smoothed.count() != 0) {
        base =
            std::max(timing::kShortestTimeout, channel_link.smoothed + channel_link.variation * 4);
    }
    for (int i = 0; i < channel_link.timeouts && base < timing::kLongestTimeout; ++i) base *= 2;
    return std::min(base, timing::kLongestTimeout);
}

std::optional<TimePoint> Channels::timeout_at(const Link& channel_link) const {
    if (channel_link.flight.empty()) return std::nullopt;
    const SentEntry* entry = channel_link.peer->entry(channel_link.flight.front().label);
    if (entry == nullptr) return context_.now;
    return entry->sent_at + timeout(channel_link);
}

bool Channels::may_send(const Link& channel_link) const {
    return !channel_link.announcing && !context_.state.is_suspended();
}

void Channels::on_timer() {
    while (!timers_.empty() && timers_.begin()->first <= context_.now) {
        Link& channel_link = *by_index_[timers_.begin()->second];
        timers_.erase(timers_.begin());
        channel_link.wake.reset();
        touch(channel_link);
        find_overtaken(channel_link);
        const auto due = timeout_at(channel_link);
        if (!due || *due > context_.now) continue;
        // Everything sent long enough ago goes again; what was sent since then may still arrive.
        const TimePoint before = context_.now - timeout(channel_link);
        while (!channel_link.flight.empty()) {
            const Flying front = channel_link.flight.front();
            const SentEntry* entry = channel_link.peer->entry(front.label);
            if (entry != nullptr && !entry->acked && entry->send_index == front.send_index) {
                if (entry->sent_at > before) break;
                channel_link.again.push_back(front.label);
            }
            channel_link.flight.pop_front();
        }
        ++channel_link.timeouts;
    }
    if (notice_due_ && context_.now >= next_notice_) tell_what_arrived();
}

void Channels::tell_what_arrived() {
    notice_due_ = false;
    next_notice_ = context_.now + timing::kNoticePause;
    for (Link* channel_link : by_index_) {
        if (channel_link->credited_count == 0) continue;
        const bool one = channel_link->credited_count == 1;
        context_.notice(
            Severity::info,
            "received " + channel_link->credited_sum.to_string() + " from " +
                channel_link->peer->name +
                (one ? std::string()
                     : " in " + std::to_string(channel_link->credited_count) + " transfers") +
                ", balance " + to_string(context_.state.totals.balance));
        channel_link->credited_count = 0;
        channel_link->credited_sum = MoneyTotal();
    }
}

void Channels::end_of_turn() {
    if (notice_due_ && context_.now >= next_notice_) tell_what_arrived();
    for (size_t i = 0; i < dirty_.size(); ++i) {
        Link& channel_link = *dirty_[i];
        channel_link.dirty = false;
        announce(channel_link);
        flush(channel_link);
        set_wake(channel_link);
    }
    dirty_.clear();
}

void Channels::set_wake(Link& channel_link) {
    auto wake = timeout_at(channel_link);
    if (!may_send(channel_link)) wake.reset();
    if (channel_link.announcing && context_.state.restore_due) {
        // Until the decision there is nothing to say.
    } else if (channel_link.announcing) {
        wake = wake ? std::min(*wake, channel_link.announce_at) : channel_link.announce_at;
    } else if (may_send(channel_link) && !channel_link.again.empty()) {
        const TimePoint later = context_.now + timeout(channel_link);  // its address is unproven
        wake = wake ? std::min(*wake, later) : later;
    }
    // Re-arming for every message costs more than waking up early now and then.
    if (wake && channel_link.wake && *channel_link.wake <= *wake &&
        *channel_link.wake > context_.now) {
        return;
    }
    if (channel_link.wake) timers_.erase({*channel_link.wake, channel_link.index});
    channel_link.wake = wake;
    if (wake) timers_.insert({*wake, channel_link.index});
}

std::optional<TimePoint> Channels::next_wake() const {
    std::optional<TimePoint> wake;
    if (!timers_.empty()) wake = timers_.begin()->first;
    if (notice_due_) wake = wake ? std::min(*wake, next_notice_) : next_notice_;
    return wake;
}

void Channels::announce(Link& channel_link) {
    if (!channel_link.announcing || context_.now < channel_link.announce_at ||
        context_.state.restore_due) {
        return;
    }
    channel_link.announce_at = context_.now + channel_link.announce_pause.next(context_.random);
    wire::Datagram message;
    to_wire(channel_link.peer->channel.received,
            message.mutable_epoch_notice()->mutable_received());
    context_.send_to_peer(*channel_link.peer, message);
}

// The next entry of the sent log to go out: first what has to go again, then what was never sent.
SentEntry* Channels::next_to_send(Link& channel_link, size_t& log_index) {
    Peer& peer = *channel_link.peer;
    while (!channel_link.again.empty()) {
        SentEntry* entry = peer.entry(channel_link.again.front());
        if (entry != nullptr && !entry->acked && !entry->lost) return entry;
        channel_link.again.pop_front();
    }
    auto& log = peer.sent_log;
    while (log_index < log.size()) {
        SentEntry& entry = log[log_index];
        if (entry.send_index == 0 && !entry.acked && !entry.lost) return &entry;
        ++log_index;
    }
    return nullptr;
}

void Channels::flush(Link& channel_link) {
    Peer& peer = *channel_link.peer;
    if (may_send(channel_link)) {
        auto& log = peer.sent_log;
        size_t log_index = 0;
        if (!log.empty() && channel_link.next_unsent > log.front().label) {
            log_index = static_cast<size_t>(
                std::lower_bound(log.begin(), log.end(), channel_link.next_unsent,
                                 [](const SentEntry& e, Label l) { return e.label < l; }) -
                log.begin());
        }
        while (channel_link.flight.size() < limits::kTransferWindow) {
            out_.Clear();
            wire::Transfers* transfers = out_.mutable_transfers();
            auto& chosen = chosen_;
            chosen.clear();
            size_t bytes = 0;
            uint64_t before = 0;
            bool follow = true;  // each label is the one before plus one
            while (chosen.size() < limits::kMaxTransfersInDatagram && bytes < kTransferBytes) {
                SentEntry* entry = next_to_send(channel_link, log_index);
                if (entry == nullptr) break;
                const bool is_again =
                    !channel_link.again.empty() && channel_link.again.front() == entry->label;
                // Labels rise within a datagram.
                if (!chosen.empty() && entry->label.value() <= before) break;
                if (is_again) {
                    channel_link.again.pop_front();
                } else {
                    ++log_index;
                }
                if (!chosen.empty() && entry->label.value() != before + 1) follow = false;
                before = entry->label.value();
                chosen.push_back(entry);
                const auto cents = static_cast<uint64_t>(entry->amount.cents());
                transfers->add_amounts(cents);
                bytes += varint_bytes(cents) + 3;
            }
            if (chosen.empty()) break;
            transfers->set_first_label(chosen.front()->label.value());
            if (!follow) {
                uint64_t last = transfers->first_label();
                for (const SentEntry* entry : chosen) {
                    transfers->add_gaps(entry->label.value() - last);
                    last = entry->label.value();
                }
            }
            if (channel_link.ack_due) put_ack(channel_link, out_.mutable_ack());
            const bool out = context_.send_to_peer(peer, out_);
            for (SentEntry* entry : chosen) {
                if (!out) {
                    channel_link.again.push_back(entry->label);
                    continue;
                }
                entry->send_index = ++channel_link.last_index;
                entry->sent_at = context_.now;
                channel_link.flight.push_back({entry->label, entry->send_index});
            }
            if (!out) {
                ++channel_link.timeouts;
                break;  // introduced() comes back here
            }
        }
        channel_link.next_unsent =
            log_index < log.size() ? log[log_index].label : peer.channel.sent_last.next();
    }
    if (channel_link.ack_due && !context_.state.is_suspended()) {
        out_.Clear();
        put_ack(channel_link, out_.mutable_ack());
        context_.send_to_peer(peer, out_);
    }
}

void Channels::put_ack(Link& channel_link, wire::Ack* ack) {
    const IntervalSet& received = channel_link.peer->channel.received;
    const size_t count = received.intervals().size();
    constexpr size_t most = limits::kMaxIntervalsInAck;
    if (count <= most) {
        to_wire(received, ack->mutable_received());
    } else {
        // Too many gaps for one datagram: the stretch that the sender waits for. What it does not
        // hear of it sends again, and then that is the stretch.
        const auto at = std::lower_bound(received.intervals().begin(), received.intervals().end(),
                                         channel_link.lowest_touched.value(),
                                         [](const IntervalSet::Interval& interval, uint64_t label) {
                                             return interval.last < label;
                                         });
        const auto begin = static_cast<size_t>(at - received.intervals().begin());
        to_wire(received, std::min(begin, count - most), most, ack->mutable_received());
    }
    const IntervalSet& covered = context_.state.permanent.channel(channel_link.peer->name).received;
    const size_t covered_count = covered.intervals().size();
    if (covered_count <= kFewIntervals) {
        to_wire(covered, ack->mutable_covered());
    } else {
        if (channel_link.covered_begin >= covered_count) channel_link.covered_begin = 0;
        to_wire(covered, channel_link.covered_begin, kCoveredIntervals, ack->mutable_covered());
        channel_link.covered_begin += kCoveredIntervals;
    }
    channel_link.ack_due = false;
    channel_link.lowest_touched = Label();
}

Channels::View Channels::view(const Peer& peer) const {
    const Link& channel_link = link(peer);
    View view;
    for (const SentEntry& entry : peer.sent_log) {
        if (entry.lost) {
            view.lost_sum = must_add(view.lost_sum, entry.amount);
        } else if (!entry.acked) {
            ++view.unacknowledged;
            view.unacknowledged_sum = must_add(view.unacknowledged_sum, entry.amount);
        }
    }
    view.confirmed = !channel_link.announcing;
    view.heard_at = channel_link.heard_at;
    return view;
}

bool Channels::someone_is_silent() const {
    return std::any_of(by_index_.begin(), by_index_.end(), [&](const Link* channel_link) {
        const bool waits = channel_link->announcing || channel_link->timeouts > 3;
        return waits &&
               (!channel_link->heard_at || context_.now - *channel_link->heard_at > seconds(2));
    });
}

}  // namespace p2pbank::customer
