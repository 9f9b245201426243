// How long the bank waits for what.
#pragma once

#include "common/base/time.h"

namespace p2pbank::bank::timing {

inline constexpr Duration kRetryFirst = milliseconds(40);
inline constexpr Duration kRetryMost = milliseconds(400);
inline constexpr Duration kProbing = milliseconds(1'500);  // for enough who answer
inline constexpr Duration kJoining = seconds(2);
inline constexpr Duration kFreezing = seconds(3);
inline constexpr Duration kExiting = seconds(3);
inline constexpr Duration kTelling =
    seconds(2);  // for those who have to hear of a COMMIT; then SUCCESS
inline constexpr Duration kReporting = milliseconds(700);
inline constexpr Duration kAgainFirst = milliseconds(500);  // what a customer has not acknowledged
inline constexpr Duration kAgainMost = seconds(15);
inline constexpr Duration kHeld = seconds(2);      // what waits for an introduction
inline constexpr Duration kEvidence = seconds(5);  // for the next piece of evidence
inline constexpr Duration kUnverifiedLife = std::chrono::hours(24);  // of a registration
inline constexpr Duration kTableInterval = seconds(1);               // between tables of many rows

}  // namespace p2pbank::bank::timing
