#include "customer/proofs.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/core/digest.h"
#include "common/wire/convert.h"
#include "customer/timing.h"

namespace p2pbank::customer {
namespace {

void add(IntervalSet& set, uint64_t first, uint64_t last) {
    set.add(first, last, [](uint64_t, uint64_t) {});
}

bool covers_range(const IntervalSet& set, uint64_t first, uint64_t last) {
    IntervalSet range;
    add(range, first, last);
    return set.contains_all(range);
}

// The word with nothing in it but what a word has; null if it is none, whoever signed it.
std::shared_ptr<const wire::Signed> clean_copy(const wire::Signed& word) {
    const auto count = static_cast<size_t>(word.digests_size());
    if (count == 0 || count > limits::kMaxDigestsInSigned ||
        word.signature().size() != secure::Identity::kSignatureBytes) {
        return nullptr;
    }
    auto copy = std::make_shared<wire::Signed>();
    for (const std::string& digest : word.digests()) {
        if (digest.size() != Digest::kBytes) return nullptr;
        copy->add_digests(digest);
    }
    copy->set_signature(word.signature());
    return copy;
}

}  // namespace

IntervalSet without(const IntervalSet& a, const IntervalSet& b) {
    IntervalSet out;
    size_t at = 0;
    for (const auto& interval : a.intervals()) {
        uint64_t from = interval.first;
        while (at < b.intervals().size() && b.intervals()[at].last < from) ++at;
        for (size_t i = at; i < b.intervals().size() && b.intervals()[i].first <= interval.last;
             ++i) {
            if (from < b.intervals()[i].first) add(out, from, b.intervals()[i].first - 1);
            from = std::max(from, b.intervals()[i].last + 1);
        }
        if (from <= interval.last) add(out, from, interval.last);
    }
    return out;
}

Proofs::Proofs(Context& context, Covered covered)
    : context_(context), covered_(std::move(covered)) {}

void Proofs::rebuild() {
    lines_.clear();
    claim_.reset();
    needed_until_.reset();
    wake_.reset();
    if (!context_.sealed()) return;
    for (const auto& [peer_name, peer] : context_.state.peers) start_line(peer, lines_[peer_name]);
}

void Proofs::start_line(const Peer& peer, Line& line) {
    line = Line();
    line.pause = Backoff(timing::kRetryFirst, timing::kRetryMost);
    line.vouched = context_.state.permanent.channel(peer.name).received;
    if (!line.vouched.contains_all(peer.channel.received)) {
        look_again(line, context_.now + timing::kSignPatience);
    }
}

// An operation waits, or the bank does.
bool Proofs::is_needed() const {
    const auto& operation = context_.state.operation;
    return (operation && operation->kind != wire::OPERATION_ROLLBACK) ||
           (needed_until_ && context_.now < *needed_until_);
}

// --- messages and words
// ---------------------------------------------------------------------------

void Proofs::on_transfers(const Peer& peer, Epoch epoch, const std::vector<Transfer>& transfers,
                          wire::Transfers& message) {
    const auto found = lines_.find(peer.name);
    if (found == lines_.end()) return;
    Line& line = found->second;
    const IntervalSet& received = peer.channel.received;
    const auto counts = [&](Label label) {
        return received.contains(label) && !line.vouched.contains(label);
    };
    const bool wanted =
        std::any_of(transfers.begin(), transfers.end(), [&](const Transfer& transfer) {
            return counts(transfer.label) && !line.awaiting.contains(transfer.label);
        });
    if (!wanted) return;
    std::string digest =
        transfers_digest({peer.name, context_.state.name, context_.state.cohort, epoch}, message);
    const auto [kept, fresh] = line.kept.try_emplace(std::move(digest));
    kept->second.since = context_.now;
    if (fresh) {
        kept->second.epoch = epoch;
        // Only these fields: whatever else it holds is not signed, and would only take memory.
        wire::Transfers& transfers_kept = kept->second.transfers;
        transfers_kept.set_first_label(message.first_label());
        transfers_kept.mutable_gaps()->Swap(message.mutable_gaps());
        transfers_kept.mutable_amounts()->Swap(message.mutable_amounts());
    }
    for (const Transfer& transfer : transfers) {
        if (counts(transfer.label)) line.awaiting.add(transfer.label);
    }
    if (take_early(peer, line, kept->first)) {
        covered_();
    } else if (!line.look_at) {
        look_again(line, context_.now + timing::kSignPatience);
    }
}

// The word for that message may have come before it. True if something is proven by it.
bool Proofs::take_early(const Peer& peer, Line& line, const std::string& digest) {
    for (Early& early : line.early) {
        const auto& digests = early.word->digests();
        if (std::find(digests.begin(), digests.end(), digest) == digests.end()) continue;
        if (!early.verified && !is_signed_by(*early.word, peer.keys.signing)) {
            early.since = TimePoint();  // goes with the next that comes
            line.deaf_until = context_.now + timing::kBadWordPause;
            return false;
        }
        early.verified = true;
        return take(peer, line, digest,
                    std::make_shared<const std::string>(early.word->SerializeAsString()));
    }
    return false;
}

void Proofs::on_signed(const Peer& peer, const wire::Signed& word) {
    const auto found = lines_.find(peer.name);
    if (found == lines_.end()) return;
    Line& line = found->second;
    auto clean = clean_copy(word);
    if (clean == nullptr || context_.now < line.deaf_until) return;
    const auto known =
        std::count_if(word.digests().begin(), word.digests().end(),
                      [&](const std::string& digest) { return line.kept.contains(digest); });
    // A signature costs more than all else here: it is looked at only if something follows from it.
    const bool verified = known > 0 && is_signed_by(word, peer.keys.signing);
    if (known > 0 && !verified) {
        line.deaf_until = context_.now + timing::kBadWordPause;
        return;
    }
    if (known < word.digests_size()) {
        auto& early = line.early;
        while (!early.empty() && (early.size() >= limits::kMaxEarlyWords ||
                                  context_.now - early.front().since > timing::kEarlyLife)) {
            early.pop_front();
        }
        early.push_back({clean, verified, context_.now});
    }
    if (known == 0) return;
    const auto bytes = std::make_shared<const std::string>(clean->SerializeAsString());
    bool any = false;
    for (const std::string& digest : word.digests()) {
        if (line.kept.contains(digest)) any = take(peer, line, digest, bytes) || any;
    }
    if (!any) return;
    line.requests = 0;
    line.pause.reset();
    // What was asked for is there: is there more?
    if (!line.asked.empty() && line.vouched.contains_all(line.asked)) {
        line.asked.clear();
        look_again(line, context_.now);
    }
    covered_();
}

// That message is signed for. True if it proves something that was not proven before.
bool Proofs::take(const Peer& peer, Line& line, const std::string& digest,
                  const std::shared_ptr<const std::string>& word) {
    const auto found = line.kept.find(digest);
    const Kept kept = std::move(found->second);
    line.kept.erase(found);
    const auto transfers = read_transfers(kept.transfers);
    if (!transfers) return false;
    bool any = false;
    for (const Transfer& transfer : *transfers) {
        if (line.vouched.contains(transfer.label) ||
            peer.received_log.amount(transfer.label) != transfer.amount) {
            continue;
        }
        line.vouched.add(transfer.label);
        any = true;
    }
    if (!any) return false;
    line.items.push_back({kept.epoch, transfers->front().label.value(),
                          transfers->back().label.value(), kept.transfers.SerializeAsString(),
                          word});
    return true;
}

void Proofs::on_permanent() {
    for (auto& [peer_name, line] : lines_) {
        const IntervalSet& covered = context_.state.permanent.channel(peer_name).received;
        for (const auto& interval : covered.intervals()) {
            add(line.vouched, interval.first, interval.last);
        }
        drop_covered(line, covered);
        const Peer* peer = context_.state.find_peer(peer_name);
        if (peer != nullptr) sweep(*peer, line);
    }
    claim_.reset();
}

void Proofs::drop_covered(Line& line, const IntervalSet& covered) {
    std::erase_if(line.items, [&](const Item& item) {
        if (covers_range(covered, item.first, item.last)) return true;
        wire::Transfers message;
        message.ParseFromString(item.transfers);
        const auto transfers = read_transfers(message);
        return !transfers ||
               std::all_of(transfers->begin(), transfers->end(), [&](const Transfer& transfer) {
                   return covered.contains(transfer.label);
               });
    });
}

void Proofs::on_rolled_back() {
    for (auto& [peer_name, line] : lines_) {
        const Peer* peer = context_.state.find_peer(peer_name);
        // The bank may still ask for the proof of what has just been given up.
        if (claim_ && !line.items.empty()) {
            Items& items = claim_->items[peer_name];
            std::move(line.items.begin(), line.items.end(), std::back_inserter(items));
            if (!claim_->kept_until) claim_->kept_until = context_.now + timing::kEvidenceLife;
        }
        if (peer != nullptr) start_line(*peer, line);
    }
}

void Proofs::on_epoch_raised(const Peer& peer) {
    const auto found = lines_.find(peer.name);
    if (found == lines_.end()) return;
    Line& line = found->second;
    std::erase_if(line.kept, [&](const auto& entry) {
        const Kept& kept = entry.second;
        if (kept.epoch >= peer.known_epoch) return false;
        const auto transfers = read_transfers(kept.transfers);
        return !transfers ||
               std::any_of(transfers->begin(), transfers->end(), [&](const Transfer& transfer) {
                   return !peer.channel.received.contains(transfer.label);
               });
    });
    line.awaiting.clear();
    for (const auto& [digest, kept] : line.kept) {
        const auto transfers = read_transfers(kept.transfers);
        for (const Transfer& transfer : *transfers) {
            if (peer.channel.received.contains(transfer.label)) line.awaiting.add(transfer.label);
        }
    }
}

}  // namespace p2pbank::customer
