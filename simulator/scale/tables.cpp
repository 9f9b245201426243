#include "simulator/scale/tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "common/base/check.h"

namespace p2pbank::simulator::scale {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The whole part of a number with commas between thousands; anything else as it is.
std::string with_commas(const std::string& cell) {
    const size_t digits =
        static_cast<size_t>(std::find_if_not(cell.begin(), cell.end(), is_digit) - cell.begin());
    std::string out;
    for (size_t i = 0; i < digits; ++i) {
        if (i > 0 && (digits - i) % 3 == 0) out += ',';
        out += cell[i];
    }
    return out + cell.substr(digits);
}

bool is_number_column(const Table& table, size_t column) {
    return std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
        return row[column].empty() || row[column] == "-" || is_digit(row[column][0]);
    });
}

}  // namespace

void print(std::ostream& out, const Table& table) {
    std::vector<std::vector<std::string>> lines{table.headers};
    for (const auto& row : table.rows) {
        P2PBANK_CHECK(row.size() == table.headers.size());
        lines.emplace_back();
        for (const std::string& cell : row) lines.back().push_back(with_commas(cell));
    }
    std::vector<size_t> widths(table.headers.size());
    for (const auto& line : lines) {
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    }
    out << table.title << "\n\n";
    for (const auto& line : lines) {
        std::string text = "    ";
        for (size_t i = 0; i < line.size(); ++i) {
            const std::string space(widths[i] - line[i].size(), ' ');
            text += is_number_column(table, i) ? space + line[i] : line[i] + space;
            text += "  ";
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out << text << "\n";
    }
    out << "\n" << table.explanation << "\n";
}

void print_csv(std::ostream& out, const Table& table) {
    const auto line = [&](const std::vector<std::string>& cells) {
        for (size_t i = 0; i < cells.size(); ++i) out << (i == 0 ? "" : ",") << cells[i];
        out << "\n";
    };
    line(table.headers);
    for (const auto& row : table.rows) line(row);
}

std::string in_milliseconds(Duration duration) {
    return with_decimals(static_cast<double>(duration.count()) / 1e3, 1);
}

std::string with_decimals(double value, int decimals) {
    if (!std::isfinite(value)) return "-";
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

std::string percent(double part, double whole) {
    return with_decimals(whole == 0 ? 0 : 100 * part / whole, 1) + " %";
}

}  // namespace p2pbank::simulator::scale
