// Recovery lines of uncoordinated checkpoints against an exhaustive search.
#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "simulator/scale/uncoordinated.h"

using namespace p2pbank;
using namespace p2pbank::simulator::scale;

namespace {

// The newest line without an orphan, out of all combinations of states. There is one that is
// the newest for everybody at once.
std::vector<uint32_t> search(const std::vector<Transfer>& transfers,
                             const std::vector<std::vector<uint32_t>>& checkpoints,
                             uint32_t failed) {
    const auto end = static_cast<uint32_t>(transfers.size());
    std::vector<std::vector<uint32_t>> states = checkpoints;
    for (uint32_t i = 0; i < states.size(); ++i) {
        if (i != failed) states[i].push_back(end);
    }
    std::vector<uint32_t> newest(states.size(), 0);
    std::vector<size_t> at(states.size(), 0);
    bool found = false;
    while (true) {
        const bool orphan = [&] {
            for (uint32_t i = 0; i < end; ++i) {
                const auto [from, to] = transfers[i];
                if (i < states[to][at[to]] && i >= states[from][at[from]]) return true;
            }
            return false;
        }();
        if (!orphan) {
            found = true;
            for (size_t i = 0; i < states.size(); ++i) {
                newest[i] = std::max(newest[i], states[i][at[i]]);
            }
        }
        size_t digit = 0;
        while (digit < at.size() && ++at[digit] == states[digit].size()) at[digit++] = 0;
        if (digit == at.size()) break;
    }
    CHECK(found);
    return newest;
}

}  // namespace

TEST_CASE("scale: the recovery line is the one of an exhaustive search") {
    size_t dominoes = 0;
    for (uint64_t seed = 1; seed <= 300; ++seed) {
        const size_t customers = 2 + seed % 4;
        const Pattern pattern = kPatterns[seed % std::size(kPatterns)];
        const auto transfers = make_transfers(pattern, customers, customers * 4, seed);
        const auto checkpoints =
            draw_checkpoints(customers, transfers.size(), static_cast<uint32_t>(customers), seed);
        const UncoordinatedHistory history(transfers, checkpoints);
        for (uint32_t failed = 0; failed < customers; ++failed) {
            const auto line = history.recovery_line(failed);
            CHECK(line == search(transfers, checkpoints, failed));
            dominoes += recovery_of(history, line).most_steps > 1;
        }
    }
    CHECK(dominoes > 50);
}

TEST_CASE("scale: the domino effect takes two customers back to their start") {
    // A checkpoint of each between any two transfers, always on the wrong side.
    const std::vector<Transfer> transfers{{0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}};
    const UncoordinatedHistory history(transfers, {{0, 2, 4}, {0, 1, 3}});
    const auto line = history.recovery_line(0);
    CHECK(line == std::vector<uint32_t>{0, 0});
    const Recovery recovery = recovery_of(history, line);
    CHECK(recovery.participants == 2);
    CHECK(recovery.lost == 5);
    CHECK(recovery.steps == 6);
    CHECK(recovery.most_steps == 3);
    CHECK(recovery.to_start == 2);
    // On the right side nobody goes back behind its last one.
    const UncoordinatedHistory lucky(transfers, {{0, 4}, {0, 4}});
    CHECK(lucky.recovery_line(0) == std::vector<uint32_t>{4, 4});
    CHECK(lucky.recovery_line(1) == std::vector<uint32_t>{5, 4});
}

TEST_CASE("scale: who sent nothing since its last checkpoint goes back alone") {
    const std::vector<Transfer> transfers{{0, 1}, {2, 0}, {2, 1}};
    const UncoordinatedHistory history(transfers, {{0, 1}, {0}, {0, 3}});
    CHECK(history.recovery_line(0) == std::vector<uint32_t>{1, 3, 3});
    const Recovery recovery = recovery_of(history, history.recovery_line(0));
    CHECK(recovery.participants == 1);
    CHECK(recovery.lost == 0);  // what 2 has sent it is sent again
}
