// What the bank says of the members of this customer's cohort: their keys, where they are, and
// until when that counts (common/core/roster.h). It is kept in the journal, so that peers know each
// other when they are started again while the bank is not there. Owned by Customer.
//
// A newer roster is asked for when half the life of the present one is over, when a peer that owes
// an answer is silent, and when somebody knocks whose key is in no roster. When it has expired
// there are no sessions with peers until a newer one comes; what is to be sent waits.
//
// In clear rosters say only where the members are, are not kept, and do not expire.
#pragma once

#include <optional>

#include "customer/channels.h"
#include "customer/context.h"

namespace p2pbank::customer {

class RosterBook {
  public:
    RosterBook(Context& context, Channels& channels);

    // A message of the bank. A roster that is not newer than the present one changes nothing.
    void on_roster(const wire::Roster& roster);

    // Whether a peer has this channel key.
    bool accepts(const KeyBytes& channel_key);
    // To be asked whenever this customer says where it is: whether to ask for a newer roster too.
    bool is_due() const;
    void ask();

    void on_timer();
    // Ends the sessions of those who are members no more.
    void end_of_turn();
    std::optional<TimePoint> next_wake() const;

  private:
    bool is_peer(const KeyBytes& channel_key) const;
    TimePoint at_wall(uint64_t wall_ms) const;

    Context& context_;
    Channels& channels_;
    CohortId cohort_;  // as it was at the end of the last turn
    bool expired_ = false;
    std::optional<TimePoint> knocked_at_;  // by a stranger; until a roster was asked for
    TimePoint asked_at_{};
    bool asked_ = false;
};

}  // namespace p2pbank::customer
