#include "bank/procedures.h"

#include <algorithm>

#include "bank/timing.h"

namespace p2pbank::bank {
namespace {

constexpr size_t kMostReports = 2'000;  // asked for by an audit

bool same(const Requester& a, const Requester& b) {
    return a.command == b.command && a.customer == b.customer && a.instance == b.instance &&
           a.request == b.request && a.opener == b.opener;
}

}  // namespace

Duration Procedures::timing_first() {
    return timing::kRetryFirst;
}

Duration Procedures::timing_most() {
    return timing::kRetryMost;
}

Procedures::Procedures(Context& context, Decisions& decisions, Reply promise, Reply reply)
    : context_(context),
      decisions_(decisions),
      promise_(std::move(promise)),
      reply_(std::move(reply)) {}

bool Procedures::is_under_way(const Requester& requester) const {
    const auto is_it = [&](const auto& procedure) { return same(procedure.requester, requester); };
    return std::any_of(forming_.begin(), forming_.end(), is_it) ||
           std::any_of(ending_.begin(), ending_.end(), is_it);
}

bool Procedures::is_eligible(const Account& account) const {
    return !account.exited && account.attached && account.cohort.value() == 0 &&
           account.ended_cohort().value() == 0 && !context_.state.forming.contains(account.name);
}

// --- whether a program answers
// -----------------------------------------------------------------------------

void Procedures::look_for(const Account& account, Looked looked) {
    Looking looking;
    looking.name = account.name;
    looking.looked = std::move(looked);
    looking.nonce = context_.random.next();
    looking.deadline = context_.now + timing::kProbing;
    looking.at = context_.now;
    looking_.push_back(std::move(looking));
    if (advance(looking_.back())) looking_.pop_back();
}

bool Procedures::advance(Looking& looking) {
    const Account& account = *context_.state.find(looking.name);
    if (looking.answers || !account.attached || context_.now >= looking.deadline) {
        looking.looked(account, looking.answers);
        return true;
    }
    if (context_.now < looking.at) return false;
    wire::Datagram message;
    message.mutable_probe()->set_nonce(looking.nonce);
    context_.send(account, message);
    looking.at = context_.now + looking.retry.next(context_.random);
    return false;
}

// --- audit
// ----------------------------------------------------------------------------------------

void Procedures::audit(Requester requester) {
    Audit audit;
    audit.requester = std::move(requester);
    audit.nonce = context_.random.next();
    audit.deadline = context_.now + timing::kReporting;
    audit.at = context_.now;
    for (const auto& [id, cohort] : context_.state.cohorts) {
        if (cohort.stage == CohortStage::forming) continue;
        for (const std::string& member : cohort.members) {
            if (audit.missing.size() < kMostReports) audit.missing.insert(member);
        }
    }
    for (const Account& account : context_.state.accounts()) {
        if (audit.missing.size() >= kMostReports) break;
        if (!account.exited && account.attached) audit.missing.insert(account.name);
    }
    audits_.push_back(std::move(audit));
    if (advance(audits_.back())) audits_.pop_back();
}

void Procedures::on_report(const Account& account, const wire::Report& report) {
    for (auto at = audits_.begin(); at != audits_.end(); ++at) {
        if (at->nonce != report.nonce() || at->missing.erase(account.name) == 0) continue;
        at->reports[account.name] = report;
        if (advance(*at)) audits_.erase(at);
        return;
    }
}

bool Procedures::advance(Audit& audit) {
    if (audit.missing.empty() || context_.now >= audit.deadline) {
        reply_(audit.requester, audit_answer(context_.state, audit.reports));
        return true;
    }
    if (context_.now < audit.at) return false;
    wire::Datagram message;
    message.mutable_report_request()->set_nonce(audit.nonce);
    for (const std::string& name : audit.missing) {
        context_.send(*context_.state.find(name), message);
    }
    audit.at = context_.now + timing::kReporting / 4;
    return false;
}

// --- time
// -----------------------------------------------------------------------------------------

template <class Procedure>
void Procedures::run(std::list<Procedure>& procedures) {
    for (auto at = procedures.begin(); at != procedures.end();) {
        at = advance(*at) ? procedures.erase(at) : std::next(at);
    }
}

void Procedures::on_acknowledged() {
    run(forming_);
    run(ending_);
}

void Procedures::on_timer() {
    run(forming_);
    run(ending_);
    run(exiting_);
    run(looking_);
    run(audits_);
}

std::optional<TimePoint> Procedures::next_wake() const {
    std::optional<TimePoint> wake;
    const auto consider = [&](TimePoint at) { wake = wake ? std::min(*wake, at) : at; };
    const auto both = [&](const auto& procedure) {
        consider(procedure.deadline);
        if (procedure.stage != Stage::telling) consider(procedure.at);
    };
    for (const Forming& forming : forming_) both(forming);
    for (const Ending& ending : ending_) both(ending);
    for (const Exiting& exiting : exiting_) consider(std::min(exiting.deadline, exiting.at));
    for (const Looking& looking : looking_) consider(std::min(looking.deadline, looking.at));
    for (const Audit& audit : audits_) consider(std::min(audit.deadline, audit.at));
    return wake;
}

}  // namespace p2pbank::bank
