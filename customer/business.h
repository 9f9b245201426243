// Which of the customer's commands are deals with the bank, and which are passed on to it as they
// are. Part of Customer.
#pragma once

#include <string_view>

namespace p2pbank {

// buy, pay, loan, repay.
bool is_deal(std::string_view verb);
// A command that only concerns the bank.
bool is_passed_on(std::string_view verb);
// One of these that changes something there: without an answer it is not known whether it did.
bool changes_the_bank(std::string_view verb);

}  // namespace p2pbank
