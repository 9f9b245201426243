// Disks that fail, bits that flip, and what the journal makes of them.
#include <doctest/doctest.h>

#include "common/stable/journal.h"
#include "simulator/disk.h"
#include "simulator/fault_gate.h"

using namespace p2pbank;
using namespace p2pbank::simulator;

namespace {

using Records = std::vector<std::string>;

// The journal on the disk, opened: what it holds is added to `records`.
Result<std::unique_ptr<Journal>> open_journal(Disk& disk, Records& records) {
    records.clear();
    return Journal::open(disk, "journal", [&](std::string_view record) {
        records.emplace_back(record);
        return Result<void>();
    });
}

}  // namespace

TEST_CASE("disk: a sync that failed has kept some sectors, and no later sync keeps the others") {
    Tally tally;
    int lost = 0;
    for (uint64_t seed = 0; seed < 100; ++seed) {
        Disk disk(seed, tally);
        auto file = disk.create("file");
        REQUIRE(file.ok());
        REQUIRE(file.value()->write(0, std::string(2'048, 'a')).ok());
        REQUIRE(file.value()->sync().ok());
        REQUIRE(disk.sync_folder().ok());
        REQUIRE(file.value()->write(0, std::string(2'048, 'b')).ok());
        disk.fail_after(0);
        CHECK_FALSE(file.value()->sync().ok());
        CHECK(disk.has_failed());
        CHECK(disk.read_all("file") == std::string(2'048, 'b'));
        disk.forgive();
        CHECK(file.value()->sync().ok());
        if (disk.read_durable("file") != std::string(2'048, 'b')) ++lost;
        disk.crash();
        CHECK(disk.read_all("file") == disk.read_durable("file"));
    }
    CHECK(lost > 80);
    CHECK(tally.disk_errors == 100);
}

TEST_CASE("journal: what a start has read stays, although the sync before that start failed") {
    Tally tally;
    int read_again = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        Disk disk(seed, tally);
        Records found;
        auto journal = open_journal(disk, found);
        REQUIRE(journal.ok());
        const Records first{std::string(700, 'a')};
        const Records second{std::string(1'500, 'b')};
        REQUIRE(journal.value()->append(first).ok());
        REQUIRE(journal.value()->sync().ok());
        REQUIRE(journal.value()->append(second).ok());
        disk.fail_after(0);
        REQUIRE_FALSE(journal.value()->sync().ok());
        CHECK_FALSE(journal.value()->append(first).ok());  // nobody goes on after that
        disk.forgive();

        // The process is started again: it finds the frame in the cache, and others rely on it.
        Records replayed;
        journal = open_journal(disk, replayed);
        REQUIRE(journal.ok());
        CHECK(replayed.size() == 2);
        disk.crash();
        journal = open_journal(disk, found);
        REQUIRE_MESSAGE(journal.ok(), journal.error().message);
        CHECK(found == replayed);
        ++read_again;
    }
    CHECK(read_again == 200);
}

TEST_CASE("journal: a call that fails, at any place and again at the next start, loses no record") {
    Tally tally;
    for (uint64_t seed = 0; seed < 500; ++seed) {
        Random random(seed);
        Disk disk(random.next(), tally);
        Records durable;
        Records found;
        auto journal = open_journal(disk, found);
        REQUIRE(journal.ok());
        disk.fail_after(random.below(30));
        Records frame;
        for (int i = 0; i < 20; ++i) {
            frame = {std::string(static_cast<size_t>(random.below(2'000)), 'x'), std::to_string(i)};
            const bool done = random.one_in(6) ? journal.value()->replace(durable).ok()
                                               : journal.value()->append(frame).ok() &&
                                                     journal.value()->sync().ok();
            if (!done) break;
            Records now;
            journal = open_journal(disk, now);
            if (!journal) break;
            durable = now;
        }
        disk.forgive();
        if (random.one_in(3)) {
            disk.fail_after(random.below(6));
            static_cast<void>(open_journal(disk, found));
            disk.forgive();
        }
        journal = open_journal(disk, found);
        REQUIRE_MESSAGE(journal.ok(), journal.error().message);
        const bool with_frame = found.size() == durable.size() + 2;
        CHECK((with_frame || found.size() == durable.size()));
        CHECK(std::equal(durable.begin(), durable.end(), found.begin()));
        disk.crash();
        Records last;
        journal = open_journal(disk, last);
        REQUIRE_MESSAGE(journal.ok(), journal.error().message);
        CHECK(last == found);
    }
    CHECK(tally.disk_errors > 400);
}

TEST_CASE("faults: the numbers of those that may happen are read and written") {
    const std::set<uint64_t> numbers{1, 2, 3, 7, 9, 10};
    CHECK(to_text(numbers) == "1..3,7,9..10");
    CHECK(parse_selection("1..3,7,9..10") == numbers);
    CHECK(parse_selection("") == std::set<uint64_t>());
    for (const char* bad :
         {"x", "1,", ",1", "3..1", "1...2", "1..", "-1", "1..9999999999", "1 2"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_selection(bad));
    }
    FaultGate gate(std::set<uint64_t>{2});
    CHECK_FALSE(gate.fires(Fault::loss));
    CHECK(gate.fires(Fault::crash));
    CHECK_FALSE(gate.fires(Fault::loss));
    REQUIRE(gate.fired().size() == 1);
    CHECK(gate.fired()[0].number == 2);
}
