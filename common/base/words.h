// The words of a command line in which a word may hold blanks: "two words". Pure text; anybody may
// call it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank {

// Blanks separate words. "Double quotes" group, also within a word (--name="Blue mug"); inside them
// \" is a quote and \\ a backslash, any other backslash is itself. "" is an empty word. Errors:
// usage, when a quote is not closed.
Result<std::vector<std::string>> split_quoted(std::string_view line);

// The word as split_quoted reads it back: in quotes if it needs them.
std::string quoted_word(std::string_view word);

}  // namespace p2pbank
