#include <doctest/doctest.h>

#include "common/base/address.h"

using namespace p2pbank;

TEST_CASE("address: what is read is printed the same") {
    for (const char* text :
         {"127.0.0.1:8500", "1.2.3.4:1", "10.0.255.254:65535", "223.255.255.255:9"}) {
        const auto address = parse_address(text);
        REQUIRE(address.ok());
        CHECK(to_string(address.value()) == text);
    }
    CHECK(parse_ip("127.0.0.1").value() == 0x7f000001);
}

TEST_CASE("address: what is not the IPv4 address of one machine is refused") {
    for (const char* text :
         {"",          "1",         "1.2.3",           "1.2.3.4.5",       "1.2.3.",   ".1.2.3",
          "1..2.3",    "256.1.1.1", "1.2.3.999",       "01.2.3.4",        "1.2.3.4 ", " 1.2.3.4",
          "1.2.3.-4",  "+1.2.3.4",  "0x7f.0.0.1",      "localhost",       "::1",      "0.0.0.0",
          "224.0.0.1", "239.1.1.1", "255.255.255.255", "4294967297.0.0.1"}) {
        CAPTURE(text);
        const auto ip = parse_ip(text);
        REQUIRE_FALSE(ip.ok());
        CHECK(ip.error().code == "bad-address");
    }
}

TEST_CASE("address: a port is a number from 1 to 65535") {
    CHECK(parse_port("1").value() == 1);
    CHECK(parse_port("65535").value() == 65'535);
    for (const char* text : {"", "0", "65536", "99999", "100000", "18446744073709551617", "-1",
                             "+1", "01", "1 ", "1.0", "http"}) {
        CAPTURE(text);
        REQUIRE_FALSE(parse_port(text).ok());
        CHECK(parse_port(text).error().code == "bad-port");
    }
}

TEST_CASE("address: the error says which half is wrong") {
    CHECK(parse_address("127.0.0.1").error().code == "bad-address");
    CHECK(parse_address(":8500").error().code == "bad-address");
    CHECK(parse_address("127.0.0.1:").error().code == "bad-port");
    CHECK(parse_address("127.0.0.1:8500:1").error().code == "bad-address");
}
