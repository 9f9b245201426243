// The bank's word for who is in a cohort, where and with which keys: how the bank introduces peers
// to each other without standing between them. The bank signs, customers check and keep it.
//
// In clear nobody has keys: the signature is empty and is not checked, and no roster expires.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/result.h"
#include "common/secure/identity.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

inline constexpr std::string_view kRosterLabel = "p2pbank roster";
// By the bank's clock, from when it was signed. Members ask for a new one when half of it is over.
inline constexpr uint64_t kRosterLifeMs = 24 * 60 * 60 * 1'000;
// How far a member's clock may be behind or ahead of the bank's.
inline constexpr uint64_t kClockSkewMs = 10 * 60 * 1'000;

// `identity` null: in clear.
wire::Roster sign_roster(const secure::Identity* identity, const wire::RosterBody& body);

// `bank_signing_key` null: in clear. Errors: bad-roster (no roster, not the bank's, or a member
// without keys, with a bad address or twice), expired (by now_ms, milliseconds since 1970, with
// kClockSkewMs of grace).
Result<wire::RosterBody> read_roster(const wire::Roster& roster, const KeyBytes* bank_signing_key,
                                     uint64_t now_ms);

}  // namespace p2pbank
