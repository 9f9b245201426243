#include "bank/domain/loans.h"

#include <algorithm>

#include "bank/domain/natural.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace p2pbank::bank {
namespace {

__extension__ typedef __int128 Wide;

constexpr uint64_t kMonthlyParts = 120'000;  // basis points a year in one, months in a year

Money min_of(Money a, Money b) {
    return std::min(a, b);
}

// The moment in which a month ends and the next one begins: behind the day of its instalment.
int64_t end_of_month(const LoanTerms& terms, uint32_t month) {
    return begin_of(add_months(date_of(terms.start_us), month)) + kMicrosInDay;
}

// The loan's account, month by month.
class Course {
  public:
    explicit Course(const LoanTerms& terms) : terms_(terms), outstanding_(terms.principal) {
        charge();
    }

    void advance_to(int64_t at_us) {
        while (month_ < limits::kMaxChargedMonths && at_us >= end_of_month(terms_, month_)) {
            next_month();
        }
    }
    void next_month() {
        ++month_;
        charge();
    }
    // Interest first. Gives what is left over.
    Money pay(Money amount) {
        const Money interest = min_of(amount, interest_due_);
        interest_due_ = must_subtract(interest_due_, interest);
        interest_paid_ = must_add(interest_paid_, interest);
        amount = must_subtract(amount, interest);
        const Money principal = min_of(amount, outstanding_);
        outstanding_ = must_subtract(outstanding_, principal);
        principal_paid_ = must_add(principal_paid_, principal);
        return must_subtract(amount, principal);
    }

    uint32_t month() const { return month_; }
    Money outstanding() const { return outstanding_; }
    Money interest_due() const { return interest_due_; }
    Money payoff() const { return must_add(outstanding_, interest_due_); }
    Money interest_paid() const { return interest_paid_; }
    Money principal_paid() const { return principal_paid_; }
    Money paid() const { return must_add(interest_paid_, principal_paid_); }

  private:
    void charge() {
        interest_due_ = must_add(interest_due_, monthly_interest(outstanding_, terms_.rate_bp));
    }

    const LoanTerms& terms_;
    uint32_t month_ = 1;
    Money outstanding_;
    Money interest_due_;
    Money interest_paid_;
    Money principal_paid_;
};

// The first instalments of a plan, together.
Money sum_of_first(const std::vector<Instalment>& plan, size_t count) {
    Money sum;
    for (size_t i = 0; i < std::min(count, plan.size()); ++i) sum = must_add(sum, plan[i].payment);
    return sum;
}

Money overdue_of(const Course& course, const std::vector<Instalment>& plan) {
    if (course.month() > plan.size()) return course.payoff();
    const Money due = sum_of_first(plan, course.month() - 1);
    if (due <= course.paid()) return Money();
    return min_of(must_subtract(due, course.paid()), course.payoff());
}

}  // namespace

std::string_view to_string(LoanStatus status) {
    switch (status) {
        case LoanStatus::active:
            return "active";
        case LoanStatus::late:
            return "late";
        case LoanStatus::repaid:
            return "repaid";
    }
    return "active";
}

