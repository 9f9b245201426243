// What the driver has done beside the loop, and what it asks the person who types.
#include <asio/post.hpp>

#include "common/base/check.h"
#include "common/runtime/driver.h"

namespace p2pbank {

Result<void> DriverOptions::take_passwords_from(std::optional<int> fd) {
    if (!fd) return {};
    Result<SecretReader> reader = SecretReader::open(*fd);
    if (!reader) return reader.error();
    secrets.emplace(std::move(reader).value());
    return {};
}

void Driver::keep_history(std::unique_ptr<HistoryDb> db) {
    P2PBANK_CHECK(!node_);
    history_ = std::make_unique<HistoryThread>(
        std::move(db), [this] { asio::post(context_, [this] { on_jobs_done(); }); },
        [this](const Error& error) {
            end_at_once(
                "because its history cannot be written. The journal has everything that is "
                "missing there, and the next start writes it, once this is mended: " +
                error.message);
        });
}

void Driver::start_job_now(JobId job, Job work) {
    if (auto* query = std::get_if<Query>(&work)) {
        // A node that has no history has no queries.
        P2PBANK_CHECK(history_);
        history_->query(job, std::move(*query));
    } else if (auto* hash = std::get_if<HashPassword>(&work)) {
        worker_.start(job, std::move(*hash));
    } else if (auto* verify = std::get_if<VerifyPassword>(&work)) {
        worker_.start(job, std::move(*verify));
    } else if (auto* read = std::get_if<ReadFile>(&work)) {
        worker_.start(job, std::move(*read));
    } else if (auto* write = std::get_if<WriteFiles>(&work)) {
        worker_.start(job, std::move(*write));
    }
}

void Driver::on_jobs_done() {
    std::vector<FinishedJob> finished = worker_.collect();
    if (history_) {
        std::vector<FinishedJob> answered = history_->collect();
        std::move(answered.begin(), answered.end(), std::back_inserter(finished));
    }
    if (closing_ || finished.empty()) {
        // The history has moved on, which more may have waited for than its queries.
        after_turn();
        return;
    }
    turn([&] {
        for (FinishedJob& job : finished) {
            if (closing_) break;
            node_->on_job(now_, job.id, std::move(job.result), outbox_);
        }
    });
}

// Not at once: the node is at work.
void Driver::ask_now(CommandId command, std::vector<Question> questions) {
    asked_.push_back({command, std::move(questions), {}});
    asio::post(context_, [this] { answer_questions(); });
}

// Goes on as far as what is typed is there. At a terminal it is asked for when the line that was
// typed last has been dealt with.
void Driver::answer_questions() {
    while (!asked_.empty() && !closing_) {
        Asked& first = asked_.front();
        if (!options_.secrets) {
            if (terminal_ && !input_ended_) return;
            finish_question(Error{"no-terminal",
                                  "nobody can be asked for a password here: start the program "
                                  "with --password-fd N and write it there, one line each"});
            continue;
        }
        std::optional<Error> failed;
        while (!failed && first.typed.size() < first.questions.size()) {
            std::optional<Result<Secret>> line = options_.secrets->next();
            if (!line) {
                if (std::exchange(secrets_armed_, true)) return;
                secrets_wait_.async_wait(asio::posix::stream_descriptor::wait_read,
                                         [this](const asio::error_code&) {
                                             secrets_armed_ = false;
                                             answer_questions();
                                         });
                return;
            }
            if (*line) {
                first.typed.push_back(std::move(*line).value());
            } else {
                failed = line->error();
            }
        }
        if (failed) {
            finish_question(*failed);
        } else {
            finish_question(std::move(first.typed));
        }
    }
}

void Driver::finish_question(Result<std::vector<Secret>> typed) {
    const CommandId command = asked_.front().command;
    asked_.pop_front();
    turn([&] { node_->on_typed(now_, command, std::move(typed), outbox_); });
}

}  // namespace p2pbank
