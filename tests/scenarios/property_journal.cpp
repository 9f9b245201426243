// The journal on a disk that forgets and fails, against a list of what it may hold: whatever was
// synced is there, whatever was not is there as a whole frame or not at all.
#include <ostream>
#include <rapidcheck/state.h>
#include <set>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/stable/journal.h"
#include "simulator/disk.h"
#include "tests/unit/properties.h"

using namespace p2pbank;
using p2pbank::simulator::Disk;
using p2pbank::simulator::Tally;
using p2pbank::testing::holds;

namespace {

using Records = std::vector<std::string>;

// What can be known from the commands alone: whether a frame has not been synced yet.
struct Model {
    bool unsynced = false;
};

// The journal, its disk, and all that it may hold after a crash.
struct Sut {
    // The power goes for the first time after `calls`, perhaps before there is a journal.
    Sut(uint64_t seed, uint64_t calls) : disk(seed, tally) {
        disk.cut_power_after(calls);
        open();
        open_again(false);
    }

    // A process that is started. False if the disk failed meanwhile.
    bool open() {
        journal.reset();
        Records read;
        auto opened = Journal::open(disk, "journal", [&](std::string_view record) {
            read.emplace_back(record);
            return Result<void>();
        });
        if (!opened) {
            RC_ASSERT(opened.error().code == "io-error");
            RC_ASSERT(disk.is_off() || disk.has_failed());
            return false;
        }
        journal = std::move(opened).value();
        RC_ASSERT(possible.contains(read));
        possible = {read};  // what has been read is there for good
        RC_ASSERT(disk.list() == std::vector<std::string>{"journal"});
        return true;
    }
    // The process ends; `power` too if so. Then it is started on a disk that works.
    void open_again(bool power) {
        const bool keeps = !disk.is_off() && !power;
        disk.disarm();
        disk.forgive();
        if (!keeps) disk.crash();
        RC_ASSERT(open());
    }
    const Records& content() const { return *possible.rbegin(); }
    Records with(const Records& more) const {
        Records all = content();
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    // Each changes what the journal may hold as far as it came.
    Result<void> append(const Records& records) {
        after = with(records);
        possible.insert(after);
        return journal->append(records);
    }
    Result<void> sync() {
        auto done = journal->sync();
        if (done) possible = {after};
        return done;
    }
    Result<void> replace(const Records& records) {
        possible.insert(records);
        auto done = journal->replace(records);
        if (done) possible = {records};
        return done;
    }

    Tally tally;
    Disk disk;
    std::unique_ptr<Journal> journal;
    std::set<Records> possible{{}};
    Records after;  // with the frame that is not synced yet
};

using Command = rc::state::Command<Model, Sut>;

// Records of one frame: around the size of a sector, of zeros and of ones more often than by
// chance.
struct Frame {
    std::vector<std::pair<size_t, int>> shape = *rc::gen::resize(
        6, rc::gen::container<std::vector<std::pair<size_t, int>>>(rc::gen::pair(
               rc::gen::oneOf(rc::gen::inRange<size_t>(0, 20), rc::gen::inRange<size_t>(440, 560),
                              rc::gen::inRange<size_t>(0, 3'000),
                              rc::gen::element<size_t>(1'024, 40'000)),
               rc::gen::inRange(0, 4))));
    uint64_t seed = *rc::gen::arbitrary<uint64_t>();

    Records records() const {
        Random random(seed);
        Records out;
        for (const auto& [bytes, kind] : shape) {
            std::string record(bytes, kind == 0 ? '\0' : '\xff');
            if (kind > 1) {
                for (char& c : record) c = static_cast<char>(random.below(kind == 2 ? 2 : 256));
            }
            out.push_back(std::move(record));
        }
        return out;
    }
    void show(std::ostream& out) const {
        for (const auto& [bytes, kind] : shape) out << " " << bytes << "/" << kind;
        out << " seed " << seed;
    }
};

struct Append : Command {
    Frame frame;
    void checkPreconditions(const Model& model) const override { RC_PRE(!model.unsynced); }
    void apply(Model& model) const override { model.unsynced = true; }
    void run(const Model&, Sut& sut) const override {
        const uint64_t before = sut.journal->bytes();
        RC_ASSERT(sut.append(frame.records()).ok());
        RC_ASSERT((sut.journal->bytes() > before) == !frame.shape.empty());
    }
    void show(std::ostream& out) const override {
        out << "append";
        frame.show(out);
    }
};

struct Sync : Command {
    void checkPreconditions(const Model& model) const override { RC_PRE(model.unsynced); }
    void apply(Model& model) const override { model.unsynced = false; }
    void run(const Model&, Sut& sut) const override { RC_ASSERT(sut.sync().ok()); }
    void show(std::ostream& out) const override { out << "sync"; }
};

struct Replace : Command {
    Frame frame;
    void checkPreconditions(const Model& model) const override { RC_PRE(!model.unsynced); }
    void run(const Model&, Sut& sut) const override {
        RC_ASSERT(sut.replace(frame.records()).ok());
        RC_ASSERT(sut.journal->bytes() == sut.journal->bytes_after_replace());
    }
    void show(std::ostream& out) const override {
        out << "replace";
        frame.show(out);
    }
};

// The process ends, at any time, with the machine or without it.
struct Reopen : Command {
    bool power = *rc::gen::arbitrary<bool>();
    void apply(Model& model) const override { model.unsynced = false; }
    void run(const Model&, Sut& sut) const override { sut.open_again(power); }
    void show(std::ostream& out) const override { out << (power ? "crash" : "killed") << ", open"; }
};

// In the middle of something the power goes or the disk fails.
struct Fault : Command {
    enum Work { append_and_sync, replace, open };
    Work work = *rc::gen::element(append_and_sync, replace, open);
    bool error = *rc::gen::arbitrary<bool>();
    uint64_t calls = *rc::gen::inRange<uint64_t>(0, 8);
    bool power = *rc::gen::arbitrary<bool>();  // goes afterwards, if it is still there
    Frame frame;