Result<void> check_terms(const LoanTerms& terms) {
    const auto bad = [](std::string why) { return Error{"bad-loan", std::move(why)}; };
    if (terms.principal.cents() <= 0 || terms.principal.cents() > limits::kMaxLoanUnits * 100) {
        return bad("a loan is more than zero and at most " + std::to_string(limits::kMaxLoanUnits));
    }
    if (terms.months == 0 || terms.months > limits::kMaxLoanMonths) {
        return bad("a loan runs for 1 to " + std::to_string(limits::kMaxLoanMonths) + " months");
    }
    if (terms.rate_bp > limits::kMaxLoanRate) {
        return bad("the rate of a loan is at most " + std::to_string(limits::kMaxLoanRate / 100) +
                   " percent a year");
    }
    if (terms.start_us < begin_of({1, 1, 1}) || terms.start_us >= begin_of({10'000, 1, 1})) {
        return bad("the date of the loan is not in the years 1 to 9999");
    }
    return {};
}

Money monthly_interest(Money outstanding, uint32_t rate_bp) {
    const Wide doubled = Wide{outstanding.cents()} * rate_bp * 2 + kMonthlyParts;
    return Money::from_cents(static_cast<int64_t>(doubled / (2 * kMonthlyParts)));
}

// With the monthly rate i = r / q, where q = 120000, and n months the annuity is
//     P i (1 + i)^n / ((1 + i)^n - 1)  =  P r (q + r)^n / (q ((q + r)^n - q^n)).
// Rounded half up it is (2 P r (q + r)^n + D) / (2 D), rounded down, with D the divisor.
Money instalment(const LoanTerms& terms) {
    P2PBANK_CHECK(check_terms(terms).ok());
    const auto principal = static_cast<uint64_t>(terms.principal.cents());
    if (terms.rate_bp == 0) {
        return Money::from_cents(
            static_cast<int64_t>((2 * principal + terms.months) / (2 * terms.months)));
    }
    Natural grown(1);
    Natural plain(1);
    for (uint32_t i = 0; i < terms.months; ++i) {
        grown *= kMonthlyParts + terms.rate_bp;
        plain *= kMonthlyParts;
    }
    const Natural divisor = (grown - plain) * kMonthlyParts;
    const Natural dividend = grown * principal * (2 * uint64_t{terms.rate_bp}) + divisor;
    // In no month is more to be paid than all that a loan of one month takes.
    return Money::from_cents(
        static_cast<int64_t>(Natural::quotient(dividend, divisor * 2, 2 * principal)));
}

std::vector<Instalment> schedule(const LoanTerms& terms) {
    const Money annuity = instalment(terms);
    const Date start = date_of(terms.start_us);
    std::vector<Instalment> rows;
    rows.reserve(terms.months);
    Money outstanding = terms.principal;
    for (uint32_t number = 1; number <= terms.months && !outstanding.is_zero(); ++number) {
        const Money interest = monthly_interest(outstanding, terms.rate_bp);
        const Money all = must_add(outstanding, interest);
        const Money payment = number == terms.months ? all : min_of(annuity, all);
        const Money principal = must_subtract(payment, interest);
        outstanding = must_subtract(outstanding, principal);
        rows.push_back(
            {number, add_months(start, number), payment, interest, principal, outstanding});
    }
    return rows;
}

LoanStanding standing(const LoanTerms& terms, std::span<const LoanPayment> payments,
                      int64_t now_us) {
    const std::vector<Instalment> plan = schedule(terms);
    Course course(terms);
    LoanStanding result;
    for (const LoanPayment& payment : payments) {
        course.advance_to(payment.at_us);
        result.overpaid = must_add(result.overpaid, course.pay(payment.amount));
    }
    course.advance_to(now_us);
    result.month = course.month();
    result.outstanding = course.outstanding();
    result.interest_due = course.interest_due();
    result.payoff = course.payoff();
    result.overdue = overdue_of(course, plan);
    result.principal_paid = course.principal_paid();
    result.interest_paid = course.interest_paid();
    if (result.payoff.is_zero()) {
        result.status = LoanStatus::repaid;
    } else if (!result.overdue.is_zero()) {
        result.status = LoanStatus::late;
    }
    return result;
}

std::vector<Instalment> remaining_schedule(const LoanTerms& terms,
                                           std::span<const LoanPayment> payments, int64_t now_us) {
    const std::vector<Instalment> plan = schedule(terms);
    Course course(terms);
    for (const LoanPayment& payment : payments) {
        course.advance_to(payment.at_us);
        course.pay(payment.amount);
    }
    course.advance_to(now_us);
    std::vector<Instalment> rows;
    Money planned = sum_of_first(plan, course.month() - 1);
    while (!course.payoff().is_zero()) {
        const size_t at = std::min<size_t>(course.month(), plan.size()) - 1;
        const bool last = course.month() >= plan.size();
        if (!last) planned = must_add(planned, plan[at].payment);
        Money payment = course.payoff();
        if (!last) {
            const Money ahead = course.paid();
            payment = planned <= ahead ? Money() : min_of(payment, must_subtract(planned, ahead));
        }
        const Money interest = min_of(payment, course.interest_due());
        course.pay(payment);
        if (!payment.is_zero()) {
            rows.push_back({plan[at].number, plan[at].due, payment, interest,
                            must_subtract(payment, interest), course.outstanding()});
        }
        if (last) break;
        course.next_month();
    }
    return rows;
}

}  // namespace p2pbank::bank
