#include <doctest/doctest.h>

#include "common/core/answer.h"

using namespace p2pbank;

TEST_CASE("answer: the first line begins with the one word that a script looks for") {
    CHECK(to_lines(success("balance 950")) == "SUCCESS balance 950\n");
    CHECK(to_lines(failure("busy", "try again")) == "FAILURE busy: try again\n");
    CHECK(to_lines(unknown("checkpoint")) == "UNKNOWN checkpoint\n");
}

TEST_CASE("answer: further lines are indented, and no text can look like another answer") {
    Answer answer = success("peers 1\nSUCCESS forged");
    answer.line("bob\nFAILURE forged");
    CHECK(to_lines(answer) == "SUCCESS peers 1 SUCCESS forged\n  bob FAILURE forged\n");
}

TEST_CASE("answer: as JSON it is one object on one line, with money as it is printed") {
    Answer answer = success("customers 1");
    answer.fact("balance", Money::from_cents(95'025)).fact("name", "alice").line("alice 950.25");
    answer.tables.push_back(
        {"customers", {{{"name", "alice", false}, {"balance", "1", true}}, {}}});
    CHECK(to_json(answer) ==
          "{\"result\":\"SUCCESS\",\"text\":\"customers 1\",\"balance\":950.25,\"name\":\"alice\","
          "\"customers\":[{\"name\":\"alice\",\"balance\":1},{}],\"lines\":[\"alice 950.25\"]}\n");
    CHECK(to_json(failure("busy", "x")) ==
          "{\"result\":\"FAILURE\",\"code\":\"busy\",\"text\":\"x\"}\n");
}

TEST_CASE("answer: JSON strings are escaped, and what is not UTF-8 is replaced") {
    CHECK(json_string("a\"b\\c\n\t\x01") == "\"a\\\"b\\\\c\\n\\t\\u0001\"");
    CHECK(json_string("h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") ==
          "\"h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
    const std::string bad = "\xEF\xBF\xBD";
    CHECK(json_string("\xFF") == "\"" + bad + "\"");
    CHECK(json_string("\xC0\x80") == "\"" + bad + bad + "\"");            // overlong
    CHECK(json_string("\xED\xA0\x80") == "\"" + bad + bad + bad + "\"");  // a surrogate
    CHECK(json_string("\xE2\x82") == "\"" + bad + bad + "\"");            // cut off
}

TEST_CASE("answer: marked money is plain for scripts, and for people as they write it") {
    Answer answer = success(
        "balance \x01"
        "1000000.50");
    answer.currency = "R";
    answer.line(
        "fee \x01"
        "-999 of \x01"
        "1000");
    CHECK(to_lines(answer) == "SUCCESS balance 1000000.50\n  fee -999 of 1000\n");
    CHECK(to_screen(answer, false) == "SUCCESS balance R 1,000,000.50\n  fee -R 999 of R 1,000\n");
    CHECK(to_json(answer) ==
          "{\"result\":\"SUCCESS\",\"text\":\"balance 1000000.50\","
          "\"lines\":[\"fee -999 of 1000\"]}\n");
    answer.currency.clear();
    CHECK(to_screen(answer, false) == "SUCCESS balance 1,000,000.50\n  fee -999 of 1,000\n");
    CHECK(to_screen(success("\x01"), false) == "SUCCESS \n");
}

TEST_CASE("answer: with colour only the first word has one") {
    CHECK(to_screen(success("x"), true) == "\033[32mSUCCESS\033[0m x\n");
    CHECK(to_screen(failure("busy", "x"), true) == "\033[31mFAILURE\033[0m busy: x\n");
    CHECK(to_screen(unknown("x"), true) == "\033[33mUNKNOWN\033[0m x\n");
}
