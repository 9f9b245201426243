#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/runtime/driver.h"
#include "common/secure/sessions.h"
#include "tests/unit/temporary_folder.h"

using namespace p2pbank;

namespace {

// Counts durably. `add` answers when a datagram that it sent to itself has come back; `alarm` when
// a timer has rung.
class Counter final : public Node {
  public:
    uint64_t total = 0;
    uint64_t turns = 0;
    Address own;

    Result<void> replay(std::string_view record) override {
        if (record.size() != sizeof total) return Error{"bad-record", "wrong length"};
        std::memcpy(&total, record.data(), sizeof total);
        return {};
    }
    void start(TimePoint, Effects&) override {}
    void on_datagram(TimePoint, Socket, Address, std::string_view, Effects& effects) override {
        effects.answer(adding_.front(), success("add"));
        adding_.pop_front();
    }
    void on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) override {
        if (line == "add") {
            ++total;
            effects.persist(record());
            effects.send(Socket::bank, own, secure::other_mode());  // a packet that may pass
            adding_.push_back(id);
        } else if (line == "alarm") {
            alarm_ = id;
            wake_ = now + milliseconds(20);
        } else if (line == "stop") {
            effects.answer(id, success("stop"));
            effects.stop(0);
        } else {
            effects.answer(id, success("total " + std::to_string(total)));
        }
    }
    void on_timer(TimePoint, Effects& effects) override {
        wake_.reset();
        effects.answer(alarm_, success("alarm"));
    }
    void end_of_turn(TimePoint, Effects&) override { ++turns; }
    std::optional<TimePoint> next_wake() const override { return wake_; }
    bool wants_commands() const override { return adding_.size() < 100; }
    void snapshot(const std::function<void(std::string)>& take) const override { take(record()); }
    std::vector<std::string> complete(std::string_view) const override { return {}; }

  private:
    std::string record() const {
        return std::string(reinterpret_cast<const char*>(&total), sizeof total);
    }
    std::deque<CommandId> adding_;
    CommandId alarm_;
    std::optional<TimePoint> wake_;
};

struct Run {
    int status = 0;
    std::string answers;
    uint64_t total = 0;
};

std::string read_whole(const std::string& path) {
    auto folder = PosixStorage::open_folder(split_path(path).first);
    return folder.value()->read_all(split_path(path).second).value();
}

// One life of the program: the script is its standard input.
Run run(const std::string& folder, const std::string& script, uint64_t journal_min = 1'000'000) {
    const int in = ::open((folder + "/in").c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    const int out = ::open((folder + "/out").c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(::pwrite(in, script.data(), script.size(), 0) == static_cast<ssize_t>(script.size()));
    Run result;
    {
        Log log("test", "off");
        LineReader input(in);
        DriverOptions options;
        options.output = out;
        options.journal_min_bytes = journal_min;
        Driver driver(std::move(options), input, log);
        const auto port = driver.bind(0);
        REQUIRE(port);
        Counter node;
        node.own = {0x7f000001, port.value()};
        auto store = Store::open({.folder = folder + "/store"},
                                 [&](std::string_view record) { return node.replay(record); });
        REQUIRE(store);
        result.status = driver.run(node, std::move(store).value(), "ready");
        result.total = node.total;
    }
    ::close(in);
    ::close(out);
    result.answers = read_whole(folder + "/out");
    return result;
}

std::string repeat(const std::string& text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += text;
    return out;
}

}  // namespace

TEST_CASE("driver: commands are answered in order, also past what the node takes at once") {
    const TemporaryFolder folder;
    const Run result = run(folder.path, repeat("add\n", 1'000) + "# a remark\n\n  total  ");
    CHECK(result.status == 0);
    CHECK(result.total == 1'000);
    CHECK(result.answers == repeat("SUCCESS add\n", 1'000) + "SUCCESS total 1000\n");
}

TEST_CASE("driver: what was answered is there in the next life") {
    const TemporaryFolder folder;
    CHECK(run(folder.path, "add\nadd\n").total == 2);
    CHECK(run(folder.path, "total\n").answers == "SUCCESS total 2\n");
}

TEST_CASE("driver: a journal that has grown is replaced, and nothing is lost") {
    const TemporaryFolder folder;
    CHECK(run(folder.path, repeat("add\n", 2'000), 1'000).status == 0);
    auto store = Store::open({.folder = folder.path + "/store"},
                             [](std::string_view) { return Result<void>(); });
    REQUIRE(store);
    CHECK(store.value()->records_replayed() < 1'000);
    store.value().reset();
    CHECK(run(folder.path, "total\n").answers == "SUCCESS total 2000\n");
}

TEST_CASE("driver: timers ring") {
    const TemporaryFolder folder;
    CHECK(run(folder.path, "alarm\n").answers == "SUCCESS alarm\n");
}

TEST_CASE("driver: quit is answered after what came before it, and nothing after it is read") {
    const TemporaryFolder folder;
    const Run result = run(folder.path, "add\nquit\nadd\n");
    CHECK(result.answers == "SUCCESS add\nSUCCESS quit\n");
    CHECK(result.status == 0);
    CHECK(result.total == 1);
}

TEST_CASE("driver: a line that is too long has its own answer") {
    const TemporaryFolder folder;
    const Run result =
        run(folder.path, "total\n" + std::string(limits::kMaxLineBytes + 1, 'x') + "\ntotal\n");
    CHECK(result.answers ==
          "SUCCESS total 0\nFAILURE usage: a line has at most 1024 bytes\n"
          "SUCCESS total 0\n");
    CHECK(result.status == 1);
}

TEST_CASE("driver: stop ends the program, and what is left without an answer is unknown") {
    const TemporaryFolder folder;
    const Run result = run(folder.path, "add\nstop\ntotal\n");
    CHECK(result.answers == "UNKNOWN no answer before the program ended\nSUCCESS stop\n");
    CHECK(result.status == 1);
}
