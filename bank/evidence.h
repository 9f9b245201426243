// What signed statements and transfers prove: whether a statement can follow the one before, and
// which end of a channel that does not match lied. Pure functions; the bank decides with them
// (decisions.h, disputes.h), and `bank verify` checks the bank with the same ones (verify.h).
//
// Nobody is accused of what an honest customer can be brought into by others, by late messages or
// by a restart. Where signatures do not tell who lied, nobody is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/evidence.pb.h"
#include "common/base/result.h"
#include "common/core/statement.h"
#include "common/wire/books.h"

namespace p2pbank::bank {

// An account at one of its statements. The channels are those of its present cohort.
struct Books {
    Totals totals;
    ChannelMap channels;
};

// The account's books after `statement`, if it can follow `before`: nothing is taken back that was
// permanent, and the sums add up. Errors: unreadable (nobody who keeps to the protocol writes it),
// false-statement (with why, for people: the signer lied).
Result<Books> next_books(const Books& before, const wire::Statement& statement);

// An account whose cohort has ended: it has `last`, its channels give `back` what was in transit,
// and come to `net` (received - sent + given back). What it cannot hold is left over: then it
// claims more than there is, and the end of a cohort does not wait for that.
struct AfterCohort {
    Totals totals;
    MoneyTotal left_over;  // not negative
};
AfterCohort after_cohort(const Totals& last, const MoneyTotal& back, const MoneyTotal& net);

// A channel from a sender to a receiver whose ends do not match.
struct Dispute {
    std::string sender;
    std::string receiver;
    // At the permanent checkpoint of each, and as each would have it. The same for a sender that
    // took no part.
    Channel sender_before;
    Channel sender_now;
    Channel receiver_before;
    Channel receiver_now;
    bool sender_took_part = false;
    Epoch sender_epoch;  // as it settled
};

// A transfer with its sender's signature, of the channel that is disputed.
struct Proven {
    Label label;
    Epoch epoch;
    Money amount;
    size_t item = 0;  // which of the items given has it
};
// Adds what the item proves to `proven`; false if it proves nothing.
bool add_proof(const Dispute& dispute, CohortId cohort, const KeyBytes& sender_key,
               const wire::SignedTransfers& item, size_t index, std::vector<Proven>& proven);

struct Lie {
    std::string text;           // behind "alice lied: "
    std::vector<size_t> items;  // that show it, in rising order
};
// The sender has signed what its books contradict. Shown by the items of the lie alone.
std::optional<Lie> lie_of_sender(const Dispute& dispute, std::vector<Proven> proven);
// The receiver claims what it does not prove. `proven` is all that it gave: what is missing counts
// against it. Fewer items show the same lie, or a larger one.
std::optional<Lie> lie_of_receiver(const Dispute& dispute, std::vector<Proven> proven);
// Where neither lied for certain: what is known, for people.
std::string undecided(const Dispute& dispute, const std::vector<Proven>& proven);

// The labels that the receiver claims beyond its permanent checkpoint.
IntervalSet claimed(const Dispute& dispute);

}  // namespace p2pbank::bank
