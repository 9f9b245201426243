// What happened, for people and for files: a readable line for each event, and the same trace
// format that the programs write (docs/protocol.md, "Traces"). Costs nothing when nobody reads it.
// Owned by whoever runs the world.
#pragma once

#include <cstddef>
#include <deque>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/core/effects.h"

namespace p2pbank::simulator {

class Story {
  public:
    struct Line {
        TimePoint when;
        std::string who;
        std::string text;
        std::string kind;  // of a traced event: sent, received, durable ...
        std::string id;    // of a datagram that is sent or received
    };

    // Each line is written to `lines` as it happens, and each traced event to `trace`; either may
    // be null. The last `keep` lines are kept.
    Story(std::ostream* lines, std::ostream* trace, size_t keep)
        : lines_(lines), trace_(trace), keep_(keep) {}

    bool wanted() const { return lines_ != nullptr || trace_ != nullptr || keep_ > 0; }

    void tell(TimePoint when, std::string_view who, std::string_view what);
    void traced(TimePoint when, std::string_view who, const TraceEvent& event);

    const std::deque<Line>& last() const { return last_; }

  private:
    void add(Line line);

    std::ostream* lines_;
    std::ostream* trace_;
    size_t keep_;
    std::deque<Line> last_;
};

// "    0.295805  carol     sent id=carol/1/1 ..."
std::string to_text(const Story::Line& line);

// What led to the last thing that happened, and to what `about` says of processes that it names,
// in the order of cause and effect: of each process what came before it was last heard of, a
// datagram where it is received, and no greetings. At most `most` lines, the first and the last; a
// line says what is left out.
std::vector<std::string> short_story(const std::deque<Story::Line>& lines, std::string_view about,
                                     size_t most);

// {"time_us":1,"node":"alice","kind":"sent",...} and a newline; whole numbers below 2^53 as
// numbers.
std::string trace_line(TimePoint when, std::string_view node, const TraceEvent& event);

}  // namespace p2pbank::simulator
