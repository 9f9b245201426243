// When to try again: a delay that doubles up to a limit, with jitter, so that those who failed
// together do not come back together.
#pragma once

#include <algorithm>

#include "common/base/random.h"
#include "common/base/time.h"

namespace p2pbank {

class Backoff {
  public:
    // Requires 0 < first <= most.
    Backoff(Duration first, Duration most) : first_(first), most_(most), delay_(first) {}

    // The next delay: between three quarters and five quarters of first, 2 first, 4 first ... most.
    Duration next(Random& random) {
        const auto base = delay_.count();
        delay_ = std::min(most_, delay_ * 2);
        return Duration(base * 3 / 4 +
                        static_cast<int64_t>(random.below(static_cast<uint64_t>(base / 2 + 1))));
    }
    void reset() { delay_ = first_; }

  private:
    Duration first_;
    Duration most_;
    Duration delay_;
};

}  // namespace p2pbank
