// The history database: one SQLite file that a node's facts go into (common/core/history.h), and
// that its queries are answered from. Owned by whoever applies facts (the runtime's history
// thread); one thread at a time, every call blocks until it is done.
//
// This is the whole of what the rest of the program knows of the database. The schema comes from
// the node, in SQL that PostgreSQL understands too; a form over libpq would have the same open,
// apply, query and position, and nothing above would change.
//
// The position is the number of the newest record whose facts are in the file. It is written in
// the transaction of those facts, so after a crash the file holds the facts of whole batches, and
// says of which.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/core/history.h"

struct sqlite3;
struct sqlite3_stmt;

namespace p2pbank {

class HistoryDb {
  public:
    // Opens the database at `path`, or makes it, at position 0, where there is none: whether it may
    // be made is the caller's to decide. ":memory:" is one that goes with the object.
    // Errors: damaged-history, when the file is no database, is not one of ours, has another
    // version of the schema or is damaged; the file is left alone. Also io-error. The message names
    // the file and what is wrong.
    static Result<std::unique_ptr<HistoryDb>> open(const std::string& path,
                                                   const HistorySchema& schema);
    HistoryDb(const HistoryDb&) = delete;
    HistoryDb& operator=(const HistoryDb&) = delete;
    ~HistoryDb();

    const std::string& path() const { return path_; }
    uint64_t position() const { return position_; }

    // Carries out the facts, in order, and moves the position, in one transaction: all or nothing.
    // Durable on return. Requires that `position` is not below position(). Errors: io-error,
    // damaged-history; nothing has changed then.
    Result<void> apply(std::span<const Fact> facts, uint64_t position);

    // Calls take(row) for each row of the query with that index in the schema; the row is valid
    // during the call. Errors: io-error, damaged-history.
    Result<void> query(uint32_t query, const Row& values,
                       const std::function<void(const Row&)>& take);

  private:
    struct Statement {
        sqlite3_stmt* prepared = nullptr;
        std::vector<size_t> values;  // for each of SQLite's parameters, the index in the row
    };

    HistoryDb(std::string path, const HistorySchema& schema)
        : path_(std::move(path)),
          schema_(schema),
          statements_(schema.statements.size()),
          queries_(schema.queries.size()) {}

    Result<void> prepare_file();
    Result<void> check_owner();
    Result<void> check_pages();
    Result<void> make_tables();
    Result<void> read_position();
    Result<void> apply_all(std::span<const Fact> facts, uint64_t position);
    Result<void> store_position(uint64_t position);
    Result<void> run(const std::string& sql);
    Result<int64_t> number(const std::string& sql);
    // The statement, prepared at its first use, with `values` bound.
    Result<sqlite3_stmt*> ready(Statement& statement, std::string_view sql, const Row& values);
    Error failed(int code, const std::string& doing) const;

    std::string path_;
    const HistorySchema& schema_;
    sqlite3* db_ = nullptr;
    std::vector<Statement> statements_;
    std::vector<Statement> queries_;
    Statement set_position_;
    uint64_t position_ = 0;
};

}  // namespace p2pbank
