#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/runtime/keys.h"
#include "common/runtime/line_reader.h"
#include "common/runtime/output.h"
#include "common/runtime/posix_storage.h"
#include "common/runtime/store.h"
#include "common/runtime/trace_writer.h"
#include "tests/unit/temporary_folder.h"

using namespace p2pbank;

namespace {

struct Pipe {
    Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
    ~Pipe() {
        ::close(ends[0]);
        close_writer();
    }
    void write(std::string_view text) {
        REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void close_writer() {
        if (ends[1] >= 0) ::close(ends[1]);
        ends[1] = -1;
    }
    int ends[2] = {-1, -1};
};

constexpr KeyBytes kSecret = {1, 2, 3};

Result<void> ignore(std::string_view) {
    return {};
}

}  // namespace

TEST_CASE("storage: files are written, read, renamed and removed in their folder") {
    const TemporaryFolder folder;
    auto storage = PosixStorage::open_folder(folder.path);
    REQUIRE(storage);
    CHECK(storage.value()->open("a").error().code == "not-found");
    {
        auto file = storage.value()->create("a");
        REQUIRE(file);
        REQUIRE(file.value()->write(3, "def"));
        REQUIRE(file.value()->write(0, "abc"));
        REQUIRE(file.value()->sync());
        CHECK(file.value()->size().value() == 6);
        CHECK(file.value()->read(2, 100).value() == "cdef");
        REQUIRE(file.value()->truncate(4));
    }
    REQUIRE(storage.value()->rename("a", "b"));
    REQUIRE(storage.value()->sync_folder());
    CHECK(storage.value()->read_all("b").value() == "abcd");
    REQUIRE(storage.value()->remove("b"));
    REQUIRE(storage.value()->remove("b"));
    CHECK_FALSE(storage.value()->has("b"));
}

TEST_CASE("lock: a second holder is refused until the first is gone") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/lock";
    {
        const auto first = FolderLock::take(path);
        REQUIRE(first);
        CHECK(FolderLock::take(path).error().code == "in-use");
    }
    CHECK(FolderLock::take(path));
}

TEST_CASE("store: an account's place is claimed once, and can be given up") {
    const TemporaryFolder folder;
    auto claimed = Store::claim(folder.path + "/state", "alice", &kSecret);
    REQUIRE(claimed);
    CHECK(Store::claim(folder.path + "/state", "alice", &kSecret).error().code == "state-in-use");
    REQUIRE(claimed.value()->journal().append({"record"}));
    REQUIRE(claimed.value()->journal().sync());
    claimed.value().reset();
    CHECK(Store::claim(folder.path + "/state", "alice", &kSecret).error().code == "state-exists");
    CHECK(Store::claim(folder.path + "/state", "../alice", &kSecret).error().code ==
          "state-unusable");
    CHECK(Store::exists(folder.path + "/state", "alice"));

    auto opened = Store::open({.folder = folder.path + "/state/alice"}, ignore);
    REQUIRE(opened);
    CHECK(opened.value()->records_replayed() == 1);
    Store::remove(std::move(opened).value());
    CHECK_FALSE(std::filesystem::exists(folder.path + "/state/alice"));
    CHECK(Store::claim(folder.path + "/state", "alice", &kSecret));
}

TEST_CASE("store: the secret of an account is there before its first record, and goes with it") {
    const TemporaryFolder folder;
    const std::string account = folder.path + "/state/alice";
    auto claimed = Store::claim(folder.path + "/state", "alice", &kSecret);
    REQUIRE(claimed);
    CHECK(existing_key(account + "/key").value() == kSecret);
    CHECK(mode_of(account + "/key") == 0600U);
    CHECK(mode_of(account) == 0700U);
    CHECK(mode_of(account + "/journal") == 0600U);
    CHECK(mode_of(account + "/lock") == 0600U);
    Store::remove(std::move(claimed).value());
    CHECK_FALSE(std::filesystem::exists(account));
}

TEST_CASE("store: the secret of an account that was never opened is replaced") {
    const TemporaryFolder folder;
    const std::string account = folder.path + "/state/alice";
    const KeyBytes other = {9, 9};
    REQUIRE(Store::claim(folder.path + "/state", "alice", &other));
    SUBCASE("with a journal without records") {}
    SUBCASE("without a journal") {
        std::filesystem::remove(account + "/journal");
    }
    auto claimed = Store::claim(folder.path + "/state", "alice", &kSecret);
    REQUIRE(claimed);
    CHECK(existing_key(account + "/key").value() == kSecret);
    claimed.value().reset();
    // In clear there is none.
    REQUIRE(Store::claim(folder.path + "/state", "alice", nullptr));
    CHECK_FALSE(std::filesystem::exists(account + "/key"));
}

