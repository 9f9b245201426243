// The formulas of simulator/scale against brute force at small sizes.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "simulator/scale/chandy_lamport.h"
#include "simulator/scale/closed_forms.h"
#include "simulator/scale/dependencies.h"
#include "simulator/scale/koo_toueg.h"
#include "simulator/scale/message_sizes.h"

using namespace p2pbank;
using namespace p2pbank::simulator::scale;

namespace {

// Who has to take part, from the sequence itself: no counters, no labels. `permanent`: how many
// transfers of the sequence each customer's checkpoint shows.
struct BruteForce {
    const std::vector<Transfer>& transfers;
    std::vector<size_t> permanent;

    // Pairs of somebody who asks and whom it asks.
    std::set<std::pair<uint32_t, uint32_t>> edges(OperationType type) const {
        std::set<std::pair<uint32_t, uint32_t>> out;
        for (size_t i = 0; i < transfers.size(); ++i) {
            const auto [from, to] = transfers[i];
            if (type == OperationType::checkpoint && i >= permanent[to]) out.emplace(to, from);
            if (type == OperationType::rollback && i >= permanent[from]) out.emplace(from, to);
        }
        return out;
    }
    // An orphan: it would be shown as received and not as sent.
    bool leaves_orphan(OperationType type, const std::set<uint32_t>& members) const {
        for (size_t i = 0; i < transfers.size(); ++i) {
            const auto [from, to] = transfers[i];
            const bool checkpoint = type == OperationType::checkpoint;
            const bool received = members.contains(to) == checkpoint || i < permanent[to];
            const bool sent = members.contains(from) == checkpoint || i < permanent[from];
            if (received && !sent) return true;
        }
        return false;
    }
};

// The smallest set with the initiator that leaves no orphan, out of all sets.
std::vector<uint32_t> smallest(const BruteForce& brute, OperationType type, uint32_t initiator,
                               uint32_t customers) {
    std::vector<uint32_t> best;
    for (uint32_t bits = 0; bits < 1U << customers; ++bits) {
        std::set<uint32_t> members;
        for (uint32_t i = 0; i < customers; ++i) {
            if ((bits >> i & 1) != 0) members.insert(i);
        }
        if (!members.contains(initiator) || brute.leaves_orphan(type, members)) continue;
        if (best.empty() || members.size() < best.size()) {
            best.assign(members.begin(), members.end());
        }
    }
    return best;
}

constexpr OperationType kTypes[] = {OperationType::checkpoint, OperationType::rollback};

}  // namespace

TEST_CASE("scale: participants and edges are those of an exhaustive search") {
    size_t partial = 0;
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        const auto customers = static_cast<uint32_t>(2 + seed % 5);
        const Pattern pattern = kPatterns[seed % std::size(kPatterns)];
        const auto transfers = make_transfers(pattern, customers, customers * 2, seed);
        BruteForce brute{transfers, std::vector<size_t>(customers, 0)};
        Dependencies dependencies(customers);
        Random random(seed);
        // A checkpoint on the way, so that permanent checkpoints differ.
        const size_t half = transfers.size() / 2;
        dependencies.transfer(std::span(transfers).first(half));
        const auto first = dependencies.participants(
            OperationType::checkpoint, static_cast<uint32_t>(random.below(customers)));
        dependencies.make_permanent(first);
        for (const uint32_t participant : first) brute.permanent[participant] = half;
        dependencies.transfer(std::span(transfers).subspan(half));
        for (const OperationType type : kTypes) {
            for (uint32_t initiator = 0; initiator < customers; ++initiator) {
                const auto participants = dependencies.participants(type, initiator);
                CHECK(participants == smallest(brute, type, initiator, customers));
                partial += participants.size() > 1 && participants.size() < customers;
                uint64_t edges = 0;
                for (const auto& [parent, child] : brute.edges(type)) {
                    edges += std::binary_search(participants.begin(), participants.end(), parent);
                }
                CHECK(dependencies.edges(type, participants) == edges);
                const Cost cost = model_operation(dependencies, type, initiator, seed);
                CHECK(cost.committed);
                CHECK(cost.participants == participants);
                CHECK(cost.messages == operation_messages(type, participants.size(), edges));
            }
        }
    }
    CHECK(partial > 50);
}

TEST_CASE("scale: star and ring have the extents of their formulas") {
    for (uint32_t customers = 2; customers <= 12; ++customers) {
        for (const Pattern pattern : {Pattern::star, Pattern::ring}) {
            for (const size_t count : {size_t{customers}, size_t{customers} * 3}) {
                Dependencies dependencies(customers);
                dependencies.transfer(make_transfers(pattern, customers, count, 1));
                for (const OperationType type : kTypes) {
                    for (uint32_t initiator = 0; initiator < customers; ++initiator) {
                        const auto form = extent(pattern, type, initiator, customers, count);
                        REQUIRE(form.has_value());
                        const auto participants = dependencies.participants(type, initiator);
                        CHECK(form->participants == participants.size());
                        CHECK(form->edges == dependencies.edges(type, participants));
                    }
                }
            }
        }
    }
    CHECK(!extent(Pattern::ring, OperationType::checkpoint, 0, 10, 9).has_value());
    CHECK(!extent(Pattern::random, OperationType::checkpoint, 0, 10, 100).has_value());
    CHECK(total(operation_messages(OperationType::checkpoint, 10, 9)) == 2 * 9 + 5 * 10);
    CHECK(total(operation_messages(OperationType::rollback, 10, 9)) == 2 * 9 + 3 * 10 + 2);
    CHECK(paper_messages(9) == 27);
}

