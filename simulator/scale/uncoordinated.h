// Checkpoints that everybody takes when it likes, and what a rollback costs then: the recovery line
// has to be found among the checkpoints that there are, and each customer that goes back may push
// others back, and these the first one again: the domino effect (Randell, "System Structure for
// Software Fault Tolerance", IEEE Transactions on Software Engineering SE-1(2), 1975; Elnozahy and
// others, "A Survey of Rollback-Recovery Protocols in Message-Passing Systems", ACM Computing
// Surveys 34(3), 2002, section 3.1).
//
// Positions are numbers of transfers of the whole sequence: a state at position p shows the
// transfers 0 to p - 1 of its customer. Each is delivered before the next one is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "simulator/scale/pattern.h"

namespace p2pbank::simulator::scale {

class UncoordinatedHistory {
  public:
    // `checkpoints`: of each customer, positions, rising, the first one 0: the cohort's start.
    // Requires that none is beyond the last transfer. The transfers have to outlive this.
    UncoordinatedHistory(std::span<const Transfer> transfers,
                         std::vector<std::vector<uint32_t>> checkpoints);

    size_t customers() const { return checkpoints_.size(); }
    std::span<const Transfer> transfers() const { return transfers_; }
    const std::vector<uint32_t>& checkpoints(uint32_t customer) const {
        return checkpoints_[customer];
    }
    // The newest states without an orphan when `failed` has lost what is behind its last
    // checkpoint: a position for each customer, which is that of one of its checkpoints, or the
    // number of transfers for whoever keeps its present state.
    std::vector<uint32_t> recovery_line(uint32_t failed) const;

  private:
    std::span<const Transfer> transfers_;
    std::vector<std::vector<uint32_t>> checkpoints_;
    std::vector<std::vector<uint32_t>> sent_;  // by customer: numbers of transfers
};

// Each customer by its own timer, every `period` transfers of the whole sequence, from a beginning
// that is drawn. Requires period > 0.
std::vector<std::vector<uint32_t>> draw_checkpoints(size_t customers, size_t transfers,
                                                    uint32_t period, uint64_t seed);

// What a rollback to such a line costs.
struct Recovery {
    uint64_t participants = 0;  // roll back
    uint64_t lost = 0;          // transfers whose sending is undone
    uint64_t steps = 0;         // checkpoints back, over all that roll back: 1 is the last one
    uint64_t most_steps = 0;
    uint64_t to_start = 0;  // roll back to the cohort's start, behind all their checkpoints
};
Recovery recovery_of(const UncoordinatedHistory& history, std::span<const uint32_t> line);

}  // namespace p2pbank::simulator::scale
