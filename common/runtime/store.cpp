#include "common/runtime/store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "common/base/names.h"
#include "common/runtime/keys.h"
#include "common/runtime/permissions.h"

namespace p2pbank {

namespace {

// That others cannot get at the folder, or at what is in it.
Result<void> check_permissions(const StoreFiles& files) {
    const std::string& folder = files.folder;
    if (files.shared_folder) {
        if (auto mine = check_not_writable_by_others(folder); !mine) return mine;
    } else {
        if (auto mine = check_not_writable_by_others(split_path(folder).first); !mine) return mine;
        if (auto mine = check_private_folder(folder); !mine) return mine;
    }
    std::vector<std::string> names = {files.journal, files.lock};
    if (!files.shared_folder) names.push_back(files.key);
    for (const std::string& name : names) {
        if (auto mine = check_private_file(folder + "/" + name); !mine) return mine;
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const StoreFiles& files, const Journal::Replay& replay) {
    const Result<void> made = make_folder(files.folder, 0700);
    if (!made) return made.error();
    if (auto mine = check_permissions(files); !mine) return mine.error();
    Result<FolderLock> lock = FolderLock::take(files.folder + "/" + files.lock);
    if (!lock) return lock.error();
    Result<std::unique_ptr<PosixStorage>> storage = PosixStorage::open_folder(files.folder);
    if (!storage) return storage.error();
    std::unique_ptr<Store> store(
        new Store(files, std::move(lock).value(), std::move(storage).value()));
    const Result<void> opened = store->open_journal(replay);
    if (!opened) return opened.error();
    return store;
}

Result<void> Store::open_journal(const Journal::Replay& replay) {
    const auto counted = [&](std::string_view record) {
        ++records_replayed_;
        return replay(record);
    };
    Result<std::unique_ptr<Journal>> journal = Journal::open(*storage_, files_.journal, counted);
    if (!journal) return journal.error();
    journal_ = std::move(journal).value();
    return {};
}

Result<std::unique_ptr<Store>> Store::claim(const std::string& folder, std::string_view name,
                                            const KeyBytes* secret) {
    if (!is_valid_name(name)) {
        return Error{"state-unusable", quote(name) + " cannot be the name of a folder"};
    }
    const StoreFiles files{.folder = folder + "/" + std::string(name)};
    const Result<void> made = make_folder(files.folder, 0700);
    if (!made) return Error{"state-unusable", made.error().message};
    if (auto mine = check_permissions(files); !mine) {
        return Error{"state-unusable", mine.error().message};
    }
    Result<FolderLock> lock = FolderLock::take(files.folder + "/" + files.lock);
    if (!lock) {
        if (lock.error().code != "in-use") {
            return Error{"state-unusable", lock.error().message};
        }
        return Error{"state-in-use", "another running program has the state in " + files.folder};
    }
    Result<std::unique_ptr<PosixStorage>> storage = PosixStorage::open_folder(files.folder);
    if (!storage) return Error{"state-unusable", storage.error().message};
    if (storage.value()->has(files.journal)) {
        // A journal without a record is what is left of an account that was never opened.
        bool any = false;
        const auto look = [&](std::string_view) {
            any = true;
            return Result<void>();
        };
        const bool readable = Journal::open(*storage.value(), files.journal, look).ok();
        if (!readable || any || !storage.value()->remove(files.journal))
            return Error{"state-exists", files.folder +
                                             " holds the state of an account already: start " +
                                             "with --name " + std::string(name) + " to resume it"};
    }
    std::unique_ptr<Store> store(
        new Store(files, std::move(lock).value(), std::move(storage).value()));
    // Before the journal: an account that has records has its secret.
    Result<void> opened = secret != nullptr ? write_key(*store->storage_, files.key, *secret)
                                            : store->storage_->remove(files.key);
    if (opened) opened = store->open_journal([](std::string_view) { return Result<void>(); });
    if (!opened) {
        remove(std::move(store));
        return Error{"state-unusable", opened.error().message};
    }
    return store;
}

bool Store::exists(const std::string& folder, std::string_view name) {
    if (!is_valid_name(name)) return false;
    const StoreFiles files{.folder = folder + "/" + std::string(name)};
    return ::access((files.folder + "/" + files.journal).c_str(), F_OK) == 0;
}

std::vector<std::string> Store::names(const std::string& folder) {
    std::vector<std::string> found;
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
        std::string name = at->path().filename().string();
        if (exists(folder, name)) found.push_back(std::move(name));
    }
    std::sort(found.begin(), found.end());
    return found;
}

void Store::remove(std::unique_ptr<Store> store) {
    store->journal_.reset();
    // Best effort: what stays behind is an empty journal at most, which is removed at the next
    // start.
    for (const std::string& name :
         {store->files_.journal, store->files_.journal + ".new", store->files_.key,
          store->files_.key + ".new", store->files_.lock}) {
        (void)store->storage_->remove(name);
    }
    ::rmdir(store->files_.folder.c_str());
    (void)sync_folder_at(split_path(store->files_.folder).first);
}

}  // namespace p2pbank
