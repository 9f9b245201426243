#include "common/runtime/history_thread.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/runtime/quiet_thread.h"

namespace p2pbank {
namespace {

constexpr std::chrono::milliseconds kGathering{200};
constexpr size_t kMostGathered = 1'024 * 1'024;  // bytes

}  // namespace

HistoryThread::HistoryThread(std::unique_ptr<HistoryDb> db, std::function<void()> done,
                             std::function<void(const Error&)> failed)
    : done_(std::move(done)),
      failed_(std::move(failed)),
      db_(std::move(db)),
      told_(db_->position()),
      written_(told_),
      position_done_(told_) {}

HistoryThread::~HistoryThread() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(queue_, [](const Work& work) { return std::holds_alternative<Asked>(work); });
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

size_t HistoryThread::bytes_of(const Fact& fact) {
    size_t bytes = sizeof fact;
    for (const Value& value : fact.values) {
        bytes += sizeof value;
        if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
    }
    return bytes;
}

void HistoryThread::apply(std::vector<Fact> facts, uint64_t position) {
    P2PBANK_CHECK(position >= told_);
    told_ = position;
    if (facts.empty()) return;
    Facts work{std::move(facts), position, 0};
    for (const Fact& fact : work.facts) work.bytes += bytes_of(fact);
    bytes_ += work.bytes;
    push(std::move(work), false);
}

void HistoryThread::query(JobId id, Query query) {
    push(Asked{id, std::move(query)}, true);
}

void HistoryThread::catch_up() {
    P2PBANK_CHECK(idle());
    if (written_ < told_) push(Facts{{}, told_, 0}, true);
}

void HistoryThread::push(Work work, bool urgent) {
    ++outstanding_;
    {
        const std::lock_guard lock(mutex_);
        if (const auto* facts = std::get_if<Facts>(&work)) bytes_queued_ += facts->bytes;
        hurried_ = hurried_ || urgent;
        queue_.push_back(std::move(work));
    }
    if (thread_.joinable()) {
        changed_.notify_all();
    } else {
        thread_ = quiet_thread([this] { run(); });
    }
}

std::vector<FinishedJob> HistoryThread::collect() {
    const std::lock_guard lock(mutex_);
    outstanding_ -= finished_.size() + std::exchange(batches_done_, 0);
    bytes_ -= std::exchange(bytes_done_, 0);
    written_ = position_done_;
    return std::exchange(finished_, {});
}

HistoryThread::Facts HistoryThread::take_facts(size_t& batches) {
    Facts all;
    while (!queue_.empty()) {
        auto* next = std::get_if<Facts>(&queue_.front());
        if (next == nullptr) break;
        all.position = next->position;
        all.bytes += next->bytes;
        std::move(next->facts.begin(), next->facts.end(), std::back_inserter(all.facts));
        queue_.pop_front();
        ++batches;
    }
    bytes_queued_ -= all.bytes;
    return all;
}

bool HistoryThread::is_urgent() const {
    return ending_ || hurried_ || bytes_queued_ > kMostGathered;
}

void HistoryThread::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        changed_.wait_for(lock, kGathering, [this] { return is_urgent(); });
        if (auto* asked = std::get_if<Asked>(&queue_.front())) {
            const Asked question = std::move(*asked);
            queue_.pop_front();
            lock.unlock();
            JobResult result = answer(question.query);
            lock.lock();
            finished_.push_back({question.id, std::move(result)});
        } else {
            size_t batches = 0;
            Facts facts = take_facts(batches);
            lock.unlock();
            if (const auto applied = db_->apply(facts.facts, facts.position); !applied) {
                failed_(applied.error());
                check_failed(__FILE__, __LINE__, "the process has ended after a failed write");
            }
            facts.facts.clear();
            lock.lock();
            batches_done_ += batches;
            bytes_done_ += facts.bytes;
            position_done_ = facts.position;
        }
        if (queue_.empty()) hurried_ = false;
        lock.unlock();
        done_();
        lock.lock();
    }
}

JobResult HistoryThread::answer(const Query& query) {
    JobResult result;
    result.text = query.head;
    result.outcome = db_->query(query.query, query.values, [&](const Row& row) {
        if (query.format != nullptr) {
            query.format(row, result.text);
        } else {
            result.rows.push_back(row);
        }
    });
    return result;
}

}  // namespace p2pbank
