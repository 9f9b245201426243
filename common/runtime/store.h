// The place where one node's journal lives: a folder, a lock and the journal. Opened by main or,
// for an account that is being opened, by the driver; then owned by the driver, whose disk thread
// is the only one to touch journal and storage while a job is running.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/runtime/posix_storage.h"
#include "common/secure/keyed_random.h"
#include "common/stable/journal.h"

namespace p2pbank {

struct StoreFiles {
    std::string folder;
    std::string journal = "journal";
    std::string lock = "lock";
    std::string key = "key";
    // Others may look into the folder, which holds more than this store, but change nothing in it.
    bool shared_folder = false;
};

class Store {
  public:
    // Locks the folder, making it where needed, and replays the journal, making it where needed.
    // Errors: too-open (common/runtime/permissions.h), in-use, io-error, and what Journal::open
    // says.
    static Result<std::unique_ptr<Store>> open(const StoreFiles& files,
                                               const Journal::Replay& replay);

    // A new place for account `name`: folder/name with the secret of its identity, which is durable
    // first, and an empty journal. `secret` null: there is none. A secret that is there and has no
    // journal with records beside it belongs to an account that was never opened, and is replaced.
    // Errors: state-exists, state-in-use, state-unusable.
    static Result<std::unique_ptr<Store>> claim(const std::string& folder, std::string_view name,
                                                const KeyBytes* secret);

    // Whether account `name` has a journal under `folder`.
    static bool exists(const std::string& folder, std::string_view name);
    // The accounts that have one, by name. Empty if the folder cannot be read.
    static std::vector<std::string> names(const std::string& folder);

    // Removes the journal, the lock, the secret and, if nothing else is in it, the folder.
    static void remove(std::unique_ptr<Store> store);

    Journal& journal() { return *journal_; }
    PosixStorage& storage() { return *storage_; }
    uint64_t records_replayed() const { return records_replayed_; }

  private:
    Store(StoreFiles files, FolderLock lock, std::unique_ptr<PosixStorage> storage)
        : files_(std::move(files)), lock_(std::move(lock)), storage_(std::move(storage)) {}
    Result<void> open_journal(const Journal::Replay& replay);

    StoreFiles files_;
    FolderLock lock_;
    std::unique_ptr<PosixStorage> storage_;
    std::unique_ptr<Journal> journal_;
    uint64_t records_replayed_ = 0;
};

}  // namespace p2pbank
