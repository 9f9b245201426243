// The thread for jobs that would make the loop wait and need no history: passwords and files, one
// after the other. Owned by the driver, called from the loop's thread only. It starts with the
// first job.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/core/jobs.h"

namespace p2pbank {

struct FinishedJob {
    JobId id;
    JobResult result;
};

class Worker {
  public:
    using Work = std::variant<HashPassword, VerifyPassword, ReadFile, WriteFiles>;

    // `done` is called on the worker's thread after each job.
    explicit Worker(std::function<void()> done) : done_(std::move(done)) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();  // after the job at hand; what was not begun is dropped

    void start(JobId id, Work work);
    std::vector<FinishedJob> collect();
    // Everything that was started has been collected.
    bool idle() const { return outstanding_ == 0; }

  private:
    void run();

    std::function<void()> done_;
    size_t outstanding_ = 0;  // the loop's own

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::pair<JobId, Work>> queue_;  // guarded by mutex_, as are the next two
    std::vector<FinishedJob> finished_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace p2pbank
