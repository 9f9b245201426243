#include "common/base/dates.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

bool is_leap(int32_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

uint32_t days_in_month(int32_t year, uint32_t month) {
    static constexpr std::array<uint32_t, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

// `count` digits at `at`; -1 if there is anything else.
int32_t digits(std::string_view text, size_t at, size_t count) {
    if (at + count > text.size()) return -1;
    int32_t number = 0;
    for (const char c : text.substr(at, count)) {
        if (c < '0' || c > '9') return -1;
        number = number * 10 + (c - '0');
    }
    return number;
}

void append_padded(std::string& out, int64_t number, size_t width) {
    const std::string text = std::to_string(number);
    if (text.size() < width) out.append(width - text.size(), '0');
    out += text;
}

}  // namespace

// Both conversions count years from March, so that a leap day is a year's last day, in eras of 400
// years, which all have the same number of days.
int64_t day_number(Date date) {
    P2PBANK_CHECK(date.month >= 1 && date.month <= 12 && date.day >= 1 &&
                  date.day <= days_in_month(date.year, date.month));
    const int64_t year = int64_t{date.year} - (date.month <= 2 ? 1 : 0);
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t month_from_march = (date.month + 9) % 12;
    const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

Date date_of_day(int64_t number) {
    const int64_t days = number + 719'468;
    const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const int64_t day_of_era = days - era * 146'097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {static_cast<int32_t>(year_of_era + era * 400 + (month <= 2 ? 1 : 0)),
            static_cast<uint32_t>(month),
            static_cast<uint32_t>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

int64_t day_number_of(int64_t at_us) {
    const int64_t day = at_us / kMicrosInDay;
    return at_us % kMicrosInDay < 0 ? day - 1 : day;
}

int64_t moment_of_ms(uint64_t at_ms) {
    static const int64_t end = begin_of({10'000, 1, 1}) - kMicrosInSecond;
    const auto last = static_cast<uint64_t>(end / 1'000);
    return static_cast<int64_t>(std::min(at_ms, last)) * 1'000;
}

Date date_of(int64_t at_us) {
    return date_of_day(day_number_of(at_us));
}

int64_t begin_of(Date date) {
    int64_t at_us = 0;
    P2PBANK_CHECK(!__builtin_mul_overflow(day_number(date), kMicrosInDay, &at_us));
    return at_us;
}

Result<Date> parse_date(std::string_view text) {
    const int32_t year = digits(text, 0, 4);
    const int32_t month = digits(text, 5, 2);
    const int32_t day = digits(text, 8, 2);
    const bool in_form = text.size() == 10 && text[4] == '-' && text[7] == '-' && year >= 1 &&
                         month >= 1 && month <= 12 && day >= 1;
    if (!in_form) {
        return Error{"bad-date",
                     quote(text) + " is not a date: write year, month and day, as in 2026-11-21"};
    }
    const Date date{year, static_cast<uint32_t>(month), static_cast<uint32_t>(day)};
    if (date.day > days_in_month(date.year, date.month)) {
        return Error{"bad-date", quote(text) + " is no day of the calendar"};
    }
    return date;
}

Result<int64_t> parse_time(std::string_view text) {
    auto date = parse_date(text.substr(0, 10));
    if (!date) return Error{"bad-date", parse_date(text).error().message};
    const int64_t begin = begin_of(date.value());
    if (text.size() == 10) return begin;
    const int32_t hour = digits(text, 11, 2);
    const int32_t minute = digits(text, 14, 2);
    const int32_t second = digits(text, 17, 2);
    const bool in_form = text.size() == 19 && (text[10] == ' ' || text[10] == 'T') &&
                         text[13] == ':' && text[16] == ':' && hour >= 0 && hour < 24 &&
                         minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (!in_form) {
        return Error{"bad-date",
                     quote(text) + " is not a time: write it as in 2026-11-21 09:30:00"};
    }
    return begin + ((hour * 60 + minute) * 60 + second) * kMicrosInSecond;
}

std::string to_string(Date date) {
    std::string out;
    const int64_t year = date.year;
    if (year < 0) out += '-';
    append_padded(out, year < 0 ? -year : year, 4);
    out += '-';
    append_padded(out, date.month, 2);
    out += '-';
    append_padded(out, date.day, 2);
    return out;
}

std::string date_and_time(int64_t at_us) {
    const int64_t day = day_number_of(at_us);
    const int64_t second = (at_us / kMicrosInSecond - (at_us % kMicrosInSecond < 0 ? 1 : 0)) -
                           day * (kMicrosInDay / kMicrosInSecond);
    std::string out = to_string(date_of_day(day));
    out += ' ';
    append_padded(out, second / 3'600, 2);
    out += ':';
    append_padded(out, second / 60 % 60, 2);
    out += ':';
    append_padded(out, second % 60, 2);
    return out;
}

Date add_months(Date date, uint32_t months) {
    const int64_t month = int64_t{date.month} - 1 + months;
    Date later;
    later.year = static_cast<int32_t>(date.year + month / 12);
    later.month = static_cast<uint32_t>(month % 12 + 1);
    later.day = std::min(date.day, days_in_month(later.year, later.month));
    return later;
}

}  // namespace p2pbank
