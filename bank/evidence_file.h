// `audit --evidence FILE`: writes all statements that are committed, with what they are signed
// with, and all accusations with their evidence, as a bundle that `bank verify` checks without the
// bank (bank/evidence.proto). Owned by Bank.
//
// The statements come from the history, beside the loop. The whole bundle is in memory once while
// it is made: it has at most limits::kMaxEvidenceFileBytes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bank/context.h"
#include "common/base/limits.h"
#include "common/core/answer.h"
#include "common/core/jobs.h"

namespace p2pbank::bank {

class EvidenceFile {
  public:
    using NextJob = std::function<JobId()>;
    using Done = std::function<void(Answer)>;

    // `largest`: bytes of a file, without its seal.
    EvidenceFile(Context& context, NextJob next_job, size_t largest = limits::kMaxEvidenceFileBytes)
        : context_(context), next_job_(std::move(next_job)), largest_(largest) {}

    // Errors: not-signed (in clear), bad-file (it does not end as a file of evidence does, so that
    // no other kind of file is overwritten).
    Result<void> check(std::string_view path) const;

    // Adds to the audit's answer what was written, or says why nothing was. Requires check().
    void write(const std::string& path, Answer audit, Done done);

    // True if the job was one of these.
    bool on_job(JobId job, JobResult& result);

  private:
    struct Run;
    using Then = std::function<void(JobResult&)>;

    void start(Job job, Then then);
    // Of a job that went wrong. True if there was an error, which is the answer then.
    static bool failed(Run& run, const JobResult& result);
    std::string head() const;
    void ask_ends(std::shared_ptr<Run> run, std::string bundle);
    void ask_accusations(std::shared_ptr<Run> run, std::string bundle);
    void ask_statements(std::shared_ptr<Run> run, std::string bundle);
    void seal(std::shared_ptr<Run> run, std::string bundle);

    Context& context_;
    NextJob next_job_;
    size_t largest_;
    std::map<JobId, Then> jobs_;
};

}  // namespace p2pbank::bank
