#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/dates.h"

using namespace p2pbank;

TEST_CASE("dates: known days have their numbers") {
    CHECK(day_number({1970, 1, 1}) == 0);
    CHECK(day_number({1969, 12, 31}) == -1);
    CHECK(day_number({2000, 3, 1}) == 11'017);
    CHECK(day_number({2026, 11, 21}) == 20'778);
    CHECK(day_number({1, 1, 1}) == -719'162);
}

TEST_CASE("dates: every day has the next one behind it") {
    Date date{1599, 12, 31};
    int64_t number = day_number(date);
    for (int i = 0; i < 300'000; ++i) {
        const Date next = date_of_day(++number);
        REQUIRE(next > date);
        REQUIRE(day_number(next) == number);
        date = next;
    }
    CHECK(date == Date{2421, 5, 15});
}

TEST_CASE("dates: a moment lies in its day, also before 1970") {
    CHECK(date_of(0) == Date{1970, 1, 1});
    CHECK(date_of(-1) == Date{1969, 12, 31});
    CHECK(date_of(kMicrosInDay - 1) == Date{1970, 1, 1});
    CHECK(date_of(kMicrosInDay) == Date{1970, 1, 2});
    CHECK(day_number_of(-kMicrosInDay) == -1);
    CHECK(date_and_time(-1) == "1969-12-31 23:59:59");
    CHECK(date_and_time(begin_of({2026, 11, 21}) + 34'200 * kMicrosInSecond) ==
          "2026-11-21 09:30:00");
    CHECK(date_of(INT64_MAX) == Date{294'247, 1, 10});
    CHECK(to_string(date_of(INT64_MIN)) == "-290308-12-21");
}

TEST_CASE("dates: what people type is read strictly") {
    CHECK(parse_date("2026-11-21").value() == Date{2026, 11, 21});
    CHECK(parse_date("2024-02-29").value() == Date{2024, 2, 29});
    for (const char* text :
         {"", "2026-11-1", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-11-31",
          "26-11-21", "2026/11/21", "0000-01-01", "2026-11-21 ", "+026-11-21", "2026-1a-21"}) {
        CAPTURE(text);
        REQUIRE_FALSE(parse_date(text).ok());
        CHECK(parse_date(text).error().code == "bad-date");
    }
    CHECK(parse_time("1970-01-02").value() == kMicrosInDay);
    CHECK(parse_time("1970-01-01 00:01:02").value() == 62 * kMicrosInSecond);
    CHECK(parse_time("1970-01-01T23:59:59").value() == 86'399 * kMicrosInSecond);
    for (const char* text : {"1970-01-01 24:00:00", "1970-01-01 00:60:00", "1970-01-01 00:00:60",
                             "1970-01-01 1:00:00", "1970-01-01x00:00:00", "1970-01-01 00:00"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_time(text).ok());
    }
}

TEST_CASE("dates: what is printed is read as the same") {
    CHECK(rc::check("any second of the years 1 to 9999", [] {
        const auto second = *rc::gen::inRange<int64_t>(-62'135'596'800, 253'402'300'800);
        const int64_t at_us = second * kMicrosInSecond;
        RC_ASSERT(parse_time(date_and_time(at_us)).value() == at_us);
        RC_ASSERT(parse_date(to_string(date_of(at_us))).value() == date_of(at_us));
    }));
}

TEST_CASE("dates: a month later is the same day, or the month's last") {
    CHECK(add_months({2026, 1, 31}, 1) == Date{2026, 2, 28});
    CHECK(add_months({2024, 1, 31}, 1) == Date{2024, 2, 29});
    CHECK(add_months({2026, 1, 31}, 2) == Date{2026, 3, 31});
    CHECK(add_months({2026, 12, 15}, 1) == Date{2027, 1, 15});
    CHECK(add_months({2026, 11, 30}, 3) == Date{2027, 2, 28});
    CHECK(add_months({2026, 5, 5}, 0) == Date{2026, 5, 5});
    CHECK(add_months({2026, 5, 5}, 360) == Date{2056, 5, 5});
}
