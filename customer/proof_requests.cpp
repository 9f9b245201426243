// What a checkpoint needs to be proven, what the bank asks for, and asking the peers. Part of
// customer::Proofs.
#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "customer/proofs.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

// The first labels of the set, in as many intervals as a message may have.
IntervalSet first_of(const IntervalSet& set, uint64_t most) {
    IntervalSet out;
    size_t intervals = 0;
    for (const auto& interval : set.intervals()) {
        if (most == 0 || intervals++ == limits::kMaxIntervalsInAck) break;
        const uint64_t count = std::min(most, interval.last - interval.first + 1);
        out.add(interval.first, interval.first + count - 1, [](uint64_t, uint64_t) {});
        most -= count;
    }
    return out;
}

// The first label above that one in the message; 0 if there is none.
uint64_t first_above(const std::string& bytes, uint64_t above) {
    wire::Transfers message;
    message.ParseFromString(bytes);
    const auto transfers = read_transfers(message);
    for (const Transfer& transfer : transfers.value_or(std::vector<Transfer>())) {
        if (transfer.label.value() > above) return transfer.label.value();
    }
    return 0;
}

}  // namespace

// --- what a checkpoint needs
// ----------------------------------------------------------------------

void Proofs::on_tentative() {
    if (lines_.empty()) return;
    const Operation& operation = *context_.state.operation;
    claim_.emplace();
    claim_->operation = operation.id;
    for (auto& [peer_name, line] : lines_) {
        const IntervalSet& received = operation.tentative.channel(peer_name).received;
        if (received == context_.state.permanent.channel(peer_name).received) continue;
        claim_->received[peer_name] = received;
        if (line.vouched.contains_all(received)) continue;
        // The word for what has just come is on its way: the peer signs when it is asked to take
        // part, or when it freezes too.
        line.requests = 0;
        line.pause.reset();
        const bool all_here = line.awaiting.contains_all(without(received, line.vouched));
        look_again(line, context_.now + (all_here ? timing::kRetryFirst : Duration(0)));
    }
}

bool Proofs::covers(const Checkpoint& checkpoint) const {
    return not_signed_by(checkpoint).empty();
}

std::string Proofs::not_signed_by(const Checkpoint& checkpoint) const {
    for (const auto& [peer_name, line] : lines_) {
        if (!line.vouched.contains_all(checkpoint.channel(peer_name).received)) return peer_name;
    }
    return {};
}

std::string Proofs::not_signed(const Checkpoint& checkpoint, std::string_view peer) const {
    const auto found = lines_.find(peer);
    if (found == lines_.end()) return "transfers";
    const IntervalSet missing = without(checkpoint.channel(peer).received, found->second.vouched);
    const IntervalSet shown = first_of(missing, limits::kMaxLabelsInSignRequest);
    constexpr size_t kIntervalsShown = 4;
    std::string text = missing.count() == 1 ? "transfer" : "transfers";
    for (size_t i = 0; i < shown.intervals().size() && i < kIntervalsShown; ++i) {
        const auto& [first, last] = shown.intervals()[i];
        text += (i == 0 ? " " : ", ") + std::to_string(first);
        if (last != first) text += "-" + std::to_string(last);
    }
    if (missing.intervals().size() > kIntervalsShown) text += " and more";
    return text;
}

// --- evidence
// -------------------------------------------------------------------------------------

