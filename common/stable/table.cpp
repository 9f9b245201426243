#include "common/stable/table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

#include "common/base/address.h"
#include "common/base/csv.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

constexpr size_t kColumns = 7;
constexpr std::string_view kActive = "active";
constexpr std::string_view kExited = "exited";
// "a,0,1.1.1.1,1,1,,active": what memory is set aside for follows from what a file can hold.
constexpr size_t kShortestRow = 23;

using Fields = std::array<std::string_view, kColumns>;

// Why a line is refused, without its number.
using Reason = std::optional<std::string>;

std::string columns_reason(size_t found) {
    return std::to_string(found) + " columns instead of " + std::to_string(kColumns) + "; write " +
           std::string(kTableHeader);
}

Reason split_plain(std::string_view line, Fields& fields) {
    size_t count = 0;
    const char* at = line.data();
    const char* const end = at + line.size();
    for (;;) {
        const auto left = static_cast<size_t>(end - at);
        const auto* comma = static_cast<const char*>(std::memchr(at, ',', left));
        if (count < kColumns) {
            fields[count] = std::string_view(at, comma ? static_cast<size_t>(comma - at) : left);
        }
        ++count;
        if (!comma) break;
        at = comma + 1;
    }
    if (count != kColumns) return columns_reason(count);
    return std::nullopt;
}

// RFC 4180: a field in quotes may hold commas and doubled quotes. `unquoted` holds what the fields
// refer to.
Reason split_quoted(std::string_view line, Fields& fields,
                    std::array<std::string, kColumns>& unquoted) {
    size_t count = 0;
    size_t at = 0;
    for (;;) {
        std::string field;
        if (at < line.size() && line[at] == '"') {
            ++at;
            for (;;) {
                const size_t quote_at = line.find('"', at);
                if (quote_at == std::string_view::npos) {
                    return "a quoted field does not end on this line; close the quote, and write "
                           "no "
                           "line break in a field";
                }
                field += line.substr(at, quote_at - at);
                at = quote_at + 1;
                if (at == line.size() || line[at] != '"') break;
                field += '"';
                ++at;
            }
            if (at < line.size() && line[at] != ',') {
                return "text follows a closing quote; put the whole field in quotes, or nothing of "
                       "it";
            }
        } else {
            const size_t comma = std::min(line.find(',', at), line.size());
            field = line.substr(at, comma - at);
            if (field.find('"') != std::string::npos) {
                return "a quote stands in the middle of a field; put the whole field in quotes, or "
                       "nothing of it";
            }
            at = comma;
        }
        if (count < kColumns) fields[count] = unquoted[count] = std::move(field);
        ++count;
        if (at == line.size()) break;
        ++at;  // the comma
    }
    if (count != kColumns) return columns_reason(count);
    return std::nullopt;
}

// A balance is a sum of amounts: it may be larger than any one of them, up to what cents in 64 bits
// can hold.
Reason read_balance(std::string_view text, Money& balance) {
    if (!text.empty() && text[0] == '-') {
        return "the balance " + quote(text) + " is negative; write zero or more";
    }
    const auto malformed = [&] {
        return "the balance " + quote(text) +
               " is not an amount; write digits with at most two decimals, such as 950 or 950.25";
    };
    const size_t point = std::min(text.find('.'), text.size());
    const size_t decimals = point == text.size() ? 0 : text.size() - point - 1;
    if (point == 0 || decimals > 2 || (point < text.size() && decimals == 0)) return malformed();
    int64_t cents = 0;
    const auto take = [&](int digit) {
        return __builtin_mul_overflow(cents, 10, &cents) ||
               __builtin_add_overflow(cents, digit, &cents);
    };
    bool overflow = false;
    for (size_t i = 0; i < text.size(); ++i) {
        if (i == point) continue;
        if (text[i] < '0' || text[i] > '9') return malformed();
        overflow = take(text[i] - '0') || overflow;
    }
    for (size_t i = decimals; i < 2; ++i) overflow = take(0) || overflow;
    if (overflow) {
        return "the balance " + quote(text) + " is too large; the most is 92233720368547758.07";
    }
    balance = Money::from_cents(cents);
    return std::nullopt;
}

Reason read_row(const Fields& fields, TableRow& row) {
    if (!is_valid_name(fields[0])) return check_name(fields[0]).error().message;
    row.name = fields[0];
    if (auto reason = read_balance(fields[1], row.balance)) return reason;
    const auto ip = parse_ip(fields[2]);
    if (!ip) return ip.error().message;
    row.ip = ip.value();
    const auto port1 = parse_port(fields[3]);
    if (!port1) return "port1: " + port1.error().message;
    row.port1 = port1.value();
    const auto port2 = parse_port(fields[4]);
    if (!port2) return "port2: " + port2.error().message;
    row.port2 = port2.value();
    if (!fields[5].empty() && !is_valid_name(fields[5])) {
        return "cohort: " + check_name(fields[5]).error().message;
    }
    row.cohort = fields[5];
    if (fields[6] != kActive && fields[6] != kExited) {
        return "exit_state is " + quote(fields[6]) + "; write active or exited";
    }
    row.exited = fields[6] == kExited;
    return std::nullopt;
}

