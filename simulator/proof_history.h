// What the bank's history has of signed statements, ends of cohorts and accusations: enough of it
// for `audit --evidence`, in the memory of a simulated world. Owned by World.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/core/history.h"
#include "common/core/jobs.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

class ProofHistory final : private FactSink {
  public:
    // For a start of the bank, which tells what is in its journal again.
    FactSink* begin();
    // That is told, up to this record. What was told of later ones has been lost in a crash.
    void replayed(uint64_t position);

    // Of all other queries it knows nothing.
    JobResult look_up(const Query& query) const;
    // How many deals were made, settled and cancelled.
    void count(Tally& tally) const;

  private:
    void fact(uint64_t position, Fact fact) override;

    std::map<uint64_t, std::vector<Fact>> facts_;  // by position
    uint64_t at_ = 0;                              // the newest position that this run has told of
};

}  // namespace p2pbank::simulator
