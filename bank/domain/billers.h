// Whom a customer can pay through the bank: services, which give a token for what was paid, and
// bills. The operator adds to them. Rules only; the list is kept by the bank's state.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank::bank {

struct Biller {
    std::string name;
    bool service = false;  // gives a token
    friend bool operator==(const Biller&, const Biller&) = default;
};

// What a bank begins with: services Electricity, Data, Airtime, Water, Gaming; bills Netflix,
// Internet, Insurance, Gym, Rent.
const std::vector<Biller>& default_billers();

// A letter, then letters, digits, '-' or '_', 32 at most. Errors: bad-biller.
Result<void> check_biller_name(std::string_view name);

// What two spellings of one biller have in common: they differ in case only.
std::string biller_key(std::string_view name);
// Without regard to case; nullptr if there is none.
const Biller* find_biller(std::span<const Biller> billers, std::string_view name);

}  // namespace p2pbank::bank
