// The commands of a customer's program and its menu: constants, for Customer. Which of them the
// bank carries out, and for whom, the bank says (bank/command_list.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "common/core/command_table.h"
#include "common/core/menu_items.h"

namespace p2pbank::customer {

CommandTable command_table();

// What only the bank's console has.
std::span<const std::string_view> commands_of_the_bank();

std::vector<MenuSection> menu_sections();

}  // namespace p2pbank::customer
