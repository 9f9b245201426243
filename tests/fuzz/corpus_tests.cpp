// What the fuzz targets have learned: each file of corpus/<target> goes through its target. The
// check is that the process survives; a file that once did not is kept for ever.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/fuzz/targets.h"

namespace {

size_t replay(std::string_view name) {
    namespace fs = std::filesystem;
    const fs::path folder = fs::path(P2PBANK_FUZZ_CORPUS) / name;
    std::vector<fs::path> files;
    if (fs::exists(folder)) {
        for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    const auto all = p2pbank::fuzz::targets();
    const auto target =
        std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.name == name; });
    REQUIRE(target != all.end());
    for (const fs::path& file : files) {
        std::ifstream in(file, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        INFO(file.string());
        target->run(bytes);
    }
    target->run({});
    return files.size();
}

}  // namespace

TEST_CASE("fuzz corpus: the bank takes any datagrams") {
    CHECK(replay("bank_messages") > 0);
}
TEST_CASE("fuzz corpus: a customer takes any datagrams") {
    CHECK(replay("customer_messages") > 0);
}
TEST_CASE("fuzz corpus: the bank takes any sealed messages") {
    CHECK(replay("bank_sealed") > 0);
}
TEST_CASE("fuzz corpus: a customer takes any sealed messages") {
    CHECK(replay("customer_sealed") > 0);
}
TEST_CASE("fuzz corpus: the bank's console takes any lines") {
    CHECK(replay("bank_lines") > 0);
}
TEST_CASE("fuzz corpus: a customer takes any lines and secrets") {
    CHECK(replay("customer_lines") > 0);
}
TEST_CASE("fuzz corpus: the bank accepts or refuses any record") {
    CHECK(replay("bank_records") > 0);
}
TEST_CASE("fuzz corpus: a customer accepts or refuses any record") {
    CHECK(replay("customer_records") > 0);
}
TEST_CASE("fuzz corpus: a journal's file is read, cut off or refused") {
    CHECK(replay("journal_file") > 0);
}
TEST_CASE("fuzz corpus: what is read from CSV is written as it was") {
    CHECK(replay("csv_files") > 0);
}
TEST_CASE("fuzz corpus: two who have keys take any packets, and find each other afterwards") {
    CHECK(replay("handshake") > 0);
}
TEST_CASE("fuzz corpus: words, texts, dates and amounts come back as they were") {
    CHECK(replay("text") > 0);
}
