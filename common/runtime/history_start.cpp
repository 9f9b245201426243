#include "common/runtime/history_start.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/runtime/fd.h"
#include "common/runtime/history_thread.h"
#include "common/runtime/permissions.h"
#include "common/runtime/posix_storage.h"

namespace p2pbank {
namespace {

constexpr size_t kMostBytesWaiting = 4 * 1'024 * 1'024;
constexpr const char* kWhatToDo =
    ". Put the files back that belong together, or start with --new-history: it moves the "
    "history aside and begins a new one with what the journal still holds; what is older is "
    "then missing from statements and reports";

Error io_error(const std::string& doing, const std::string& path) {
    return {"io-error",
            "cannot " + doing + " " + path + ": " + std::generic_category().message(errno)};
}

bool is_there(const std::string& path) {
    struct stat status = {};
    return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

void HistoryStart::begin() {
    if (std::exchange(begun_, true)) return;
    // SQLite makes its other files with the mode of the database.
    for (const char* ending : {"", "-wal", "-shm"}) {
        if (auto mine = check_private_file(path_ + ending); !mine) {
            error_ = mine.error();
            return;
        }
    }
    if (anew_ && is_there(path_)) {
        if (auto moved = move_aside(); !moved) error_ = moved.error();
    }
    // One without a byte is what a crash leaves of making it: there is nothing in it to be lost.
    struct stat status = {};
    missing_ = ::stat(path_.c_str(), &status) != 0 || status.st_size == 0;
    if (missing_ || error_) return;
    auto opened = HistoryDb::open(path_, schema_);
    if (opened) {
        db_ = std::move(opened).value();
    } else {
        error_ = opened.error();
    }
}

Result<void> HistoryStart::move_aside() {
    for (int i = 1; moved_to_.empty(); ++i) {
        const std::string name = path_ + ".old-" + std::to_string(i);
        if (!is_there(name) && !is_there(name + "-wal")) moved_to_ = name;
    }
    // SQLite finds what is not yet in the file itself by the file's name. The log goes last: alone
    // in its old place it would be taken for that of the next file.
    if (::rename(path_.c_str(), moved_to_.c_str()) != 0) return io_error("move aside", path_);
    if (is_there(path_ + "-wal") &&
        ::rename((path_ + "-wal").c_str(), (moved_to_ + "-wal").c_str()) != 0) {
        return io_error("move aside", path_ + "-wal");
    }
    ::unlink((path_ + "-shm").c_str());
    return sync_folder_at(split_path(path_).first);
}

Result<void> HistoryStart::make() {
    // Like the journal it is nobody else's to read. SQLite makes its other files like this one.
    const Fd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return io_error("make", path_);
    if (auto synced = sync_folder_at(split_path(path_).first); !synced) return synced;
    auto opened = HistoryDb::open(path_, schema_);
    if (!opened) return opened.error();
    db_ = std::move(opened).value();
    return {};
}

void HistoryStart::fact(uint64_t position, Fact fact) {
    begin();
    if (error_ || position <= stored()) return;
    bytes_waiting_ += HistoryThread::bytes_of(fact);
    waiting_.push_back(std::move(fact));
}

void HistoryStart::replayed(uint64_t position) {
    begin();
    if (error_) return;
    // A record that stands for many others: what followed from those is told nowhere else.
    if (position > last_ + 1 && position > stored() && !anew_) {
        const std::string upto = std::to_string(position);
        if (missing_) {
            error_ = Error{"history-missing",
                           path_ + " is missing, and the journal no longer holds records 1 to " +
                               upto + ", which it told of" + kWhatToDo};
        } else {
            error_ =
                Error{"history-behind", path_ + " ends at record " + std::to_string(stored()) +
                                            ", and the journal no longer holds the records up to " +
                                            upto + ": it is an old copy" + kWhatToDo};
        }
        return;
    }
    last_ = position;
    if (bytes_waiting_ >= kMostBytesWaiting) store(position);
}

void HistoryStart::store(uint64_t position) {
    if (!db_) {
        if (auto made = make(); !made) error_ = made.error();
    }
    if (!error_) {
        if (auto applied = db_->apply(waiting_, position); !applied) error_ = applied.error();
    }
    waiting_.clear();
    bytes_waiting_ = 0;
}

Result<std::unique_ptr<HistoryDb>> HistoryStart::finish(uint64_t position, Log& log) {
    begin();
    if (!error_ && stored() > position) {
        error_ = Error{"history-ahead", path_ + " knows of " + std::to_string(stored()) +
                                            " records, and the journal ends at " +
                                            std::to_string(position) +
                                            ": the journal is missing or an old copy" + kWhatToDo};
    }
    if (!error_ && (!db_ || stored() < position)) store(position);
    if (error_) return *error_;
    if (anew_ && !moved_to_.empty()) {
        log.always(Severity::warning,
                   "began a new history in " + path_ + "; the old one is now " + moved_to_);
    } else if (missing_ && position > 0) {
        log.always(Severity::warning,
                   path_ + " was missing: made it anew from the journal, which holds " +
                       (anew_ ? "the newest records" : "all records from the first on"));
    }
    return std::move(db_);
}

}  // namespace p2pbank
