// Making this customer's epoch known to its peers, and hearing of theirs. Part of
// customer::Channels.
#include "common/wire/convert.h"
#include "customer/channels.h"

namespace p2pbank::customer {

void Channels::announce_all() {
    for (auto& [peer_name, link] : links_) {
        link->announcing = true;
        link->sent_before = link->peer->channel.sent_last;
        link->announce_pause.reset();
        link->announce_at = context_.now;
        touch(*link);
    }
}

void Channels::on_epoch_notice(Peer& peer, const wire::Datagram& datagram) {
    Link& channel_link = link(peer);
    const Epoch announced(datagram.epoch());
    // While a rollback is undecided here, its own decision says which epochs count.
    const auto& operation = context_.state.operation;
    if (announced < peer.signed_epoch) show_epoch(peer);
    if (context_.sealed() && !is_epoch_signed(peer.name, context_.state.cohort, announced,
                                              datagram.epoch_notice().word(), peer.keys.signing)) {
        return;
    }
    if (announced < peer.known_epoch || context_.state.restore_due ||
        (operation && operation->kind == wire::OPERATION_ROLLBACK)) {
        return;
    }
    const auto received = p2pbank::from_wire(datagram.epoch_notice().received());
    if (!received) return;
    const bool raised = announced > peer.known_epoch;
    if (raised || (context_.sealed() && announced > peer.signed_epoch)) {
        remember_epoch(peer, announced, datagram.epoch_notice().word());
    }
    if (raised) on_epoch_raised(peer);
    if (Epoch(datagram.receiver_epoch()) == context_.state.epoch && !context_.state.recovering &&
        received->highest() <= peer.channel.sent_last) {
        mark_acked(channel_link, *received);
    }
    touch(channel_link);
    wire::Datagram reply;
    reply.mutable_epoch_confirm()->set_epoch(announced.value());
    const Label last = peer.channel.received.highest();
    reply.mutable_epoch_confirm()->set_last_label(last.value());
    if (context_.sealed() && last.value() > 0) {
        wire::EvidenceRequest claim;
        claim.set_peer(peer.name);
        claim.set_above(last.value() - 1);
        wire::Evidence evidence = proofs_.evidence(claim);
        if (evidence.items_size() > 0) {
            reply.mutable_epoch_confirm()->mutable_proof()->Swap(evidence.mutable_items(0));
        }
    }
    context_.send_to_peer(peer, reply);
}

void Channels::on_epoch_confirm(Peer& peer, const wire::Datagram& datagram) {
    const wire::EpochConfirm& confirm = datagram.epoch_confirm();
    Link& channel_link = link(peer);
    if (Epoch(confirm.epoch()) != context_.state.epoch || !channel_link.announcing) return;
    // Nothing goes to the peer before it confirms: what it has beyond this was sent and forgotten.
    if (Epoch(datagram.epoch()) == peer.known_epoch && !context_.state.recovering &&
        !context_.state.restore_due && Label(confirm.last_label()) > channel_link.sent_before) {
        if (context_.sealed() && !is_own(peer, confirm.proof(), channel_link.sent_before)) {
            // Nothing is sent to it: if it is right, the next labels are used already.
            if (!channel_link.doubted) {
                context_.notice(Severity::warning,
                                peer.name +
                                    " says that it has transfers that this account has not sent: "
                                    "this state is an old copy, or " +
                                    peer.name + " lies. Nothing is sent there");
            }
            channel_link.doubted = true;
            return;
        }
        context_.refuse_to_go_on(
            peer.name + " has received transfer " + std::to_string(confirm.last_label()) +
            ", the last one known here was " + std::to_string(channel_link.sent_before.value()));
        return;
    }
    channel_link.announcing = false;
    touch(channel_link);
}

void Channels::remember_epoch(const Peer& peer, Epoch announced, const std::string& word) {
    State::Record record;
    record.mutable_epoch_known()->set_peer(peer.name);
    record.mutable_epoch_known()->set_epoch(announced.value());
    if (context_.sealed()) record.mutable_epoch_known()->set_word(word);
    context_.commit(record);
}

void Channels::show_epoch(const Peer& peer) {
    wire::Datagram message;
    message.mutable_epoch_proof()->set_epoch(peer.signed_epoch.value());
    message.mutable_epoch_proof()->set_word(peer.epoch_word);
    context_.send_to_peer(peer, message);
}

void Channels::on_epoch_proof(const Peer& peer, const wire::EpochProof& proof) {
    const State& state = context_.state;
    if (Epoch(proof.epoch()) <= state.epoch ||
        !is_epoch_signed(state.name, state.cohort, Epoch(proof.epoch()), proof.word(),
                         context_.identity.keys().signing)) {
        return;
    }
    context_.refuse_to_go_on(peer.name + " knows it in epoch " + std::to_string(proof.epoch()) +
                             ", its own storage says " + std::to_string(state.epoch.value()));
}

bool Channels::is_own(const Peer& peer, const wire::SignedTransfers& item, Label above) const {
    const State& state = context_.state;
    const ChannelContext context{state.name, peer.name, state.cohort, state.epoch};
    if (!proves(context, item, context_.identity.keys().signing)) return false;
    return std::any_of(item.transfers().begin(), item.transfers().end(),
                       [&](const wire::Transfers& message) {
                           return read_transfers(message)->back().label > above;
                       });
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
    message.mutable_epoch_notice()->set_word(sign_epoch(
        context_.signer(), context_.state.name, context_.state.cohort, context_.state.epoch));
    context_.send_to_peer(*channel_link.peer, message);
}

}  // namespace p2pbank::customer
