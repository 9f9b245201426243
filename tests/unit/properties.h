// How the properties of test_properties_*.cpp are checked: with RapidCheck's engine, but each with
// an effort of its own, and without a line for each one that holds.
//
// RC_PARAMS goes before the effort: RC_PARAMS="seed=7 max_success=5000 max_size=200" ./unit_tests
// The seed of a property that fails is printed with the counter-example.
#pragma once

#include <cstdint>
#include <iostream>
#include <rapidcheck.h>
#include <string>
#include <utility>

namespace p2pbank::testing {

// How many cases, and how large the largest are.
struct Effort {
    int cases = 100;
    int size = 100;
};

template <class Testable>
bool holds(const std::string& what, const Effort& effort, Testable&& testable) {
    const rc::detail::TestParams usual;
    rc::detail::TestParams params = rc::detail::configuration().testParams;
    if (params.maxSuccess == usual.maxSuccess) params.maxSuccess = effort.cases;
    if (params.maxSize == usual.maxSize) params.maxSize = effort.size;
    rc::detail::TestMetadata metadata;
    metadata.id = what;
    metadata.description = what;
    const auto result =
        rc::detail::checkTestable(std::forward<Testable>(testable), metadata, params);
    if (result.template is<rc::detail::SuccessResult>()) return true;
    std::cerr << "\n- " << what << "\n";
    rc::detail::printResultMessage(result, std::cerr);
    std::cerr << "\nRC_PARAMS=\"seed=" << params.seed << " max_success=" << params.maxSuccess
              << " max_size=" << params.maxSize << "\"\n";
    return false;
}

// Numbers of all sizes, and those at the edges of an encoding or of a rule more often than by
// chance.
inline rc::Gen<uint64_t> any_number() {
    constexpr uint64_t one = 1;
    return rc::gen::oneOf(rc::gen::inRange<uint64_t>(0, 20), rc::gen::arbitrary<uint64_t>(),
                          rc::gen::element(one, uint64_t{127}, uint64_t{128}, uint64_t{UINT32_MAX},
                                           (one << 62) - 1, one << 62, (one << 62) + 1,
                                           (one << 63) - 1, one << 63, UINT64_MAX - 1, UINT64_MAX));
}

// Amounts of cents, of either sign, up to what 64 bits hold.
inline rc::Gen<int64_t> any_cents() {
    return rc::gen::cast<int64_t>(any_number());
}

inline rc::Gen<std::string> any_bytes(size_t most) {
    return rc::gen::mapcat(rc::gen::inRange<size_t>(0, most + 1), [](size_t count) {
        return rc::gen::container<std::string>(count,
                                               rc::gen::cast<char>(rc::gen::inRange<int>(0, 256)));
    });
}

}  // namespace p2pbank::testing
