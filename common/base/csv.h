// Comma-separated values (RFC 4180) with one record a line, as imports and exports have them.
// Reading accepts what is harmless: CRLF, a byte-order mark, a missing last newline, blank lines at
// the end. The bank's own table has a stricter reader (common/stable/table.h).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank {

// Appends the field, in quotes where it needs them.
void append_csv_field(std::string& out, std::string_view field);
// Appends the fields, commas between them, and a newline.
void append_csv_row(std::string& out, const std::vector<std::string>& fields);

// What follows it where the text begins with one (of UTF-8), as spreadsheets write it.
std::string_view without_byte_order_mark(std::string_view text);

// Goes through a file line by line. What it hands out stays good until the next call; `content`
// must outlive it.
class CsvReader {
  public:
    explicit CsvReader(std::string_view content);

    // The header must be these columns. Errors: bad-csv.
    Result<void> expect_header(std::string_view header);
    // False at the end. Then, and only then, fields() and line() have the next row. Errors:
    // bad-csv: a quote that is not closed on its line, text behind a closing quote, another number
    // of fields than the header has, a blank line between rows.
    Result<bool> next();

    const std::vector<std::string_view>& fields() const { return fields_; }
    size_t line() const { return line_; }  // counted from 1
    // bad-csv, "line N: reason".
    Error error(std::string_view reason) const;

  private:
    bool take_line(std::string_view& line);
    Result<void> split(std::string_view line);

    std::string_view rest_;
    size_t line_ = 0;
    size_t columns_ = 0;
    std::vector<std::string_view> fields_;
    std::string unquoted_;
};

}  // namespace p2pbank
