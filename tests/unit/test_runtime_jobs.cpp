#include <chrono>
#include <condition_variable>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/runtime/jobs.h"
#include "common/runtime/keys.h"
#include "common/runtime/secret_reader.h"
#include "common/runtime/worker.h"
#include "tests/unit/temporary_folder.h"

using namespace p2pbank;

namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::string typed(std::optional<Result<Secret>> line) {
    if (!line) return "(nothing yet)";
    return *line ? std::string(line->value().view()) : "(" + line->error().code + ")";
}

}  // namespace

TEST_CASE("jobs: a password's hash matches it and no other") {
    const JobResult hash = carry_out(HashPassword{Secret("correct horse")});
    REQUIRE(hash.outcome);
    CHECK(hash.text.find("$argon2id$") == 0);
    CHECK(carry_out(VerifyPassword{Secret("correct horse"), hash.text}).matches);
    CHECK_FALSE(carry_out(VerifyPassword{Secret("wrong horse"), hash.text}).matches);
    CHECK_FALSE(carry_out(VerifyPassword{Secret("x"), "no hash"}).matches);
}

TEST_CASE("jobs: a file is read whole or not at all") {
    const TemporaryFolder folder;
    write(folder.path + "/a", "content");
    CHECK(carry_out(ReadFile{folder.path + "/a", 7}).text == "content");
    CHECK(carry_out(ReadFile{folder.path + "/a", 6}).outcome.error().code == "too-large");
    CHECK(carry_out(ReadFile{folder.path + "/b", 6}).outcome.error().code == "not-found");
    CHECK(carry_out(ReadFile{folder.path, 6}).outcome.error().code == "io-error");
    REQUIRE(::mkfifo((folder.path + "/fifo").c_str(), 0600) == 0);
    const JobResult fifo = carry_out(ReadFile{folder.path + "/fifo", 6});
    CHECK(fifo.outcome.error().message == folder.path + "/fifo is not a regular file");
}

TEST_CASE("jobs: files are written together, into a folder that is made") {
    const TemporaryFolder folder;
    const std::string out = folder.path + "/export";
    REQUIRE(carry_out(WriteFiles{out, {{"a.csv", "1"}, {"b.csv", "2"}}}).outcome);
    REQUIRE(carry_out(WriteFiles{out, {{"a.csv", "3"}}}).outcome);
    CHECK(read(out + "/a.csv") == "3");
    CHECK(read(out + "/b.csv") == "2");
    CHECK(std::distance(std::filesystem::directory_iterator(out), {}) == 2);
}

TEST_CASE("jobs: where one file cannot be written the others stay as they were") {
    const TemporaryFolder folder;
    write(folder.path + "/a.csv", "old");
    std::filesystem::create_directory(folder.path + "/b.csv");
    const JobResult result =
        carry_out(WriteFiles{folder.path, {{"a.csv", "new"}, {"c.csv", "new"}, {"b.csv", "new"}}});
    CHECK(result.outcome.error().code == "io-error");
    CHECK(read(folder.path + "/a.csv") == "old");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 2);
    CHECK_FALSE(carry_out(WriteFiles{folder.path, {{"../a.csv", "new"}}}).outcome);
}

TEST_CASE("jobs: a file that could not be put back is not replaced") {
    const TemporaryFolder folder;
    // Long enough for the new one's name, too long for that of the one before.
    const std::string name = std::string(246, 'a') + ".csv";
    write(folder.path + "/" + name, "old");
    const JobResult result =
        carry_out(WriteFiles{folder.path, {{"a.csv", "new"}, {name, "new"}, {"c.csv", "new"}}});
    REQUIRE_FALSE(result.outcome);
    CHECK(result.outcome.error().message.find("cannot keep ") == 0);
    CHECK(read(folder.path + "/" + name) == "old");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("worker: jobs come back in the order in which they were started") {
    const TemporaryFolder folder;
    std::mutex mutex;
    std::condition_variable changed;
    size_t done = 0;
    Worker worker([&] {
        const std::lock_guard lock(mutex);
        ++done;
        changed.notify_all();
    });
    CHECK(worker.idle());
    for (uint64_t i = 1; i <= 20; ++i) worker.start(JobId(i), ReadFile{folder.path + "/none", 1});
    CHECK_FALSE(worker.idle());
    {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return done == 20; }));
    }
    const std::vector<FinishedJob> finished = worker.collect();
    REQUIRE(finished.size() == 20);
    for (uint64_t i = 1; i <= 20; ++i) CHECK(finished[i - 1].id == JobId(i));
    CHECK(worker.idle());
}

