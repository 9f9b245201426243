#include "simulator/scale/uncoordinated.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/random.h"

namespace p2pbank::simulator::scale {

UncoordinatedHistory::UncoordinatedHistory(std::span<const Transfer> transfers,
                                           std::vector<std::vector<uint32_t>> checkpoints)
    : transfers_(transfers), checkpoints_(std::move(checkpoints)), sent_(checkpoints_.size()) {
    for (const auto& positions : checkpoints_) {
        P2PBANK_CHECK(!positions.empty() && positions.front() == 0 &&
                      positions.back() <= transfers_.size() &&
                      std::is_sorted(positions.begin(), positions.end()));
    }
    for (size_t i = 0; i < transfers_.size(); ++i) {
        sent_[transfers_[i].from].push_back(static_cast<uint32_t>(i));
    }
}

std::vector<uint32_t> UncoordinatedHistory::recovery_line(uint32_t failed) const {
    const auto end = static_cast<uint32_t>(transfers_.size());
    std::vector<uint32_t> line(customers(), end);
    // Whoever goes back, and from where: what it has sent since is undone.
    std::vector<std::pair<uint32_t, uint32_t>> back{{failed, end}};
    line[failed] = checkpoints_[failed].back();
    while (!back.empty()) {
        const auto [sender, before] = back.back();
        back.pop_back();
        const auto& sent = sent_[sender];
        for (auto at = std::lower_bound(sent.begin(), sent.end(), line[sender]);
             at != sent.end() && *at < before; ++at) {
            const uint32_t receiver = transfers_[*at].to;
            if (line[receiver] <= *at) continue;
            // An orphan: the receiver needs a checkpoint from before it.
            const auto& own = checkpoints_[receiver];
            const uint32_t from = line[receiver];
            line[receiver] = *std::prev(std::upper_bound(own.begin(), own.end(), *at));
            back.emplace_back(receiver, from);
        }
    }
    return line;
}

std::vector<std::vector<uint32_t>> draw_checkpoints(size_t customers, size_t transfers,
                                                    uint32_t period, uint64_t seed) {
    P2PBANK_CHECK(period > 0);
    Random random(seed_for(Purpose::timers, seed));
    std::vector<std::vector<uint32_t>> out(customers);
    for (auto& positions : out) {
        positions.push_back(0);
        const uint64_t first = 1 + random.below(period);
        for (uint64_t at = first; at <= transfers; at += period) {
            positions.push_back(static_cast<uint32_t>(at));
        }
    }
    return out;
}

Recovery recovery_of(const UncoordinatedHistory& history, std::span<const uint32_t> line) {
    const size_t end = history.transfers().size();
    Recovery recovery;
    for (uint32_t i = 0; i < line.size(); ++i) {
        if (line[i] == end) continue;
        const auto& own = history.checkpoints(i);
        const auto at = std::lower_bound(own.begin(), own.end(), line[i]);
        const auto steps = static_cast<uint64_t>(own.end() - at);
        ++recovery.participants;
        recovery.steps += steps;
        recovery.most_steps = std::max(recovery.most_steps, steps);
        recovery.to_start += line[i] == 0;
    }
    for (size_t i = 0; i < end; ++i) recovery.lost += line[history.transfers()[i].from] <= i;
    return recovery;
}

}  // namespace p2pbank::simulator::scale
