// What happened, for people and for files: a readable line for each event, and the same trace
// format that the programs write (docs/protocol.md, "Traces"). Costs nothing when nobody reads it.
// Owned by whoever runs the world.
#pragma once

#include <cstddef>
#include <deque>
#include <ostream>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/core/effects.h"

namespace p2pbank::simulator {

class Story {
  public:
    // Each line is written to `lines` as it happens, and each traced event to `trace`; either may
    // be null. The last `keep` lines are kept.
    Story(std::ostream* lines, std::ostream* trace, size_t keep)
        : lines_(lines), trace_(trace), keep_(keep) {}

    bool wanted() const { return lines_ != nullptr || trace_ != nullptr || keep_ > 0; }

    void tell(TimePoint when, std::string_view who, std::string_view what);
    void traced(TimePoint when, std::string_view who, const TraceEvent& event);

    const std::deque<std::string>& last() const { return last_; }

  private:
    std::ostream* lines_;
    std::ostream* trace_;
    size_t keep_;
    std::deque<std::string> last_;
};

// {"time_us":1,"node":"alice","kind":"sent",...} and a newline; whole numbers below 2^53 as
// numbers.
std::string trace_line(TimePoint when, std::string_view node, const TraceEvent& event);

}  // namespace p2pbank::simulator
