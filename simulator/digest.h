// A running hash of everything that happens in a run: two runs are the same run if their digests
// are. Not cryptographic.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace p2pbank::simulator {

class Digest {
  public:
    void add(uint64_t value) {
        state_ ^= value;
        state_ *= 0x9e3779b97f4a7c15ULL;
        state_ ^= state_ >> 29;
    }
    void add(std::string_view bytes) {
        add(bytes.size());
        while (bytes.size() >= 8) {
            uint64_t word;
            std::memcpy(&word, bytes.data(), 8);
            add(word);
            bytes.remove_prefix(8);
        }
        uint64_t rest = 0;
        std::memcpy(&rest, bytes.data(), bytes.size());
        add(rest);
    }
    uint64_t value() const { return state_; }

  private:
    uint64_t state_ = 0x243f6a8885a308d3ULL;
};

}  // namespace p2pbank::simulator
