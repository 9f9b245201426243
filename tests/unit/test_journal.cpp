#include <doctest/doctest.h>

#include "common/stable/frame.h"
#include "tests/unit/journal_helpers.h"

using namespace p2pbank;
using namespace p2pbank::testing;

namespace {

void must(const Result<void>& result) {
    REQUIRE_MESSAGE(result.ok(), result.error().message);
}

}  // namespace

TEST_CASE("journal: a new one is empty, and is there after a crash") {
    FaultyStorage storage;
    CHECK(open_journal(storage).records.empty());
    storage.crash_keeping("j", 0);
    REQUIRE(storage.exists("j"));
    const auto again = open_journal(storage);
    REQUIRE(again.journal);
    CHECK(again.records.empty());
    CHECK(again.journal->bytes() == 16);
    CHECK_FALSE(storage.exists("j.new"));
}

TEST_CASE("journal: records come back in the order of writing, byte for byte") {
    FaultyStorage storage;
    const Records first{"alice", "", std::string("\0\n\xff", 3)};
    const Records second{std::string(70'000, 'x')};
    const Records third{std::string(5'000, '\0'), "end"};
    Records all;
    {
        auto opened = open_journal(storage);
        for (const Records& records : {first, second, third}) {
            must(opened.journal->append(records));
            must(opened.journal->sync());
            all.insert(all.end(), records.begin(), records.end());
        }
    }
    const auto again = open_journal(storage);
    REQUIRE(again.journal);
    CHECK(again.records == all);
    CHECK(again.journal->torn_bytes() == 0);
    CHECK(again.journal->bytes() == again.journal->bytes_after_replace());
}

TEST_CASE("journal: appending nothing writes nothing, and records may go on after opening again") {
    FaultyStorage storage;
    for (int i = 0; i < 20; ++i) {
        auto opened = open_journal(storage);
        REQUIRE(opened.records.size() == static_cast<size_t>(i));
        const uint64_t bytes = opened.journal->bytes();
        must(opened.journal->append({}));
        must(opened.journal->sync());
        CHECK(opened.journal->bytes() == bytes);
        must(opened.journal->append({"record " + std::to_string(i)}));
        CHECK(opened.journal->bytes() > bytes);
        must(opened.journal->sync());
    }
}

TEST_CASE("journal: a sync seldom changes the file's length, and the file starts small") {
    FaultyStorage storage;
    auto opened = open_journal(storage);
    CHECK(storage.content("j").size() == 64 * 1'024);
    size_t changes = 0;
    for (int i = 0; i < 4'000; ++i) {
        const size_t before = storage.content("j").size();
        must(opened.journal->append({std::string(500, 'r')}));
        must(opened.journal->sync());
        if (storage.content("j").size() != before) ++changes;
    }
    CHECK(changes == 6);  // to 128, 256, 512 KiB, 1, 2 and 3 MiB
}

TEST_CASE("journal: an error of the replay is passed on with file and offset") {
    FaultyStorage storage;
    {
        auto opened = open_journal(storage);
        must(opened.journal->append({"good"}));
        must(opened.journal->sync());
        must(opened.journal->append({"bad"}));
        must(opened.journal->sync());
    }
    const auto result = Journal::open(storage, "j", [](std::string_view record) -> Result<void> {
        if (record == "bad") return Error{"bad-record", "no such kind of record"};
        return {};
    });
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == "bad-record");
    CHECK(result.error().message == "j, frame at offset 56: no such kind of record");
}

TEST_CASE("journal: replace puts new records in the place of all old ones") {
    FaultyStorage storage;
    auto opened = open_journal(storage);
    must(opened.journal->append({"old 1", "old 2"}));
    must(opened.journal->sync());
    Records records;
    for (int i = 0; i < 5'000; ++i) records.push_back(std::string(997, static_cast<char>(i)));
    records.push_back(std::string(3'000'000, 'L'));
    must(opened.journal->replace(records));
    CHECK(opened.journal->bytes() > 8'000'000);
    CHECK(opened.journal->bytes() == opened.journal->bytes_after_replace());
    storage.crash_keeping("j", 0);

    auto again = open_journal(storage);
    REQUIRE(again.journal);
    CHECK(again.records == records);
    must(again.journal->append({"after"}));
    must(again.journal->sync());
    records.push_back("after");
    CHECK(open_journal(storage).records == records);

    must(again.journal->replace({}));
    CHECK(again.journal->bytes() == 16);
    CHECK(open_journal(storage).records.empty());
}

TEST_CASE("journal: what a crash left of a replacement is removed") {
    FaultyStorage storage;
    must(open_journal(storage).journal->append({"kept"}));
    storage.set_content("j.new", "half of something");
    CHECK(open_journal(storage).records == Records{"kept"});
    CHECK_FALSE(storage.exists("j.new"));
}

TEST_CASE("journal: what was replayed after a killed process survives a power failure after it") {
    FaultyStorage storage;
    must(open_journal(storage).journal->append({"not synced"}));
    CHECK(open_journal(storage).records == Records{"not synced"});
    storage.crash_keeping("j", 0);
    CHECK(open_journal(storage).records == Records{"not synced"});
}

TEST_CASE("journal: after a failed call every call fails, and nothing that was synced is lost") {
    for (uint64_t calls = 0; calls < 3; ++calls) {
        FaultyStorage storage;
        auto opened = open_journal(storage);
        must(opened.journal->append({"kept"}));
        must(opened.journal->sync());
        storage.fail_after(calls + 1);
        // Grows the file: write, sync, write of the frame.
        const auto result = opened.journal->append({std::string(70'000, 'x')});
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().code == "io-error");
        storage.stop_failing();
        CHECK(opened.journal->append({"y"}).error().code == "io-error");
        CHECK(opened.journal->sync().error().code == "io-error");
        CHECK(opened.journal->replace({}).error().code == "io-error");
        storage.crash_keeping("j", 0);
        CHECK(open_journal(storage).records == Records{"kept"});
    }
}

// One life of a journal: appends, syncs and replacements, until the storage fails. What is synced
// is in `kept`; what was begun and not finished is in `maybe`, and either may be found later.
static void live(FaultyStorage& storage, Random& random, Records& kept, Records& maybe) {
    auto opened = open_journal(storage);
    if (!opened.journal) {
        CHECK(opened.error.code == "io-error");
        return;
    }
    REQUIRE((opened.records == kept || opened.records == maybe));
    kept = maybe = opened.records;
    for (int turn = 0; turn < 12; ++turn) {
        maybe = kept;
        if (random.one_in(4)) {
            maybe.clear();
            for (uint64_t i = random.below(4); i > 0; --i) {
                maybe.push_back(some_record(random, random.below(2'000)));
            }
            if (!opened.journal->replace(maybe)) return;
        } else {
            Records records;
            for (uint64_t i = 1 + random.below(3); i > 0; --i) {
                const size_t most = random.one_in(20) ? 90'000 : 900;
                records.push_back(some_record(random, random.below(most)));
            }
            maybe.insert(maybe.end(), records.begin(), records.end());
            if (!opened.journal->append(records) || !opened.journal->sync()) return;
        }
        kept = maybe;
    }
}

TEST_CASE(
    "journal: whenever the power fails, turns are kept whole and none that was synced is lost") {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        Random random(seed);
        FaultyStorage storage;
        Records kept;
        Records maybe;
        for (int life = 0; life < 12; ++life) {
            storage.fail_after(1 + random.below(30));
            live(storage, random, kept, maybe);
            if (random.one_in(3)) {
                storage.stop_failing();  // only the process dies: nothing is forgotten yet
            } else {
                storage.crash(random);
            }
        }
        const auto last = open_journal(storage);
        REQUIRE_MESSAGE(last.journal, last.error.message);
        CHECK((last.records == kept || last.records == maybe));
    }
}

TEST_CASE("journal: of an unsynced frame, every subset of its sectors gives all of it or none") {
    for (size_t before = 0; before < 520; before += 8) {
        for (const size_t bytes : std::initializer_list<size_t>{1, 300, 700, 1'500}) {
            for (uint64_t kept = 0;; ++kept) {
                CAPTURE(before);
                CAPTURE(bytes);
                CAPTURE(kept);
                Random random(before * 10'000 + bytes);
                FaultyStorage storage;
                auto opened = open_journal(storage);
                const std::string first = some_record(random, before);
                must(opened.journal->append({first}));
                must(opened.journal->sync());
                const uint64_t end = opened.journal->bytes();
                const std::string second = some_record(random, bytes);
                must(opened.journal->append({second, "also"}));
                const size_t sectors = storage.unsynced_sectors("j");
                storage.crash_keeping("j", kept);

                auto again = open_journal(storage);
                REQUIRE_MESSAGE(again.journal, again.error.message);
                const bool whole = kept == (uint64_t{1} << sectors) - 1;
                CHECK(again.records == (whole ? Records{first, second, "also"} : Records{first}));
                CHECK((again.journal->torn_bytes() != 0) == (kept != 0 && !whole));
                if (!whole) {
                    CHECK(again.journal->bytes() == end);
                    must(again.journal->append({"instead"}));
                    must(again.journal->sync());
                    CHECK(open_journal(storage).records == Records{first, "instead"});
                }
                if (whole) break;
            }
        }
    }
}

TEST_CASE("journal: a crash while a torn frame is being cut off leaves it torn, not damaged") {
    for (uint64_t seed = 0; seed < 2'000; ++seed) {
        CAPTURE(seed);
        Random random(seed);
        FaultyStorage storage;
        auto opened = open_journal(storage);
        must(opened.journal->append({some_record(random, random.below(520))}));
        must(opened.journal->sync());
        const std::string torn = some_record(random, 600 + random.below(3'000));
        must(opened.journal->append({torn}));
        storage.crash(random);
        for (int i = 0; i < 4; ++i) {
            storage.fail_after(1 + random.below(3));
            const auto again = open_journal(storage);
            CHECK((again.journal || again.error.code == "io-error"));
            storage.crash(random);
        }
        const auto last = open_journal(storage);
        REQUIRE_MESSAGE(last.journal, last.error.message);
        CHECK(!last.records.empty());
    }
}
