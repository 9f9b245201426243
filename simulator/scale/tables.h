// Tables for people, aligned, and for programs, as CSV.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace p2pbank::simulator::scale {

struct Table {
    std::string title;
    std::vector<std::string> headers;
    std::vector<std::vector<std::string>> rows;  // each as long as headers
    std::string explanation;                     // lines
};

// Columns of numbers to the right, whole numbers with commas; the explanation below.
void print(std::ostream& out, const Table& table);
// The headers, then the rows, without commas in numbers. Cells have no commas and no quotes.
void print_csv(std::ostream& out, const Table& table);

// Cells
std::string in_milliseconds(Duration duration);  // "12.3"
std::string with_decimals(double value, int decimals);
std::string percent(double part, double whole);  // "12.3 %"

}  // namespace p2pbank::simulator::scale
