// new-cohort: who is there, who joins, and the first checkpoint of all. Part of Procedures.
#include <algorithm>

#include "bank/procedures.h"
#include "bank/timing.h"
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

namespace {

constexpr size_t kProbesBeyondNeed = 8;  // not everybody answers

// A code as a customer's program gives it is shown to people: anything else than a word is none.
std::string code_of(const wire::SettleRefused& refused) {
    const std::string& code = refused.code();
    const bool is_word = !code.empty() && code.size() <= 32 &&
                         code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
    return is_word ? code : "refused";
}

}  // namespace

void Procedures::new_cohort(Requester requester, const Account& account, uint32_t size) {
    if (account.cohort.value() != 0) {
        reply_(requester,
               failure("in-cohort", account.name + " is in " +
                                        context_.state.cohort_of(account)->name + " already"));
        return;
    }
    if (account.ended_cohort().value() != 0) {
        reply_(requester, failure("busy", account.name + " has not yet heard that its last cohort "
                                                         "has ended; try again"));
        return;
    }
    const bool asked = std::any_of(forming_.begin(), forming_.end(), [&](const Forming& forming) {
        return forming.first == account.name;
    });
    if (asked || context_.state.forming.contains(account.name)) {
        reply_(requester, failure("busy", account.name + " is about to join a cohort; try again"));
        return;
    }
    Forming forming;
    forming.first = account.name;
    forming.size = size;
    for (const Account& other : context_.state.accounts()) {
        if (is_eligible(other) && other.name != account.name) {
            forming.candidates.push_back(other.name);
        }
    }
    if (forming.candidates.size() + 1 < size) {
        reply_(requester,
               failure("too-few", "a cohort of " + std::to_string(size) + " needs " +
                                      std::to_string(size - 1) +
                                      " other open customers that are in no cohort; there are " +
                                      std::to_string(forming.candidates.size())));
        return;
    }
    if (!account.attached) {
        reply_(requester, failure("unreachable", "no program has taken over the account of " +
                                                     account.name + " yet; start one for it"));
        return;
    }
    auto& candidates = forming.candidates;
    for (size_t i = candidates.size(); i > 1; --i) {
        std::swap(candidates[i - 1], candidates[context_.random.below(i)]);
    }
    forming.requester = std::move(requester);
    forming.nonce = context_.random.next();
    forming.deadline = context_.now + timing::kProbing;
    forming.at = context_.now;
    forming_.push_back(std::move(forming));
    if (advance(forming_.back())) forming_.pop_back();
}

void Procedures::probe_more(Forming& forming) {
    const size_t wanted = forming.asked + forming.size + kProbesBeyondNeed;
    forming.asked = std::min(forming.candidates.size(), wanted);
    wire::Datagram message;
    message.mutable_probe()->set_nonce(forming.nonce);
    if (!forming.first_answered) {
        context_.send(*context_.state.find(forming.first), message);
    }
    for (size_t i = 0; i < forming.asked; ++i) {
        const std::string& name = forming.candidates[i];
        const bool known = std::find(forming.answering.begin(), forming.answering.end(), name) !=
                           forming.answering.end();
        if (!known) context_.send(*context_.state.find(name), message);
    }
}

void Procedures::on_probe_answer(const Account& account, uint64_t nonce) {
    for (auto at = looking_.begin(); at != looking_.end(); ++at) {
        if (at->nonce != nonce || at->name != account.name) continue;
        at->answers = true;
        if (advance(*at)) looking_.erase(at);
        return;
    }
    for (auto at = forming_.begin(); at != forming_.end(); ++at) {
        Forming& forming = *at;
        if (forming.nonce != nonce || forming.stage != Stage::probing) continue;
        if (account.name == forming.first) {
            forming.first_answered = true;
        } else if (is_eligible(account) &&
                   std::find(forming.answering.begin(), forming.answering.end(), account.name) ==
                       forming.answering.end()) {
            forming.answering.push_back(account.name);
        }
        if (advance(forming)) forming_.erase(at);
        return;
    }
}

