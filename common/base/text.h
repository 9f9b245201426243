// Text that people write and read: names, descriptions, categories. Checked on its way in, folded
// to be searched, padded to stand in columns, defused where a spreadsheet may open it. Everything
// here is UTF-8; anybody may call it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank {

// No overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);

// One code point from the front of `rest`, which it is taken off. A byte that begins no valid
// sequence is taken alone, as U+FFFD. Requires that `rest` is not empty.
char32_t take_code_point(std::string_view& rest);
void append_code_point(std::string& out, char32_t code_point);
size_t count_code_points(std::string_view text);

// UTF-8 of at most max_bytes with something to see in it, on one line: no control characters (also
// not C1, DEL, line and paragraph separators), nothing that turns the direction of writing or is
// invisible. `what` begins the message: "the name". Errors: bad-text.
Result<void> check_text(std::string_view what, std::string_view text, size_t max_bytes);

// The same text without blanks at both ends.
std::string_view trim(std::string_view text);

// For comparing without regard to case: ASCII, Latin, Greek, Cyrillic, Armenian and full-width
// letters become small ones, all else stays. "Müller" and "MÜLLER" fold to the same.
std::string fold(std::string_view text);

// For exports only: a text that a spreadsheet would run as a formula gets a ' in front, and so does
// one that would look like the outcome of this. undefuse(defuse(text)) == text, for every text.
std::string defuse(std::string_view text);
std::string undefuse(std::string_view text);

// The texts one after the other, with `separator` in between.
std::string join(const std::vector<std::string>& texts, std::string_view separator);

// How many columns of a terminal the text takes.
size_t display_width(std::string_view text);
// Filled with blanks up to `width`; longer texts stay as they are.
std::string pad_right(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

enum class Align { left, right };
struct Column {
    std::string head;
    Align align = Align::left;
};
// Lines for people: the heads, then the rows, each column as wide as its widest cell, two blanks in
// between, no blanks at the end. Requires that each row has as many cells as there are columns.
std::vector<std::string> aligned(const std::vector<Column>& columns,
                                 const std::vector<std::vector<std::string>>& rows);

}  // namespace p2pbank