wire::Evidence Proofs::evidence(const wire::EvidenceRequest& request) {
    wire::Evidence evidence;
    *evidence.mutable_operation() = request.operation();
    evidence.set_peer(request.peer());
    evidence.set_above(request.above());
    const auto found = lines_.find(request.peer());
    const Peer* peer = context_.state.find_peer(request.peer());
    if (found == lines_.end() || peer == nullptr) return evidence;
    const bool known = claim_ && claim_->operation == p2pbank::from_wire(request.operation());
    IntervalSet claimed = peer->channel.received;
    // With the first label above that it proves: what the bank waits for comes first, whatever
    // other labels the sender has put into the same message.
    std::vector<std::pair<uint64_t, const Item*>> items;
    const auto take = [&](const Item& item) {
        if (item.last <= request.above()) return;
        items.emplace_back(item.first > request.above()
                               ? item.first
                               : first_above(item.transfers, request.above()),
                           &item);
    };
    for (const Item& item : found->second.items) take(item);
    if (known) {
        const auto received = claim_->received.find(request.peer());
        if (received != claim_->received.end()) claimed = received->second;
        const auto former = claim_->items.find(request.peer());
        if (former != claim_->items.end()) {
            for (const Item& item : former->second) take(item);
        }
    } else if (!found->second.vouched.contains_all(claimed)) {
        // Started again since then: the peers are asked for their words again.
        needed_until_ = context_.now + timing::kEvidenceLife;
        look_again(found->second, context_.now);
    }
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    // Labels rise from answer to answer: what has labels between those of an answer is in it, as
    // far as there is room.
    size_t bytes = 0;
    uint64_t highest = request.above();
    const Item* last = nullptr;
    IntervalSet given;
    for (const auto& [from, item] : items) {
        if (bytes > limits::kMaxEvidenceBytes &&
            (from > highest ||
             bytes > limits::kMaxEvidenceBytes + limits::kMaxEvidenceOverrun - 2 * 4'096)) {
            evidence.set_more(true);
            break;
        }
        wire::Transfers message;
        message.ParseFromString(item->transfers);
        const auto transfers = read_transfers(message);
        bool any = false;
        for (const Transfer& transfer : transfers.value_or(std::vector<Transfer>())) {
            if (transfer.label.value() <= request.above() || !claimed.contains(transfer.label)) {
                continue;
            }
            any = given.add(transfer.label) || any;
        }
        if (!any) continue;
        highest = std::max(highest, item->last);
        bytes += item->transfers.size() + 4;
        if (last == nullptr || last->word != item->word || last->epoch != item->epoch) {
            wire::SignedTransfers* next = evidence.add_items();
            next->set_epoch(item->epoch.value());
            next->mutable_signed_()->ParseFromString(*item->word);
            bytes += item->word->size() + 12;
        }
        last = item;
        *evidence.mutable_items()->rbegin()->add_transfers() = std::move(message);
    }
    return evidence;
}

// --- time
// -----------------------------------------------------------------------------------------

// Forgets what is proven by now, and what will not be signed any more.
void Proofs::sweep(const Peer& peer, Line& line) {
    IntervalSet dropped;
    std::erase_if(line.kept, [&](const auto& entry) {
        const auto transfers = read_transfers(entry.second.transfers);
        const bool open =
            transfers &&
            std::any_of(transfers->begin(), transfers->end(), [&](const Transfer& transfer) {
                return peer.channel.received.contains(transfer.label) &&
                       !line.vouched.contains(transfer.label);
            });
        if (!open) return true;
        if (context_.now - entry.second.since <= timing::kUnsignedLife) return false;
        for (const Transfer& transfer : *transfers) dropped.add(transfer.label);
        return true;
    });
    if (line.kept.empty()) {
        line.awaiting.clear();
    } else if (!dropped.empty()) {
        line.awaiting = without(line.awaiting, dropped);
    }
}

// What was received and is not signed for, without what came so lately that its word may be on its
// way.
IntervalSet Proofs::overdue(const Peer& peer, const Line& line, Duration patience) const {
    IntervalSet fresh;
    for (const auto& [digest, kept] : line.kept) {
        if (context_.now - kept.since >= patience) continue;
        const auto transfers = read_transfers(kept.transfers);
        for (const Transfer& transfer : *transfers) fresh.add(transfer.label);
    }
    return without(without(peer.channel.received, line.vouched), fresh);
}

void Proofs::look(const Peer& peer, Line& line) {
    line.look_at.reset();
    sweep(peer, line);
    if (line.vouched.contains_all(peer.channel.received)) return;
    const bool needed = is_needed();
    const IntervalSet labels =
        overdue(peer, line, needed ? timing::kRetryFirst : timing::kSignPatience);
    if (labels.empty()) {
        look_again(line, context_.now + (needed ? timing::kRetryFirst : timing::kSignPatience));
    } else if (needed || line.requests == 0) {
        if (ask(peer, line, labels)) {
            ++line.requests;
            look_again(line, context_.now + line.pause.next(context_.random));
        } else {
            look_again(line, context_.now + (needed ? timing::kRetryMost : timing::kAnnounceMost));
        }
    }
    // Otherwise it has been asked in vain, and nobody waits for it.
}

bool Proofs::ask(const Peer& peer, Line& line, const IntervalSet& labels) {
    line.asked = first_of(labels, limits::kMaxLabelsInSignRequest);
    // The answer need not be made of the same messages.
    line.awaiting = without(line.awaiting, line.asked);
    wire::Datagram message;
    to_wire(line.asked, message.mutable_sign_request()->mutable_labels());
    return context_.send_to_peer(peer, message);
}

void Proofs::look_again(Line& line, TimePoint at) {
    line.look_at = line.look_at ? std::min(*line.look_at, at) : at;
    wake_ = wake_ ? std::min(*wake_, *line.look_at) : *line.look_at;
}

void Proofs::on_timer() {
    if (claim_ && claim_->kept_until && context_.now >= *claim_->kept_until) claim_.reset();
    if (!wake_ || *wake_ > context_.now) return;
    wake_.reset();
    for (auto& [peer_name, line] : lines_) {
        const Peer* peer = context_.state.find_peer(peer_name);
        if (peer == nullptr || !line.look_at) continue;
        if (*line.look_at <= context_.now) {
            look(*peer, line);
        } else {
            look_again(line, *line.look_at);
        }
    }
}

size_t Proofs::unsigned_messages() const {
    size_t count = 0;
    for (const auto& [peer_name, line] : lines_) count += line.kept.size();
    return count;
}

size_t Proofs::proven_messages() const {
    size_t count = 0;
    for (const auto& [peer_name, line] : lines_) count += line.items.size();
    return count;
}

}  // namespace p2pbank::customer
