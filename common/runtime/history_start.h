// Brings a node's history database up to date with its journal while the journal is replayed, and
// refuses a pair that does not belong together. Made by main, used once, before the driver runs;
// then the driver has the database.
//
// The journal must hold every record that the database has no facts of, and the database must not
// know of records that the journal does not hold. Otherwise one of the two files was lost or is an
// old copy, and only the person who has the others can tell. So nothing is begun anew unless that
// loses nothing, or it was asked for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/history/history_db.h"
#include "common/runtime/log.h"

namespace p2pbank {

class HistoryStart final : public FactSink {
  public:
    // `anew`: the file at `path`, if there is one, is moved aside, and what the journal no longer
    // holds is missing from then on.
    HistoryStart(std::string path, const HistorySchema& schema, bool anew)
        : path_(std::move(path)), schema_(schema), anew_(anew) {}

    // The node's facts, while it replays. The first call must come after the store is locked.
    void fact(uint64_t position, Fact fact) override;
    // After each record that was replayed: the node's history_position().
    void replayed(uint64_t position);

    // After the last one. The database, with everything up to `position`; what a person should know
    // goes to `log`. Errors: too-open, history-missing, history-behind, history-ahead,
    // damaged-history, io-error; the message says which file and what to do, and neither file has
    // been changed by more than facts that belong there.
    Result<std::unique_ptr<HistoryDb>> finish(uint64_t position, Log& log);

  private:
    void begin();
    Result<void> move_aside();
    Result<void> make();
    void store(uint64_t position);
    uint64_t stored() const { return db_ ? db_->position() : 0; }

    std::string path_;
    const HistorySchema& schema_;
    bool anew_;
    bool begun_ = false;
    bool missing_ = false;  // there was none to open
    std::string moved_to_;
    std::unique_ptr<HistoryDb> db_;
    std::optional<Error> error_;  // the first: what comes after it is ignored
    uint64_t last_ = 0;           // the newest position that was replayed
    std::vector<Fact> waiting_;
    size_t bytes_waiting_ = 0;
};

}  // namespace p2pbank
