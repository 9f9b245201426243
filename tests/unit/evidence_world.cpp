#include "tests/unit/evidence_world.h"

#include "bank/evidence_file.h"

namespace p2pbank {

void EvidenceWorld::end_cohort(uint64_t cohort, const std::vector<std::string>& names,
                               bool forced) {
    const OperationId id{"bank:cohort-" + std::to_string(cohort), context->state.boots + 1,
                         context->state.counter + 1};
    bank::State::Record record;
    if (!forced) {
        record.mutable_cohort_freezing()->set_cohort(cohort);
        to_wire(id, record.mutable_cohort_freezing()->mutable_operation());
        context->commit(record);
        for (const std::string& name : names) {
            REQUIRE(settle(name, id, wire::OPERATION_FREEZE));
        }
    }
    record.Clear();
    auto* ended = record.mutable_cohort_ended();
    ended->set_cohort(cohort);
    if (!forced) to_wire(id, ended->mutable_operation());
    std::map<std::string, Totals> last;
    for (const std::string& name : names) {
        Signer& signer = at(name);
        if (forced) {
            signer.totals = signer.permanent.totals;
            signer.channels = signer.permanent.channels;
        }
    }
    for (const std::string& name : names) {
        Totals totals = at(name).totals;
        for (const std::string& peer : names) {
            if (peer == name) continue;
            const Channel here = at(name).channels[peer];
            const Channel there = at(peer).channels[name];
            totals.balance =
                must_add(totals.balance, must_subtract(here.sent_sum, there.received_sum));
            totals.carried =
                must_add(totals.carried, must_subtract(here.received_sum, there.received_sum));
        }
        last[name] = totals;
        ended->add_members()->set_name(name);
        to_wire(totals, ended->mutable_members()->rbegin()->mutable_totals());
    }
    context->commit(record);
    for (const std::string& name : names) {
        Signer& signer = at(name);
        if (!forced) made_permanent(name, settled_.at(name));
        signer.totals = last[name];
        signer.channels.clear();
        signer.permanent = {last[name], {}};
        signer.cohort = 0;
        wire::CohortEndedAck ack;
        ack.set_cohort(cohort);
        decisions->on_cohort_ended_ack(account(name), ack);
    }
}

std::string EvidenceWorld::bundle() {
    REQUIRE(history_->apply(facts_, position_).ok());
    facts_.clear();
    bank::EvidenceFile file(*context, [this] { return JobId(++jobs_); });
    std::optional<Answer> answer;
    std::string written;
    file.write("x/some.evidence", success("audit"),
               [&](Answer given) { answer = std::move(given); });
    while (!effects.jobs.empty()) {
        auto job = std::move(effects.jobs.front());
        effects.jobs.erase(effects.jobs.begin());
        JobResult result;
        if (const auto* query = std::get_if<Query>(&job.work)) {
            result.text = query->head;
            const auto asked = history_->query(query->query, query->values, [&](const Row& row) {
                if (query->format == nullptr) {
                    result.rows.push_back(row);
                } else {
                    query->format(row, result.text);
                }
            });
            REQUIRE(asked.ok());
        } else {
            const auto& files = std::get<WriteFiles>(job.work);
            CHECK(files.folder == "x");
            REQUIRE(files.files.size() == 1);
            CHECK(files.files[0].first == "some.evidence");
            written = files.files[0].second;
        }
        REQUIRE(file.on_job(job.id, result));
    }
    REQUIRE(answer.has_value());
    CHECK(answer->outcome == Outcome::success);
    return written;
}

void EvidenceWorld::start(const std::vector<std::string>& records) {
    BankSettings settings;
    settings.seed = 1;
    settings.secret_seed[0] = 1;
    settings.key_seed[0] = 2;
    settings.insecure = insecure_;
    decisions.reset();
    const TimePoint now = context ? context->now : TimePoint{};
    context = std::make_unique<bank::Context>(settings);
    context->now = now;
    context->effects = &effects;
    for (const std::string& bytes : records) {
        bank::State::Record record;
        REQUIRE(record.ParseFromString(bytes));
        REQUIRE(context->state.apply(record).ok());
    }
    context->state.history = this;
    decisions = std::make_unique<bank::Decisions>(*context, [](const OperationId&) {});
    decisions->resume();
}

}  // namespace p2pbank
