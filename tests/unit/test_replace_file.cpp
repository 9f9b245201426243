#include <doctest/doctest.h>

#include "common/stable/table.h"
#include "tests/unit/faulty_storage.h"

using namespace p2pbank;
using namespace p2pbank::testing;

TEST_CASE("replace_file: the new content is durable when it returns") {
    FaultyStorage storage;
    REQUIRE(replace_file(storage, "data.csv", "one").ok());
    REQUIRE(replace_file(storage, "data.csv", std::string(100'000, '2')).ok());
    storage.crash_keeping("data.csv", 0);
    CHECK(storage.content("data.csv") == std::string(100'000, '2'));
    CHECK_FALSE(storage.exists("data.csv.new"));
}

TEST_CASE(
    "replace_file: whenever it fails and the power with it, the old or the new file is there") {
    const std::string before(3'000, 'a');
    const std::string after(5'000, 'b');
    for (uint64_t calls = 1; calls < 8; ++calls) {
        for (uint64_t seed = 0; seed < 200; ++seed) {
            Random random(seed);
            FaultyStorage storage;
            storage.set_content("data.csv", before);
            storage.fail_after(calls);
            const auto result = replace_file(storage, "data.csv", after);
            if (!result) CHECK(result.error().code == "io-error");
            storage.crash(random);
            const std::string found = storage.content("data.csv");
            CHECK((found == after || (!result && found == before)));
        }
    }
}
