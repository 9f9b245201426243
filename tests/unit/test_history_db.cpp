#include <fcntl.h>
#include <filesystem>
#include <sqlite3.h>
#include <stdlib.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/history/history_db.h"

using namespace p2pbank;

namespace {

const HistorySchema& schema() {
    static const HistorySchema kSchema = {
        .version = 3,
        .tables = {"CREATE TABLE line (id BIGINT PRIMARY KEY, text TEXT, amount BIGINT)"},
        .statements = {"INSERT INTO line VALUES ($1, $2, $3)",
                       "UPDATE line SET amount = amount + $2 WHERE id = $1 OR id = $2"},
        .queries = {"SELECT id, text, amount FROM line WHERE id >= $1 ORDER BY id",
                    "SELECT count(*) FROM line"}};
    return kSchema;
}

Fact line(int64_t id, const std::string& text) {
    return {0, {id, text, std::monostate()}};
}

int64_t count(HistoryDb& db) {
    int64_t found = -1;
    REQUIRE(db.query(1, {}, [&](const Row& row) { found = std::get<int64_t>(row[0]); }));
    return found;
}

class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "p2pbank-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

void write(const std::string& path, std::string_view bytes, off_t at = 0) {
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
    REQUIRE(::pwrite(fd, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    ::close(fd);
}

void run_sql(const std::string& path, const char* sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

}  // namespace

TEST_CASE("history: facts are carried out in order and found by queries") {
    auto db = HistoryDb::open(":memory:", schema());
    REQUIRE(db);
    CHECK(db.value()->position() == 0);
    const std::vector<Fact> facts = {line(1, "one"),
                                     {0, {int64_t{2}, std::string("two\"'"), int64_t{5}}},
                                     {1, {int64_t{1}, int64_t{2}}}};
    REQUIRE(db.value()->apply(facts, 7));
    CHECK(db.value()->position() == 7);
    std::vector<Row> rows;
    REQUIRE(db.value()->query(0, {int64_t{1}}, [&](const Row& row) { rows.push_back(row); }));
    CHECK(rows == std::vector<Row>{{int64_t{1}, std::string("one"), std::monostate()},
                                   {int64_t{2}, std::string("two\"'"), int64_t{7}}});
    REQUIRE(db.value()->apply({}, 9));
    CHECK(db.value()->position() == 9);
}

TEST_CASE("history: the facts of a batch and its position are there together or not at all") {
    const Folder folder;
    const std::string path = folder.path + "/bank.db";
    {
        auto db = HistoryDb::open(path, schema());
        REQUIRE(db);
        REQUIRE(db.value()->apply(std::vector<Fact>{line(1, "a")}, 4));
        // The second fact cannot be carried out.
        const auto failed = db.value()->apply(std::vector<Fact>{line(2, "b"), line(1, "a")}, 6);
        REQUIRE_FALSE(failed);
        CHECK(failed.error().message.find(path) != std::string::npos);
        CHECK(db.value()->position() == 4);
        CHECK(count(*db.value()) == 1);
    }
    auto again = HistoryDb::open(path, schema());
    REQUIRE(again);
    CHECK(again.value()->position() == 4);
    CHECK(count(*again.value()) == 1);
}

TEST_CASE("history: what was applied survives the death of the program, the position with it") {
    const Folder folder;
    const std::string path = folder.path + "/bank.db";
    auto db = HistoryDb::open(path, schema());
    REQUIRE(db);
    REQUIRE(db.value()->apply(std::vector<Fact>{line(1, "a")}, 4));
    // The files as a killed program leaves them: nothing is closed.
    for (const char* ending : {"", "-wal"}) {
        std::filesystem::copy_file(path + ending, folder.path + "/copy.db" + ending);
    }
    auto copy = HistoryDb::open(folder.path + "/copy.db", schema());
    REQUIRE(copy);
    CHECK(copy.value()->position() == 4);
    CHECK(count(*copy.value()) == 1);
}

TEST_CASE("history: a file that is no database is refused and left alone") {
    const Folder folder;
    const std::string path = folder.path + "/bank.db";
    const std::string text(5'000, 'x');
    write(path, text);
    const auto db = HistoryDb::open(path, schema());
    REQUIRE_FALSE(db);
    CHECK(db.error().code == "damaged-history");
    CHECK(db.error().message.find(path) == 0);
    CHECK(db.error().message.find("--new-history") != std::string::npos);
    CHECK(std::filesystem::file_size(path) == text.size());
}

TEST_CASE("history: a database of another program, or of another version, is refused") {
    const Folder folder;
    const std::string path = folder.path + "/bank.db";
    run_sql(path, "CREATE TABLE other (x)");
    CHECK(HistoryDb::open(path, schema()).error().message.find("another program") !=
          std::string::npos);
    HistorySchema newer = schema();
    const std::string own = folder.path + "/own.db";
    REQUIRE(HistoryDb::open(own, schema()));
    newer.version = 4;
    CHECK(HistoryDb::open(own, newer).error().message.find("version 3") != std::string::npos);
    CHECK(HistoryDb::open(own, schema()));
}

TEST_CASE("history: a damaged page is found when the file is opened") {
    const Folder folder;
    const std::string path = folder.path + "/bank.db";
    {
        auto db = HistoryDb::open(path, schema());
        REQUIRE(db);
        std::vector<Fact> facts;
        for (int64_t i = 0; i < 5'000; ++i) facts.push_back(line(i, std::string(50, 'y')));
        REQUIRE(db.value()->apply(facts, 1));
    }
    write(path, std::string(3'000, '\xFF'), 4'096 * 20);
    const auto db = HistoryDb::open(path, schema());
    REQUIRE_FALSE(db);
    CHECK(db.error().code == "damaged-history");
}
