// Stable storage on POSIX: the files of one folder, and the lock that keeps a second process out of
// it. Owned by a Store; used by whichever thread drives the journal, one at a time.
#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <utility>

#include "common/runtime/fd.h"
#include "common/stable/storage.h"

namespace p2pbank {

class PosixStorage final : public Storage {
  public:
    // Errors: not-found, io-error.
    static Result<std::unique_ptr<PosixStorage>> open_folder(const std::string& path);

    Result<std::unique_ptr<File>> open(const std::string& name) override;
    Result<std::unique_ptr<File>> create(const std::string& name) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& name) override;
    Result<void> sync_folder() override;

    bool has(const std::string& name) const;
    // The whole file. Errors: not-found, io-error.
    Result<std::string> read_all(const std::string& name);

  private:
    PosixStorage(std::string path, Fd folder)
        : path_(std::move(path)), folder_(std::move(folder)) {}
    Result<std::unique_ptr<File>> open_with(const std::string& name, int flags);

    std::string path_;
    Fd folder_;
};

// The folder of a file's path and the file's name in it: "data/data.csv" is {"data", "data.csv"}.
std::pair<std::string, std::string> split_path(const std::string& path);

// Makes the folder and those above it, durably. No error if it is there. Errors: io-error.
Result<void> make_folder(const std::string& path, mode_t mode);
// Makes durable which files and folders the folder at `path` holds. Errors: io-error.
Result<void> sync_folder_at(const std::string& path);

// An exclusive lock on a file made for the purpose, held until the object goes or the process ends,
// however it ends.
class FolderLock {
  public:
    // Errors: in-use (another process, or this one, holds it), io-error.
    static Result<FolderLock> take(const std::string& path);

  private:
    explicit FolderLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace p2pbank
