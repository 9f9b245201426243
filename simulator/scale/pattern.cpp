#include "simulator/scale/pattern.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/random.h"

namespace p2pbank::simulator::scale {
namespace {

// Draws numbers below a bound, k with a probability in proportion to 1 / (k + 1).
class Zipf {
  public:
    explicit Zipf(size_t bound) {
        double sum = 0;
        for (size_t k = 0; k < bound; ++k) {
            sum += 1 / static_cast<double>(k + 1);
            upto_.push_back(sum);
        }
    }
    uint32_t draw(Random& random) const {
        const double at = random.fraction() * upto_.back();
        const auto found = std::upper_bound(upto_.begin(), upto_.end(), at);
        return static_cast<uint32_t>(
            std::min<size_t>(static_cast<size_t>(found - upto_.begin()), upto_.size() - 1));
    }

  private:
    std::vector<double> upto_;
};

}  // namespace

std::string_view to_string(Pattern pattern) {
    switch (pattern) {
        case Pattern::star:
            return "star";
        case Pattern::ring:
            return "ring";
        case Pattern::random:
            return "random";
        case Pattern::power_law:
            return "power-law";
    }
    return "";
}

std::optional<Pattern> parse_pattern(std::string_view text) {
    for (const Pattern pattern : kPatterns) {
        if (text == to_string(pattern)) return pattern;
    }
    return std::nullopt;
}

// The mixing of splitmix64 (Steele and others, OOPSLA 2014).
uint64_t seed_for(Purpose purpose, uint64_t seed) {
    uint64_t out = seed + (static_cast<uint64_t>(purpose) + 1) * 0x9e3779b97f4a7c15ULL;
    out = (out ^ (out >> 30)) * 0xbf58476d1ce4e5b9ULL;
    out = (out ^ (out >> 27)) * 0x94d049bb133111ebULL;
    return out ^ (out >> 31);
}

std::vector<Transfer> make_transfers(Pattern pattern, size_t customers, size_t count,
                                     uint64_t seed) {
    P2PBANK_CHECK(customers >= 2 && customers <= UINT32_MAX);
    const auto all = static_cast<uint32_t>(customers);
    Random random(seed_for(Purpose::transfers, seed));
    const Zipf zipf(pattern == Pattern::power_law ? customers : 1);
    std::vector<Transfer> out;
    out.reserve(count);
    while (out.size() < count) {
        Transfer transfer{};
        switch (pattern) {
            case Pattern::star:
                transfer = {1 + static_cast<uint32_t>(out.size() % (all - 1)), 0};
                break;
            case Pattern::ring:
                transfer.from = static_cast<uint32_t>(out.size() % all);
                transfer.to = (transfer.from + 1) % all;
                break;
            case Pattern::random:
                transfer.from = static_cast<uint32_t>(random.below(all));
                transfer.to = static_cast<uint32_t>(random.below(all));
                break;
            case Pattern::power_law:
                transfer.from = static_cast<uint32_t>(random.below(all));
                transfer.to = zipf.draw(random);
                break;
        }
        if (transfer.from != transfer.to) out.push_back(transfer);
    }
    return out;
}

}  // namespace p2pbank::simulator::scale
