// The channels to the peers: sends what the sent logs hold until it is acknowledged, credits what
// comes in once, acknowledges it, and makes a new epoch known. Transfers are packed: what a turn
// gathers goes out at its end, as few datagrams as possible.
//
// Owned by Customer. What is lost is found in two ways: an entry is sent again when three that were
// sent after it have been acknowledged, and when the timeout (from measured round trips, doubling)
// has passed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/core/backoff.h"
#include "common/core/statement.h"
#include "customer/context.h"
#include "customer/proofs.h"

namespace p2pbank::customer {

class Channels {
  public:
    // Called for each transfer that its receiver has made durable.
    using Acknowledged = std::function<void(const Peer&, SentEntry&)>;
    Channels(Context& context, Proofs& proofs, Acknowledged acknowledged);

    // After a start, and when the cohort has changed: begins anew with the peers of the state.
    // `announce`: tell every peer this customer's epoch, and send no transfer before it confirms.
    void rebuild(bool announce);

    // Whether one more transfer fits into the sent logs, all together.
    bool has_room_to_send();
    // Debits and appends to the sent log; sent at the end of the turn unless `lost`. Requires that
    // the state allows it: funds, limits, has_room_to_send(), not suspended, no tentative
    // checkpoint. The entry is valid until the event is over.
    SentEntry& transfer(Peer& peer, Money amount, bool lost);

    // The transfers in it may be moved from.
    void on_transfers(Peer& peer, wire::Datagram& datagram);
    void on_ack(Peer& peer, const wire::Datagram& datagram);
    void on_epoch_notice(Peer& peer, const wire::Datagram& datagram);
    void on_epoch_confirm(Peer& peer, const wire::Datagram& datagram);
    // A peer shows in which epoch this customer has been. Sealed only.
    void on_epoch_proof(const Peer& peer, const wire::EpochProof& proof);
    void on_sign_request(Peer& peer, const wire::Datagram& datagram);

    // Signs now for what was sent to the peer, or to all, and has not been signed for. Not in
    // clear.
    void sign(const Peer& peer);
    void sign_all();

    // This customer has rolled back: nothing that was acknowledged counts, everyone must be told.
    void on_rolled_back();
    // What the state knows of the peer's epoch has risen.
    void on_epoch_raised(Peer& peer);
    // A new permanent checkpoint covers more: tell the senders once, so that they can prune.
    void on_permanent();

    // Something came from the peer, from this address and run of its program.
    void heard(Peer& peer, Address from, uint64_t instance);
    // The address has proven itself.
    void introduced(Address address);
    // Sending is possible again.
    void resumed();

    void on_timer();
    void end_of_turn();
    std::optional<TimePoint> next_wake() const;

    struct View {
        uint64_t unacknowledged = 0;
        Money unacknowledged_sum;
        Money lost_sum;
        bool confirmed = true;
        std::optional<TimePoint> heard_at;
    };
    View view(const Peer& peer) const;
    // Something has come from it in this run, so that its address is known better than to the bank.
    bool was_heard(const Peer& peer) const { return link(peer).heard_at.has_value(); }
    // A peer that owes an answer has been silent for long: perhaps it moved.
    bool someone_is_silent() const;

  private:
    static constexpr size_t kTransferBytes = 900;  // of a datagram; the rest is for ids and an ack
    static size_t transfer_bytes(const SentEntry& entry);

    struct Flying {
        Label label;
        uint64_t send_index;
    };
    struct Link {
        Link(Peer* p, size_t i);
        Peer* peer;
        size_t index;                   // orders what happens at the same time
        bool dirty = false;             // in dirty_
        std::optional<TimePoint> wake;  // in timers_
        std::deque<Flying> flight;      // sent, in the order of sending
        std::deque<Label> again;        // to be sent again
        IntervalSet acked;              // in the peer's present epoch and ours
        Label next_unsent{1};           // no entry before it is unsent
        uint64_t last_index = 0;
        uint64_t highest_acked_index = 0;
        Duration smoothed{};  // round trip; 0 until measured
        Duration variation{};
        int timeouts = 0;  // in a row

        bool ack_due = false;
        Label lowest_touched;      // of the labels that came in this turn
        size_t covered_begin = 0;  // where the next stretch of a long covered set begins

        bool announcing = false;  // until the peer confirms our epoch
        bool doubted = false;     // it has claimed what it could not prove; told once
        Label sent_before;        // the last label when announcing began: none was sent since
        Backoff announce_pause;
        TimePoint announce_at{};

        uint64_t instance = 0;
        std::optional<TimePoint> heard_at;
        uint64_t credited_count = 0;  // since the last notice
        MoneyTotal credited_sum;

        std::vector<std::string> unsigned_digests;  // of messages that were sent in this epoch
        TimePoint sign_at{};                        // them, at the latest
        IntervalSet asked_to_sign;                  // labels; by the newest request
        TimePoint sign_again_at{};                  // at the earliest
    };

    Link& link(const Peer& peer) { return *links_.find(peer.name)->second; }
    const Link& link(const Peer& peer) const { return *links_.find(peer.name)->second; }
    void credit(Peer& peer, const std::vector<Transfer>& transfers);
    size_t room_for_gaps() const;
    size_t room_for_received() const;
    void announce_all();
    void forget_acks(Link& link);
    void mark_acked(Link& link, const IntervalSet& received);
    void prune(Link& link, const IntervalSet& covered);
    void measure(Link& link, Duration round_trip);
    void find_overtaken(Link& link);
    Duration timeout(const Link& link) const;
    std::optional<TimePoint> timeout_at(const Link& link) const;
    bool may_send(const Link& link) const;
    void flush(Link& link);
    SentEntry* next_to_send(Link& link, size_t& log_index);
    void choose(Link& link, size_t& log_index);
    void write_chosen(wire::Transfers* transfers) const;
    void note_sent(Link& link, const wire::Transfers& transfers);
    void sign(Link& link);
    bool may_vouch(const Link& link) const;
    void sign_what_is_due(Link& link);
    void send_again_and_sign(Link& link);
    void put_ack(Link& link, wire::Ack* ack);
    void announce(Link& link);
    void remember_epoch(const Peer& peer, Epoch announced, const std::string& word);
    void show_epoch(const Peer& peer);
    // Whether it shows that this customer has sent a transfer above that label, in this epoch.
    bool is_own(const Peer& peer, const wire::SignedTransfers& item, Label above) const;
    void tell_what_arrived();
    void touch(Link& link);
    void set_wake(Link& link);

    Context& context_;
    Proofs& proofs_;
    Acknowledged acknowledged_;
    std::map<std::string, std::unique_ptr<Link>, std::less<>> links_;
    std::vector<Link*> dirty_;  // to be looked at when the turn ends
    TimePoint next_notice_{};
    bool notice_due_ = false;
    wire::Datagram out_;  // reused, so that sending allocates nothing
    State::Record record_;
    // How many more transfers surely fit into the logs; at 0 they are counted.
    size_t sent_room_ = 0;
    size_t received_room_ = 0;
    std::vector<SentEntry*> chosen_;  // for one datagram, labels rising
    std::set<std::pair<TimePoint, size_t>> timers_;
    std::vector<Link*> by_index_;
};

}  // namespace p2pbank::customer
