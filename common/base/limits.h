// Every limit of the system, in one place, with what ties it to the others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace p2pbank::limits {

// Money and names
inline constexpr int64_t kMaxAmountUnits = 1'000'000'000'000'000;  // one amount, in whole units
inline constexpr size_t kMaxNameBytes = 32;
static_assert(kMaxAmountUnits <= INT64_MAX / 100 / 2, "two amounts in cents must fit in int64");

// Datagrams
inline constexpr size_t kMaxDatagramBytes = 1'200;
inline constexpr size_t kMaxFragmentBytes = 1'000;       // payload of one part of a larger message
inline constexpr size_t kMaxMessageBytes = 512 * 1'024;  // a message put together again from parts
inline constexpr size_t kMaxFragments =
    (kMaxMessageBytes + kMaxFragmentBytes - 1) / kMaxFragmentBytes;
inline constexpr size_t kMaxReassembliesInProgress = 2'048;
inline constexpr size_t kMaxReassemblyBytes = 64 * 1'024 * 1'024;
inline constexpr size_t kMaxOutgoingMessages = 4'096;
static_assert(kMaxFragmentBytes + 150 < kMaxDatagramBytes, "a part and its header must fit");

// Addresses that we have met. The oldest unproven ones are forgotten first.
inline constexpr size_t kMaxAddressesKnown = 65'536;

// Cohorts: the largest message is a settlement or a vote that names every member.
inline constexpr size_t kMinCohort = 2;
inline constexpr size_t kMaxCohort = 1'024;
static_assert(kMaxCohort * 200 < kMaxMessageBytes, "a settlement of the largest cohort must fit");

// Transfers
inline constexpr size_t kTransferWindow = 4'096;  // unacknowledged and sent, for each channel
inline constexpr size_t kMaxTransfersInDatagram = 100;
inline constexpr size_t kMaxIntervalsInAck = 48;
inline constexpr size_t kMaxSentLog = 1'000'000;  // entries for each channel; then: checkpoint
inline constexpr size_t kMaxReceivedIntervals = 20'000;  // over all channels: each gap is a lost
                                                         // transfer, or one that still comes
static_assert(kMaxReceivedIntervals * 12 + kMaxCohort * 100 < kMaxMessageBytes,
              "a settlement with all gaps must fit");
static_assert(kMaxTransfersInDatagram * 10 < kMaxDatagramBytes);
static_assert(kMaxIntervalsInAck * 20 + 200 < kMaxDatagramBytes);

// Commands
inline constexpr size_t kMaxLineBytes = 1'024;
inline constexpr size_t kMaxCommandsInProgress = 1'024;  // answered in order; more wait unread
inline constexpr size_t kMaxHistory = 200;
inline constexpr size_t kMaxReplyLines = 200;  // of the bank, to a customer's command

// Operations
inline constexpr size_t kMaxHoldBacks = 4'096;
inline constexpr size_t kMaxRefusedOperations = 256;  // for each initiator only the newest matters
inline constexpr int kMaxOperationTries = 8;
inline constexpr int kMaxReasonsInVote = 4;  // of each participant; they are for people
static_assert(kMaxCohort * (kMaxNameBytes + 8 + kMaxReasonsInVote * (kMaxNameBytes + 14)) <
                  kMaxMessageBytes,
              "a vote that names the largest cohort must fit");

// Ports of the bank
inline constexpr uint16_t kMinBankPort = 8'500;
inline constexpr uint16_t kMaxBankPort = 8'999;

// The bank's table is replaced with every change while it is at most this large; above, at most
// once in kTableInterval.
inline constexpr size_t kSmallTableRows = 2'000;

}  // namespace p2pbank::limits
