// How long a customer waits for what.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace p2pbank::customer::timing {

// Transfers
inline constexpr Duration kTransferDeadline = seconds(5);  // then UNKNOWN; it is still resent
inline constexpr Duration kFirstTimeout = milliseconds(100);
inline constexpr Duration kShortestTimeout = milliseconds(5);
inline constexpr Duration kLongestTimeout = seconds(1);

// Words for transfers (wire::Signed)
inline constexpr Duration kSignAfter = milliseconds(50);      // of the first that it stands for
inline constexpr Duration kSignAgainPause = milliseconds(2);  // between answers to a SignRequest
inline constexpr Duration kSignPatience = milliseconds(200);  // then it is asked for
inline constexpr Duration kUnsignedLife = seconds(1);  // of a message for which no word comes
inline constexpr Duration kEarlyLife = seconds(1);     // of a word whose messages do not come
inline constexpr Duration kBadWordPause = milliseconds(100);  // after one that is none
inline constexpr Duration kEvidenceLife = seconds(10);        // the bank may ask until then
static_assert(kSignAfter < kSignPatience && kSignPatience < kUnsignedLife);

// Requests to peers and to the bank
inline constexpr Duration kRetryFirst = milliseconds(40);
inline constexpr Duration kRetryMost = milliseconds(400);
inline constexpr Duration kQueryFirst = milliseconds(100);
inline constexpr Duration kQueryMost = seconds(2);
inline constexpr Duration kAnnounceFirst = milliseconds(50);
inline constexpr Duration kAnnounceMost = seconds(1);
inline constexpr Duration kAttachRetry = milliseconds(200);
// How long a resumed account waits for the bank before it takes commands.
inline constexpr Duration kFindsOut = seconds(1);
inline constexpr Duration kAttachRefresh = seconds(10);
inline constexpr Duration kBankDeadline = seconds(4);  // until the bank shows that it is there
inline constexpr Duration kBankAnswer = seconds(9);    // then, of a command passed on to it
inline constexpr Duration kBankSilent = seconds(3);    // then it is asked for its key
inline constexpr Duration kKeyRequestFirst = milliseconds(100);
inline constexpr Duration kKeyRequestMost = milliseconds(500);
inline constexpr Duration kKnockPause = seconds(2);  // between requests for a roster, at least
static_assert(kBankSilent < kBankDeadline, "a command that fails should know why");

// Operations
inline constexpr Duration kOperationDeadline = seconds(3);  // of one try
inline constexpr Duration kCommandDeadline = seconds(10);   // of all tries together
inline constexpr Duration kAskGrace =
    milliseconds(300);  // behind the deadline, before asking the bank
inline constexpr Duration kBusyFirst = milliseconds(20);
inline constexpr Duration kBusyMost = milliseconds(800);
static_assert(kOperationDeadline * 2 < kCommandDeadline);

// How much time an asker that has `left` itself gives to those whom it asks: less, so that a no
// from below comes before it gives up. The first levels spend half of an operation's time on wide
// margins, which a lost datagram fits into; the levels below one millisecond each, which a round
// over a link fits into; and at the end of long chains none, where only the time itself counts.
constexpr Duration time_below(Duration left) {
    constexpr Duration kWide = kOperationDeadline / 2;
    constexpr Duration kNarrow = kOperationDeadline / 6;
    if (left <= kNarrow) return left;
    return left - std::max<Duration>(milliseconds(1), (left - kWide) / 16);
}

inline constexpr Duration kNoticePause = milliseconds(200);  // between notices of money received

}  // namespace p2pbank::customer::timing
