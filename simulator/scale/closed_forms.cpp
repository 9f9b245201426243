#include "simulator/scale/closed_forms.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace p2pbank::simulator::scale {

uint64_t paper_messages(uint64_t edges) {
    return 3 * edges;
}

Messages operation_messages(OperationType type, uint64_t participants, uint64_t edges) {
    const uint64_t settlements = type == OperationType::checkpoint ? participants : 1;
    Messages messages{};
    of(messages, Kind::request) = edges;
    of(messages, Kind::settle) = settlements;
    of(messages, Kind::settle_ack) = settlements;
    of(messages, Kind::vote) = edges;
    of(messages, Kind::decision_request) = 1;
    of(messages, Kind::decision) = 1;
    of(messages, Kind::outcome) = participants - 1;
    of(messages, Kind::outcome_ack) = participants - 1;
    of(messages, Kind::decision_ack) = participants;
    return messages;
}

uint64_t announcements(uint64_t participants, uint64_t customers) {
    return participants * (customers - 1);
}

std::optional<Extent> extent(Pattern pattern, OperationType type, uint32_t initiator,
                             uint64_t customers, uint64_t transfers) {
    const bool checkpoint = type == OperationType::checkpoint;
    if (pattern == Pattern::star) {
        const uint64_t payers = std::min(transfers, customers - 1);
        // The shop has only received, the others have only sent.
        if (initiator == 0) return checkpoint ? Extent{payers + 1, payers} : Extent{1, 0};
        if (payers < customers - 1) return std::nullopt;  // perhaps it has not paid
        return checkpoint ? Extent{1, 0} : Extent{2, 1};
    }
    if (pattern == Pattern::ring && transfers >= customers) return Extent{customers, customers};
    return std::nullopt;
}

double giant_share(double mean) {
    if (mean <= 1) return 0;
    double share = 1;
    for (int step = 0; step < 100'000; ++step) {
        const double next = 1 - std::exp(-mean * share);
        if (std::abs(next - share) < 1e-12) break;
        share = next;
    }
    return share;
}

double expected_participants(double mean, uint64_t customers) {
    if (mean < 1) return 1 / (1 - mean);
    if (mean == 1) return std::numeric_limits<double>::infinity();
    const double share = giant_share(mean);
    return share * share * static_cast<double>(customers);
}

uint64_t markers(uint64_t customers) {
    return customers * (customers - 1);
}

double overtaking(Duration gap, const Delays& delays) {
    // Of the delays a of the transfer and b of the marker: a > gap + b.
    const auto values = static_cast<double>((delays.most_link - delays.least_link).count() + 1);
    const double later = values - 1 - static_cast<double>(gap.count());
    return later <= 0 ? 0 : later * (later + 1) / 2 / (values * values);
}

}  // namespace p2pbank::simulator::scale
