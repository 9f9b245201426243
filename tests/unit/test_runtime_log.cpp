#include <doctest/doctest.h>

#include "common/runtime/log.h"

using namespace p2pbank;

TEST_CASE("log: what comes from outside does not drive the terminal") {
    Log log("test", "info");
    std::string shown;
    log.show_with([&](std::string_view line) { shown += line; });
    const auto logged = [&](std::string_view text) {
        shown.clear();
        log.notice(Severity::info, text);
        const size_t at = shown.find("info: ");
        REQUIRE(at != std::string::npos);
        return shown.substr(at + 6);
    };
    CHECK(logged("Zo\xC3\xAB pays \xE2\x82\xAC 5") == "Zo\xC3\xAB pays \xE2\x82\xAC 5\n");
    CHECK(logged("\x1B[2J\x07\x7F") == "?[2J??\n");
    CHECK(logged("one\ntwo\tthree") == "one two three\n");
    // U+009B is a control sequence introducer; so is the byte 0x9B to an old terminal.
    CHECK(logged("a\xC2\x9B"
                 "2Jb") == "a?2Jb\n");
    CHECK(logged("a\x9B"
                 "2Jb") == "a?2Jb\n");
    CHECK(logged("\xC3") == "?\n");
}
