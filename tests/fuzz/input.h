// The bytes of one fuzz run, taken from the front as choices and pieces. When nothing is left,
// every choice is the first and every piece empty. Used by the targets of this folder only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace p2pbank::fuzz {

class Input {
  public:
    explicit Input(std::string_view bytes) : left_(bytes) {}

    bool empty() const { return left_.empty(); }
    uint8_t byte() {
        if (left_.empty()) return 0;
        const char first = left_.front();
        left_.remove_prefix(1);
        return static_cast<uint8_t>(first);
    }
    bool coin() { return (byte() & 1) != 0; }
    // In [0, bound), for bounds up to 256.
    size_t below(size_t bound) { return byte() % bound; }
    template <class Choices>
    auto pick(const Choices& choices) {
        return choices[below(std::size(choices))];
    }
    // Small ones mostly, now and then one at an edge.
    uint64_t number() {
        constexpr uint64_t kEdges[] = {UINT64_MAX,
                                       uint64_t(INT64_MAX),
                                       uint64_t(INT64_MAX) + 1,
                                       uint64_t(1) << 62,
                                       UINT32_MAX,
                                       1'000'000'000,
                                       100'000'000'000'000'000,
                                       UINT64_MAX - 1,
                                       uint64_t(1) << 32,
                                       65'536,
                                       1'000'001,
                                       4'096};
        const uint8_t first = byte();
        if (first < 200) return first % 16;
        if (first < 240) return uint64_t(byte()) * 256 + byte();
        return kEdges[first % std::size(kEdges)];
    }
    // A piece with its length in front, in one byte or, above 250, in three.
    std::string_view piece() {
        size_t length = byte();
        if (length > 250) length = size_t(byte()) * 256 + byte();
        return take(length);
    }
    std::string_view line() {
        const std::string_view text = left_.substr(0, left_.find('\n'));
        left_.remove_prefix(std::min(left_.size(), text.size() + 1));
        return text;
    }
    std::string_view rest() { return take(left_.size()); }

  private:
    std::string_view take(size_t length) {
        const std::string_view taken = left_.substr(0, length);
        left_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view left_;
};

}  // namespace p2pbank::fuzz