struct SameName {
    size_t row = 0;
    size_t earlier = 0;
};

// The first row whose name an earlier row has. A table of names in no order is a cache miss for
// each row, so the places are fetched some rows ahead.
std::optional<SameName> find_same_name(const std::vector<TableRow>& rows) {
    struct Slot {
        uint32_t tag = 0;  // a part of the hash: other rows are looked at only when it is the same
        uint32_t row_plus_one = 0;  // 0: free
    };
    constexpr size_t kAhead = 16;
    std::vector<Slot> slots(std::bit_ceil(rows.size() * 2 + 1));
    const size_t mask = slots.size() - 1;
    std::array<size_t, kAhead> hashes{};
    for (size_t next = 0; next < rows.size() + kAhead; ++next) {
        if (next >= kAhead) {
            const size_t row = next - kAhead;
            const size_t hash = hashes[row % kAhead];
            const auto tag = static_cast<uint32_t>(hash >> 32);
            size_t at = hash & mask;
            for (; slots[at].row_plus_one != 0; at = (at + 1) & mask) {
                const size_t earlier = slots[at].row_plus_one - 1;
                if (slots[at].tag == tag && rows[earlier].name == rows[row].name) {
                    return SameName{row, earlier};
                }
            }
            slots[at] = {tag, static_cast<uint32_t>(row + 1)};
        }
        if (next < rows.size()) {
            hashes[next % kAhead] = std::hash<std::string_view>()(rows[next].name);
            __builtin_prefetch(&slots[hashes[next % kAhead] & mask], 1);
        }
    }
    return std::nullopt;
}

class Lines {
  public:
    explicit Lines(std::string_view rest) : rest_(rest) {}

    // The next line without its end; nothing behind the last one.
    std::optional<std::string_view> next() {
        if (rest_.empty()) return std::nullopt;
        ++number_;
        const size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        return line;
    }

    bool only_blanks_left() const {
        return rest_.find_first_not_of(" \t\r\n") == std::string_view::npos;
    }
    size_t count_left() const {
        size_t count = 1;
        for (size_t at = rest_.find('\n'); at != std::string_view::npos;
             at = rest_.find('\n', at + 1)) {
            ++count;
        }
        return count;
    }
    size_t number() const { return number_; }

  private:
    std::string_view rest_;
    size_t number_ = 0;
};

Error bad_line(size_t number, const std::string& reason) {
    return {"bad-csv", "line " + std::to_string(number) + ": " + reason};
}

Reason check_header(std::optional<std::string_view> line) {
    const std::string advice = "; the first line must be " + std::string(kTableHeader);
    if (!line) return "the file is empty" + advice;
    Fields fields;
    Fields wanted;
    std::array<std::string, kColumns> unquoted;
    const bool good = !split_plain(kTableHeader, wanted) &&
                      !split_quoted(*line, fields, unquoted) && fields == wanted;
    if (!good) return quote(*line) + " is not the header" + advice;
    return std::nullopt;
}

}  // namespace

void append_row(std::string& out, const TableRow& row) {
    out += row.name;
    out += ',';
    out += to_string(row.balance);
    out += ',';
    out += ip_to_string(row.ip);
    out += ',';
    out += std::to_string(row.port1);
    out += ',';
    out += std::to_string(row.port2);
    out += ',';
    out += row.cohort;
    out += ',';
    out += row.exited ? kExited : kActive;
    out += '\n';
}

Result<std::vector<TableRow>> parse_table(std::string_view content) {
    Lines lines(without_byte_order_mark(content));
    if (auto reason = check_header(lines.next())) return bad_line(1, *reason);

    std::vector<TableRow> rows;
    rows.reserve(std::min(lines.count_left(), content.size() / kShortestRow));
    Fields fields;
    std::array<std::string, kColumns> unquoted;
    while (!lines.only_blanks_left()) {
        const std::string_view line = *lines.next();
        if (line.find_first_not_of(" \t") == std::string_view::npos) {
            return bad_line(lines.number(), "the line is empty; remove it");
        }
        const bool has_quotes = line.find('"') != std::string_view::npos;
        auto reason = has_quotes ? split_quoted(line, fields, unquoted) : split_plain(line, fields);
        TableRow& row = rows.emplace_back();
        if (!reason) reason = read_row(fields, row);
        if (reason) return bad_line(lines.number(), *reason);
    }
    if (const auto same = find_same_name(rows)) {
        // Rows follow the header without gaps, so a row's index gives its line.
        return bad_line(same->row + 2,
                        "the name " + quote(rows[same->row].name) + " is taken by line " +
                            std::to_string(same->earlier + 2) + "; each account has one row");
    }
    return rows;
}

}  // namespace p2pbank