    void checkPreconditions(const Model& model) const override {
        RC_PRE(!model.unsynced || work == open);
    }
    void apply(Model& model) const override { model.unsynced = false; }
    void run(const Model&, Sut& sut) const override {
        if (error) {
            sut.disk.fail_after(calls);
        } else {
            sut.disk.cut_power_after(calls);
        }
        if (work == open) {
            sut.open();
        } else {
            Result<void> done =
                work == replace ? sut.replace(frame.records()) : sut.append(frame.records());
            if (done && work == append_and_sync) done = sut.sync();
            RC_ASSERT(done.ok() == !(sut.disk.is_off() || sut.disk.has_failed()));
            if (!done) {  // from then on it does nothing
                RC_ASSERT(done.error().code == "io-error");
                sut.disk.disarm();
                sut.disk.forgive();
                RC_ASSERT(!sut.journal->append({"x"}).ok());
                RC_ASSERT(!sut.journal->sync().ok());
                RC_ASSERT(!sut.journal->replace({"x"}).ok());
            }
        }
        sut.open_again(power);
    }
    void show(std::ostream& out) const override {
        out << (error ? "the disk fails" : "the power goes") << " after " << calls << " calls of ";
        out << (work == open ? "open" : work == replace ? "replace" : "append and sync");
        if (work != open) frame.show(out);
        out << (power ? ", crash" : "") << ", open";
    }
};

}  // namespace

TEST_CASE("properties: the journal has all that was synced, and whole frames only") {
    Tally total;
    CHECK(holds("any commands, faults and crashes", {500, 60}, [&] {
        Sut sut(*rc::gen::arbitrary<uint64_t>(), *rc::gen::inRange<uint64_t>(0, 12));
        rc::state::check(Model(), sut,
                         rc::state::gen::execOneOfWithArgs<Append, Append, Sync, Sync, Replace,
                                                           Reopen, Fault>());
        // And once more, twice: what has been read stays.
        sut.open_again(true);
        sut.open_again(true);
        total.add(sut.tally);
    }));
    CHECK(total.sectors_dropped > 0);
    CHECK(total.sectors_kept > 0);
    CHECK(total.disk_errors > 0);
}
