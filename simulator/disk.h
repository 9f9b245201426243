// A simulated disk: the files of one machine.
//
// Fault model. The power can go at any moment, also in the middle of any call. Then
//   - of each file, any subset of the 512-byte sectors written since its last sync survives; a
//   sector
//     survives whole or not at all; the others are as they were at that sync (zeros where the file
//     was shorter). The file's length is the one of that sync or the newest one.
//   - of what create, rename and remove did since the last sync of the folder, any first part
//   survives:
//     a file system keeps its own order among those, but does none of them before it has to.
// What was synced stays. The disk does not lie: a sync that has returned well is kept for ever.
//
// A call may fail although the power is on (EIO, ENOSPC). Then nothing of it happened, but for two:
// of a write any first part that ends with a sector may be there, and of a sync any subset of the
// sectors. What such a sync left out can be read as before and is taken for synced by every later
// sync, as Linux does it: only who writes it again can have it kept.
//
// Owned by a Machine. The files are reached through p2pbank::Storage, so the real journal and the
// real table writer run on it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/stable/storage.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

class Disk final : public Storage {
  public:
    Disk(uint64_t seed, Tally& tally) : random_(seed), tally_(tally) {}

    Result<std::unique_ptr<File>> open(const std::string& name) override;
    Result<std::unique_ptr<File>> create(const std::string& name) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& name) override;
    Result<void> sync_folder() override;

    bool has(const std::string& name) const { return names_.contains(name); }
    std::vector<std::string> list() const;
    // The file as a program would read it now; nothing if there is none.
    std::optional<std::string> read_all(const std::string& name) const;
    // The file as it would certainly be after a crash; nothing if it might not be there.
    std::optional<std::string> read_durable(const std::string& name) const;
    // Puts a file there, durably, as a person with an editor does while nothing runs.
    void put(const std::string& name, std::string content);

    // The power goes during the call that changes something after `calls` more of them.
    void cut_power_after(uint64_t calls) { fuse_ = calls; }
    void disarm() { fuse_.reset(); }
    // The call that changes something after `calls` more of them fails.
    void fail_after(uint64_t calls) { failure_ = calls; }
    // True once a call has failed so, until forgive().
    bool has_failed() const { return failed_; }
    void forgive() {
        failed_ = false;
        failure_.reset();
    }
    // True from the moment the power went until crash().
    bool is_off() const { return off_; }
    // The power went, and is back: what the fault model allows is left.
    void crash();

  private:
    struct Inode {
        std::string now;
        std::string durable;
        std::vector<bool> dirty;  // one for each sector
        bool forgotten = false;   // there may be sectors that are neither dirty nor durable
        void mark(uint64_t from, uint64_t to);
        void sync();
        // A sync that fails.
        void half_sync(Random& random);
        bool is_clean() const;
        void crash(Random& random, Tally& tally);
    };
    struct FolderChange {
        std::string name;
        std::shared_ptr<Inode> inode;  // what the name stands for from now on; null: nothing
        std::string gone;              // the name that a rename takes away
    };
    class OpenFile;

    // Every call that changes something asks first what becomes of it.
    enum class Fate {
        done,
        no_power,    // nothing happens
        power_goes,  // it happens, and is not heard of
        fails,
    };
    Fate spend();
    static Error no_power(const std::string& name);
    static Error failure(const std::string& name);
    void change(FolderChange what);
    static void apply(const FolderChange& what, std::map<std::string, std::shared_ptr<Inode>>& to);

    Random random_;
    Tally& tally_;
    std::map<std::string, std::shared_ptr<Inode>> names_;
    std::map<std::string, std::shared_ptr<Inode>> durable_names_;
    std::vector<FolderChange> unsynced_;
    std::optional<uint64_t> fuse_;
    std::optional<uint64_t> failure_;
    bool off_ = false;
    bool failed_ = false;
};

}  // namespace p2pbank::simulator
