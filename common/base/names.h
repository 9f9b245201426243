// Names of customers and the words of a command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank {

// A letter, then letters, digits, '_' or '-', 32 bytes at most; "bank" is taken by the bank itself.
bool is_valid_name(std::string_view name);
// Errors: bad-name.
Result<void> check_name(std::string_view name);

// How many customers a cohort is to have. Errors: bad-count.
Result<uint32_t> parse_count(std::string_view text);

// The words of a line, split at blanks.
std::vector<std::string_view> split_words(std::string_view line);

// What a person typed, safe to show again: at most 60 bytes, quoted, control bytes as '?'.
std::string quote(std::string_view text);

}  // namespace p2pbank
