// Transfers of a peer and its word for them, for tests of what can be proven.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/customer_world.h"

namespace p2pbank {

using LabelsAndCents = std::vector<std::pair<uint64_t, uint64_t>>;

inline wire::Transfers transfers_of(const LabelsAndCents& transfers) {
    wire::Transfers out;
    out.set_first_label(transfers.front().first);
    uint64_t before = transfers.front().first;
    for (const auto& [label, cents] : transfers) {
        out.add_gaps(label - before);
        out.add_amounts(cents);
        before = label;
    }
    return out;
}

// Labels that follow each other; each transfer is of as many cents as its label.
inline wire::Transfers stretch(uint64_t first, uint64_t last) {
    wire::Transfers out;
    out.set_first_label(first);
    for (uint64_t label = first; label <= last; ++label) out.add_amounts(label);
    return out;
}

// Requires a message of the protocol.
inline std::vector<Transfer> read(const wire::Transfers& message) {
    auto transfers = read_transfers(message);
    REQUIRE(transfers.has_value());
    return std::move(*transfers);
}

inline IntervalSet set_of(const std::vector<std::pair<uint64_t, uint64_t>>& intervals) {
    IntervalSet out;
    for (const auto& [first, last] : intervals) out.add(first, last, [](uint64_t, uint64_t) {});
    return out;
}

inline wire::Signed word_of(const secure::Identity& identity, const std::string& from,
                            const std::vector<wire::Transfers>& messages, uint64_t epoch = 1,
                            uint64_t cohort = 1) {
    std::vector<std::string> digests;
    for (const wire::Transfers& message : messages) {
        digests.push_back(
            transfers_digest({from, "alice", CohortId(cohort), Epoch(epoch)}, message));
    }
    return sign_transfers(identity, std::move(digests));
}

}  // namespace p2pbank
