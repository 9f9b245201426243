// What customers sign, so that others can prove it later: the statement of each settlement, and
// their word for the transfers that they have sent. Pure functions; the customer signs, the bank
// and `bank verify` check.
//
// In clear nobody has keys: signatures are empty there, and nothing is checked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/secure/identity.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

inline constexpr std::string_view kStatementLabel = "p2pbank statement";
inline constexpr std::string_view kTransfersLabel = "p2pbank transfers";

// --- operations and epochs
//
// What a peer says of others than itself counts only with a signature: of the initiator, that it
// began an operation; of who voted, in which epoch it will be after a rollback; of the bank, how it
// decided; of a customer, in which epoch it has been.

inline constexpr std::string_view kOperationLabel = "p2pbank operation";
inline constexpr std::string_view kRollbackVoteLabel = "p2pbank rollback vote";
inline constexpr std::string_view kDecisionLabel = "p2pbank decision";
inline constexpr std::string_view kEpochLabel = "p2pbank epoch";

// Each gives a signature, empty where `identity` is null (in clear).
std::string sign_operation(const secure::Identity* identity, const OperationId& id,
                           wire::OperationKind kind);
std::string sign_rollback_vote(const secure::Identity* identity, const OperationId& id,
                               std::string_view voter, Epoch next_epoch);
std::string sign_decision(const secure::Identity* identity, const OperationId& id, bool commit);
std::string sign_epoch(const secure::Identity* identity, std::string_view name, CohortId cohort,
                       Epoch epoch);
// Whether `word` is what the owner of the key would have given.
bool is_operation_signed(const OperationId& id, wire::OperationKind kind, const KeyBytes& key);
bool is_rollback_vote_signed(const OperationId& id, std::string_view voter, Epoch next_epoch,
                             std::string_view word, const KeyBytes& key);
bool is_decision_signed(const OperationId& id, bool commit, std::string_view word,
                        const KeyBytes& key);
bool is_epoch_signed(std::string_view name, CohortId cohort, Epoch epoch, std::string_view word,
                     const KeyBytes& key);

// --- statements

// `identity` null: in clear.
wire::SignedStatement sign_statement(const secure::Identity* identity,
                                     const wire::Statement& statement);
// What was signed; nothing if the bytes are no statement. Says nothing of the signature.
std::optional<wire::Statement> read_statement(const wire::SignedStatement& signed_statement);
// The bytes are those of its fields and nothing else: no field that is unknown here, no other way
// to write the same.
bool is_canonical(const wire::SignedStatement& signed_statement);
// What is kept of something that came: what is known of it.
wire::SignedStatement known_part(const wire::SignedStatement& came);
wire::SignedTransfers known_part(const wire::SignedTransfers& came);
bool is_signed_by(const wire::SignedStatement& signed_statement, const KeyBytes& signing_key);
// 32 bytes of BLAKE2b over the statement's bytes: what the next one names as `previous`.
std::string statement_digest(const wire::SignedStatement& signed_statement);

// --- transfers

struct Transfer {
    Label label;
    Money amount;
    friend bool operator==(const Transfer&, const Transfer&) = default;
};

// The transfers in a message, labels rising. Nothing for a message that nobody who keeps to the
// protocol sends: labels that do not rise or are out of range, amounts that are none, more than
// limits::kMaxTransfersInDatagram.
std::optional<std::vector<Transfer>> read_transfers(const wire::Transfers& transfers);

// Between whom, in which cohort and in which epoch of the sender transfers were sent.
struct ChannelContext {
    std::string_view from;
    std::string_view to;
    CohortId cohort;
    Epoch epoch;
};

// 32 bytes of BLAKE2b over the context and every number of the message, so that two messages that
// differ have different digests.
std::string transfers_digest(const ChannelContext& context, const wire::Transfers& transfers);

// The sender's word for messages with these digests (32 bytes each). Requires at least one and at
// most limits::kMaxDigestsInSigned.
wire::Signed sign_transfers(const secure::Identity& identity, std::vector<std::string> digests);
// Digests of the right number and size, and signed with that key.
bool is_signed_by(const wire::Signed& word, const KeyBytes& signing_key);
// Proof that the owner of the key has sent these transfers, each message of them.
bool proves(const ChannelContext& context, const wire::SignedTransfers& item,
            const KeyBytes& signing_key);

}  // namespace p2pbank
