#include <doctest/doctest.h>

#include "common/base/names.h"

using namespace p2pbank;

TEST_CASE("names: a letter, then letters, digits, '_' or '-', 32 at most") {
    for (const std::string& name : {std::string("a"), std::string("Alice"), std::string("a-b_c9"),
                                    std::string("cohort-1"), std::string(32, 'x')}) {
        CAPTURE(name);
        CHECK(is_valid_name(name));
        CHECK(check_name(name).ok());
    }
    for (const std::string& name :
         {std::string(), std::string("9a"), std::string("_a"), std::string("-a"),
          std::string("a b"), std::string("a,b"), std::string("a\n"), std::string("a\0b", 3),
          std::string("\xc3\xa4"), std::string("../x"), std::string(33, 'x')}) {
        CAPTURE(name);
        CHECK_FALSE(is_valid_name(name));
        CHECK(check_name(name).error().code == "bad-name");
    }
}

TEST_CASE("names: the bank's own name is taken") {
    CHECK_FALSE(is_valid_name("bank"));
    CHECK(check_name("bank").error().code == "bad-name");
    CHECK(is_valid_name("Bank"));
    CHECK(is_valid_name("banker"));
}

TEST_CASE("names: a line falls apart into words at any blanks") {
    using Words = std::vector<std::string_view>;
    CHECK(split_words("").empty());
    CHECK(split_words(" \t\r\n").empty());
    CHECK(split_words("open alice 100") == Words{"open", "alice", "100"});
    CHECK(split_words("  open\talice  100 \r") == Words{"open", "alice", "100"});
}

TEST_CASE("names: what is quoted is short and cannot move the cursor") {
    CHECK(quote("abc") == "'abc'");
    CHECK(quote("a\x1b[2J\x7f\xff") ==
          "'a?[2J?"
          "?'");
    CHECK(quote(std::string(61, 'x')) == "'" + std::string(60, 'x') + "...'");
}
