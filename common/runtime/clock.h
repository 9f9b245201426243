// The real clocks. Read by the driver and the trace writer only: nodes are handed the time.
#pragma once

#include <chrono>

#include "common/base/time.h"

namespace p2pbank {

// Microseconds since the machine started; does not jump.
inline TimePoint steady_now() {
    return TimePoint(duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

inline std::chrono::steady_clock::time_point to_steady(TimePoint time) {
    return std::chrono::steady_clock::time_point(time.time_since_epoch());
}

// Microseconds since 1970.
inline int64_t wall_clock_us() {
    return duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What to add to a TimePoint to get microseconds since 1970, as long as nobody sets the clock.
inline int64_t wall_offset_us() {
    return wall_clock_us() - duration_cast<microseconds>(steady_now().time_since_epoch()).count();
}

}  // namespace p2pbank
