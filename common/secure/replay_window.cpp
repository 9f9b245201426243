#include "common/secure/replay_window.h"

#include <algorithm>

namespace p2pbank::secure {

bool ReplayWindow::is_new(uint64_t counter) const {
    if (counter >= next_) return counter != UINT64_MAX;
    if (next_ - 1 - counter > kSize) return false;
    return (seen_[counter / 64 % kWords] >> (counter % 64) & 1U) == 0;
}

bool ReplayWindow::accept(uint64_t counter) {
    if (!is_new(counter)) return false;
    if (counter >= next_) {
        // The words between are those of counters that are too old by now.
        const uint64_t newest = next_ == 0 ? 0 : (next_ - 1) / 64;
        const uint64_t steps = std::min(counter / 64 - newest, kWords);
        for (uint64_t i = 1; i <= steps; ++i) seen_[(newest + i) % kWords] = 0;
        next_ = counter + 1;
    }
    seen_[counter / 64 % kWords] |= uint64_t(1) << (counter % 64);
    return true;
}

}  // namespace p2pbank::secure
