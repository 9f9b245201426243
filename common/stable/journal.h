// The journal: an append-only file of frames, each the records of one or more whole turns, written
// and synced one after the other. docs/storage.md has the format.
//
// Owned by whoever makes records durable (the runtime's disk thread, the simulator's disk); one
// thread at a time. The file is `name` in the storage; while it is being replaced, `name`.new
// exists beside it. The file is filled with zeros ahead of the writing, so that a sync need not
// change the file's length.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/stable/storage.h"

namespace p2pbank {

class Journal {
  public:
    // Called for each record in the order of writing. An error stops the reading and is passed on,
    // with the file and the frame's offset added.
    using Replay = std::function<Result<void>(std::string_view record)>;

    // Opens the journal `name`, creating it where there is none, and replays it; what a crash left
    // of `name`.new is removed. A torn last frame is cut off (torn_bytes() says how much); any
    // other damage is refused: damaged-journal, with file, offset and what to do, and the file is
    // left alone. Also: io-error, and what replay says. What was replayed is durable on return.
    // Replay may have been called before an error is met.
    static Result<std::unique_ptr<Journal>> open(Storage& storage, std::string name,
                                                 const Replay& replay);

    // Appends the records as one frame: after a crash all of them are there or none is. Not durable
    // before sync(). Requires that no earlier append is unsynced, and that the records with 4 bytes
    // more for each are 256 MiB at most. Does nothing for no records.
    //
    // Errors of this and the two below: io-error. The journal then answers io-error to everything,
    // and what it holds is known only when it has been opened again.
    Result<void> append(const std::vector<std::string>& records);
    Result<void> sync();

    // Replaces the whole content by `records`, durably, in one step; there may be any number of
    // them. Requires that nothing is unsynced.
    Result<void> replace(const std::vector<std::string>& records);

    // Bytes of frames written, for deciding when to replace; and how many there were right after
    // opening or replacing.
    uint64_t bytes() const { return end_; }
    uint64_t bytes_after_replace() const { return base_; }
    // What open() cut off: bytes from the start of a torn frame to its last one that was written.
    uint64_t torn_bytes() const { return torn_; }

  private:
    Journal(Storage& storage, std::string name) : storage_(storage), name_(std::move(name)) {}

    Result<void> recover(const Replay& replay);
    Result<void> replay_payload(std::string_view payload, const Replay& replay) const;
    Result<void> cut_off_tail(uint64_t size);
    Result<void> write_end_again();
    Error damaged(uint64_t offset, const std::string& reason) const;
    Error earlier_failure() const;

    Storage& storage_;
    std::string name_;
    std::unique_ptr<File> file_;
    uint64_t sequence_ = 0;    // of the next frame
    uint64_t end_ = 0;         // offset behind the last frame
    uint64_t last_frame_ = 0;  // its offset, when the journal was opened
    uint64_t base_ = 0;        // `end_` right after opening or replacing
    uint64_t prepared_ = 0;    // the file holds zeros from end_ up to here
    uint64_t torn_ = 0;
    bool unsynced_ = false;
    bool failed_ = false;
};

}  // namespace p2pbank
