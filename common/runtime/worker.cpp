#include "common/runtime/worker.h"

#include <utility>

#include "common/runtime/jobs.h"
#include "common/runtime/quiet_thread.h"

namespace p2pbank {

Worker::~Worker() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Worker::start(JobId id, Work work) {
    ++outstanding_;
    {
        const std::lock_guard lock(mutex_);
        queue_.emplace_back(id, std::move(work));
    }
    if (thread_.joinable()) {
        changed_.notify_all();
    } else {
        thread_ = quiet_thread([this] { run(); });
    }
}

std::vector<FinishedJob> Worker::collect() {
    const std::lock_guard lock(mutex_);
    outstanding_ -= finished_.size();
    return std::exchange(finished_, {});
}

void Worker::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (ending_) return;
        const auto [id, work] = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        JobResult result = std::visit([](const auto& one) { return carry_out(one); }, work);
        lock.lock();
        finished_.push_back({id, std::move(result)});
        lock.unlock();
        done_();
        lock.lock();
    }
}

}  // namespace p2pbank
