#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/words.h"

using namespace p2pbank;

namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("words: blanks separate, quotes group") {
    CHECK(split_quoted("deposit 100").value() == Words{"deposit", "100"});
    CHECK(split_quoted("  a\t b \r\n").value() == Words{"a", "b"});
    CHECK(split_quoted("").value().empty());
    CHECK(split_quoted("deposit 5 --note \"for the  rent\"").value() ==
          Words{"deposit", "5", "--note", "for the  rent"});
    CHECK(split_quoted("--name=\"Blue mug\" \"\"").value() == Words{"--name=Blue mug", ""});
    CHECK(split_quoted(R"("say \"hi\" \\ C:\new")").value() == Words{R"(say "hi" \ C:\new)"});
    CHECK(split_quoted(R"(C:\"x y")").value() == Words{R"(C:\x y)"});
}

TEST_CASE("words: a quote that is not closed is refused") {
    for (const char* line : {"\"", "a \"b", "\"a\\\""}) {
        const auto words = split_quoted(line);
        REQUIRE_FALSE(words.ok());
        CHECK(words.error().code == "usage");
    }
}

TEST_CASE("words: any words survive being quoted") {
    CHECK(quoted_word("plain") == "plain");
    CHECK(quoted_word("two words") == "\"two words\"");
    CHECK(rc::check("quoted and split", [] {
        const auto words = *rc::gen::container<Words>(
            rc::gen::container<std::string>(rc::gen::element('a', '"', '\\', ' ', '\t', '-', 'b')));
        std::string line;
        for (const auto& word : words) line += quoted_word(word) + " ";
        RC_ASSERT(split_quoted(line).value() == words);
    }));
}
