// Time as the nodes see it: handed in with every event, never read. A TimePoint is the distance to
// an arbitrary start that does not jump; the wall clock appears only in logs and traces.
#pragma once

#include <chrono>

namespace p2pbank {

struct NodeClock {};  // a tag only: nobody in the protocol can ask it for the time
using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::time_point<NodeClock, Duration>;

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace p2pbank
