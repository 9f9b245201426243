#include "bank/domain/natural.h"

#include <algorithm>

#include "common/base/check.h"

namespace p2pbank::bank {
namespace {

__extension__ typedef unsigned __int128 Wide;

}  // namespace

Natural& Natural::operator*=(uint64_t factor) {
    if (factor == 0) limbs_.clear();
    uint64_t carry = 0;
    for (uint64_t& limb : limbs_) {
        const Wide product = Wide{limb} * factor + carry;
        limb = static_cast<uint64_t>(product);
        carry = static_cast<uint64_t>(product >> 64U);
    }
    if (carry != 0) limbs_.push_back(carry);
    return *this;
}

Natural& Natural::operator+=(const Natural& other) {
    limbs_.resize(std::max(limbs_.size(), other.limbs_.size()));
    uint64_t carry = 0;
    for (size_t i = 0; i < limbs_.size(); ++i) {
        const Wide sum = Wide{limbs_[i]} + (i < other.limbs_.size() ? other.limbs_[i] : 0) + carry;
        limbs_[i] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64U);
    }
    if (carry != 0) limbs_.push_back(carry);
    return *this;
}

Natural& Natural::operator-=(const Natural& other) {
    P2PBANK_CHECK(other <= *this);
    uint64_t borrow = 0;
    for (size_t i = 0; i < limbs_.size(); ++i) {
        const Wide taken = Wide{i < other.limbs_.size() ? other.limbs_[i] : 0} + borrow;
        borrow = taken > limbs_[i] ? 1 : 0;
        limbs_[i] -= static_cast<uint64_t>(taken);
    }
    while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
    return *this;
}

std::strong_ordering operator<=>(const Natural& a, const Natural& b) {
    if (a.limbs_.size() != b.limbs_.size()) return a.limbs_.size() <=> b.limbs_.size();
    return std::lexicographical_compare_three_way(a.limbs_.rbegin(), a.limbs_.rend(),
                                                  b.limbs_.rbegin(), b.limbs_.rend());
}

uint64_t Natural::quotient(const Natural& dividend, const Natural& divisor, uint64_t most) {
    uint64_t low = 0;
    uint64_t high = most;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (divisor * middle <= dividend) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

}  // namespace p2pbank::bank
