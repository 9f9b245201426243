#include "common/history/history_db.h"

#include <charconv>
#include <sqlite3.h>
#include <utility>

#include "common/base/check.h"

namespace p2pbank {
namespace {

constexpr int64_t kApplicationId = 0x70'32'62'68;  // "p2bh"; file(1) and we look at it
// Reading every page of a larger file would make the start slow; its pages are looked at as they
// are used.
constexpr int64_t kMostBytesChecked = 64 * 1'024 * 1'024;
constexpr std::string_view kSetPosition = "UPDATE history_position SET position = $1";

constexpr const char* kWhatToDo =
    ". Put a whole copy of the file back, or move it away and let it be made anew (--new-history "
    "does both)";

bool is_damage(int code) {
    return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB;
}

int bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
        return sqlite3_bind_int64(statement, index, *number);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        // The row outlives the execution, so nothing is copied.
        return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
    }
    return sqlite3_bind_null(statement, index);
}

Value column(sqlite3_stmt* statement, int index) {
    switch (sqlite3_column_type(statement, index)) {
        case SQLITE_NULL:
            return std::monostate();
        case SQLITE_INTEGER:
            return sqlite3_column_int64(statement, index);
        default:
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
            const auto bytes = static_cast<size_t>(sqlite3_column_bytes(statement, index));
            return text == nullptr ? std::string() : std::string(text, bytes);
    }
}

// Lets go of the row's values and the read lock, whatever happened.
class Execution {
  public:
    explicit Execution(sqlite3_stmt* statement) : statement_(statement) {}
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;
    ~Execution() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

  private:
    sqlite3_stmt* statement_;
};

}  // namespace

HistoryDb::~HistoryDb() {
    for (const Statement& statement : statements_) sqlite3_finalize(statement.prepared);
    for (const Statement& statement : queries_) sqlite3_finalize(statement.prepared);
    sqlite3_finalize(set_position_.prepared);
    sqlite3_close(db_);
}

Error HistoryDb::failed(int code, const std::string& doing) const {
    const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
    const std::string text = path_ + ": cannot " + doing + ": " + why;
    if (is_damage(code)) return {"damaged-history", text + kWhatToDo};
    return {"io-error", text};
}

Result<std::unique_ptr<HistoryDb>> HistoryDb::open(const std::string& path,
                                                   const HistorySchema& schema) {
    std::unique_ptr<HistoryDb> history(new HistoryDb(path, schema));
    constexpr int kFlags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int opened = sqlite3_open_v2(path.c_str(), &history->db_, kFlags, nullptr);
    if (opened != SQLITE_OK) return history->failed(opened, "open the history");
    if (auto prepared = history->prepare_file(); !prepared) return prepared.error();
    return history;
}

