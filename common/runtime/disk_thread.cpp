#include "common/runtime/disk_thread.h"

#include "common/base/check.h"
#include "common/runtime/quiet_thread.h"
#include "common/stable/table.h"

namespace p2pbank {

DiskThread::~DiskThread() {
    if (!thread_.joinable()) return;
    wait();
    {
        const std::lock_guard lock(mutex_);
        state_ = State::ending;
    }
    changed_.notify_all();
    thread_.join();
}

void DiskThread::submit(DiskJob job) {
    P2PBANK_CHECK(!busy_);
    busy_ = true;
    {
        const std::lock_guard lock(mutex_);
        job_ = std::move(job);
        state_ = State::submitted;
    }
    if (thread_.joinable()) {
        changed_.notify_all();
        return;
    }
    thread_ = quiet_thread([this] { run(); });
}

std::optional<DiskJob> DiskThread::collect() {
    const std::lock_guard lock(mutex_);
    if (state_ != State::finished) return std::nullopt;
    state_ = State::empty;
    busy_ = false;
    return std::move(job_);
}

std::optional<DiskJob> DiskThread::wait() {
    if (!busy_) return std::nullopt;
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return state_ == State::finished; });
    }
    return collect();
}

void DiskThread::run() {
    for (;;) {
        DiskJob job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock,
                          [this] { return state_ == State::submitted || state_ == State::ending; });
            if (state_ == State::ending) return;
            job = std::move(job_);
        }
        if (const Result<void> result = carry_out(job); !result) {
            failed_(result.error());
            check_failed(__FILE__, __LINE__, "the process has ended after a failed write");
        }
        {
            // The job goes back with its records in it, so that the thread that made them frees
            // them.
            const std::lock_guard lock(mutex_);
            job_ = std::move(job);
            state_ = State::finished;
        }
        changed_.notify_all();
        done_();
    }
}

Result<void> DiskThread::carry_out(DiskJob& job) const {
    if (job.replacement) {
        if (auto replaced = job.journal->replace(*job.replacement); !replaced) return replaced;
    } else if (!job.records.empty()) {
        if (auto appended = job.journal->append(job.records); !appended) return appended;
        if (auto synced = job.journal->sync(); !synced) return synced;
    }
    if (job.table) return replace_file(*job.storage, job.table_name, *job.table);
    return {};
}

}  // namespace p2pbank
