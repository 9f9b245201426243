// What a node keeps only in order to tell it again: activity, purchases, reports. It goes to a
// database beside the journal (common/history), as facts that follow from the node's records, in
// their order. The database is brought up to date behind the journal, never ahead of it; what it
// misses after a crash the journal still has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace p2pbank {

using Value = std::variant<std::monostate, int64_t, std::string>;  // the first: NULL
using Row = std::vector<Value>;

// One change of the database: the statement of that index in the schema, with its parameters.
struct Fact {
    uint32_t statement = 0;
    Row values;
};

class FactSink {
  public:
    virtual ~FactSink() = default;
    // `position` is the number of the record that the fact follows from, counted from 1 over the
    // node's whole life. It never falls.
    virtual void fact(uint64_t position, Fact fact) = 0;
};

// SQL that SQLite and PostgreSQL both understand; parameters are written $1, $2 ...
struct HistorySchema {
    int version = 1;
    std::vector<std::string_view> tables;      // CREATE TABLE and CREATE INDEX
    std::vector<std::string_view> statements;  // by Fact::statement
    std::vector<std::string_view> queries;     // by Query::query
};

}  // namespace p2pbank