bool Procedures::advance(Forming& forming) {
    if (forming.stage == Stage::probing) {
        if (!is_eligible(*context_.state.find(forming.first))) {
            reply_(forming.requester, failure("busy", forming.first + " is joining another cohort, "
                                                                      "or closing; try again"));
            return true;
        }
        std::erase_if(forming.answering, [&](const std::string& name) {
            return !is_eligible(*context_.state.find(name));
        });
        if (forming.first_answered && forming.answering.size() + 1 >= forming.size) {
            return begin_joining(forming);
        }
        if (context_.now >= forming.deadline) {
            reply_(
                forming.requester,
                forming.first_answered
                    ? failure("too-few", "of the other open customers that are in no cohort only " +
                                             std::to_string(forming.answering.size()) +
                                             " answered; nothing was changed")
                    : failure("unreachable",
                              forming.first + " does not answer; nothing was changed"));
            return true;
        }
        if (context_.now >= forming.at) {
            probe_more(forming);
            forming.at = context_.now + forming.retry.next(context_.random);
        }
        return false;
    }
    const auto committed = context_.state.committed.find(forming.operation);
    if (forming.stage == Stage::telling) {
        const bool all_know = committed == context_.state.committed.end();
        if (!all_know && context_.now < forming.deadline) return false;
        reply_(forming.requester, std::move(forming.answer));
        return true;
    }
    const Operation* operation = context_.state.undecided(forming.operation);
    const Cohort* cohort = context_.state.find_cohort(forming.cohort);
    P2PBANK_CHECK(operation != nullptr && cohort != nullptr);
    if (operation->settlements.size() == cohort->members.size()) {
        decisions_.decide(forming.operation, wire::OPERATION_JOIN, true, cohort->members);
        forming.answer = joined_answer(*cohort);
        promise_(forming.requester, forming.answer);
        forming.stage = Stage::telling;
        forming.deadline = context_.now + timing::kTelling;
        return false;
    }
    if (context_.now >= forming.deadline) {
        const std::string who = unsettled(forming.operation, cohort->members, forming.refusals);
        decisions_.decide(forming.operation, wire::OPERATION_JOIN, false, {});
        reply_(forming.requester, failure("unreachable", "no agreement in time from " + who +
                                                             "; nothing was changed"));
        return true;
    }
    if (context_.now < forming.at) return false;
    wire::Datagram message;
    wire::JoinRequest* join = message.mutable_join_request();
    to_wire(forming.operation, join->mutable_operation());
    join->set_cohort(cohort->id.value());
    join->set_cohort_name(cohort->name);
    join->set_deadline_ms(static_cast<uint32_t>(
        duration_cast<milliseconds>(forming.deadline - context_.now).count()));
    for (const std::string& member : cohort->members) {
        if (!operation->settlements.contains(member)) {
            context_.send(*context_.state.find(member), message);
        }
    }
    forming.at = context_.now + forming.retry.next(context_.random);
    return false;
}

bool Procedures::begin_joining(Forming& forming) {
    State::Record record;
    auto* cohort = record.mutable_cohort_forming();
    const uint64_t id = context_.state.next_cohort;
    forming.cohort = CohortId(id);
    const std::string name = "cohort-" + std::to_string(id);
    forming.operation = {"bank:" + name, context_.state.boots, context_.state.counter + 1};
    cohort->set_cohort(id);
    cohort->set_cohort_name(name);
    cohort->add_members(forming.first);
    for (size_t i = 0; i + 1 < forming.size; ++i) cohort->add_members(forming.answering[i]);
    to_wire(forming.operation, cohort->mutable_operation());
    context_.commit(record);
    forming.stage = Stage::settling;
    forming.deadline = context_.now + timing::kJoining;
    forming.at = context_.now;
    forming.retry.reset();
    return advance(forming);
}

Answer Procedures::joined_answer(const Cohort& cohort) const {
    std::vector<std::string> members = cohort.members;
    std::sort(members.begin(), members.end());
    Answer answer = success("new-cohort " + cohort.name + " members " + join(members, ", "));
    answer.fact("cohort", cohort.name);
    std::vector<std::vector<Answer::Fact>> rows;
    for (const std::string& member : members) rows.push_back({{"name", member, false}});
    answer.tables.emplace_back("members", std::move(rows));
    return answer;
}

void Procedures::on_settled(const OperationId& id) {
    for (auto at = forming_.begin(); at != forming_.end(); ++at) {
        if (at->operation != id || at->stage != Stage::settling) continue;
        if (advance(*at)) forming_.erase(at);
        return;
    }
    for (auto at = ending_.begin(); at != ending_.end(); ++at) {
        if (at->operation != id || at->stage != Stage::settling) continue;
        if (advance(*at)) ending_.erase(at);
        return;
    }
}

void Procedures::on_settle_refused(const Account& account, const wire::SettleRefused& refused) {
    const OperationId id = from_wire(refused.operation());
    for (Forming& forming : forming_) {
        if (forming.operation == id) forming.refusals[account.name] = code_of(refused);
    }
    for (auto at = ending_.begin(); at != ending_.end(); ++at) {
        if (at->operation != id || at->stage != Stage::settling) continue;
        at->refusals[account.name] = code_of(refused);
        if (advance(*at)) ending_.erase(at);
        return;
    }
}

// Who has not settled, and what they said: "bob (busy), carol".
std::string Procedures::unsettled(const OperationId& id, const std::vector<std::string>& members,
                                  const std::map<std::string, std::string>& refusals) const {
    const Operation* operation = context_.state.undecided(id);
    std::vector<std::string> names;
    for (const std::string& member : members) {
        if (operation != nullptr && operation->settlements.contains(member)) continue;
        const auto refusal = refusals.find(member);
        names.push_back(member + (refusal == refusals.end() ? "" : " (" + refusal->second + ")"));
    }
    return join(names, ", ");
}

}  // namespace p2pbank::bank
