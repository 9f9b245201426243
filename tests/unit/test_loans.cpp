#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "bank/domain/loans.h"
#include "bank/domain/natural.h"
#include "common/base/limits.h"

using namespace p2pbank;
using namespace p2pbank::bank;

namespace {

constexpr int64_t kStart = 1'000'000 * int64_t{1'768'471'200};  // 2026-01-15 10:00:00

LoanTerms terms_of(int64_t units, uint32_t rate_bp, uint32_t months) {
    return {Money::from_cents(units * 100), rate_bp, months, kStart};
}

// The middle of the day on which an instalment is due.
int64_t due_at(const LoanTerms& terms, uint32_t number) {
    return begin_of(add_months(date_of(terms.start_us), number)) + kMicrosInDay / 2;
}

std::vector<LoanPayment> on_time(const LoanTerms& terms, uint32_t count) {
    const auto plan = schedule(terms);
    std::vector<LoanPayment> payments;
    for (uint32_t i = 0; i < count; ++i) {
        payments.push_back({plan[i].payment, due_at(terms, i + 1)});
    }
    return payments;
}

LoanTerms any_terms() {
    LoanTerms terms;
    terms.principal = Money::from_cents(*rc::gen::oneOf(
        rc::gen::inRange<int64_t>(1, 1'000), rc::gen::inRange<int64_t>(1, 1'000'000'00),
        rc::gen::inRange<int64_t>(1, limits::kMaxLoanUnits * 100 + 1)));
    terms.rate_bp = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(0, 3'000),
                                    rc::gen::inRange<uint32_t>(0, limits::kMaxLoanRate + 1));
    terms.months = *rc::gen::oneOf(rc::gen::inRange<uint32_t>(1, 40),
                                   rc::gen::inRange<uint32_t>(1, limits::kMaxLoanMonths + 1));
    terms.start_us = kStart + *rc::gen::inRange<int64_t>(0, 700) * kMicrosInDay;
    return terms;
}

struct TableRow {
    const char* interest;
    const char* principal;
    const char* outstanding;
};

void require_rows(const std::vector<Instalment>& plan, std::initializer_list<TableRow> rows) {
    REQUIRE(plan.size() >= rows.size());
    size_t at = 0;
    for (const TableRow& row : rows) {
        CAPTURE(at);
        CHECK(to_string(plan[at].interest) == row.interest);
        CHECK(to_string(plan[at].principal) == row.principal);
        CHECK(to_string(plan[at].outstanding) == row.outstanding);
        ++at;
    }
}

}  // namespace

TEST_CASE("loans: instalments are those of published tables") {
    CHECK(to_string(instalment(terms_of(200'000, 650, 360))) == "1264.14");
    CHECK(to_string(instalment(terms_of(100'000, 600, 360))) == "599.55");
    CHECK(to_string(instalment(terms_of(10'000, 1'200, 12))) == "888.49");
    CHECK(to_string(instalment(terms_of(203'000, 300, 60))) == "3647.64");
    CHECK(to_string(instalment(terms_of(250'000, 600, 360))) == "1498.88");
    CHECK(to_string(instalment(terms_of(1'200, 0, 12))) == "100");
    CHECK(to_string(instalment(terms_of(100, 0, 3))) == "33.33");
    CHECK(to_string(instalment(terms_of(1'000, 1'200, 1))) == "1010");
}

TEST_CASE("loans: 10000 at 12 % over 12 months, every row") {
    const auto plan = schedule(terms_of(10'000, 1'200, 12));
    require_rows(plan, {{"100", "788.49", "9211.51"},
                        {"92.12", "796.37", "8415.14"},
                        {"84.15", "804.34", "7610.80"},
                        {"76.11", "812.38", "6798.42"},
                        {"67.98", "820.51", "5977.91"},
                        {"59.78", "828.71", "5149.20"},
                        {"51.49", "837", "4312.20"},
                        {"43.12", "845.37", "3466.83"},
                        {"34.67", "853.82", "2613.01"},
                        {"26.13", "862.36", "1750.65"},
                        {"17.51", "870.98", "879.67"},
                        {"8.80", "879.67", "0"}});
    CHECK(to_string(plan.back().payment) == "888.47");
    CHECK(plan.front().due == Date{2026, 2, 15});
    CHECK(plan.back().due == Date{2027, 1, 15});
}

TEST_CASE("loans: 200000 at 6.5 % and 100000 at 6 % over 30 years, the first rows") {
    require_rows(schedule(terms_of(200'000, 650, 360)), {{"1083.33", "180.81", "199819.19"},
                                                         {"1082.35", "181.79", "199637.40"},
                                                         {"1081.37", "182.77", "199454.63"}});
    require_rows(schedule(terms_of(100'000, 600, 360)), {{"500", "99.55", "99900.45"},
                                                         {"499.50", "100.05", "99800.40"},
                                                         {"499", "100.55", "99699.85"}});
}

TEST_CASE("loans: 203000 at 3 % over 5 years, two years of interest as an unrounded table has it") {
    static constexpr int64_t kInterest[] = {50'750, 49'965, 49'178, 48'389, 47'598, 46'805,
                                            46'010, 45'213, 44'414, 43'614, 42'811, 42'006,
                                            41'199, 40'390, 39'579, 38'766, 37'951, 37'134,
                                            36'315, 35'494, 34'671, 33'845, 33'018, 32'189};
    const auto plan = schedule(terms_of(203'000, 300, 60));
    size_t at = 0;
    for (const int64_t interest : kInterest) {
        CAPTURE(at);
        CHECK(std::abs(plan[at++].interest.cents() - interest) <= 1);
    }
}

TEST_CASE("loans: the instalment is the annuity, rounded half up, whatever the terms") {
    CHECK(rc::check("paying a cent less a month would leave more than the rounding explains", [] {
        const LoanTerms terms = any_terms();
        const int64_t cents = instalment(terms).cents();
        // With a = cents -+ 1/2: P r (q + r)^n against a q ((q + r)^n - q^n), all doubled.
        Natural grown(1);
        Natural plain(1);
        for (uint32_t i = 0; i < terms.months; ++i) {
            grown *= 120'000 + terms.rate_bp;
            plain *= 120'000;
        }
        if (terms.rate_bp == 0) {
            const int64_t doubled = 2 * terms.principal.cents();
            RC_ASSERT((2 * cents - 1) * int64_t{terms.months} <= doubled);
            RC_ASSERT(doubled < (2 * cents + 1) * int64_t{terms.months});
            return;
        }
        const Natural exact =
            grown * static_cast<uint64_t>(terms.principal.cents()) * (2 * uint64_t{terms.rate_bp});
        const Natural unit = (grown - plain) * 120'000;
        if (cents > 0) RC_ASSERT(unit * static_cast<uint64_t>(2 * cents - 1) <= exact);
        RC_ASSERT(exact < unit * static_cast<uint64_t>(2 * cents + 1));
    }));
}

TEST_CASE("loans: a schedule adds up to the cent, whatever the terms") {
    CHECK(rc::check("schedules", [] {
        const LoanTerms terms = any_terms();
        const auto plan = schedule(terms);
        RC_ASSERT(!plan.empty());
        RC_ASSERT(plan.size() <= terms.months);
        Money principal;
        Money before = terms.principal;
        for (size_t i = 0; i < plan.size(); ++i) {
            const Instalment& row = plan[i];
            RC_ASSERT(row.number == i + 1);
            RC_ASSERT(row.interest == monthly_interest(before, terms.rate_bp));
            RC_ASSERT(!row.principal.is_negative());
            RC_ASSERT(!row.outstanding.is_negative());
            RC_ASSERT(must_add(row.interest, row.principal) == row.payment);
            RC_ASSERT(must_subtract(before, row.principal) == row.outstanding);
            RC_ASSERT(i + 1 == plan.size() || row.payment == instalment(terms));
            principal = must_add(principal, row.principal);
            before = row.outstanding;
        }
        RC_ASSERT(principal == terms.principal);
        RC_ASSERT(before.is_zero());
    }));
}

TEST_CASE("loans: instalments paid on their days follow the schedule to the cent") {
    CHECK(rc::check("on time", [] {
        LoanTerms terms = any_terms();
        terms.months = std::min<uint32_t>(terms.months, 60);
        const auto plan = schedule(terms);
        const auto paid = *rc::gen::inRange<uint32_t>(0, static_cast<uint32_t>(plan.size()) + 1);
        const auto payments = on_time(terms, paid);
        const int64_t now_us = paid == 0 ? terms.start_us : payments.back().at_us;
        const LoanStanding now = standing(terms, payments, now_us);
        const Money outstanding = paid == 0 ? terms.principal : plan[paid - 1].outstanding;
        RC_ASSERT(now.outstanding == outstanding);
        RC_ASSERT(now.overdue.is_zero());
        RC_ASSERT(now.overpaid.is_zero());
        RC_ASSERT(must_add(now.principal_paid, outstanding) == terms.principal);
        RC_ASSERT(now.status == (outstanding.is_zero() ? LoanStatus::repaid : LoanStatus::active));
        const auto rest = remaining_schedule(terms, payments, now_us);
        std::vector<Instalment> expected(plan.begin() + paid, plan.end());
        // Nothing to pay: instalments of loans of a few cents.
        std::erase_if(expected, [](const Instalment& row) { return row.payment.is_zero(); });
        RC_ASSERT(rest == expected);
    }));
}

TEST_CASE("loans: no course of payments loses a cent, and what remains ends the loan") {
    CHECK(rc::check("any payments", [] {
        LoanTerms terms = any_terms();
        terms.months = std::min<uint32_t>(terms.months, 36);
        std::vector<LoanPayment> payments;
        Money given;
        int64_t at_us = terms.start_us;
        const auto count = *rc::gen::inRange(0, 12);
        for (int i = 0; i < count; ++i) {
            at_us += *rc::gen::inRange<int64_t>(-5, 90) * kMicrosInDay;
            const LoanStanding now = standing(terms, payments, at_us);
            const auto part = *rc::gen::inRange<int64_t>(0, 101);
            const auto cents = static_cast<int64_t>(static_cast<long double>(now.payoff.cents()) *
                                                    static_cast<long double>(part) / 100);
            const Money amount = std::min(Money::from_cents(cents), now.payoff);
            payments.push_back({amount, at_us});
            given = must_add(given, amount);
        }
        const LoanStanding now = standing(terms, payments, at_us);
        RC_ASSERT(now.overpaid.is_zero());
        RC_ASSERT(must_add(now.interest_paid, now.principal_paid) == given);
        RC_ASSERT(must_add(now.principal_paid, now.outstanding) == terms.principal);
        RC_ASSERT(must_add(now.outstanding, now.interest_due) == now.payoff);
        RC_ASSERT(now.overdue <= now.payoff);
        RC_ASSERT(!now.overdue.is_negative());
        RC_ASSERT(!now.interest_due.is_negative());

        Money principal;
        for (const Instalment& row : remaining_schedule(terms, payments, at_us)) {
            RC_ASSERT(!row.interest.is_negative());
            RC_ASSERT(!row.principal.is_negative());
            RC_ASSERT(must_add(row.interest, row.principal) == row.payment);
            principal = must_add(principal, row.principal);
        }
        RC_ASSERT(principal == now.outstanding);

        payments.push_back({now.payoff, at_us});
        const LoanStanding after = standing(terms, payments, at_us);
        RC_ASSERT(after.status == LoanStatus::repaid);
        RC_ASSERT(after.payoff.is_zero());
        RC_ASSERT(remaining_schedule(terms, payments, at_us).empty());
    }));
}

TEST_CASE("loans: an instalment is on time until its day is over, then the loan is late") {
    const LoanTerms terms = terms_of(10'000, 1'200, 12);
    const int64_t day_is_over = begin_of({2026, 2, 16});
    LoanStanding now = standing(terms, {}, day_is_over - 1);
    CHECK(now.status == LoanStatus::active);
    CHECK(now.overdue.is_zero());
    CHECK(to_string(now.interest_due) == "100");
    now = standing(terms, {}, day_is_over);
    CHECK(now.status == LoanStatus::late);
    CHECK(to_string(now.overdue) == "888.49");
    CHECK(to_string(now.interest_due) == "200");  // of two months, on all of it
    const std::vector<LoanPayment> late{{Money::from_cents(888'49), day_is_over}};
    now = standing(terms, late, day_is_over);
    CHECK(now.status == LoanStatus::active);
    CHECK(to_string(now.interest_paid) == "200");
    CHECK(to_string(now.outstanding) == "9311.51");
}

TEST_CASE("loans: after the last instalment's day all that is left is overdue") {
    const LoanTerms terms = terms_of(1'000, 1'200, 2);
    const LoanStanding now = standing(terms, {}, begin_of({2026, 4, 1}));
    CHECK(now.month == 3);
    CHECK(to_string(now.payoff) == "1030");
    CHECK(now.overdue == now.payoff);
    const auto rest = remaining_schedule(terms, {}, begin_of({2026, 4, 1}));
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].payment == now.payoff);
    CHECK(rest[0].due == Date{2026, 3, 15});
}

TEST_CASE("loans: paying early saves the interest of months that have not begun") {
    const LoanTerms terms = terms_of(10'000, 1'200, 12);
    // All of it on the first day costs one month's interest.
    LoanStanding now = standing(terms, {}, terms.start_us);
    CHECK(to_string(now.payoff) == "10100");
    // Half of it at once: the next month bears interest on what is left only.
    const std::vector<LoanPayment> half{{Money::from_cents(5'100'00), terms.start_us}};
    now = standing(terms, half, terms.start_us);
    CHECK(to_string(now.outstanding) == "5000");
    CHECK(now.interest_due.is_zero());
    now = standing(terms, half, due_at(terms, 2));
    CHECK(to_string(now.interest_due) == "50");
    CHECK(now.status == LoanStatus::active);
    // What was paid ahead counts as the first instalments.
    const auto rest = remaining_schedule(terms, half, terms.start_us);
    CHECK(rest.front().number == 6);
    Money interest;
    for (const Instalment& row : rest) interest = must_add(interest, row.interest);
    CHECK(interest < Money::from_cents(561'86));
}

TEST_CASE("loans: a clock that goes back does not give interest back") {
    const LoanTerms terms = terms_of(10'000, 1'200, 12);
    const std::vector<LoanPayment> payments{{Money::from_cents(100'00), due_at(terms, 3)},
                                            {Money::from_cents(100'00), due_at(terms, 1)}};
    const LoanStanding now = standing(terms, payments, terms.start_us);
    CHECK(now.month == 3);
    CHECK(to_string(now.interest_due) == "100");
    CHECK(standing(terms, {}, terms.start_us - kMicrosInDay).month == 1);
}

TEST_CASE("loans: the largest loan, forgotten for a thousand years, still has a sum") {
    const LoanTerms terms{Money::from_cents(limits::kMaxLoanUnits * 100), limits::kMaxLoanRate,
                          limits::kMaxLoanMonths, kStart};
    const LoanStanding now = standing(terms, {}, INT64_MAX);
    CHECK(now.month == limits::kMaxChargedMonths);
    CHECK(now.status == LoanStatus::late);
}

TEST_CASE("loans: terms outside the limits are refused") {
    CHECK(check_terms(terms_of(100, 1'200, 12)).ok());
    CHECK(check_terms(terms_of(0, 1'200, 12)).error().code == "bad-loan");
    CHECK_FALSE(check_terms(terms_of(-1, 1'200, 12)).ok());
    CHECK_FALSE(check_terms(terms_of(limits::kMaxLoanUnits + 1, 1'200, 12)).ok());
    CHECK_FALSE(check_terms(terms_of(100, limits::kMaxLoanRate + 1, 12)).ok());
    CHECK_FALSE(check_terms(terms_of(100, 1'200, 0)).ok());
    CHECK_FALSE(check_terms(terms_of(100, 1'200, limits::kMaxLoanMonths + 1)).ok());
    CHECK_FALSE(check_terms({Money::from_cents(1), 0, 1, INT64_MAX}).ok());
}
