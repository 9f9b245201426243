// The thread for journal and table: it appends, syncs and replaces, so that the loop never waits
// for a disk. Owned by the driver, called from the loop's thread only. One job at a time: what
// comes while a job is running is gathered by the outbox and becomes the next job, with one sync
// for all of it.
//
// The thread is started with the first job. After a failed write or sync nobody knows what is
// durable: `failed` is called on the disk thread and must end the process.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/core/history.h"
#include "common/stable/journal.h"

namespace p2pbank {

struct DiskJob {
    uint64_t number = 0;
    Journal* journal = nullptr;        // required if there are records or a replacement
    std::vector<std::string> records;  // one frame
    // The journal's whole new content. It stands for `records` too, which are then not appended.
    std::optional<std::vector<std::string>> replacement;
    Storage* storage = nullptr;  // required if there is a table
    std::string table_name;
    std::optional<std::string> table;  // put in place after the records are durable

    // Carried along for the history, which gets them when the records are durable.
    std::vector<Fact> facts;
    uint64_t position = 0;
};

class DiskThread {
  public:
    // `done` is called on the disk thread after each job.
    DiskThread(std::function<void()> done, std::function<void(const Error&)> failed)
        : done_(std::move(done)), failed_(std::move(failed)) {}
    DiskThread(const DiskThread&) = delete;
    DiskThread& operator=(const DiskThread&) = delete;
    ~DiskThread();

    // Requires idle(): the job before has been collected.
    void submit(DiskJob job);
    bool idle() const { return !busy_; }

    // The job that is finished, if one is. After this idle() is true.
    std::optional<DiskJob> collect();
    // Blocks until the running job, if there is one, is finished, and collects it.
    std::optional<DiskJob> wait();

  private:
    enum class State { empty, submitted, finished, ending };
    void run();
    Result<void> carry_out(DiskJob& job) const;

    std::function<void()> done_;
    std::function<void(const Error&)> failed_;
    bool busy_ = false;  // the loop's own view: submitted and not collected

    std::mutex mutex_;
    std::condition_variable changed_;
    State state_ = State::empty;  // guarded by mutex_, as is job_
    DiskJob job_;
    std::thread thread_;
};

}  // namespace p2pbank
