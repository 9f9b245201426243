// What has arrived at the other side, and what is taken for lost. Part of customer::Channels.
#include <algorithm>

#include "common/wire/convert.h"
#include "customer/channels.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

constexpr size_t kFewIntervals = 4;
constexpr size_t kCoveredIntervals = 12;
constexpr uint64_t kOvertaken = 3;  // acknowledged entries sent later, before one counts as lost

}  // namespace

void Channels::on_ack(Peer& peer, const wire::Datagram& datagram) {
    Link& channel_link = link(peer);
    const bool same_epochs = Epoch(datagram.epoch()) == peer.known_epoch &&
                             Epoch(datagram.receiver_epoch()) == context_.state.epoch;
    if (same_epochs && !context_.state.recovering && !context_.state.restore_due) {
        const auto received = p2pbank::from_wire(datagram.ack().received());
        if (!received) return;
        if (received->highest() > peer.channel.sent_last) {
            // Anybody can say so; whether it is so shows when this customer announces itself.
            if (context_.sealed()) return;
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

}  // namespace p2pbank::customer
