// The thread that the history database belongs to: applies the facts of durable batches and answers
// queries, in the order in which they come, so that a query sees all facts before it. Owned by the
// driver, called from the loop's thread only. It starts with the first work.
//
// Facts are gathered for a moment and applied together, in one transaction: each of them syncs the
// disk that the journal is waiting for. Nobody waits for them but a query. Where they cannot be
// written the history would fall behind for good: `failed` is called on the history thread and must
// end the process. Nothing is lost by that: the journal holds what the facts follow from.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "common/history/history_db.h"
#include "common/runtime/worker.h"

namespace p2pbank {

class HistoryThread {
  public:
    // `done` is called on the history thread when something is finished.
    HistoryThread(std::unique_ptr<HistoryDb> db, std::function<void()> done,
                  std::function<void(const Error&)> failed);
    HistoryThread(const HistoryThread&) = delete;
    HistoryThread& operator=(const HistoryThread&) = delete;
    ~HistoryThread();  // when everything is applied; queries that were not begun are dropped

    // The facts of the records up to `position`, which never falls. Without facts the position is
    // only remembered: it is written with the next ones, or by catch_up().
    void apply(std::vector<Fact> facts, uint64_t position);
    void query(JobId id, Query query);
    // Writes the position if it is not written. Requires idle().
    void catch_up();

    std::vector<FinishedJob> collect();
    // Everything that was asked for is done, and collected.
    bool idle() const { return outstanding_ == 0; }
    // Up to where it was told facts, and up to where the database says it has them; the latter is
    // exact only while idle().
    uint64_t position() const { return told_; }
    uint64_t written() const { return written_; }
    // Of facts that wait, about.
    size_t bytes() const { return bytes_; }
    static size_t bytes_of(const Fact& fact);

  private:
    struct Facts {
        std::vector<Fact> facts;
        uint64_t position = 0;
        size_t bytes = 0;
    };
    struct Asked {
        JobId id;
        Query query;
    };
    using Work = std::variant<Facts, Asked>;

    void push(Work work, bool urgent);
    void run();
    // All facts at the front of the queue, as one.
    Facts take_facts(size_t& batches);
    JobResult answer(const Query& query);
    // Somebody waits for what is in the queue, or it is much. Requires the lock.
    bool is_urgent() const;

    std::function<void()> done_;
    std::function<void(const Error&)> failed_;
    std::unique_ptr<HistoryDb> db_;  // the thread's, once it runs
    size_t outstanding_ = 0;         // the loop's own, as are the next three
    uint64_t told_ = 0;
    uint64_t written_ = 0;
    size_t bytes_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Work> queue_;  // guarded by mutex_, as is what follows
    std::vector<FinishedJob> finished_;
    size_t bytes_queued_ = 0;
    bool hurried_ = false;
    size_t batches_done_ = 0;
    size_t bytes_done_ = 0;
    uint64_t position_done_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace p2pbank
