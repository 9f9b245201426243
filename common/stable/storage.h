// Stable storage as the journal and the table writer see it: files in one folder. The runtime
// implements it on POSIX, the simulator on a disk that forgets and tears what was not synced.
//
// Every call blocks until it is done. Called by one thread at a time. Errors: io-error, with the
// file's name and the system's reason; not-found; in-use (lock).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace p2pbank {

class File {
  public:
    virtual ~File() = default;
    virtual Result<uint64_t> size() = 0;
    // Reads up to `count` bytes from `offset`; fewer only at the end of the file.
    virtual Result<std::string> read(uint64_t offset, size_t count) = 0;
    // Writes all of `bytes` at `offset`, growing the file where needed.
    virtual Result<void> write(uint64_t offset, std::string_view bytes) = 0;
    virtual Result<void> truncate(uint64_t size) = 0;
    // What was written before is durable when this returns without an error. After an error nobody
    // knows what is, and the caller must not go on.
    virtual Result<void> sync() = 0;
};

class Storage {
  public:
    virtual ~Storage() = default;
    virtual Result<std::unique_ptr<File>> open(const std::string& name) = 0;  // error: not-found
    // Empties an old one.
    virtual Result<std::unique_ptr<File>> create(const std::string& name) = 0;
    // Takes the place of an old `to`. An open File of `from` goes on as the File of `to`.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& name) = 0;  // no error if there is none
    // What create, rename and remove did before is durable when this returns.
    virtual Result<void> sync_folder() = 0;
};

}  // namespace p2pbank
