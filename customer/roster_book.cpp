#include "customer/roster_book.h"

#include <algorithm>

#include "common/core/roster.h"
#include "customer/timing.h"

namespace p2pbank::customer {

RosterBook::RosterBook(Context& context, Channels& channels)
    : context_(context), channels_(channels) {}

// --- what the bank says

void RosterBook::on_roster(const wire::Roster& roster) {
    const auto read = context_.read_roster(roster);
    if (!read) return;
    const wire::RosterBody& body = *read;
    State& state = context_.state;
    if (CohortId(body.cohort()) != state.cohort) return;
    if (!context_.sealed()) {
        for (const wire::Member& member : body.members()) {
            Peer* peer = state.find_peer(member.name());
            if (peer == nullptr || channels_.was_heard(*peer)) continue;
            peer->ip = member.ip();
            peer->port2 = static_cast<uint16_t>(member.port2());
        }
        return;
    }
    if (body.issued_ms() < state.roster_issued_ms && !context_.roster_of_future()) return;

    bool differs =
        body.issued_ms() != state.roster_issued_ms || body.expires_ms() != state.roster_expires_ms;
    State::Record record;
    auto* newer = record.mutable_roster();
    newer->set_issued_ms(body.issued_ms());
    newer->set_expires_ms(body.expires_ms());
    for (const wire::Member& member : body.members()) {
        const Peer* peer = state.find_peer(member.name());
        if (peer == nullptr) continue;
        wire::Member* out = newer->add_members();
        *out = member;
        // Whoever was heard in this run is where it was heard: a roster may be late. With another
        // key it was not heard yet.
        if (channels_.was_heard(*peer) && keys_of(member) == peer->keys) {
            out->set_ip(peer->ip);
            out->set_port2(peer->port2);
        }
        differs = differs || out->ip() != peer->ip || out->port2() != peer->port2 ||
                  keys_of(member) != peer->keys;
    }
    if (!differs) return;
    context_.commit(record);
    knocked_at_.reset();
    if (expired_) context_.notice(Severity::info, "a new list of the cohort's members has come");
    expired_ = false;
    context_.courier.forget_refused();  // keys may have changed
    channels_.resumed();
}

// --- who may have a session

bool RosterBook::is_peer(const KeyBytes& channel_key) const {
    if (context_.roster_expired()) return false;
    const auto& peers = context_.state.peers;
    return std::any_of(peers.begin(), peers.end(), [&](const auto& named) {
        const Peer& peer = named.second;
        return !peer.keys.empty() && peer.keys.channel == channel_key;
    });
}

bool RosterBook::accepts(const KeyBytes& channel_key) {
    if (is_peer(channel_key)) return true;
    // Perhaps a member that has another key now.
    if (context_.state.in_cohort() && !knocked_at_) knocked_at_ = context_.now;
    return false;
}

// --- asking for a newer one

TimePoint RosterBook::at_wall(uint64_t wall_ms) const {
    constexpr uint64_t kMost = INT64_MAX / 1'000 / 2;  // the bank may say anything
    const auto at = static_cast<int64_t>(std::min(wall_ms, kMost)) * 1'000;
    return TimePoint(Duration(at - context_.settings.wall_offset_us));
}

bool RosterBook::is_due() const {
    const State& state = context_.state;
    if (!state.in_cohort()) return false;
    if (channels_.someone_is_silent()) return true;
    if (!context_.sealed()) return false;
    if (context_.roster_of_future()) return true;
    const uint64_t half = state.roster_issued_ms / 2 + state.roster_expires_ms / 2;
    return context_.wall_ms() >= half;
}

void RosterBook::ask() {
    asked_at_ = context_.now;
    asked_ = true;
    knocked_at_.reset();
    wire::Datagram message;
    message.mutable_roster_request()->set_cohort(context_.state.cohort.value());
    context_.send_to_bank(message);
}

// --- time

void RosterBook::on_timer() {
    if (!context_.state.in_cohort()) {
        knocked_at_.reset();
        return;
    }
    if (expired_ && !context_.roster_expired()) expired_ = false;  // the clock was set
    if (const auto at = next_wake(); !at || context_.now < *at) return;
    if (!expired_ && context_.roster_expired()) {
        expired_ = true;
        context_.notice(Severity::warning,
                        "the bank's list of the cohort's members has expired: transfers wait until "
                        "the bank gives a new one");
        context_.courier.forget_refused();
    }
    if (knocked_at_ && (!asked_ || context_.now >= asked_at_ + timing::kKnockPause)) ask();
}

void RosterBook::end_of_turn() {
    if (context_.state.cohort == cohort_) return;
    cohort_ = context_.state.cohort;
    expired_ = false;
    context_.courier.forget_refused();
}

std::optional<TimePoint> RosterBook::next_wake() const {
    if (!context_.sealed() || !context_.state.in_cohort()) return std::nullopt;
    std::optional<TimePoint> wake;
    if (!expired_) {
        wake = at_wall(context_.state.roster_expires_ms) + milliseconds(kClockSkewMs + 1);
    }
    if (knocked_at_) {
        const TimePoint at =
            asked_ ? std::max(*knocked_at_, asked_at_ + timing::kKnockPause) : *knocked_at_;
        wake = wake ? std::min(*wake, at) : at;
    }
    return wake;
}

}  // namespace p2pbank::customer
