// Effects that only write down what a node wanted, for tests of one node or one part.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/core/effects.h"

namespace p2pbank {

class RecordedEffects : public Effects {
  public:
    struct Sent {
        Socket from;
        Address to;
        std::string bytes;
    };

    struct StartedJob {
        JobId id;
        Job work;
    };
    struct Asked {
        CommandId command;
        std::vector<Question> questions;
    };

    void persist(std::string record) override { records.push_back(std::move(record)); }
    void send(Socket from, Address to, std::string_view datagram) override {
        sent.push_back({from, to, std::string(datagram)});
    }
    void answer(CommandId command, Answer answer) override {
        answers.insert_or_assign(command, std::move(answer));
    }
    void notice(Severity, std::string text) override { notices.push_back(std::move(text)); }
    void publish_table(std::string content) override { tables.push_back(std::move(content)); }
    void start_job(JobId job, Job work) override { jobs.push_back({job, std::move(work)}); }
    void ask(CommandId command, std::vector<Question> questions) override {
        asked.push_back({command, std::move(questions)});
    }
    Result<void> claim_store(std::string_view name, const KeyBytes* secret) override {
        if (name == in_use) return Error{"state-exists", "there is one already"};
        claimed = name;
        claimed_secret = secret == nullptr ? std::nullopt : std::optional<KeyBytes>(*secret);
        return {};
    }
    void release_store() override { claimed.clear(); }
    void stop(int status) override { stopped = status; }
    bool tracing() const override { return false; }
    void trace(TraceEvent) override {}

    std::string in_use;  // an account that has a state here already
    std::vector<std::string> records;
    std::vector<Sent> sent;
    std::map<CommandId, Answer> answers;
    std::vector<std::string> notices;
    std::vector<std::string> tables;
    std::vector<StartedJob> jobs;
    std::vector<Asked> asked;
    std::string claimed;
    std::optional<KeyBytes> claimed_secret;
    int stopped = -1;
};

}  // namespace p2pbank
