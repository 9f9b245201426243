#include "simulator/scale/koo_toueg.h"

#include <algorithm>
#include <queue>

#include "common/base/random.h"
#include "customer/timing.h"
#include "simulator/scale/message_sizes.h"

namespace p2pbank::simulator::scale {
namespace {

using Micros = int64_t;

constexpr uint32_t kNobody = UINT32_MAX;

// A disk as machine.h has it: one batch is written at a time, and what comes meanwhile is the next.
class Disk {
  public:
    // When a record that is made now is durable. `draw` gives the time of a batch.
    template <class Draw>
    Micros persist(Micros now, Draw draw) {
        if (now >= writing_until_ && next_until_ > 0) {
            writing_until_ = next_until_;
            next_until_ = 0;
        }
        if (now >= writing_until_) {
            writing_until_ = now + draw();
            return last_ = writing_until_;
        }
        if (next_until_ == 0) next_until_ = writing_until_ + draw();
        return last_ = next_until_;
    }
    // What is sent now goes when every record before it is durable.
    Micros may_send(Micros now) const { return std::max(now, last_); }

  private:
    Micros writing_until_ = 0;
    Micros next_until_ = 0;
    Micros last_ = 0;
};

class Model {
  public:
    Model(const Dependencies& dependencies, OperationType type, uint64_t seed, const Delays& delays)
        : dependencies_(dependencies),
          type_(type),
          random_(seed_for(Purpose::delays, seed)),
          delays_(delays),
          members_(dependencies.customers()),
          disks_(dependencies.customers() + 1),
          bank_(static_cast<uint32_t>(dependencies.customers())) {}

    Cost run(uint32_t initiator) {
        initiator_ = initiator;
        begin(initiator, kNobody, 0,
              duration_cast<milliseconds>(customer::timing::kOperationDeadline).count());
        while (!events_.empty()) {
            const Event event = events_.top();
            events_.pop();
            handle(event);
        }
        std::sort(cost_.participants.begin(), cost_.participants.end());
        return cost_;
    }

  private:
    // What is known of a customer in this operation.
    struct Member {
        bool in = false;
        bool bank_has_it = false;
        bool voted = false;
        uint32_t parent = kNobody;
        uint32_t waiting = 0;  // children that have not answered
        uint32_t depth = 0;
        uint32_t reasons = 0;
        Micros begun = 0;
        Micros deadline = 0;
        uint64_t names = 0;           // at and below, in its vote
        uint64_t name_bytes = 0;      // of these in a vote
        std::vector<uint32_t> below;  // children that take part for it
    };
    enum class What : uint8_t {
        request,
        vote,
        settle,
        settle_ack,
        decision_request,
        decision,
        outcome
    };
    struct Event {
        Micros at;
        uint64_t sequence;
        What what;
        bool takes_part;  // of a vote
        uint32_t from;
        uint32_t to;
        Micros deadline_ms;  // of a request

        bool operator<(const Event& other) const {
            return at != other.at ? at > other.at : sequence > other.sequence;
        }
    };

    Micros draw(Duration least, Duration most) {
        const auto range = static_cast<uint64_t>((most - least).count());
        return least.count() + static_cast<Micros>(random_.below(range + 1));
    }
    Micros disk_time() { return draw(delays_.least_disk, delays_.most_disk); }
    Micros persist(uint32_t who, Micros now) {
        return disks_[who].persist(now, [this] { return disk_time(); });
    }

    void send(What what, Kind kind, uint64_t bytes, uint32_t from, uint32_t to, Micros now,
              bool takes_part = false, Micros deadline_ms = 0) {
        note(kind, bytes);
        const Micros at = disks_[from].may_send(now) + draw(delays_.least_link, delays_.most_link);
        events_.push({at, sequence_++, what, takes_part, from, to, deadline_ms});
    }
    // A message after which nothing happens.
    void note(Kind kind, uint64_t bytes) {
        ++of(cost_.messages, kind);
        of(cost_.bytes, kind) += on_the_wire(bytes);
    }

