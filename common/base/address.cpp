#include "common/base/address.h"

#include <optional>

namespace p2pbank {
namespace {

// Decimal without leading zeros, at most `most`.
std::optional<uint32_t> small_number(std::string_view text, uint32_t most) {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
    uint32_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<uint32_t>(c - '0');
    }
    if (value > most) return std::nullopt;
    return value;
}

std::string quoted(std::string_view text) {
    return "'" + std::string(text.substr(0, 40)) + "'";
}

}  // namespace

std::string ip_to_string(uint32_t ip) {
    return std::to_string(ip >> 24) + "." + std::to_string(ip >> 16 & 255) + "." +
           std::to_string(ip >> 8 & 255) + "." + std::to_string(ip & 255);
}

std::string to_string(const Address& address) {
    return ip_to_string(address.ip) + ":" + std::to_string(address.port);
}

Result<uint32_t> parse_ip(std::string_view text) {
    const auto bad = [&] {
        return Error{"bad-address",
                     quoted(text) + " is not an IPv4 address: write it as in 127.0.0.1"};
    };
    uint32_t ip = 0;
    std::string_view rest = text;
    for (int i = 0; i < 4; ++i) {
        const size_t dot = i < 3 ? rest.find('.') : rest.size();
        if (dot == std::string_view::npos) return bad();
        const auto part = small_number(rest.substr(0, dot), 255);
        if (!part) return bad();
        ip = ip << 8 | *part;
        rest = i < 3 ? rest.substr(dot + 1) : std::string_view();
    }
    if (ip == 0 || ip >> 28 >= 0xe) {
        return Error{"bad-address", quoted(text) + " is not the address of one machine"};
    }
    return ip;
}

Result<uint16_t> parse_port(std::string_view text) {
    const auto port = small_number(text, 65'535);
    if (!port || *port == 0) {
        return Error{"bad-port", quoted(text) + " is not a port: write a number from 1 to 65535"};
    }
    return static_cast<uint16_t>(*port);
}

Result<Address> parse_address(std::string_view text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return Error{"bad-address",
                     quoted(text) + " is not an address: write it as in 127.0.0.1:8500"};
    }
    const auto ip = parse_ip(text.substr(0, colon));
    if (!ip) return ip.error();
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return port.error();
    return Address{ip.value(), port.value()};
}

}  // namespace p2pbank
