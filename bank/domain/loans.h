// Loans in exact integer arithmetic: the annuity, its schedule, and where a loan stands after what
// was paid.
//
// A loan's months are counted from the day on which it was made. Instalment k is due on the same
// day k months later (or that month's last day), until the end of the day, in UTC; with the next
// day begins month k + 1. When a month begins, its interest is charged on what is outstanding then:
// outstanding * rate / 12, rounded half up to the cent. A payment pays the interest charged so far
// (that of the running month too) first, then principal. So instalments paid on time follow the
// schedule to the cent, and paying early saves the interest of the months that have not begun.
// Interest bears no interest, and after limits::kMaxChargedMonths there is no more of it. Pure
// functions; anybody in the bank may call them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/dates.h"
#include "common/base/money.h"
#include "common/base/result.h"

namespace p2pbank::bank {

struct LoanTerms {
    Money principal;
    uint32_t rate_bp = 0;  // a year, in hundredths of a percent
    uint32_t months = 0;
    int64_t start_us = 0;
};

// Terms within limits.h. What is restored from records has passed it. Errors: bad-loan.
Result<void> check_terms(const LoanTerms& terms);

struct Instalment {
    uint32_t number = 0;  // from 1
    Date due;
    Money payment;
    Money interest;     // of the payment
    Money principal;    // of the payment
    Money outstanding;  // principal, after it
    friend bool operator==(const Instalment&, const Instalment&) = default;
};

// Interest of one month.
Money monthly_interest(Money outstanding, uint32_t rate_bp);

// The annuity, rounded half up to the cent. These three require terms that check_terms accepts.
Money instalment(const LoanTerms& terms);
// Ends with nothing outstanding. The last instalment takes the rounding; where a tiny loan is
// repaid sooner for rounding up, the schedule is shorter than its months.
std::vector<Instalment> schedule(const LoanTerms& terms);

struct LoanPayment {
    Money amount;
    int64_t at_us = 0;
};

enum class LoanStatus { active, late, repaid };
std::string_view to_string(LoanStatus status);

struct LoanStanding {
    LoanStatus status = LoanStatus::active;
    uint32_t month = 1;  // the running one, from 1
    Money outstanding;   // principal
    Money interest_due;  // charged and not paid, the running month's too
    Money payoff;        // what ends the loan now: the sum of the two
    Money overdue;       // of instalments whose day is over; all of payoff after the last
    Money principal_paid;
    Money interest_paid;
    Money overpaid;  // paid beyond payoff; zero if none was accepted above it
};

// Where the loan stands after these payments, in the order in which they were accepted. A clock
// that went back is taken as standing still.
LoanStanding standing(const LoanTerms& terms, std::span<const LoanPayment> payments,
                      int64_t now_us);

// What is still to be paid if every instalment from now on is paid on its day: overdue money with
// the next one. Empty when the loan is repaid.
std::vector<Instalment> remaining_schedule(const LoanTerms& terms,
                                           std::span<const LoanPayment> payments, int64_t now_us);

}  // namespace p2pbank::bank
