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
// What the bank keeps for a moment for those who have to be introduced first.
inline constexpr size_t kMaxHeldMessages = 4'096;
inline constexpr size_t kMaxHeldBytes = 16 * 1'024 * 1'024;
// What surrounds a message on the wire, at most: a sealed one's index, counter and tag.
inline constexpr size_t kMaxOverheadBytes = 32;
static_assert(kMaxFragmentBytes + 150 + kMaxOverheadBytes < kMaxDatagramBytes,
              "a part and its header must fit");

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
inline constexpr size_t kMaxDigestsInSigned = 84;        // messages that one signature stands for
inline constexpr size_t kMaxEvidenceBytes = 64 * 1'024;  // in one answer; more is asked for again
inline constexpr size_t kMaxEvidenceOverrun = 256 * 1'024;  // what has labels in between
inline constexpr size_t kMaxLabelsInSignRequest = kMaxTransfersInDatagram * kMaxDigestsInSigned;
inline constexpr size_t kMaxEarlyWords = 8;  // of one peer, whose messages have not come yet
static_assert(kMaxEvidenceBytes + kMaxEvidenceOverrun + 4'096 < kMaxMessageBytes);
static_assert(kMaxDigestsInSigned * 34 + 66 + 50 < 3 * kMaxFragmentBytes,
              "three parts, so that few are lost with one of them");
inline constexpr size_t kMaxSentLog = 1'000'000;  // entries for each channel; then: checkpoint
// Entries in all channels of a customer, and as many received: with them its state is one record,
// which has to fit into a frame of the journal.
inline constexpr size_t kMaxLogged = 6'000'000;
inline constexpr size_t kMaxReceivedIntervals = 20'000;  // over all channels: each gap is a lost
                                                         // transfer, or one that still comes
static_assert(kMaxReceivedIntervals * 12 + kMaxCohort * 100 < kMaxMessageBytes,
              "a settlement with all gaps must fit");
static_assert(kMaxTransfersInDatagram * 10 + kMaxOverheadBytes < kMaxDatagramBytes);
static_assert(kMaxIntervalsInAck * 20 + 200 < kMaxDatagramBytes);

// Commands
inline constexpr size_t kMaxLineBytes = 1'024;
inline constexpr size_t kMaxCommandsInProgress = 1'024;  // answered in order; more wait unread
inline constexpr size_t kMaxHistory = 200;               // lines that `history` shows
inline constexpr size_t kMaxActivity = 10'000;  // lines that an account's own program keeps
inline constexpr size_t kMaxActivityInSettlement = 500;  // the newest; the rest is counted
inline constexpr size_t kMaxReplyLines = 200;            // of the bank, to a customer's command

inline constexpr size_t kMaxNoteBytes = 140;  // of a deposit or withdrawal

// Business

inline constexpr size_t kMaxProducts = 1'000'000;
inline constexpr size_t kMaxImportsKnown = 1'024;  // files of purchases, not to be taken twice
inline constexpr size_t kMaxBillers = 10'000;
inline constexpr size_t kMaxPendingDeals = 10'000;  // of one customer; then: checkpoint
inline constexpr size_t kMaxLoanPayments = 10'000;
inline constexpr size_t kRowsOnPage = 100;  // of what may be long: products, purchases

// Operations

inline constexpr size_t kMaxHoldBacks = 4'096;
// For each initiator the newest: of the members of one cohort, and of the bank for cohorts.
inline constexpr size_t kMaxRefusedOfBank = 64;
inline constexpr size_t kMaxRefusedOperations = kMaxCohort + kMaxRefusedOfBank;
inline constexpr int kMaxOperationTries = 8;
inline constexpr int kMaxReasonsInVote = 4;  // of each participant; they are for people
static_assert(kMaxCohort * (kMaxNameBytes + 8 + kMaxReasonsInVote * (kMaxNameBytes + 14)) <
                  kMaxMessageBytes,
              "a vote that names the largest cohort must fit");

// Evidence
inline constexpr size_t kMaxRollbacksKnown = 1'024;  // committed ones of one initiator
inline constexpr size_t kMaxAccusations = 16;        // of one account that are kept
inline constexpr size_t kMaxDisputes = 8;  // in progress: each keeps the proof that is given
inline constexpr size_t kMaxEvidencePieces = 1'024;  // of one dispute, of kMaxEvidenceBytes each
inline constexpr size_t kMaxProvenTransfers = kMaxSentLog;  // of one dispute
inline constexpr size_t kMaxProofBytes = 256 * 1'024;       // that are kept with an accusation
inline constexpr size_t kMaxEvidenceFileBytes = 512 * 1'024 * 1'024;  // of `audit --evidence`

// Goods and files of them
inline constexpr uint64_t kMaxQuantity = 1'000'000'000;  // of a product, in stock or bought at once
// What a stock can come to when purchases are cancelled behind which it was filled up again.
inline constexpr uint64_t kMaxStockHeld = uint64_t(1) << 60;
static_assert(kMaxQuantity < kMaxStockHeld);
inline constexpr size_t kMaxProductNameBytes = 100;
inline constexpr size_t kMaxCategoryBytes = 40;
inline constexpr size_t kMaxCategories = 16;
inline constexpr size_t kMaxImportedProducts = 100'000;
inline constexpr size_t kMaxImportedPurchases = 1'000'000;
inline constexpr size_t kMaxImportBytes = 512 * 1'024 * 1'024;
static_assert(kMaxProductNameBytes + kMaxCategories * (kMaxCategoryBytes + 4) + 100 <
                  kMaxImportBytes / kMaxImportedProducts,
              "the largest product must fit into a file of so many");

// Loans
inline constexpr int64_t kMaxLoanUnits = 1'000'000'000'000;  // principal, in whole units
inline constexpr uint32_t kMaxLoanMonths = 600;
inline constexpr uint32_t kMaxLoanRate = 10'000;       // hundredths of a percent, a year
inline constexpr uint32_t kMaxChargedMonths = 12'000;  // then a loan bears no more interest
static_assert(kMaxLoanMonths <= kMaxChargedMonths);
static_assert(kMaxLoanUnits <= kMaxAmountUnits);
static_assert(INT64_MAX / (kMaxLoanUnits * 100) >
                  kMaxChargedMonths / 12 * kMaxLoanRate / 10'000 + 1,
              "all interest that a loan can bear must fit in int64");

// People and sessions
inline constexpr size_t kMaxEmailBytes = 254;
inline constexpr size_t kMaxPersonNameBytes = 100;
inline constexpr size_t kMinPasswordBytes = 8;
inline constexpr size_t kMaxPasswordBytes = 256;
static_assert(kMaxPasswordBytes < kMaxDatagramBytes / 2, "two passwords must fit, sealed");
inline constexpr size_t kMaxPeople = 1'000'000;
inline constexpr size_t kMaxUnverifiedPeople = 10'000;
inline constexpr size_t kMaxSessions = 10'000;
inline constexpr size_t kMaxSessionsOfPerson = 16;    // then the one that was idle longest ends
inline constexpr size_t kMaxPasswordJobs = 32;        // in progress: each takes memory and time
inline constexpr size_t kMaxAttemptsKnown = 10'000;   // keys whose failures are remembered
inline constexpr uint32_t kMaxRefusalsAMinute = 120;  // that are written down
inline constexpr size_t kSecretsBytes = 704;          // Secrets are padded to this size
inline constexpr size_t kMaxRecentAsks = 4'096;       // whose answers are kept in case they repeat
inline constexpr size_t kMaxRecentAskBytes = 16 * 1'024 * 1'024;
static_assert(2 * kMaxPasswordBytes + kMaxPersonNameBytes + 20 < kSecretsBytes,
              "two passwords and a name must fit");
static_assert(kMaxSessionsOfPerson < kMaxSessions);

// Settings
inline constexpr size_t kMaxCurrencyCodePoints = 4;
inline constexpr uint32_t kMaxOpenLoans = 100;  // that the operator can allow one customer

// History
inline constexpr uint32_t kMaxActivityOfRecord = 65'536;  // lines of one account

// Ports of the bank
inline constexpr uint16_t kMinBankPort = 8'500;
inline constexpr uint16_t kMaxBankPort = 8'999;

// The bank's table is replaced with every change while it is at most this large; above, at most
// once in kTableInterval.
inline constexpr size_t kSmallTableRows = 2'000;

}  // namespace p2pbank::limits
