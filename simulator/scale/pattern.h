// Who pays whom: the sequences of transfers that costs are computed for. A sequence depends on
// nothing but its arguments, so every scheme is held against the same one.
//
//     star       customer 0 is a shop; the others pay it in turn
//     ring       customer i pays customer i + 1, the last one customer 0, in turn
//     random     payer and payee are drawn evenly
//     power-law  the payer is drawn evenly, the payee with a probability in proportion to
//                1 / (its number + 1): Zipf's law with exponent 1
//
// Customers have the numbers 0 to customers - 1. Nobody pays itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace p2pbank::simulator::scale {

enum class Pattern { star, ring, random, power_law };

inline constexpr Pattern kPatterns[] = {Pattern::star, Pattern::ring, Pattern::random,
                                        Pattern::power_law};

std::string_view to_string(Pattern pattern);
std::optional<Pattern> parse_pattern(std::string_view text);

struct Transfer {
    uint32_t from;
    uint32_t to;

    friend bool operator==(const Transfer&, const Transfer&) = default;
};

// A seed for one purpose: what is drawn for two of them has nothing to do with each other, as it
// would have if both began with the same one.
enum class Purpose : uint64_t { transfers, delays, markers, timers, initiators, failures };
uint64_t seed_for(Purpose purpose, uint64_t seed);

// The first `count` transfers. Requires at least 2 customers.
std::vector<Transfer> make_transfers(Pattern pattern, size_t customers, size_t count,
                                     uint64_t seed);

}  // namespace p2pbank::simulator::scale