Result<void> HistoryDb::prepare_file() {
    // Nobody else writes to it, so there is nothing to wait for.
    // Somebody who looks into the file may lock it for a moment; nobody waits for this but the
    // history itself.
    constexpr int kPatienceMs = 5'000;
    sqlite3_busy_timeout(db_, kPatienceMs);
    // Before anything is changed in a file that may be somebody else's.
    if (auto ours = check_owner(); !ours) return ours;
    for (const char* setting :
         {"PRAGMA foreign_keys = ON", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"}) {
        if (auto done = run(setting); !done) return done;
    }
    const Result<int64_t> made = number("PRAGMA application_id");
    if (!made) return made.error();
    if (made.value() == 0) return make_tables();
    if (auto whole = check_pages(); !whole) return whole;
    return read_position();
}

Result<void> HistoryDb::check_owner() {
    const Result<int64_t> id = number("PRAGMA application_id");
    if (!id) return id.error();
    const Result<int64_t> tables = number("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables.error();
    if (id.value() == 0 && tables.value() == 0) return {};  // new, or left so by a crash
    if (id.value() != kApplicationId) {
        return Error{"damaged-history",
                     path_ + " is a database of another program, not a bank's history" + kWhatToDo};
    }
    const Result<int64_t> version = number("PRAGMA user_version");
    if (!version) return version.error();
    if (version.value() == schema_.version) return {};
    return Error{"damaged-history",
                 path_ + " has version " + std::to_string(version.value()) +
                     " of the history's tables, and this program knows version " +
                     std::to_string(schema_.version) +
                     ". Use the program that it belongs to, or move the file away and let it be "
                     "made anew (--new-history does both)"};
}

Result<void> HistoryDb::check_pages() {
    const Result<int64_t> pages = number("PRAGMA page_count");
    if (!pages) return pages.error();
    const Result<int64_t> page_bytes = number("PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    if (pages.value() * page_bytes.value() > kMostBytesChecked) return {};
    sqlite3_stmt* check = nullptr;
    int code = sqlite3_prepare_v2(db_, "PRAGMA quick_check(1)", -1, &check, nullptr);
    std::string found;
    if (code == SQLITE_OK) code = sqlite3_step(check);
    if (code == SQLITE_ROW) found = std::get<std::string>(column(check, 0));
    const Error error = failed(code, "check the history");
    sqlite3_finalize(check);
    if (code != SQLITE_ROW) return error;
    if (found == "ok") return {};
    return Error{"damaged-history", path_ + " is damaged: " + found + kWhatToDo};
}

Result<void> HistoryDb::make_tables() {
    // In one transaction, so that a crash leaves all of it or an empty database.
    std::string sql =
        "BEGIN IMMEDIATE; CREATE TABLE history_position (position BIGINT NOT NULL);"
        "INSERT INTO history_position VALUES (0);";
    for (const std::string_view table : schema_.tables) {
        sql += table;
        sql += ';';
    }
    sql += "PRAGMA application_id = " + std::to_string(kApplicationId) +
           "; PRAGMA user_version = " + std::to_string(schema_.version) + "; COMMIT";
    auto made = run(sql);
    if (!made) static_cast<void>(run("ROLLBACK"));
    return made;
}

Result<void> HistoryDb::read_position() {
    const Result<int64_t> position = number("SELECT position FROM history_position");
    if (!position) return position.error();
    if (position.value() < 0) {
        return Error{"damaged-history", path_ + " does not say how far it goes" + kWhatToDo};
    }
    position_ = static_cast<uint64_t>(position.value());
    return {};
}

Result<void> HistoryDb::run(const std::string& sql) {
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    return failed(code, "use the history");
}

// -1 where there is no row.
Result<int64_t> HistoryDb::number(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr);
    if (code != SQLITE_OK) return failed(code, "read the history");
    code = sqlite3_step(statement);
    const int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    const Error error = failed(code, "read the history");
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return error;
    return value;
}

Result<sqlite3_stmt*> HistoryDb::ready(Statement& statement, std::string_view sql,
                                       const Row& values) {
    if (statement.prepared == nullptr) {
        const int code =
            sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &statement.prepared, nullptr);
        if (code != SQLITE_OK) return failed(code, "prepare \"" + std::string(sql) + "\"");
        for (int i = 1; i <= sqlite3_bind_parameter_count(statement.prepared); ++i) {
            // "$2" to SQLite is a name. Numbered as PostgreSQL does it, it is the second value.
            const char* name = sqlite3_bind_parameter_name(statement.prepared, i);
            P2PBANK_CHECK(name != nullptr && *name == '$');
            const std::string_view digits(name + 1);
            size_t number = 0;
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
            P2PBANK_CHECK(number > 0);
            statement.values.push_back(number - 1);
        }
    }
    for (size_t i = 0; i < statement.values.size(); ++i) {
        P2PBANK_CHECK(statement.values[i] < values.size());
        const int code =
            bind(statement.prepared, static_cast<int>(i) + 1, values[statement.values[i]]);
        if (code != SQLITE_OK) return failed(code, "bind a value");
    }
    return statement.prepared;
}

Result<void> HistoryDb::apply(std::span<const Fact> facts, uint64_t position) {
    P2PBANK_CHECK(position >= position_);
    if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
    auto applied = apply_all(facts, position);
    if (applied) applied = run("COMMIT");
    if (!applied) {
        static_cast<void>(run("ROLLBACK"));  // some errors have done it already
        return applied;
    }
    position_ = position;
    return {};
}

Result<void> HistoryDb::apply_all(std::span<const Fact> facts, uint64_t position) {
    for (const Fact& fact : facts) {
        P2PBANK_CHECK(fact.statement < statements_.size());
        const auto statement =
            ready(statements_[fact.statement], schema_.statements[fact.statement], fact.values);
        if (!statement) return statement.error();
        const Execution execution(statement.value());
        const int code = sqlite3_step(statement.value());
        if (code != SQLITE_DONE && code != SQLITE_ROW) {
            return failed(
                code, "write to the history (statement " + std::to_string(fact.statement) + ")");
        }
    }
    return store_position(position);
}

Result<void> HistoryDb::store_position(uint64_t position) {
    const Row row = {static_cast<int64_t>(position)};
    const auto statement = ready(set_position_, kSetPosition, row);
    if (!statement) return statement.error();
    const Execution execution(statement.value());
    const int code = sqlite3_step(statement.value());
    if (code != SQLITE_DONE) return failed(code, "write to the history");
    return {};
}

Result<void> HistoryDb::query(uint32_t query, const Row& values,
                              const std::function<void(const Row&)>& take) {
    P2PBANK_CHECK(query < queries_.size());
    const auto statement = ready(queries_[query], schema_.queries[query], values);
    if (!statement) return statement.error();
    P2PBANK_CHECK(sqlite3_stmt_readonly(statement.value()) != 0);
    const Execution execution(statement.value());
    Row row(static_cast<size_t>(sqlite3_column_count(statement.value())));
    for (;;) {
        const int code = sqlite3_step(statement.value());
        if (code == SQLITE_DONE) return {};
        if (code != SQLITE_ROW) return failed(code, "read the history");
        for (size_t i = 0; i < row.size(); ++i) {
            row[i] = column(statement.value(), static_cast<int>(i));
        }
        take(row);
    }
}

}  // namespace p2pbank
