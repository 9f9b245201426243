#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "bank/domain/tokens.h"

using namespace p2pbank::bank;

TEST_CASE("tokens: sixteen digits, of which the last checks the others") {
    CHECK(make_token(0) == "0000000000000000");
    CHECK(make_token(7) == "0000000000000075");
    CHECK(make_token(453'201'511'283'036) == "4532015112830366");  // a well-known number
    CHECK(is_valid_token("4532015112830366"));
    CHECK(is_valid_token("4539578763621486"));
    CHECK(grouped_token("4532015112830366") == "4532 0151 1283 0366");
    for (const char* token :
         {"", "4532015112830367", "453201511283036", "45320151128303660", "453201511283036x"}) {
        CAPTURE(token);
        CHECK_FALSE(is_valid_token(token));
    }
}

TEST_CASE("tokens: one wrong digit, or two neighbours exchanged, is noticed") {
    CHECK(rc::check("slips", [] {
        const std::string token = make_token(*rc::gen::arbitrary<uint64_t>());
        RC_ASSERT(is_valid_token(token));
        const auto at = *rc::gen::inRange<size_t>(0, 16);
        std::string wrong = token;
        wrong[at] = static_cast<char>('0' + (token[at] - '0' + *rc::gen::inRange(1, 10)) % 10);
        RC_ASSERT(!is_valid_token(wrong));
        if (at == 0) return;
        std::string exchanged = token;
        std::swap(exchanged[at], exchanged[at - 1]);
        const bool nine_and_zero = exchanged[at] != exchanged[at - 1] &&
                                   (exchanged[at] - '0') + (exchanged[at - 1] - '0') == 9 &&
                                   (exchanged[at] == '0' || exchanged[at] == '9');
        // Luhn's one weakness is 09 and 90.
        RC_ASSERT(nine_and_zero || exchanged == token || !is_valid_token(exchanged));
    }));
}
