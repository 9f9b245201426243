// What a line of an account's activity is about. The numbers are in journals and datagrams.
#pragma once

#include <cstdint>

namespace p2pbank {

enum class ActivityKind : uint32_t {
    opened = 0,
    deposit = 1,
    withdrawal = 2,
    sent = 3,
    lost = 4,  // sent with lost-transfer
    received = 5,
    checkpoint = 6,
    rolled_back = 7,
    correction = 8,  // by the operator, in data.csv
    cohort_started = 9,
    cohort_ended = 10,
    purchase = 11,
    payment = 12,
    loan = 13,
    repayment = 14,
};
inline constexpr uint32_t kLastActivityKind = 14;

}  // namespace p2pbank
