// Which counters have come: each counts once, and one that is more than 2,048 behind the highest
// counts no more (RFC 6479). Owned by a session.
#pragma once

#include <array>
#include <cstdint>

namespace p2pbank::secure {

class ReplayWindow {
  public:
    static constexpr uint64_t kSize = 2'048;

    // True the first time. Only for a counter whose packet has proven genuine. The highest possible
    // counter is never taken: it cannot be followed.
    bool accept(uint64_t counter);
    // What accept would say.
    bool is_new(uint64_t counter) const;

  private:
    static constexpr uint64_t kWords = kSize / 64 + 1;  // one more: the words turn over
    uint64_t next_ = 0;                                 // one above the highest seen
    std::array<uint64_t, kWords> seen_{};
};

}  // namespace p2pbank::secure