TEST_CASE("scale: the model of Koo and Toueg repeats itself, and follows its seed") {
    const auto transfers = make_transfers(Pattern::random, 200, 400, 3);
    Dependencies dependencies(200);
    dependencies.transfer(transfers);
    const auto run = [&](uint64_t seed) {
        return model_operation(dependencies, OperationType::checkpoint, 0, seed);
    };
    const Cost first = run(1);
    CHECK(run(1).duration == first.duration);
    CHECK(run(1).blocked == first.blocked);
    CHECK(run(1).bytes == first.bytes);
    CHECK(run(2).duration != first.duration);
    CHECK(run(2).messages == first.messages);
    CHECK(first.longest_blocked <= first.duration + milliseconds(20));
    CHECK(make_transfers(Pattern::random, 200, 400, 3) == transfers);
    CHECK(make_transfers(Pattern::random, 200, 400, 4) != transfers);
}

TEST_CASE("scale: a chain of requests meets its deadlines up to some length") {
    const auto ring = [](size_t customers) {
        Dependencies dependencies(customers);
        dependencies.transfer(make_transfers(Pattern::ring, customers, customers, 1));
        return model_operation(dependencies, OperationType::checkpoint, 0, 1);
    };
    CHECK(ring(1'000).in_time);
    CHECK(ring(1'000).depth == 999);
    CHECK(!ring(5'000).in_time);
}

TEST_CASE("scale: the random pattern takes part as the theory of random graphs says") {
    CHECK(giant_share(0.5) == 0);
    CHECK(giant_share(1) == 0);
    for (const double mean : {1.1, 1.5, 2.0, 4.0}) {
        const double share = giant_share(mean);
        CHECK(share > 0.1);
        CHECK(std::abs(share - (1 - std::exp(-mean * share))) < 1e-9);
    }
    constexpr size_t kCustomers = 2'000;
    for (const double mean : {0.5, 3.0}) {
        uint64_t participants = 0;
        constexpr uint64_t kSeeds = 10;
        for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
            Dependencies dependencies(kCustomers);
            dependencies.transfer(make_transfers(Pattern::random, kCustomers,
                                                 static_cast<size_t>(mean * kCustomers), seed));
            for (uint32_t i = 0; i < kCustomers; ++i) {
                participants += dependencies.participants(OperationType::checkpoint, i).size();
            }
        }
        const double average = static_cast<double>(participants) / (kSeeds * kCustomers);
        CHECK(average == doctest::Approx(expected_participants(mean, kCustomers)).epsilon(0.05));
    }
}

TEST_CASE("scale: how often a marker overtakes is what all pairs of delays say") {
    for (const int64_t gap : {0, 1, 20, 149, 150, 151, 1'000}) {
        uint64_t overtakes = 0;
        uint64_t pairs = 0;
        for (int64_t transfer = 50; transfer <= 200; ++transfer) {
            for (int64_t marker = 50; marker <= 200; ++marker) {
                ++pairs;
                overtakes += transfer > gap + marker;
            }
        }
        CHECK(overtaking(microseconds(gap)) ==
              doctest::Approx(static_cast<double>(overtakes) / static_cast<double>(pairs)));
    }
}

TEST_CASE("scale: snapshots last as long as marker by marker") {
    constexpr size_t kCustomers = 20;
    constexpr uint64_t kRuns = 2'000;
    // Disks that take no time, so that it is the markers that are compared.
    Delays delays;
    delays.least_disk = delays.most_disk = Duration{};
    int64_t by_distribution = 0;
    int64_t by_marker = 0;
    Random random(5);
    for (uint64_t run = 0; run < kRuns; ++run) {
        const SnapshotCost cost = model_snapshot(kCustomers, run, delays);
        CHECK(cost.participants == kCustomers);
        CHECK(cost.messages == kCustomers * (kCustomers - 1));
        by_distribution += cost.duration.count();
        // Every marker on its own: who hears first is next, as in Dijkstra's algorithm.
        std::vector<int64_t> heard(kCustomers, INT64_MAX);
        std::vector<bool> done(kCustomers);
        heard[0] = 0;
        int64_t end = 0;
        for (size_t step = 0; step < kCustomers; ++step) {
            size_t next = kCustomers;
            for (size_t i = 0; i < kCustomers; ++i) {
                if (!done[i] && (next == kCustomers || heard[i] < heard[next])) next = i;
            }
            done[next] = true;
            for (size_t i = 0; i < kCustomers; ++i) {
                if (i == next) continue;
                const int64_t at = heard[next] + 50 + static_cast<int64_t>(random.below(151));
                heard[i] = std::min(heard[i], at);
                end = std::max(end, at);
            }
        }
        by_marker += end;
    }
    const double difference = static_cast<double>(by_distribution - by_marker) / kRuns;
    CHECK(std::abs(difference) < 2);  // microseconds
}
