// Each line of standard input is a Datagram in hexadecimal digits; each line of standard output
// what a trace calls it, or "malformed". For tests/processes/test_wireshark.py, which compares the
// dissector with it.
#include <iostream>
#include <string>

#include "common/core/describe.h"

namespace {

std::string bytes_of(const std::string& hex) {
    std::string bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return bytes;
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        p2pbank::wire::Datagram datagram;
        std::cout << (datagram.ParseFromString(bytes_of(line)) ? p2pbank::describe(datagram)
                                                               : "malformed")
                  << '\n';
    }
}
