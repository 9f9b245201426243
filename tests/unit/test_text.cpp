#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/text.h"

using namespace p2pbank;

namespace {

std::string code_of(std::string_view text) {
    const auto checked = check_text("the name", text, 100);
    return checked ? "" : checked.error().code;
}

}  // namespace

TEST_CASE("text: UTF-8 is told from what only looks like it") {
    CHECK(valid_utf8(""));
    CHECK(valid_utf8("Zo\xC3\xAB, \xE2\x82\xAC 5, \xF0\x9F\x8D\x8B"));
    CHECK_FALSE(valid_utf8("\xC3"));
    CHECK_FALSE(valid_utf8("\xC0\xAF"));          // overlong
    CHECK_FALSE(valid_utf8("\xE0\x80\xAF"));      // overlong
    CHECK_FALSE(valid_utf8("\xED\xA0\x80"));      // a surrogate
    CHECK_FALSE(valid_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
    CHECK_FALSE(valid_utf8("\xFF"));
    CHECK_FALSE(valid_utf8("a\x80"));
}

TEST_CASE("text: code points come out as they went in") {
    CHECK(rc::check("any code point", [] {
        auto c = static_cast<char32_t>(*rc::gen::inRange(0, 0x110000));
        if (c >= 0xD800 && c <= 0xDFFF) c = 'x';
        std::string text;
        append_code_point(text, c);
        RC_ASSERT(valid_utf8(text));
        RC_ASSERT(count_code_points(text) == 1U);
        std::string_view rest = text;
        RC_ASSERT(take_code_point(rest) == c);
        RC_ASSERT(rest.empty());
    }));
}

TEST_CASE("text: a name holds what people write, and nothing that hides") {
    CHECK(code_of("Zo\xC3\xAB's \"mug\", 2 l").empty());
    CHECK(code_of("\xE5\x93\x81").empty());
    CHECK(code_of("") == "bad-text");
    CHECK(code_of("  ") == "bad-text");
    CHECK(code_of("\xC2\xA0") == "bad-text");
    CHECK(code_of("a\nb") == "bad-text");
    CHECK(code_of("a\tb") == "bad-text");
    CHECK(code_of(std::string_view("a\0b", 3)) == "bad-text");
    CHECK(code_of("a\x7F") == "bad-text");
    CHECK(code_of("a\xC2\x85") == "bad-text");  // C1
    CHECK(code_of("a\xE2\x80\xAE"
                  "b") == "bad-text");  // right to left override
    CHECK(code_of("a\xE2\x81\xA6"
                  "b") == "bad-text");  // an isolate
    CHECK(code_of("a\xE2\x80\xA8"
                  "b") == "bad-text");  // line separator
    CHECK(code_of("a\xE2\x80\x8B"
                  "b") == "bad-text");                  // zero width space
    CHECK(code_of("a\xF3\xA0\x81\x81") == "bad-text");  // a tag
    CHECK(code_of("a\xC3") == "bad-text");
    CHECK(code_of(std::string(100, 'a')).empty());
    CHECK(code_of(std::string(101, 'a')) == "bad-text");
    CHECK(check_text("the note", "", 10).error().message == "the note is empty");
}

TEST_CASE("text: case does not count when it is folded") {
    CHECK(fold("Kitchen & GIFTS 7") == "kitchen & gifts 7");
    CHECK(fold("M\xC3\x9CLLER") == fold("m\xC3\xBCller"));
    CHECK(fold("\xC5\xBD\xC4\x8C") == "\xC5\xBE\xC4\x8D");        // Latin with carons
    CHECK(fold("\xCE\x9F\xCE\xA3") == fold("\xCE\xBF\xCF\x82"));  // sigma and final sigma
    CHECK(fold("\xD0\x96\xD0\x81") == "\xD0\xB6\xD1\x91");        // Cyrillic
    CHECK(fold("\xC3\x97 \xC3\x9F") == "\xC3\x97 \xC3\x9F");      // no letters with a pair
    CHECK(rc::check("folding twice is folding once", [] {
        std::string text;
        for (const int c : *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 0x2000))) {
            append_code_point(text, static_cast<char32_t>(c));
        }
        RC_ASSERT(fold(fold(text)) == fold(text));
        RC_ASSERT(valid_utf8(fold(text)));
    }));
}

TEST_CASE("text: what a spreadsheet would run is defused, and comes back exactly") {
    for (const char* text : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "''=1",
                             "\xEF\xBC\x9D"
                             "1"}) {
        CAPTURE(text);
        CHECK(defuse(text) == "'" + std::string(text));
        CHECK(undefuse(defuse(text)) == text);
    }
    for (const char* text : {"", "mug", "'mug'", "a=b", "'", "5-3"}) {
        CHECK(defuse(text) == text);
        CHECK(undefuse(text) == text);
    }
    CHECK(rc::check("any text", [] {
        const auto text = *rc::gen::container<std::string>(
            rc::gen::element('\'', '=', '+', '-', '@', ' ', '\t', 'a', '"', ','));
        RC_ASSERT(undefuse(defuse(text)) == text);
        const auto seen = defuse(text);
        RC_ASSERT(seen.empty() || std::string_view("=+-@\t").find(seen[0]) == std::string::npos);
    }));
}

TEST_CASE("text: columns line up by what a terminal shows") {
    CHECK(display_width("Zo\xC3\xAB") == 3);
    CHECK(display_width("e\xCC\x81") == 1);
    CHECK(display_width("\xE5\x93\x81") == 2);
    CHECK(pad_right("ab", 4) == "ab  ");
    CHECK(pad_left("ab", 4) == "  ab");
    CHECK(pad_left("abcde", 4) == "abcde");
    const auto lines = aligned({{"NAME"}, {"PRICE", Align::right}, {"NOTE"}},
                               {{"Zo\xC3\xAB", "3.50", ""}, {"Teapot", "12", "blue"}});
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "NAME    PRICE  NOTE");
    CHECK(lines[1] == "Zo\xC3\xAB      3.50");
    CHECK(lines[2] == "Teapot     12  blue");
}

TEST_CASE("text: blanks at the ends are trimmed") {
    CHECK(trim("  a b\t") == "a b");
    CHECK(trim(" \t").empty());
    CHECK(trim("").empty());
}