TEST_CASE("passwords: come from a descriptor one a line, and only whole ones") {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    const auto put = [&](const std::string& text) {
        REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    };
    auto reader = SecretReader::open(ends[0]);
    REQUIRE(reader);
    CHECK(typed(reader.value().next()) == "(nothing yet)");
    put("first\r\nsec");
    CHECK(typed(reader.value().next()) == "first");
    CHECK(typed(reader.value().next()) == "(nothing yet)");
    put("ond\n\n" + std::string(SecretReader::kMaxLineBytes, 'm') + "\n");
    CHECK(typed(reader.value().next()) == "second");
    CHECK(typed(reader.value().next()).empty());
    CHECK(typed(reader.value().next()) == std::string(SecretReader::kMaxLineBytes, 'm'));
    put(std::string(SecretReader::kMaxLineBytes + 1, 'x') + "\n" + std::string(5'000, 'y') +
        "\nlast");
    CHECK(typed(reader.value().next()) == "(no-input)");
    CHECK(typed(reader.value().next()) == "(no-input)");
    CHECK(typed(reader.value().next()) == "(nothing yet)");
    ::close(ends[1]);
    CHECK(typed(reader.value().next()) == "last");
    CHECK(typed(reader.value().next()) == "(no-input)");
    ::close(ends[0]);
}

TEST_CASE("passwords: a descriptor that cannot be one is refused") {
    CHECK(SecretReader::open(0).error().code == "usage");
    CHECK(SecretReader::open(987).error().code == "usage");
}

TEST_CASE("keys: one is made once, for its owner alone") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/bank.key";
    const auto first = own_key(path);
    REQUIRE(first);
    CHECK(own_key(path).value() == first.value());
    CHECK(existing_key(path).value() == first.value());
    CHECK(mode_of(path) == 0600U);
    CHECK(std::filesystem::file_size(path) == 65);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("keys: one that others may read, or that is none, is refused with what to do") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/bank.key";
    REQUIRE(own_key(path));
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    CHECK(own_key(path).error().code == "too-open");
    CHECK(own_key(path).error().message.find("chmod 600 " + path) != std::string::npos);
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
    write(path, std::string(63, 'a') + "g\n");
    CHECK(own_key(path).error().code == "bad-key");
    write(path, std::string(66, 'a') + "\n");
    CHECK(own_key(path).error().code == "bad-key");
    CHECK_FALSE(existing_key(folder.path + "/none").value().has_value());
}

TEST_CASE("keys: those of a bank are two, and a file with one is of before") {
    const TemporaryFolder folder;
    const std::string path = folder.path + "/127.0.0.1_8500.key";
    CHECK_FALSE(remembered_keys(path).value().has_value());
    write(path, "01" + std::string(126, 'A') + "\r\n");
    const auto keys = remembered_keys(path);
    REQUIRE(keys);
    CHECK(keys.value()->front() == 0x01);
    CHECK(keys.value()->back() == 0xaa);
    write(path, std::string(64, 'a') + "\n");
    CHECK(remembered_keys(path).error().code == "bad-key");
    CHECK(remembered_keys(path).error().message.find("remove it") != std::string::npos);
    write(path, std::string(130, 'a') + "\n");
    CHECK(remembered_keys(path).error().code == "bad-key");
    write(path, std::string(128, 'a') + "\n");
    REQUIRE(::chmod(path.c_str(), 0622) == 0);
    CHECK(remembered_keys(path).error().code == "too-open");
}

TEST_CASE("files: what is exported is its owner's to show") {
    const TemporaryFolder folder;
    const std::string place = folder.path + "/exports";
    REQUIRE(carry_out(WriteFiles{place, {{"report.csv", "name,balance\n"}}}).outcome);
    CHECK(mode_of(place) == 0700U);
    CHECK(mode_of(place + "/report.csv") == 0600U);
}
