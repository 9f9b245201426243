// Natural numbers of any size, for the exact power in an annuity: (1 + rate)^months has thousands
// of digits. Only what loans.cpp needs.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace p2pbank::bank {

class Natural {
  public:
    explicit Natural(uint64_t value = 0) {
        if (value != 0) limbs_.push_back(value);
    }

    Natural& operator*=(uint64_t factor);
    Natural& operator+=(const Natural& other);
    // Requires other <= *this.
    Natural& operator-=(const Natural& other);

    friend Natural operator*(Natural a, uint64_t b) { return a *= b; }
    friend Natural operator+(Natural a, const Natural& b) { return a += b; }
    friend Natural operator-(Natural a, const Natural& b) { return a -= b; }
    friend bool operator==(const Natural&, const Natural&) = default;
    friend std::strong_ordering operator<=>(const Natural& a, const Natural& b);

    // Requires that the quotient, rounded down, is at most `most`, which is below 2^63.
    static uint64_t quotient(const Natural& dividend, const Natural& divisor, uint64_t most);

  private:
    std::vector<uint64_t> limbs_;  // the lowest first, the highest not zero
};

}  // namespace p2pbank::bank
