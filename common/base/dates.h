// Days and times in UTC: the Gregorian calendar, carried on before it began, on int64 microseconds
// since 1970. Nobody here reads a clock. Anybody may call it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace p2pbank {

inline constexpr int64_t kMicrosInSecond = 1'000'000;
inline constexpr int64_t kMicrosInDay = 86'400 * kMicrosInSecond;

struct Date {
    int32_t year = 1970;
    uint32_t month = 1;  // 1-12
    uint32_t day = 1;    // 1-31
    friend auto operator<=>(const Date&, const Date&) = default;
};

// Days since 1970-01-01, negative before. Requires a date that exists.
int64_t day_number(Date date);
Date date_of_day(int64_t day_number);

// A moment as records and datagrams have it, in milliseconds. What lies behind the year 9999 is its
// end: whoever sends one must not make anything overflow.
int64_t moment_of_ms(uint64_t at_ms);

// The day in which the moment lies, and when a day begins.
Date date_of(int64_t at_us);
int64_t day_number_of(int64_t at_us);
int64_t begin_of(Date date);

// "2026-11-21", years 1 to 9999. Errors: bad-date.
Result<Date> parse_date(std::string_view text);
// The same, or with a time: "2026-11-21 09:30:00" (also with a T between). Errors: bad-date.
Result<int64_t> parse_time(std::string_view text);

std::string to_string(Date date);          // "2026-11-21"
std::string date_and_time(int64_t at_us);  // "2026-11-21 09:30:00"

// The same day of a later month, or its last day where it has no such day: 31 January and one month
// is the end of February.
Date add_months(Date date, uint32_t months);

}  // namespace p2pbank
