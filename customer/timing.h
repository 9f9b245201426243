// How long a customer waits for what.
#pragma once

#include "common/base/time.h"

namespace p2pbank::customer::timing {

// Transfers
inline constexpr Duration kTransferDeadline = seconds(5);  // then UNKNOWN; it is still resent
inline constexpr Duration kFirstTimeout = milliseconds(100);
inline constexpr Duration kShortestTimeout = milliseconds(5);
inline constexpr Duration kLongestTimeout = seconds(1);

// Requests to peers and to the bank
inline constexpr Duration kRetryFirst = milliseconds(40);
inline constexpr Duration kRetryMost = milliseconds(400);
inline constexpr Duration kQueryFirst = milliseconds(100);
inline constexpr Duration kQueryMost = seconds(2);
inline constexpr Duration kAnnounceFirst = milliseconds(50);
inline constexpr Duration kAnnounceMost = seconds(1);
inline constexpr Duration kAttachRetry = milliseconds(200);
inline constexpr Duration kAttachRefresh = seconds(10);
inline constexpr Duration kBankDeadline = seconds(4);  // until the bank shows that it is there
inline constexpr Duration kBankAnswer = seconds(9);    // then, of a command passed on to it

// Operations
inline constexpr Duration kOperationDeadline = seconds(3);  // of one try
inline constexpr Duration kCommandDeadline = seconds(10);   // of all tries together
inline constexpr Duration kAskGrace =
    milliseconds(300);  // behind the deadline, before asking the bank
inline constexpr Duration kBusyFirst = milliseconds(20);
inline constexpr Duration kBusyMost = milliseconds(800);
static_assert(kOperationDeadline * 2 < kCommandDeadline);

inline constexpr Duration kNoticePause = milliseconds(200);  // between notices of money received

}  // namespace p2pbank::customer::timing
