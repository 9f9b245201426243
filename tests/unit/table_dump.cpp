// Reads a table from standard input and prints its rows, or what is wrong. For
// csv_against_python.py.
#include <iostream>
#include <iterator>

#include "common/stable/table.h"

int main() {
    const std::string content{std::istreambuf_iterator<char>(std::cin), {}};
    const auto rows = p2pbank::parse_table(content);
    if (!rows) {
        std::cout << rows.error().message << '\n';
        return 1;
    }
    std::string out;
    for (const auto& row : rows.value()) p2pbank::append_row(out, row);
    std::cout << out;
}