TEST_CASE("store: the secret of an account that has records stays") {
    const TemporaryFolder folder;
    auto claimed = Store::claim(folder.path + "/state", "alice", &kSecret);
    REQUIRE(claimed);
    REQUIRE(claimed.value()->journal().append({"record"}));
    claimed.value().reset();
    const KeyBytes other = {9, 9};
    CHECK(Store::claim(folder.path + "/state", "alice", &other).error().code == "state-exists");
    CHECK(existing_key(folder.path + "/state/alice/key").value() == kSecret);
}

TEST_CASE("store: a folder that cannot be made is state-unusable") {
    const TemporaryFolder folder;
    REQUIRE(::close(::open((folder.path + "/file").c_str(), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(Store::claim(folder.path + "/file", "alice", nullptr).error().code == "state-unusable");
}

TEST_CASE("lines: come whole, whatever the pieces they arrive in") {
    Pipe pipe;
    LineReader reader(pipe.ends[0]);
    CHECK_FALSE(reader.next());
    CHECK_FALSE(reader.fill());
    pipe.write("one\r\ntw");
    REQUIRE(reader.fill());
    CHECK(reader.next()->text == "one");
    CHECK_FALSE(reader.next());
    pipe.write("o\n\nlast");
    pipe.close_writer();
    CHECK(reader.wait_next()->text == "two");
    CHECK(reader.wait_next()->text.empty());
    CHECK(reader.wait_next()->text == "last");
    CHECK_FALSE(reader.wait_next());
    CHECK(reader.at_end());
}

TEST_CASE("lines: one that is too long is reported once, and the next is read") {
    Pipe pipe;
    LineReader reader(pipe.ends[0]);
    pipe.write(std::string(limits::kMaxLineBytes, 'x') + "\n");
    pipe.write(std::string(limits::kMaxLineBytes + 1, 'y') + "\n");
    pipe.write(std::string(20'000, 'z') + "\nshort\n");
    pipe.close_writer();
    CHECK(reader.wait_next()->text.size() == limits::kMaxLineBytes);
    CHECK(reader.wait_next()->too_long);
    CHECK(reader.wait_next()->too_long);
    CHECK(reader.wait_next()->text == "short");
    CHECK_FALSE(reader.wait_next());
}

TEST_CASE("output: a pipe that is full keeps the rest, and its other owners can still block") {
    Pipe pipe;
    Output output(pipe.ends[1]);
    const std::string much(1'000'000, 'x');
    output.write(much);
    CHECK_FALSE(output.flush());
    CHECK((::fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK) == 0);
    std::string got;
    std::string piece(65'536, '\0');
    while (got.size() < much.size()) {
        const ssize_t n = ::read(pipe.ends[0], piece.data(), piece.size());
        REQUIRE(n > 0);
        got.append(piece, 0, static_cast<size_t>(n));
        output.flush();
    }
    CHECK(got == much);
    CHECK(output.empty());
}

TEST_CASE("answers: are printed in the order of the commands") {
    const TemporaryFolder folder;
    const int fd = ::open((folder.path + "/out").c_str(), O_CREAT | O_RDWR, 0600);
    Output output(fd);
    AnswerBook book;
    const CommandId first = book.open();
    const CommandId second = book.open();
    CHECK(second > first);
    book.put(second, Outcome::success, "2\n");
    book.move_to(output);
    CHECK(output.empty());
    CHECK(book.first_unanswered() == first);
    book.put(first, Outcome::unknown, "1\n");
    book.move_to(output);
    CHECK(output.kept() == "1\n2\n");
    CHECK(book.outstanding() == 0);
    CHECK_FALSE(book.all_succeeded());
    ::close(fd);
}

TEST_CASE("trace: numbers are numbers as long as every reader keeps them exact") {
    const std::string line = TraceWriter::format(
        7, "alice",
        {"sent",
         {{"label", "12"}, {"big", "9007199254740992"}, {"zero", "007"}, {"to", "bob \"b\""}}});
    CHECK(line ==
          "{\"time_us\":7,\"node\":\"alice\",\"kind\":\"sent\",\"label\":12,"
          "\"big\":\"9007199254740992\",\"zero\":\"007\",\"to\":\"bob \\\"b\\\"\"}\n");
}
