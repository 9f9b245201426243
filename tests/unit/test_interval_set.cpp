#include <algorithm>
#include <rapidcheck.h>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/interval_set.h"

using namespace p2pbank;

namespace {

using Stretch = std::pair<uint64_t, uint64_t>;

// Adds first..last and gives back what was fresh.
std::vector<Stretch> add(IntervalSet& set, uint64_t first, uint64_t last) {
    std::vector<Stretch> fresh;
    const bool any = set.add(first, last, [&](uint64_t a, uint64_t b) { fresh.push_back({a, b}); });
    CHECK(any == !fresh.empty());
    return fresh;
}

// Disjoint, not adjacent, rising, and the same labels as the model's.
void require_same(const IntervalSet& set, const std::set<uint64_t>& model) {
    std::set<uint64_t> labels;
    uint64_t behind = 0;
    for (const auto& interval : set.intervals()) {
        RC_ASSERT(interval.first <= interval.last);
        RC_ASSERT(behind == 0 || interval.first > behind + 1);
        behind = interval.last;
        for (uint64_t label = interval.first; label <= interval.last; ++label) labels.insert(label);
    }
    RC_ASSERT(labels == model);
    RC_ASSERT(set.count() == model.size());
    RC_ASSERT(set.highest() == Label(model.empty() ? 0 : *model.rbegin()));
    RC_ASSERT(set.empty() == model.empty());
    for (uint64_t label = 0; label <= 70; ++label) {
        RC_ASSERT(set.contains(Label(label)) == (model.count(label) != 0));
    }
}

}  // namespace

TEST_CASE("interval set: labels in a row are one interval, a gap makes two") {
    IntervalSet set;
    CHECK(to_string(set) == "none");
    CHECK(set.highest() == Label(0));
    for (const uint64_t label : std::initializer_list<uint64_t>{1, 2, 3, 5, 6, 9})
        CHECK(set.add(Label(label)));
    CHECK(to_string(set) == "1-3 5-6 9");
    CHECK(set.count() == 6);
    CHECK_FALSE(set.add(Label(2)));
    CHECK_FALSE(set.add(Label(9)));
    CHECK(set.add(Label(4)));
    CHECK(to_string(set) == "1-6 9");
}

TEST_CASE("interval set: adding a stretch tells exactly what was fresh") {
    IntervalSet set;
    CHECK(add(set, 3, 5) == std::vector<Stretch>{{3, 5}});
    CHECK(add(set, 8, 9) == std::vector<Stretch>{{8, 9}});
    CHECK(add(set, 1, 12) == std::vector<Stretch>{{1, 2}, {6, 7}, {10, 12}});
    CHECK(to_string(set) == "1-12");
    CHECK(add(set, 4, 12).empty());
}

TEST_CASE("interval set: the highest labels there are cause no overflow") {
    IntervalSet set;
    CHECK(add(set, 5, UINT64_MAX) == std::vector<Stretch>{{5, UINT64_MAX}});
    CHECK(add(set, 7, UINT64_MAX).empty());
    CHECK(add(set, 4, UINT64_MAX) == std::vector<Stretch>{{4, 4}});
    CHECK_FALSE(set.add(Label(UINT64_MAX)));
    CHECK(set.contains(Label(UINT64_MAX)));
    CHECK(set.intervals().size() == 1);
    CHECK(set.highest() == Label(UINT64_MAX));
}

TEST_CASE("interval set: it does what a set of labels does") {
    CHECK(rc::check("against std::set", [] {
        IntervalSet set;
        std::set<uint64_t> model;
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(1, 61), rc::gen::inRange(-3, 12)));
        for (const auto& [from, more] : steps) {
            const auto first = static_cast<uint64_t>(from);
            if (more == -3) {
                set.remove_above(Label(first));
                model.erase(model.upper_bound(first), model.end());
            } else if (more < 0) {
                RC_ASSERT(set.add(Label(first)) == model.insert(first).second);
            } else {
                const uint64_t last = first + static_cast<uint64_t>(more);
                std::set<uint64_t> fresh;
                uint64_t behind = 0;
                set.add(first, last, [&](uint64_t a, uint64_t b) {
                    RC_ASSERT(a <= b);
                    RC_ASSERT(behind == 0 || a > behind + 1);  // maximal and rising
                    behind = b;
                    for (uint64_t label = a; label <= b; ++label) fresh.insert(label);
                });
                std::set<uint64_t> expected;
                for (uint64_t label = first; label <= last; ++label) {
                    if (model.insert(label).second) expected.insert(label);
                }
                RC_ASSERT(fresh == expected);
            }
            require_same(set, model);
        }
    }));
}

TEST_CASE("interval set: it knows whether it holds another set whole") {
    CHECK(rc::check("contains_all", [] {
        const auto labels =
            rc::gen::container<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(1, 12));
        const auto list_a = *labels;
        const auto list_b = *rc::gen::oneOf(rc::gen::resize(5, labels), labels);
        const std::set<uint64_t> a(list_a.begin(), list_a.end());
        const std::set<uint64_t> b(list_b.begin(), list_b.end());
        IntervalSet set_a;
        IntervalSet set_b;
        for (const uint64_t label : a) set_a.add(Label(label));
        for (const uint64_t label : b) set_b.add(Label(label));
        RC_ASSERT(set_a.contains_all(set_b) ==
                  std::includes(a.begin(), a.end(), b.begin(), b.end()));
        RC_ASSERT((set_a == set_b) == (a == b));
    }));
}
