// What becomes of what a node asks for: the queue of effects, and the disk work that they wait for.
// Part of Machine.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/stable/table.h"
#include "simulator/digest.h"
#include "simulator/machine.h"

namespace p2pbank::simulator {
namespace {

constexpr Duration kSlowestDisk = milliseconds(300);

}  // namespace

void Machine::persist(std::string record) {
    if (!journal_) {
        surroundings_.violated("store-before-records",
                               settings_.label + " writes a record and has no journal");
    }
    surroundings_.persisted(*this, record);
    gathering_.records.push_back(std::move(record));
    barrier_ = next_batch_;
}

void Machine::publish_table(std::string content) {
    if (settings_.table.empty()) {
        surroundings_.violated("only-the-bank-has-a-table", settings_.label);
    }
    surroundings_.table_made(*this, content);
    gathering_.table = std::move(content);
    barrier_ = next_batch_;
}

void Machine::send(Socket from, Address to, std::string_view datagram) {
    hold(Datagram{from, to, std::string(datagram)});
}

void Machine::answer(CommandId command, Answer answer) {
    surroundings_.answer_made(*this, command, answer);
    hold(Reply{command, std::move(answer)});
}

void Machine::notice(Severity severity, std::string text) {
    hold(Notice{severity, std::move(text)});
}

void Machine::stop(int status) {
    stopping_ = true;
    hold(Stop{status});
}

bool Machine::tracing() const {
    return surroundings_.tracing();
}

void Machine::trace(TraceEvent event) {
    hold(Trace{std::move(event)});
}

void Machine::start_job(JobId job, Job work) {
    hold(StartJob{job, std::move(work)});
}

void Machine::ask(CommandId command, std::vector<Question> questions) {
    const Duration thinking = disk_time() + disk_time();
    const bool there = !random_.one_in(8);
    const TimePoint when = std::max(schedule_.now() + thinking, frozen_until_);
    schedule_.at(when, [this, life = life_, there, command, count = questions.size()] {
        if (life != life_) return;
        event([&](Node& node) {
            std::vector<Secret> typed;
            for (size_t i = 0; i < count; ++i) typed.emplace_back(std::string(kTyped));
            node.on_typed(schedule_.now(), command,
                          there ? Result<std::vector<Secret>>(std::move(typed))
                                : Error{"no-input", "nobody is there"},
                          *this);
        });
    });
}

Result<void> Machine::claim_store(std::string_view name, const KeyBytes* secret) {
    if (journal_) surroundings_.violated("one-store", settings_.label + " claims a second store");
    const std::string file = std::string(name) + std::string(kCustomerJournal);
    if (disk_.has(file)) return Error{"state-exists", std::string(name) + " has a journal here"};
    if (secret != nullptr) {
        disk_.put(std::string(name) + std::string(kCustomerKey),
                  std::string(secret->begin(), secret->end()));
    }
    auto journal = Journal::open(disk_, file, [](std::string_view) { return Result<void>(); });
    if (!journal) {
        // As the runtime does it: nothing is left of an account that has no store.
        static_cast<void>(disk_.remove(file));
        static_cast<void>(disk_.remove(file + ".new"));
        return Error{"state-unusable", journal.error().message};
    }
    journal_ = std::move(journal).value();
    account_ = name;
    kept_.clear();
    or_else_.clear();
    return {};
}

void Machine::release_store() {
    if (!journal_) return;
    journal_.reset();
    static_cast<void>(disk_.remove(account_ + std::string(kCustomerJournal)));
    static_cast<void>(disk_.remove(account_ + std::string(kCustomerJournal) + ".new"));
    account_.clear();
    // Until the folder is synced a crash may bring them back.
    or_else_.push_back(kept_with_job());
    or_else_.push_back(std::move(kept_));
    kept_.clear();
    gathering_.records.clear();
    if (job_) job_->abandoned = true;
}

void Machine::log_key(uint32_t index, const KeyBytes& key) {
    surroundings_.key_logged(*this, index, key);
}

void Machine::hold(Effect effect) {
    queue_.push_back({barrier_, std::move(effect)});
}

void Machine::drain() {
    if (draining_) return;
    draining_ = true;
    const uint64_t life = life_;
    while (life == life_ && running() && !queue_.empty() && queue_.front().batch <= durable_) {
        // Traces do not count, or a run that is watched would be another run.
        const bool counts = !std::holds_alternative<Trace>(queue_.front().effect);
        if (effects_left_ && counts && (*effects_left_)-- == 0) {
            ++tally_.crashes_between_effects;
            crash();
            break;
        }
        Effect effect = std::move(queue_.front().effect);
        queue_.pop_front();
        carry_out(std::move(effect));
    }
    draining_ = false;
    if (life == life_ && running() && disk_.is_off()) {
        ++tally_.crashes_in_disk_work;
        crash();
    }
}

void Machine::carry_out(Effect effect) {
    if (auto* datagram = std::get_if<Datagram>(&effect)) {
        surroundings_.transmit(*this, datagram->from, datagram->to, datagram->bytes);
    } else if (auto* reply = std::get_if<Reply>(&effect)) {
        surroundings_.answered(*this, reply->command, reply->answer);
    } else if (auto* notice = std::get_if<Notice>(&effect)) {
        surroundings_.noticed(*this, notice->severity, notice->text);
    } else if (auto* trace = std::get_if<Trace>(&effect)) {
        surroundings_.traced(*this, trace->event);
    } else if (auto* stop = std::get_if<Stop>(&effect)) {
        end(stop->status);
    } else if (auto* start = std::get_if<StartJob>(&effect)) {
        jobs_.push_back(std::move(*start));
        if (jobs_.size() == 1) later(disk_time(), &Machine::do_job);
    }
}

void Machine::do_job() {
    const StartJob job = std::move(jobs_.front());
    jobs_.pop_front();
    if (!jobs_.empty()) later(disk_time(), &Machine::do_job);
    JobResult result = result_of(job.work);
    event([&](Node& node) { node.on_job(schedule_.now(), job.id, std::move(result), *this); });
    if (running()) go_on_closing();
}

JobResult Machine::result_of(const Job& work) {
    const auto stand_in = [](const Secret& password) {
        Digest digest;
        digest.add(password.view());
        return "hash-" + std::to_string(digest.value());
    };
    JobResult result;
    if (const auto* hash = std::get_if<HashPassword>(&work)) {
        result.text = stand_in(hash->password);
    } else if (const auto* verify = std::get_if<VerifyPassword>(&work)) {
        result.matches = verify->hash == stand_in(verify->password);
    } else if (const auto* read = std::get_if<ReadFile>(&work)) {
        const auto content = disk_.read_all(std::string(kFiles) + read->path);
        if (content) {
            result.text = *content;
        } else {
            result.outcome = Error{"not-found", "there is no file " + read->path};
        }
    } else if (const auto* write = std::get_if<WriteFiles>(&work)) {
        for (const auto& [name, content] : write->files) {
            disk_.put(std::string(kFiles) + write->folder + "/" + name, content);
        }
    } else if (const auto* query = std::get_if<Query>(&work)) {
        result = surroundings_.look_up(*this, *query);
    }
    return result;
}

// Disk work

void Machine::start_disk_work() {
    if (job_ || turn_open_ || barrier_ != next_batch_) return;
    job_.emplace();
    job_->number = next_batch_++;
    job_->batch = std::exchange(gathering_, {});
    if (journal_ && !closing_ && !job_->batch.records.empty() &&
        journal_->bytes() > journal_->bytes_after_replace() + settings_.replace_after_bytes) {
        job_->replacement.emplace();
        node_->snapshot(
            [&](std::string record) { job_->replacement->push_back(std::move(record)); });
    }
    write_frame();
}

void Machine::write_frame() {
    if (!job_->replacement && !job_->batch.records.empty()) {
        P2PBANK_CHECK(journal_ != nullptr);
        if (disk_failed(journal_->append(job_->batch.records))) return;
    }
    later(disk_time(), &Machine::finish_frame);
}

void Machine::finish_frame() {
    if (!job_->abandoned && !job_->batch.records.empty()) {
        if (job_->replacement) {
            ++tally_.replacements;
            if (disk_failed(journal_->replace(*job_->replacement))) return;
            kept_ = std::move(*job_->replacement);
            job_->replacement.reset();
        } else {
            if (disk_failed(journal_->sync())) return;
            kept_.insert(kept_.end(), job_->batch.records.begin(), job_->batch.records.end());
        }
        const std::vector<std::string> records = std::exchange(job_->batch.records, {});
        if (surroundings_.tracing()) {
            surroundings_.traced(*this, {"durable", {{"records", std::to_string(records.size())}}});
        }
        for (const std::string& record : records) surroundings_.made_durable(*this, record);
    }
    if (job_->batch.table) {
        later(disk_time(), &Machine::finish_table);
    } else {
        finish_job();
    }
}

void Machine::finish_table() {
    if (disk_failed(replace_file(disk_, settings_.table, *job_->batch.table))) return;
    surroundings_.table_in_place(*this, *job_->batch.table);
    if (running()) finish_job();
}

void Machine::finish_job() {
    durable_ = job_->number;
    job_.reset();
    drain();
    if (running()) start_disk_work();
    if (running()) go_on_closing();
}

bool Machine::disk_failed(const Result<void>& done) {
    if (done) return false;
    if (disk_.has_failed() && !disk_.is_off()) {
        end(kDiskFailed);
        return true;
    }
    if (!disk_.is_off()) {
        surroundings_.violated("disk-works", settings_.label + ": " + done.error().message);
    }
    ++tally_.crashes_in_disk_work;
    crash();
    return true;
}

Duration Machine::disk_time() {
    if (settings_.slow_disk > 0 && random_.fraction() < settings_.slow_disk) {
        return Duration(
            static_cast<int64_t>(random_.below(static_cast<uint64_t>(kSlowestDisk.count()))));
    }
    const auto range = static_cast<uint64_t>((settings_.most_disk - settings_.least_disk).count());
    return settings_.least_disk + Duration(static_cast<int64_t>(random_.below(range + 1)));
}

void Machine::each_record(const std::function<void(const std::string&)>& take) const {
    for (const std::string& record : kept_with_job()) take(record);
    for (const std::string& record : gathering_.records) take(record);
}

}  // namespace p2pbank::simulator
