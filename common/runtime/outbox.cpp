#include "common/runtime/outbox.h"

#include <utility>

#include "common/runtime/history_thread.h"

namespace p2pbank {

void Outbox::persist(std::string record) {
    bytes_gathering_ += record.size() + sizeof record;
    gathering_.records.push_back(std::move(record));
    barrier_ = next_batch_;
}

void Outbox::publish_table(std::string content) {
    // Records of the same turn that come after this call are durable before the table is in place:
    // a turn's records are one frame. The journal is what counts, so this order is the safe one.
    if (gathering_.table) bytes_gathering_ -= gathering_.table->size();
    bytes_gathering_ += content.size();
    gathering_.table = std::move(content);
    barrier_ = next_batch_;
}

void Outbox::send(Socket from, Address to, std::string_view datagram) {
    if (free_to_go()) {
        outside_.send_now(from, to, datagram);
    } else {
        hold(Datagram{from, to, std::string(datagram)});
    }
}

void Outbox::answer(CommandId command, Answer answer) {
    std::string text = outside_.format(answer);
    if (free_to_go()) {
        outside_.answer_now(command, answer.outcome, std::move(text));
    } else {
        hold(Reply{command, answer.outcome, std::move(text)});
    }
}

void Outbox::notice(Severity severity, std::string text) {
    if (free_to_go()) {
        outside_.notice_now(severity, text);
    } else {
        hold(Notice{severity, std::move(text)});
    }
}

void Outbox::trace(TraceEvent event) {
    if (!outside_.tracing_now()) return;
    std::string line = outside_.format(event);
    if (free_to_go()) {
        outside_.trace_now(line);
    } else {
        hold(TraceLine{std::move(line)});
    }
}

void Outbox::stop(int status) {
    outside_.stop_announced();
    if (free_to_go()) {
        outside_.stop_now(status);
    } else {
        hold(Stop{status});
    }
}

void Outbox::start_job(JobId job, Job work) {
    if (free_to_go()) {
        outside_.start_job_now(job, std::move(work));
    } else {
        hold(StartJob{job, std::move(work)});
    }
}

void Outbox::ask(CommandId command, std::vector<Question> questions) {
    outside_.ask_now(command, std::move(questions));
}

// Not held back: it goes the way of the record that it follows from, which is in the same batch.
void Outbox::fact(uint64_t, Fact fact) {
    bytes_gathering_ += HistoryThread::bytes_of(fact);
    gathering_.facts.push_back(std::move(fact));
}

Result<void> Outbox::claim_store(std::string_view name, const KeyBytes* secret) {
    return outside_.claim_store_now(name, secret);
}

void Outbox::log_key(uint32_t index, const KeyBytes& key) {
    outside_.log_key_now(index, key);
}

void Outbox::release_store() {
    outside_.release_store_now();
    // What waits for these records goes on with the next batch, which no longer holds them.
    gathering_.records.clear();
    gathering_.facts.clear();
    bytes_gathering_ = gathering_.table ? gathering_.table->size() : 0;
}

Outbox::Batch Outbox::take_batch() {
    gathering_.number = next_batch_++;
    bytes_gathering_ = 0;
    return std::exchange(gathering_, {});
}

void Outbox::durable(uint64_t number) {
    durable_ = number;
    while (!waiting_.empty() && waiting_.front().batch <= durable_) {
        Effect effect = std::move(waiting_.front().effect);
        waiting_.pop_front();
        bytes_waiting_ -= size_of(effect);
        carry_out(std::move(effect));
    }
}

void Outbox::hold(Effect effect) {
    bytes_waiting_ += size_of(effect);
    waiting_.push_back({barrier_, std::move(effect)});
}

void Outbox::carry_out(Effect effect) {
    if (auto* datagram = std::get_if<Datagram>(&effect)) {
        outside_.send_now(datagram->from, datagram->to, datagram->bytes);
    } else if (auto* reply = std::get_if<Reply>(&effect)) {
        outside_.answer_now(reply->command, reply->outcome, std::move(reply->text));
    } else if (auto* notice = std::get_if<Notice>(&effect)) {
        outside_.notice_now(notice->severity, notice->text);
    } else if (auto* line = std::get_if<TraceLine>(&effect)) {
        outside_.trace_now(line->text);
    } else if (auto* stop = std::get_if<Stop>(&effect)) {
        outside_.stop_now(stop->status);
    } else if (auto* start = std::get_if<StartJob>(&effect)) {
        outside_.start_job_now(start->job, std::move(start->work));
    }
}

size_t Outbox::size_of(const Effect& effect) {
    size_t bytes = sizeof(Waiting);
    if (auto* datagram = std::get_if<Datagram>(&effect)) bytes += datagram->bytes.size();
    if (auto* reply = std::get_if<Reply>(&effect)) bytes += reply->text.size();
    if (auto* notice = std::get_if<Notice>(&effect)) bytes += notice->text.size();
    if (auto* line = std::get_if<TraceLine>(&effect)) bytes += line->text.size();
    if (auto* start = std::get_if<StartJob>(&effect)) bytes += size_of(start->work);
    return bytes;
}

// What is large: files that are written. The rest is small, and is in Waiting.
size_t Outbox::size_of(const Job& job) {
    size_t bytes = 0;
    if (const auto* write = std::get_if<WriteFiles>(&job)) {
        for (const auto& [name, content] : write->files) bytes += content.size();
    }
    return bytes;
}

}  // namespace p2pbank
