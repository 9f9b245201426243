// An IPv4 address and a UDP port.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace p2pbank {

struct Address {
    uint32_t ip = 0;  // host byte order: 127.0.0.1 is 0x7f000001
    uint16_t port = 0;

    friend constexpr auto operator<=>(const Address&, const Address&) = default;
};

// "127.0.0.1:8500"
std::string to_string(const Address& address);
// "127.0.0.1"
std::string ip_to_string(uint32_t ip);

// Four decimal numbers with dots, no leading zeros, not 0.0.0.0, multicast or broadcast.
// Errors: bad-address.
Result<uint32_t> parse_ip(std::string_view text);
// 1 to 65535. Errors: bad-port.
Result<uint16_t> parse_port(std::string_view text);
// "127.0.0.1:8500". Errors: bad-address, bad-port.
Result<Address> parse_address(std::string_view text);

}  // namespace p2pbank

template <>
struct std::hash<p2pbank::Address> {
    size_t operator()(const p2pbank::Address& a) const noexcept {
        return std::hash<uint64_t>()((uint64_t(a.ip) << 16 | a.port) * 0x9e3779b97f4a7c15ULL);
    }
};
