// What records say of the business, as values, and back. Reading them is for Business alone.
#pragma once

#include "bank/business.h"

namespace p2pbank::bank {

Product from_record(const bank_records::Product& in);
void to_record(const Product& product, bank_records::Product* out);

// Whether these are within the limits of what may be written down.
bool fits(const bank_records::Product& product);
bool fits(wire::DealKind kind, uint64_t quantity, Money amount);
// The same of one more payment for the loan.
bool fits(const Loan& loan, Money payment);

}  // namespace p2pbank::bank
