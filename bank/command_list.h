// The commands of the bank's console, what a person must be at least to have the bank carry one out
// for them, and the console's menu: constants, for Bank and what handles the commands in it.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bank/domain/people.h"
#include "common/core/command_table.h"
#include "common/core/menu_items.h"

namespace p2pbank::bank {

CommandTable command_table();

// What only customers' programs have.
std::span<const std::string_view> commands_of_customers();

// Whose account, purchases, loans a command asks about.
enum class Whose { own, another };

// The least role for a command that a customer's program passes on, or nothing if only the console
// takes it. Somebody who has not signed in counts as a customer. The operator at the console may do
// everything.
std::optional<Role> least_role(std::string_view verb, Whose whose = Whose::own);

std::vector<MenuSection> menu_sections();

}  // namespace p2pbank::bank