    void begin(uint32_t who, uint32_t parent, Micros now, Micros deadline_ms) {
        Member& member = members_[who];
        member.in = true;
        member.parent = parent;
        member.begun = now;
        member.deadline = now + deadline_ms * 1'000;
        if (parent != kNobody) member.depth = members_[parent].depth + 1;
        cost_.depth = std::max<uint64_t>(cost_.depth, member.depth);
        cost_.participants.push_back(who);
        persist(who, now);
        const auto children = dependencies_.children(type_, who);
        member.waiting = static_cast<uint32_t>(children.size());
        member.names = 1;
        member.name_bytes = participant_bytes(type_, children.size());
        const bool checkpoint = type_ == OperationType::checkpoint;
        if (checkpoint || who == initiator_) {
            const auto changed = dependencies_.changed(who);
            send(What::settle, Kind::settle,
                 checkpoint ? settle_bytes(changed.channels, changed.transfers) : begin_bytes(),
                 who, bank_, now);
        } else {
            member.bank_has_it = true;
        }
        const Micros below =
            duration_cast<milliseconds>(customer::timing::time_below(milliseconds(deadline_ms)))
                .count();
        for (const auto& child : children) {
            send(What::request, Kind::request, request_bytes(type_), who, child.customer, now,
                 child.takes_part, below);
        }
        advance(who, now);
    }

    void advance(uint32_t who, Micros now) {
        Member& member = members_[who];
        if (member.voted || member.waiting > 0 || !member.bank_has_it) return;
        member.voted = true;
        if (now > member.deadline) cost_.in_time = false;
        if (who == initiator_) {
            send(What::decision_request, Kind::decision_request,
                 decision_request_bytes(type_, member.names), who, bank_, now);
        } else {
            send(What::vote, Kind::vote, vote_bytes(member.name_bytes), who, member.parent, now,
                 true);
        }
    }

    void handle(const Event& event) {
        switch (event.what) {
            case What::request:
                on_request(event);
                break;
            case What::vote:
                on_vote(event);
                break;
            case What::settle:
                persist(bank_, event.at);
                send(What::settle_ack, Kind::settle_ack, settle_ack_bytes(), bank_, event.from,
                     event.at);
                break;
            case What::settle_ack:
                members_[event.to].bank_has_it = true;
                advance(event.to, event.at);
                break;
            case What::decision_request:
                // The record, and behind it the table.
                disks_[bank_].persist(event.at, [this] { return disk_time() + disk_time(); });
                send(What::decision, Kind::decision, decision_bytes(), bank_, event.from, event.at);
                break;
            case What::decision:
            case What::outcome:
                commit(event.to, event.at);
                break;
        }
    }

    void on_request(const Event& event) {
        Member& member = members_[event.to];
        if (!member.in && event.takes_part) {
            begin(event.to, event.from, event.at, event.deadline_ms);
            return;
        }
        // Whoever rolls back writes down who has asked.
        if (member.in && type_ == OperationType::rollback) persist(event.to, event.at);
        send(What::vote, Kind::vote, vote_bytes(0), event.to, event.from, event.at, false);
    }

    void on_vote(const Event& event) {
        Member& member = members_[event.to];
        --member.waiting;
        if (event.takes_part) {
            member.below.push_back(event.from);
            member.names += members_[event.from].names;
            member.name_bytes += members_[event.from].name_bytes;
        }
        advance(event.to, event.at);
    }

    void commit(uint32_t who, Micros now) {
        const Member& member = members_[who];
        const Micros blocked = now - member.begun;
        cost_.blocked += Duration(blocked);
        cost_.longest_blocked = std::max(cost_.longest_blocked, Duration(blocked));
        const Micros durable = persist(who, now);
        note(Kind::decision_ack, decision_ack_bytes());
        if (who == initiator_) {
            cost_.committed = true;
            cost_.duration = Duration(durable);
        } else {
            note(Kind::outcome_ack, outcome_ack_bytes());
        }
        for (const uint32_t child : member.below) {
            send(What::outcome, Kind::outcome, outcome_bytes(), who, child, now);
        }
    }

    const Dependencies& dependencies_;
    OperationType type_;
    Random random_;
    Delays delays_;
    std::vector<Member> members_;
    std::vector<Disk> disks_;  // the bank's is the last
    uint32_t bank_;
    uint32_t initiator_ = 0;
    std::priority_queue<Event> events_;
    uint64_t sequence_ = 0;
    Cost cost_;
};

}  // namespace

Cost model_operation(const Dependencies& dependencies, OperationType type, uint32_t initiator,
                     uint64_t seed, const Delays& delays) {
    return Model(dependencies, type, seed, delays).run(initiator);
}

}  // namespace p2pbank::simulator::scale
