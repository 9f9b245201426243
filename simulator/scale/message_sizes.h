// How large the messages of an operation are in the model, in bytes: those of the schema
// (common/wire/messages.proto) with names of four bytes and small numbers, sealed and signed. The
// constants are what the real customers and the real bank send in a cohort of 100; the growth is
// that of the schema.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/limits.h"
#include "simulator/scale/cost.h"

namespace p2pbank::simulator::scale {

inline constexpr uint64_t kNameBytes = 4;
inline constexpr uint64_t kWordBytes = 66;  // a signature and its tag

// All without what surrounds a message that goes in parts.
inline uint64_t request_bytes(OperationType type) {
    return type == OperationType::checkpoint ? 137 : 139;
}
inline uint64_t begin_bytes() {
    return 127;
}
inline uint64_t settle_ack_bytes() {
    return 131;
}
inline uint64_t decision_bytes() {
    return 200;
}
inline uint64_t outcome_bytes() {
    return 203;
}
inline uint64_t outcome_ack_bytes() {
    return 131;
}
inline uint64_t decision_ack_bytes() {
    return 125;
}
// Of a snapshot after Chandy and Lamport: nothing but which one it is, signed by its initiator.
inline uint64_t marker_bytes() {
    return 131;
}
// A statement: what it has of each channel, and of each transfer as activity.
inline uint64_t settle_bytes(uint64_t channels, uint64_t transfers) {
    return 424 + 13 * channels +
           26 * std::min<uint64_t>(transfers, limits::kMaxActivityInSettlement);
}
// One participant in a vote, with those whom it asked as reasons.
inline uint64_t participant_bytes(OperationType type, uint64_t children) {
    const uint64_t reasons = std::min<uint64_t>(children, limits::kMaxReasonsInVote);
    const uint64_t word = type == OperationType::rollback ? 2 + kWordBytes + 1 : 0;
    return 2 + 2 + kNameBytes + reasons * (2 + 2 + kNameBytes + 2) + word;
}
inline uint64_t vote_bytes(uint64_t participants_bytes) {
    return 131 + participants_bytes;
}
inline uint64_t decision_request_bytes(OperationType type, uint64_t participants) {
    const uint64_t word = type == OperationType::rollback ? 2 + kNameBytes + 2 + kWordBytes + 2 : 0;
    return 129 + participants * (2 + kNameBytes + word);
}

// A message that is too large for a datagram goes in parts, each with its head and acknowledged.
inline uint64_t on_the_wire(uint64_t bytes) {
    if (bytes <= limits::kMaxDatagramBytes) return bytes;
    const uint64_t parts = (bytes + limits::kMaxFragmentBytes - 1) / limits::kMaxFragmentBytes;
    return bytes + parts * 80 + 80;
}

}  // namespace p2pbank::simulator::scale
