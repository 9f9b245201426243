// A storage in memory that forgets, for the tests of what stands on stable storage.
//
// Fault model. A disk writes sectors of 512 bytes, each whole or not at all. After a crash, any
// subset of the sectors written since the file's last sync is there; the others are as they were at
// that sync (zeros, where the file was shorter). A length that was not synced is the old one, the
// new one or one between. What was done to the folder since its last sync is there up to some
// point, in order. Apart from crashes, a call can fail: it and every later call then answer
// io-error, and what the failed call was to do may or may not have happened.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/stable/storage.h"

namespace p2pbank::testing {

class FaultyStorage : public Storage {
  public:
    Result<std::unique_ptr<File>> open(const std::string& name) override;
    Result<std::unique_ptr<File>> create(const std::string& name) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& name) override;
    Result<void> sync_folder() override;

    // The process and the machine stop here. Open Files must not be used any more.
    void crash(Random& random);
    // The same, but of `name` the changed sectors are kept whose bit in `kept` is set, the lowest
    // bit standing for the first of them; everything else is as it was synced.
    void crash_keeping(const std::string& name, uint64_t kept);
    // How many sectors of `name` were written since its last sync.
    size_t unsynced_sectors(const std::string& name) const;

    // The call after the next `calls` ones that change something fails, and all after it.
    void fail_after(uint64_t calls) { calls_left_ = calls; }
    void stop_failing() { calls_left_ = UINT64_MAX; }
    bool has_failed() const { return calls_left_ == 0; }

    bool exists(const std::string& name) const { return names_.count(name) != 0; }
    std::string content(const std::string& name) const { return names_.at(name)->current; }
    // As if it had always been so.
    void set_content(const std::string& name, std::string content);

  private:
    friend class FaultyFile;
    struct Content {
        std::string current;
        std::string durable;
    };
    using Names = std::map<std::string, std::shared_ptr<Content>>;

    // False from the failing call on.
    bool may_go_on();
    void folder_changed() { unsynced_folder_.push_back(names_); }
    void forget_unsynced_folder(Names kept);

    Names names_;
    Names durable_names_;
    std::vector<Names> unsynced_folder_;  // the names after each change since the last sync
    uint64_t calls_left_ = UINT64_MAX;
};

}  // namespace p2pbank::testing
