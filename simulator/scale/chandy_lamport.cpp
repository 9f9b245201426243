#include "simulator/scale/chandy_lamport.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/check.h"
#include "common/base/random.h"
#include "simulator/scale/closed_forms.h"
#include "simulator/scale/message_sizes.h"

namespace p2pbank::simulator::scale {
namespace {

// heard[t]: how many hear of the snapshot for the first time t microseconds after its beginning.
// Given who has heard until now, the delays of the markers under way are independent, so each of
// the others hears in this microsecond with the same probability.
std::vector<uint64_t> draw_first_markers(size_t customers, int64_t least, int64_t most,
                                         Random& random) {
    // log of the probability that a marker does not come after exactly d, if not before.
    std::vector<double> not_after(static_cast<size_t>(most) + 1);
    for (int64_t d = least; d <= most; ++d) {
        not_after[static_cast<size_t>(d)] =
            d == most ? -std::numeric_limits<double>::infinity()
                      : std::log1p(-1 / static_cast<double>(most - d + 1));
    }
    std::vector<uint64_t> heard{1};
    uint64_t left = customers - 1;
    for (size_t now = 1; left > 0; ++now) {
        double none = 0;
        const size_t from = now > static_cast<size_t>(most) ? now - static_cast<size_t>(most) : 0;
        for (size_t sent = from; sent < now; ++sent) {
            if (heard[sent] > 0 && now - sent >= static_cast<size_t>(least)) {
                none += static_cast<double>(heard[sent]) * not_after[now - sent];
            }
        }
        const double probability = -std::expm1(none);
        uint64_t fresh = 0;
        if (probability > 0) {
            for (uint64_t i = 0; i < left; ++i) fresh += random.fraction() < probability;
        }
        heard.push_back(fresh);
        left -= fresh;
    }
    return heard;
}

// When the last of all markers arrives: all have by t with the product of their probabilities.
int64_t draw_last_marker(const std::vector<uint64_t>& heard, size_t customers, int64_t least,
                         int64_t most, Random& random) {
    const double target = std::log(1 - random.fraction());  // of a number in (0, 1]
    const auto values = static_cast<double>(most - least + 1);
    const auto others = static_cast<double>(customers - 1);
    const auto last = static_cast<int64_t>(heard.size()) - 1;
    for (int64_t now = last + least;; ++now) {
        double all = 0;
        for (int64_t sent = std::max<int64_t>(0, now - most + 1); sent <= last; ++sent) {
            const uint64_t count = heard[static_cast<size_t>(sent)];
            if (count == 0) continue;
            const auto upto = static_cast<double>(now - sent - least + 1);
            all += static_cast<double>(count) * others * std::log(upto / values);
        }
        if (all >= target) return now;
    }
}

}  // namespace

SnapshotCost model_snapshot(size_t customers, uint64_t seed, const Delays& delays) {
    P2PBANK_CHECK(customers >= 2 && delays.least_link.count() > 0 &&
                  delays.least_link <= delays.most_link);
    Random random(seed_for(Purpose::markers, seed));
    const int64_t least = delays.least_link.count();
    const int64_t most = delays.most_link.count();
    const auto heard = draw_first_markers(customers, least, most, random);
    int64_t end = draw_last_marker(heard, customers, least, most, random);
    const auto range = static_cast<uint64_t>((delays.most_disk - delays.least_disk).count());
    for (size_t at = 0; at < heard.size(); ++at) {
        for (uint64_t i = 0; i < heard[at]; ++i) {
            const auto disk =
                delays.least_disk.count() + static_cast<int64_t>(random.below(range + 1));
            end = std::max(end, static_cast<int64_t>(at) + disk);
        }
    }
    SnapshotCost cost;
    cost.participants = customers;
    cost.messages = markers(customers);
    cost.bytes = cost.messages * marker_bytes();
    cost.duration = Duration(end);
    return cost;
}

}  // namespace p2pbank::simulator::scale
