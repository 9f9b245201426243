#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/csv.h"

using namespace p2pbank;

namespace {

std::string first_error(std::string_view content) {
    CsvReader reader(content);
    if (auto header = reader.expect_header("a,b"); !header) return header.error().message;
    for (;;) {
        const auto more = reader.next();
        if (!more) return more.error().message;
        if (!more.value()) return "";
    }
}

}  // namespace

TEST_CASE("csv: any fields come back as they were written") {
    CHECK(rc::check("rows", [] {
        const auto text = rc::gen::container<std::string>(
            rc::gen::element('a', 'b', '"', ',', ';', ' ', '\'', '='));
        const auto rows = *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
            rc::gen::pair(text, text));
        std::string content = "a,b\n";
        for (const auto& [a, b] : rows) append_csv_row(content, {a, b});
        CsvReader reader(content);
        RC_ASSERT(reader.expect_header("a,b").ok());
        for (const auto& [a, b] : rows) {
            RC_ASSERT(reader.next().value());
            RC_ASSERT(reader.fields().size() == 2U);
            RC_ASSERT(reader.fields()[0] == a);
            RC_ASSERT(reader.fields()[1] == b);
        }
        RC_ASSERT(!reader.next().value());
    }));
}

TEST_CASE("csv: what editors do to a file is harmless") {
    CHECK(first_error("\xEF\xBB\xBF"
                      "a,b\r\n1,2\r\n\"3\",4") == "");
    CHECK(first_error("a,b\n1,2\n\n\r\n") == "");
    CHECK(first_error("a,b") == "");
}

TEST_CASE("csv: a malformed line is refused with its number and the reason") {
    CHECK(first_error("") == "line 1: the header is not 'a,b'");
    CHECK(first_error("a,c\n") == "line 1: the header is not 'a,b'");
    CHECK(first_error("a,b\n1,2\n1\n") == "line 3: 1 columns instead of 2");
    CHECK(first_error("a,b\n1,2,3\n") == "line 2: 3 columns instead of 2");
    CHECK(first_error("a,b\n\n1,2\n") == "line 2: a blank line between the rows");
    CHECK(first_error("a,b\n\"1,2\n") == "line 2: a quoted field does not end on this line");
    CHECK(first_error("a,b\n\"1\"x,2\n") == "line 2: text follows a closing quote");
    CHECK(first_error("a,b\n1\"x,2\n") == "line 2: a quote stands in the middle of a field");
}
