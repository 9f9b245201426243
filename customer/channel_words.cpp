// Signing for the transfers that were sent (common/core/statement.h). Part of customer::Channels.
//
// Each Transfers message that has gone out leaves its digest with its link; one signature stands
// for many. It goes out when there are as many as one may stand for, kSignAfter behind the first,
// and at once when somebody waits for it. A word that is lost is asked for: then the transfers are
// sent again, packed anew, and signed in the same turn.
#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/channels.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

constexpr int kMostNumbersAsked = 2 * limits::kMaxIntervalsInAck;  // of the labels of a request

}  // namespace

void Channels::note_sent(Link& channel_link, const wire::Transfers& transfers) {
    if (!context_.sealed()) return;
    if (channel_link.unsigned_digests.empty()) {
        channel_link.sign_at = context_.now + timing::kSignAfter;
    }
    channel_link.unsigned_digests.push_back(transfers_digest(
        {context_.state.name, channel_link.peer->name, context_.state.cohort, context_.state.epoch},
        transfers));
    if (channel_link.unsigned_digests.size() >= limits::kMaxDigestsInSigned) sign(channel_link);
}

void Channels::sign(Link& channel_link) {
    if (channel_link.unsigned_digests.empty()) return;
    wire::Datagram message;
    *message.mutable_signed_() =
        sign_transfers(context_.identity, std::move(channel_link.unsigned_digests));
    channel_link.unsigned_digests.clear();
    // If it does not arrive it is asked for.
    context_.send_to_peer(*channel_link.peer, message);
}

void Channels::sign(const Peer& peer) {
    sign(link(peer));
}

void Channels::sign_all() {
    for (auto& [peer_name, channel_link] : links_) sign(*channel_link);
}

void Channels::on_sign_request(Peer& peer, const wire::Datagram& datagram) {
    if (!context_.sealed() || Epoch(datagram.receiver_epoch()) != context_.state.epoch ||
        datagram.sign_request().labels_size() > kMostNumbersAsked) {
        return;
    }
    auto labels = p2pbank::from_wire(datagram.sign_request().labels());
    if (!labels) return;
    Link& channel_link = link(peer);
    channel_link.asked_to_sign = std::move(*labels);
    touch(channel_link);
}

// What was sent is known for certain, and nothing is about to undo it. Being frozen does not
// matter: the others may wait for this word to freeze too.
bool Channels::may_vouch(const Link& channel_link) const {
    const State& state = context_.state;
    const bool rolls_back = state.operation && state.operation->kind == wire::OPERATION_ROLLBACK;
    return !channel_link.announcing && state.phase == Phase::open && !state.recovering &&
           !state.restore_due && !rolls_back;
}

void Channels::sign_what_is_due(Link& channel_link) {
    if (!channel_link.asked_to_sign.empty() && may_vouch(channel_link) &&
        context_.now >= channel_link.sign_again_at) {
        send_again_and_sign(channel_link);
        channel_link.asked_to_sign.clear();  // whoever needs more asks again
        channel_link.sign_again_at = context_.now + timing::kSignAgainPause;
    }
    if (context_.now >= channel_link.sign_at) sign(channel_link);
}

// As much of what was asked for as one signature stands for.
void Channels::send_again_and_sign(Link& channel_link) {
    sign(channel_link);
    Peer& peer = *channel_link.peer;
    auto& log = peer.sent_log;
    size_t datagrams = 0;
    size_t bytes = 0;
    chosen_.clear();
    const auto send = [&] {
        if (chosen_.empty()) return true;
        out_.Clear();
        write_chosen(out_.mutable_transfers());
        chosen_.clear();
        bytes = 0;
        if (!context_.send_to_peer(peer, out_)) return false;
        ++datagrams;
        note_sent(channel_link, out_.transfers());
        return datagrams < limits::kMaxDigestsInSigned;
    };
    bool room = true;
    for (const auto& interval : channel_link.asked_to_sign.intervals()) {
        if (!room) break;
        auto entry =
            std::lower_bound(log.begin(), log.end(), Label(interval.first),
                             [](const SentEntry& e, Label label) { return e.label < label; });
        for (; room && entry != log.end() && entry->label.value() <= interval.last; ++entry) {
            if (entry->lost) continue;
            chosen_.push_back(&*entry);
            bytes += transfer_bytes(*entry);
            if (chosen_.size() == limits::kMaxTransfersInDatagram || bytes >= kTransferBytes) {
                room = send();
            }
        }
    }
    if (room) send();
    chosen_.clear();
    sign(channel_link);
}

}  // namespace p2pbank::customer
