// What the fuzz targets have learned: each file of corpus/<target> goes through its target, and so
// do damaged copies of it, the same in every run. The check is that the process survives; a file
// that once did not is kept for ever. Long runs, which look for new ones: scripts/fuzz.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/fuzz/targets.h"

namespace {

constexpr int kCopies = 30;  // of each file
constexpr uint64_t kMostDamage = 4;

// Bytes changed, put in, left out, doubled, or another file's end behind its own beginning.
std::string damaged(std::string bytes, const std::string& other, p2pbank::Random& random) {
    for (uint64_t left = 1 + random.below(kMostDamage); left > 0; --left) {
        const size_t at = random.below(bytes.size() + 1);
        const size_t stretch = random.below(std::min<size_t>(bytes.size() - at, 40) + 1);
        switch (random.below(6)) {
            case 0:
                if (at < bytes.size()) {
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
                }
                break;
            case 1:
                if (at < bytes.size()) bytes[at] = static_cast<char>(random.below(256));
                break;
            case 2:
                bytes.insert(at, 1 + random.below(8), static_cast<char>(random.below(256)));
                break;
            case 3:
                bytes.erase(at, stretch);
                break;
            case 4:
                bytes.insert(at, bytes.substr(at, stretch));
                break;
            default:
                bytes = bytes.substr(0, at) + other.substr(random.below(other.size() + 1));
        }
    }
    return bytes;
}

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
    std::vector<std::string> corpus;
    for (const fs::path& file : files) {
        std::ifstream in(file, std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        INFO(file.string());
        target->run(corpus.back());
    }
    p2pbank::Random random(1);
    for (size_t i = 0; i < corpus.size(); ++i) {
        for (int copy = 1; copy <= kCopies; ++copy) {
            INFO("damaged copy ", copy, " of ", files[i].string());
            target->run(damaged(corpus[i], corpus[random.below(corpus.size())], random));
        }
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
