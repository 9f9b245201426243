// The virtual clock and what is still to happen: events ordered by time and, at the same time, by
// the order in which they were planned. Owned by the world; everything in a simulated run happens
// inside step().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/time.h"

namespace p2pbank::simulator {

class Schedule {
  public:
    using Action = std::function<void()>;

    TimePoint now() const { return now_; }

    // Plans `action` for `when`, or for now if that has passed.
    void at(TimePoint when, Action action);
    void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

    // Moves the clock to the earliest event and runs it. False if there is none.
    bool step();
    // When step() would be; nothing if there is no event.
    std::optional<TimePoint> next() const;
    // Lets time pass in which nothing happens. Requires that no event is planned before `until`.
    void idle_until(TimePoint until);

    uint64_t events() const { return events_; }

  private:
    struct Event {
        TimePoint when;
        uint64_t sequence;
        Action action;
    };
    static bool later(const Event& a, const Event& b) {
        return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }

    TimePoint now_{};
    uint64_t sequence_ = 0;
    uint64_t events_ = 0;
    std::vector<Event> heap_;
};

}  // namespace p2pbank::simulator
