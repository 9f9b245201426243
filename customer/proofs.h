// What this customer received and can prove: the Transfers messages from which labels were credited
// since the permanent checkpoint, and their senders' words for them (wire::Signed). A customer
// settles only what it can prove; what is missing it asks for, at which the sender sends those
// transfers again and signs for them.
//
// Owned by Customer; Channels tells it what comes in. In memory only: after a restart nothing is
// proven, and everything since the permanent checkpoint is asked for again. In clear everybody is
// believed: nothing is kept, and everything is covered.
//
// What counts as proof of a label: a message with the amount that was credited, of the sender's
// epoch in which it was credited or a later one. (A label below the sender's permanent checkpoint
// means the same in all of its epochs; above it, a rollback of the sender makes this customer roll
// back or hold back too.)
//
// Memory is bounded by the labels received since the permanent checkpoint: a message is kept only
// for a label that no other has, and what its sender does not sign within kUnsignedLife is dropped
// again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/core/backoff.h"
#include "common/core/statement.h"
#include "customer/context.h"

namespace p2pbank::customer {

// a without b.
IntervalSet without(const IntervalSet& a, const IntervalSet& b);

class Proofs {
  public:
    // Called when more is proven than before.
    using Covered = std::function<void()>;
    Proofs(Context& context, Covered covered);

    // After a start, and when the cohort has changed: begins anew, with nothing proven.
    void rebuild();

    // A Transfers message of that epoch of the peer, what it says, after what could be was
    // credited. The message is moved from if it is kept.
    void on_transfers(const Peer& peer, Epoch epoch, const std::vector<Transfer>& transfers,
                      wire::Transfers& message);
    void on_signed(const Peer& peer, const wire::Signed& word);
    // The permanent checkpoint is a newer one, and covers more.
    void on_permanent();
    // Back at the permanent checkpoint.
    void on_rolled_back();
    // Messages of an older epoch of the peer count only for what was credited from them.
    void on_epoch_raised(const Peer& peer);

    // A tentative checkpoint has just been taken for an operation: what it claims may be asked for,
    // also when it is undone, and what is missing of it is asked for at once.
    void on_tentative();
    // Everything received in the checkpoint is in the permanent one, or proven.
    bool covers(const Checkpoint& checkpoint) const;
    // Who has not signed for something in the checkpoint; empty if it is covered.
    std::string not_signed_by(const Checkpoint& checkpoint) const;
    // For people: "transfers 5-7 9".
    std::string not_signed(const Checkpoint& checkpoint, std::string_view peer) const;

    // Proof of what was claimed to have been received from a peer in that operation, or, where that
    // is not known any more, of all that was received from it.
    wire::Evidence evidence(const wire::EvidenceRequest& request);

    void on_timer();
    std::optional<TimePoint> next_wake() const { return wake_; }

    // For tests: messages kept without a word for them, and with one.
    size_t unsigned_messages() const;
    size_t proven_messages() const;

  private:
    // A message that its sender has not signed yet.
    struct Kept {
        Epoch epoch;
        wire::Transfers transfers;
        TimePoint since{};
    };
    // A word that came before its messages, or before some of them.
    struct Early {
        std::shared_ptr<const wire::Signed> word;
        bool verified = false;
        TimePoint since{};
    };
    // A message and the word for it, as small as may be: there may be one for each label.
    struct Item {
        Epoch epoch;
        uint64_t first = 0;  // label
        uint64_t last = 0;
        std::string transfers;                    // a wire::Transfers
        std::shared_ptr<const std::string> word;  // a wire::Signed
    };
    using Items = std::vector<Item>;
    struct Line {  // what comes from one peer
        Line() : pause(milliseconds(1), milliseconds(1)) {}
        IntervalSet vouched;                            // permanent or proven
        IntervalSet awaiting;                           // in the messages that are kept
        std::map<std::string, Kept, std::less<>> kept;  // by digest
        std::deque<Early> early;
        Items items;
        std::optional<TimePoint> look_at;  // for what has not been signed for
        IntervalSet asked;                 // by the newest request
        int requests = 0;                  // since the last that brought something
        Backoff pause;
        TimePoint deaf_until{};  // it has sent a word that is none
    };
    // What an operation claims, for as long as the bank may ask.
    struct Claim {
        OperationId operation;
        std::map<std::string, IntervalSet, std::less<>> received;
        // If it was rolled back since then: what there was.
        std::map<std::string, Items, std::less<>> items;
        std::optional<TimePoint> kept_until;
    };

    bool is_needed() const;
    void start_line(const Peer& peer, Line& line);
    bool take_early(const Peer& peer, Line& line, const std::string& digest);
    bool take(const Peer& peer, Line& line, const std::string& digest,
              const std::shared_ptr<const std::string>& word);
    void sweep(const Peer& peer, Line& line);
    void drop_covered(Line& line, const IntervalSet& covered);
    IntervalSet overdue(const Peer& peer, const Line& line, Duration patience) const;
    void look(const Peer& peer, Line& line);
    // False if it could not go.
    bool ask(const Peer& peer, Line& line, const IntervalSet& labels);
    void look_again(Line& line, TimePoint at);

    Context& context_;
    Covered covered_;
    std::map<std::string, Line, std::less<>> lines_;
    std::optional<Claim> claim_;
    std::optional<TimePoint> needed_until_;  // the bank has asked for what is not proven
    std::optional<TimePoint> wake_;
};

}  // namespace p2pbank::customer
