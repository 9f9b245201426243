#include "customer/channels.h"

#include <algorithm>
#include <optional>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

// Whether a label that stands alone leaves another gap in what was received: one beside another
// closes a gap, or leaves as many as there were. `fresh` is of the same message.
bool leaves_gap(const IntervalSet& received, const customer_records::Received& fresh, Label label) {
    const int count = fresh.labels_size();
    if (count > 0 && fresh.labels(count - 1) + 1 == label.value()) return false;
    return !received.contains(Label(label.value() - 1)) && !received.contains(label.next());
}

}  // namespace

Channels::Link::Link(Peer* p, size_t i)
    : peer(p), index(i), announce_pause(timing::kAnnounceFirst, timing::kAnnounceMost) {}

Channels::Channels(Context& context, Proofs& proofs, Acknowledged acknowledged)
    : context_(context), proofs_(proofs), acknowledged_(std::move(acknowledged)) {}

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
    proofs_.rebuild();
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

void Channels::on_rolled_back() {
    for (auto& [peer_name, link] : links_) {
        forget_acks(*link);
        link->ack_due = false;
        link->unsigned_digests.clear();
        link->asked_to_sign.clear();
    }
    proofs_.on_rolled_back();
    announce_all();
}

void Channels::on_epoch_raised(Peer& peer) {
    forget_acks(link(peer));
    proofs_.on_epoch_raised(peer);
}

void Channels::on_permanent() {
    for (auto& [peer_name, link] : links_) {
        if (context_.state.permanent.channel(peer_name).received.empty()) continue;
        link->ack_due = true;
        touch(*link);
    }
    proofs_.on_permanent();
}

bool Channels::has_room_to_send() {
    if (sent_room_ > 0) return true;
    size_t logged = 0;
    for (const auto& [peer_name, peer] : context_.state.peers) logged += peer.sent_log.size();
    sent_room_ = context_.settings.most_logged - std::min(context_.settings.most_logged, logged);
    return sent_room_ > 0;
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
    if (sent_room_ > 0) --sent_room_;
    if (!lost) touch(link(peer));
    return peer.sent_log.back();
}

void Channels::on_transfers(Peer& peer, wire::Datagram& datagram) {
    const Epoch epoch(datagram.epoch());
    if (epoch != peer.known_epoch) return;
    const auto transfers = read_transfers(datagram.transfers());
    if (!transfers) return;
    if (!context_.state.is_deaf()) credit(peer, *transfers);
    // Also while nothing is credited: the word for what was may wait for this message.
    proofs_.on_transfers(peer, epoch, *transfers, *datagram.mutable_transfers());
}

// How many more there may be: all sets of a customer have to fit into one settlement.
size_t Channels::room_for_gaps() const {
    size_t intervals = 0;
    for (const auto& [peer_name, peer] : context_.state.peers) {
        intervals += peer.channel.received.intervals().size();
    }
    return limits::kMaxReceivedIntervals - std::min(limits::kMaxReceivedIntervals, intervals);
}

// How many more fit into what is kept of them.
size_t Channels::room_for_received() const {
    size_t logged = 0;
    for (const auto& [peer_name, peer] : context_.state.peers) {
        logged += peer.received_log.count();
    }
    return context_.settings.most_logged - std::min(context_.settings.most_logged, logged);
}

void Channels::credit(Peer& peer, const std::vector<Transfer>& transfers) {
    Link& channel_link = link(peer);
    Label most(kMaxLabel);
    for (const HoldBack& hold : context_.state.held_back) {
        if (hold.peer == peer.name) most = std::min(most, hold.label);
    }
    record_.Clear();
    customer_records::Received* received = record_.mutable_received();
    Money balance = context_.state.totals.balance;
    Money sum = peer.channel.received_sum;
    std::optional<size_t> room;  // for gaps, when one comes
    for (const auto& [label, amount] : transfers) {
        if (label > most) break;
        if (channel_link.lowest_touched.value() == 0 || label < channel_link.lowest_touched) {
            channel_link.lowest_touched = label;
        }
        channel_link.ack_due = true;
        if (peer.channel.received.contains(label)) continue;
        const auto new_balance = checked_add(balance, amount);
        const auto new_sum = checked_add(sum, amount);
        const bool gap = leaves_gap(peer.channel.received, *received, label);
        if (gap && !room) room = room_for_gaps();
        if (received_room_ == 0) {
            const size_t all = room_for_received();
            received_room_ = all - std::min(all, static_cast<size_t>(received->labels_size()));
        }
        if (!context_.state.can_hold(new_balance) || !fits_total(new_sum) || (gap && *room == 0) ||
            received_room_ == 0) {
            continue;  // not acknowledged: it stays in transit until there is room
        }
        if (gap) --*room;
        --received_room_;
        balance = *new_balance;
        sum = *new_sum;
        received->add_labels(label.value());
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
        sign_what_is_due(channel_link);
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
    if (!channel_link.unsigned_digests.empty()) {
        wake = wake ? std::min(*wake, channel_link.sign_at) : channel_link.sign_at;
    }
    if (!channel_link.asked_to_sign.empty() && may_vouch(channel_link)) {
        wake = wake ? std::min(*wake, channel_link.sign_again_at) : channel_link.sign_again_at;
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

// At most what the entry takes in a message: its amount, and the gap before it.
size_t Channels::transfer_bytes(const SentEntry& entry) {
    size_t bytes = 4;
    for (auto cents = static_cast<uint64_t>(entry.amount.cents()); cents >>= 7;) ++bytes;
    return bytes;
}

// What goes into one datagram: as many entries as fit, with rising labels.
void Channels::choose(Link& channel_link, size_t& log_index) {
    chosen_.clear();
    size_t bytes = 0;
    while (chosen_.size() < limits::kMaxTransfersInDatagram && bytes < kTransferBytes) {
        SentEntry* entry = next_to_send(channel_link, log_index);
        if (entry == nullptr || (!chosen_.empty() && entry->label <= chosen_.back()->label)) break;
        if (!channel_link.again.empty() && channel_link.again.front() == entry->label) {
            channel_link.again.pop_front();
        } else {
            ++log_index;
        }
        chosen_.push_back(entry);
        bytes += transfer_bytes(*entry);
    }
}

void Channels::write_chosen(wire::Transfers* transfers) const {
    const Label first = chosen_.front()->label;
    transfers->set_first_label(first.value());
    const bool follow = chosen_.back()->label.value() - first.value() + 1 == chosen_.size();
    uint64_t before = first.value();
    for (const SentEntry* entry : chosen_) {
        transfers->add_amounts(static_cast<uint64_t>(entry->amount.cents()));
        if (!follow) transfers->add_gaps(entry->label.value() - before);
        before = entry->label.value();
    }
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
            choose(channel_link, log_index);
            if (chosen_.empty()) break;
            out_.Clear();
            write_chosen(out_.mutable_transfers());
            if (channel_link.ack_due) put_ack(channel_link, out_.mutable_ack());
            const bool out = context_.send_to_peer(peer, out_);
            for (SentEntry* entry : chosen_) {
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
            note_sent(channel_link, out_.transfers());
        }
        channel_link.next_unsent =
            log_index < log.size() ? log[log_index].label : peer.channel.sent_last.next();
    }
    if (channel_link.ack_due && !context_.state.is_deaf()) {
        out_.Clear();
        put_ack(channel_link, out_.mutable_ack());
        context_.send_to_peer(peer, out_);
    }
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
