// What one checkpoint or rollback cost, whoever counted it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace p2pbank::simulator::scale {

enum class OperationType { checkpoint, rollback };

// The messages of an operation (docs/protocol.md, Messages), in the order in which they are sent.
enum class Kind : size_t {
    request,           // CheckpointRequest or RollbackRequest
    settle,            // Settle; of a rollback OperationBegin, which only the initiator sends
    settle_ack,        // SettleAck or OperationBegun
    vote,              //
    decision_request,  // the initiator asks the bank for COMMIT
    decision,          // the bank's answer
    outcome,           // the decision along the edges
    outcome_ack,       // a child has carried it out
    decision_ack,      // the same to the bank
    count
};
inline constexpr size_t kKinds = static_cast<size_t>(Kind::count);

using Messages = std::array<uint64_t, kKinds>;  // how many of each kind

inline uint64_t total(const Messages& messages) {
    return std::accumulate(messages.begin(), messages.end(), uint64_t{0});
}
inline uint64_t& of(Messages& messages, Kind kind) {
    return messages[static_cast<size_t>(kind)];
}
inline uint64_t of(const Messages& messages, Kind kind) {
    return messages[static_cast<size_t>(kind)];
}

struct Cost {
    bool committed = false;
    std::string answer;                  // the first line of the real one; else empty
    std::vector<uint32_t> participants;  // rising numbers
    Messages messages{};                 // each counted once, however often it was sent
    Messages bytes{};                    // of their datagrams as they are on the wire, sealed
    Duration duration{};                 // from the command to its answer
    Duration blocked{};          // of all participants together: from tentative to the decision
    Duration longest_blocked{};  // of one participant

    // Of the model only.
    uint64_t depth = 0;   // of the tree: requests on the longest way from the initiator
    bool in_time = true;  // every participant has voted before its deadline

    // Of the real objects only.
    uint64_t datagrams =
        0;                  // of the messages: more where some went in parts, with acknowledgements
    uint64_t repeated = 0;  // datagrams of messages that were sent again; not in the bytes
    uint64_t others = 0;    // datagrams meanwhile that are not the operation's

    Duration average_blocked() const {
        return participants.empty() ? Duration{}
                                    : blocked / static_cast<int64_t>(participants.size());
    }
};

}  // namespace p2pbank::simulator::scale
