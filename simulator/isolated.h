// Runs in processes of their own: a check that fails inside a node ends the process that it runs
// in, and is then a failed run like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "simulator/run.h"

namespace p2pbank::simulator {

// Told as a broken invariant when the process of a run ends in the middle of it.
inline constexpr const char* kDied = "no-process-dies";

// A result as bytes, between two processes of the same program, and back. The reverse aborts for
// anything else.
std::string to_bytes(const RunResult& result);
RunResult result_from_bytes(const std::string& bytes);

// Runs a seed in a process of its own. What the process writes to its standard error is not shown.
// Aborts if there can be no process or pipe.
RunResult run_isolated(const std::function<RunResult(const RunSettings&)>& run,
                       const RunSettings& settings);

// A process that runs seeds one after the other and tells of each. Its owner reads.
class Worker {
  public:
    // first, first + step, first + 2 * step ... up to `last`, until the process is killed.
    Worker(const std::function<RunResult(const RunSettings&)>& run, RunSettings settings,
           uint64_t first, uint64_t step, uint64_t last);
    // Kills the process if it still runs.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // To be polled: readable when there may be something to take.
    int handle() const { return pipe_; }
    bool ended() const { return ended_; }
    // The results that have come since, each with its seed. Does not wait. When the process died in
    // a run, that run has the invariant kDied.
    std::vector<std::pair<uint64_t, RunResult>> take();

  private:
    void read_more();

    pid_t process_ = -1;
    int pipe_ = -1;
    bool ended_ = false;
    std::optional<uint64_t> under_way_;
    std::string unread_;
};

}  // namespace p2pbank::simulator
