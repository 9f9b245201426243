// The bank's CSV: one row for each account. Fixed header:
//     name,balance,ip_address,port1,port2,cohort,exit_state
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/money.h"
#include "common/base/result.h"
#include "common/stable/storage.h"

namespace p2pbank {

struct TableRow {
    std::string name;
    Money balance;
    uint32_t ip = 0;
    uint16_t port1 = 0;
    uint16_t port2 = 0;
    std::string cohort;  // empty: none
    bool exited = false;
    friend bool operator==(const TableRow&, const TableRow&) = default;
};

inline constexpr std::string_view kTableHeader =
    "name,balance,ip_address,port1,port2,cohort,exit_state";

// Appends the row and a newline.
void append_row(std::string& out, const TableRow& row);

// Header and all rows. Accepts what is harmless: CRLF, a missing last newline, a byte-order mark,
// blank lines at the end, quoted fields (RFC 4180). Everything else is refused with the line's
// number and the reason: bad-csv. A quoted newline, a duplicate name, a negative balance, a missing
// or an extra column are refused.
Result<std::vector<TableRow>> parse_table(std::string_view content);

// Puts `content` in the place of file `name`, whole or not at all: temporary file, sync, rename,
// sync of the folder. Errors: io-error.
Result<void> replace_file(Storage& storage, const std::string& name, std::string_view content);

}  // namespace p2pbank
