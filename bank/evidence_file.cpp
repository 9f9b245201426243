#include "bank/evidence_file.h"

#include "bank/bundle.h"
#include "bank/history/queries.h"
#include "common/base/limits.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

constexpr std::string_view kEnding = ".evidence";

// What is not readable is left out: then the bundle does not hold, and says so.
void append_statement(const Row& row, std::string& out) {
    auto read = read_signed_statement(row);
    if (!read) return;
    bank_evidence::Item item;
    bank_evidence::Committed* committed = item.mutable_committed();
    committed->set_position(read->position);
    committed->set_name(std::move(read->account));
    committed->set_number(read->number);
    committed->set_signing_key(std::move(read->signing_key));
    if (committed->mutable_statement()->ParseFromString(read->statement)) append_item(out, item);
}

void append_end(const Row& row, std::string& out) {
    CohortEndRow read = read_cohort_end(row);
    bank_evidence::Item item;
    bank_evidence::CohortEnd* end = item.mutable_cohort_end();
    end->set_position(read.position);
    end->set_cohort(read.cohort);
    end->set_cohort_name(std::move(read.name));
    end->set_forced(read.forced);
    append_item(out, item);
}

void append_accusation(const Row& row, std::string& out) {
    const auto read = read_accusation(row);
    if (!read) return;
    bank_evidence::Item item;
    item.mutable_accused()->set_position(read->position);
    if (item.mutable_accused()->mutable_accusation()->ParseFromString(read->evidence)) {
        append_item(out, item);
    }
}

Error too_large(size_t largest) {
    return {"limit", "the statements are too large for one file of evidence (" +
                         std::to_string(largest) + " bytes)"};
}

Query written_by(Query query, void (*format)(const Row&, std::string&), std::string bundle) {
    query.format = format;
    query.head = std::move(bundle);
    return query;
}

}  // namespace

struct EvidenceFile::Run {
    std::string path;
    uint64_t position = 0;
    uint64_t statements = 0;
    Answer answer;
    Done done;

    void fail(const Error& error) {
        Answer failed = failure(error);
        failed.line(answer.text);
        for (std::string& line : answer.lines) failed.line(std::move(line));
        done(std::move(failed));
    }
};

Result<void> EvidenceFile::check(std::string_view path) const {
    if (!context_.sealed()) {
        return Error{"not-signed", "in clear (--insecure) nothing is signed: there is no evidence"};
    }
    if (!path.ends_with(kEnding) || path.substr(path.rfind('/') + 1) == kEnding) {
        return Error{"bad-file", "the name of the file has to end in " + std::string(kEnding) +
                                     ", so that no other file is overwritten"};
    }
    return {};
}

void EvidenceFile::start(Job job, Then then) {
    const JobId id = next_job_();
    jobs_.emplace(id, std::move(then));
    context_.effects->start_job(id, std::move(job));
}

bool EvidenceFile::on_job(JobId job, JobResult& result) {
    auto found = jobs_.extract(job);
    if (found.empty()) return false;
    found.mapped()(result);
    return true;
}

bool EvidenceFile::failed(Run& run, const JobResult& result) {
    if (result.outcome) return false;
    run.fail(result.outcome.error());
    return true;
}

std::string EvidenceFile::head() const {
    std::string bundle(kBundleMagic);
    bank_evidence::Item item;
    const secure::PublicKeys& keys = context_.identity.keys();
    item.mutable_head()->set_channel_key(secure::to_bytes(keys.channel));
    item.mutable_head()->set_signing_key(secure::to_bytes(keys.signing));
    item.mutable_head()->set_made_ms(static_cast<uint64_t>(context_.wall_us() / 1'000));
    item.mutable_head()->set_position(context_.state.position);
    for (const secure::PublicKeys& former : context_.state.bank_keys) {
        if (former == keys) continue;
        bank_evidence::FormerKeys* out = item.mutable_head()->add_former();
        out->set_channel_key(secure::to_bytes(former.channel));
        out->set_signing_key(secure::to_bytes(former.signing));
    }
    append_item(bundle, item);
    for (const Account& account : context_.state.accounts()) {
        if (account.keys().empty() && account.statements() == 0) continue;
        item.Clear();
        bank_evidence::Account* out = item.mutable_account();
        out->set_name(account.name);
        out->set_channel_key(secure::to_bytes(account.keys().channel));
        out->set_signing_key(secure::to_bytes(account.keys().signing));
        out->set_statements(account.statements());
        out->set_statement_digest(account.statement_digest());
        to_wire(account.totals, out->mutable_totals());
        out->set_exited(account.exited);
        for (const Money sum : account.all_corrections()) out->add_corrections(sum.cents());
        append_item(bundle, item);
    }
    return bundle;
}

void EvidenceFile::write(const std::string& path, Answer audit, Done done) {
    auto run = std::make_shared<Run>();
    run->path = path;
    run->position = context_.state.position;
    run->answer = std::move(audit);
    run->done = std::move(done);
    // As of now: what is committed meanwhile is behind the position.
    start(signed_statements_size_query(run->position),
          [this, run, bundle = head()](JobResult& result) mutable {
              if (failed(*run, result)) return;
              const StatementsSize size =
                  result.rows.empty() ? StatementsSize() : read_statements_size(result.rows[0]);
              run->statements = size.count;
              if (bundle.size() + size.bytes / 4 * 3 > largest_) {
                  run->fail(too_large(largest_));
                  return;
              }
              ask_ends(run, std::move(bundle));
          });
}

void EvidenceFile::ask_ends(std::shared_ptr<Run> run, std::string bundle) {
    start(written_by(cohort_ends_query(run->position), append_end, std::move(bundle)),
          [this, run](JobResult& result) {
              if (!failed(*run, result)) ask_accusations(run, std::move(result.text));
          });
}

void EvidenceFile::ask_accusations(std::shared_ptr<Run> run, std::string bundle) {
    start(written_by(accusations_query(run->position), append_accusation, std::move(bundle)),
          [this, run](JobResult& result) {
              if (!failed(*run, result)) ask_statements(run, std::move(result.text));
          });
}

void EvidenceFile::ask_statements(std::shared_ptr<Run> run, std::string bundle) {
    start(written_by(signed_statements_query(run->position), append_statement, std::move(bundle)),
          [this, run](JobResult& result) {
              if (!failed(*run, result)) seal(run, std::move(result.text));
          });
}

void EvidenceFile::seal(std::shared_ptr<Run> run, std::string bundle) {
    // With all that stands beside the statements: `bank verify` reads no more than this.
    if (bundle.size() > largest_) {
        run->fail(too_large(largest_));
        return;
    }
    append_seal(bundle, context_.identity);
    const size_t slash = run->path.rfind('/');
    WriteFiles files;
    files.folder = slash == std::string::npos ? "." : run->path.substr(0, slash);
    files.files.emplace_back(run->path.substr(slash == std::string::npos ? 0 : slash + 1),
                             std::move(bundle));
    start(std::move(files), [this, run](JobResult& result) {
        if (failed(*run, result)) return;
        run->answer.line("evidence: " + std::to_string(run->statements) + " signed statements in " +
                         run->path + "; `bank verify " + run->path + " --bank-key " +
                         secure::fingerprint(context_.identity.keys()) + "` checks them");
        if (context_.state.was_in_clear) {
            run->answer.line(
                "accounts of this bank were used with --insecure before: what they settled then is "
                "not signed, and `bank verify` will say so");
        }
        run->answer.fact("evidence", run->path).fact("statements", run->statements);
        run->done(std::move(run->answer));
    });
}

}  // namespace p2pbank::bank
