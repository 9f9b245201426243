// delete-cohort: a last checkpoint of all, or an end without it. Part of Procedures.
#include <algorithm>

#include "bank/procedures.h"
#include "bank/timing.h"
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {

void Procedures::delete_cohort(Requester requester, const Account& account, bool force) {
    const Cohort* cohort = context_.state.find_cohort(account.cohort);
    if (cohort == nullptr) {
        reply_(requester, failure("not-in-cohort", account.name + " is in no cohort"));
        return;
    }
    if (force) {
        const std::vector<std::string> members = cohort->members;
        Ending ending;
        ending.requester = std::move(requester);
        ending.cohort = cohort->id;
        ending.members = members;
        auto ended = end_cohort(*cohort, nullptr);
        if (!ended) {
            reply_(ending.requester, failure(ended.error()));
            return;
        }
        ending.answer = std::move(ended).value();
        for (auto at = ending_.begin(); at != ending_.end(); ++at) {
            if (at->cohort != ending.cohort || at->stage != Stage::settling) continue;
            reply_(at->requester, failure("not-in-cohort", "the cohort was ended by force"));
            ending_.erase(at);
            break;
        }
        promise_(ending.requester, ending.answer);
        ending.stage = Stage::telling;
        ending.deadline = context_.now + timing::kTelling / 4;
        ending_.push_back(std::move(ending));
        return;
    }
    if (cohort->stage == CohortStage::freezing) {
        reply_(requester, failure("busy", cohort->name + " is being ended already; try again"));
        return;
    }
    Ending ending;
    ending.requester = std::move(requester);
    ending.cohort = cohort->id;
    ending.members = cohort->members;
    ending.operation = {"bank:" + cohort->name, context_.state.boots, context_.state.counter + 1};
    ending.deadline = context_.now + timing::kFreezing;
    ending.at = context_.now;
    State::Record record;
    record.mutable_cohort_freezing()->set_cohort(cohort->id.value());
    to_wire(ending.operation, record.mutable_cohort_freezing()->mutable_operation());
    context_.commit(record);
    ending_.push_back(std::move(ending));
    if (advance(ending_.back())) ending_.pop_back();
}

bool Procedures::advance(Ending& ending) {
    if (ending.stage == Stage::telling) {
        const bool all_know =
            std::all_of(ending.members.begin(), ending.members.end(), [&](const auto& name) {
                return context_.state.find(name)->ended_cohort() != ending.cohort;
            });
        if (!all_know && context_.now < ending.deadline) return false;
        reply_(ending.requester, std::move(ending.answer));
        return true;
    }
    const Operation* operation = context_.state.undecided(ending.operation);
    const Cohort* cohort = context_.state.find_cohort(ending.cohort);
    P2PBANK_CHECK(operation != nullptr && cohort != nullptr);
    if (operation->settlements.size() == cohort->members.size()) return finish_freezing(ending);
    // Who recovers can settle only when the others have rolled back with it, and as long as they
    // wait for the end of the cohort they refuse to.
    const bool recovering =
        std::any_of(ending.refusals.begin(), ending.refusals.end(),
                    [](const auto& refusal) { return refusal.second == "recovering"; });
    if (recovering || context_.now >= ending.deadline) {
        const std::string who = unsettled(ending.operation, cohort->members, ending.refusals);
        decisions_.decide(ending.operation, wire::OPERATION_FREEZE, false, {});
        reply_(ending.requester,
               failure(recovering ? "recovering" : "unreachable",
                       "no last checkpoint in time from " + who +
                           "; nothing was changed (--force ends the cohort at its "
                           "last cut)"));
        return true;
    }
    if (context_.now < ending.at) return false;
    wire::Datagram message;
    wire::FreezeRequest* freeze = message.mutable_freeze_request();
    to_wire(ending.operation, freeze->mutable_operation());
    freeze->set_cohort(cohort->id.value());
    freeze->set_deadline_ms(
        static_cast<uint32_t>(duration_cast<milliseconds>(ending.deadline - context_.now).count()));
    for (const std::string& member : cohort->members) {
        if (!operation->settlements.contains(member)) {
            context_.send(*context_.state.find(member), message);
        }
    }
    ending.at = context_.now + ending.retry.next(context_.random);
    return false;
}

bool Procedures::finish_freezing(Ending& ending) {
    const Operation* operation = context_.state.undecided(ending.operation);
    std::string why;
    if (!decisions_.cut_matches(*operation, why)) {
        context_.notice(Severity::error, "aborts " + to_string(ending.operation) + ": " + why);
        decisions_.decide(ending.operation, wire::OPERATION_FREEZE, false, {});
        reply_(ending.requester, failure("refused", why + "; nothing was changed"));
        return true;
    }
    auto ended = end_cohort(*context_.state.find_cohort(ending.cohort), operation);
    if (!ended) {
        decisions_.decide(ending.operation, wire::OPERATION_FREEZE, false, {});
        reply_(ending.requester, failure(ended.error()));
        return true;
    }
    ending.answer = std::move(ended).value();
    promise_(ending.requester, ending.answer);
    ending.stage = Stage::telling;
    ending.deadline = context_.now + timing::kTelling;
    return false;
}

Result<Answer> Procedures::end_cohort(const Cohort& cohort, const Operation* operation) {
    State& state = context_.state;
    State::Record record;
    auto* ended = record.mutable_cohort_ended();
    ended->set_cohort(cohort.id.value());
    if (operation != nullptr) to_wire(operation->id, ended->mutable_operation());
    std::vector<std::string> members = cohort.members;
    std::sort(members.begin(), members.end());
    Answer answer = success("delete-cohort " + cohort.name + " members " + join(members, ", "));
    answer.fact("cohort", cohort.name);
    std::vector<std::vector<Answer::Fact>> given_back;
    MoneyTotal unclaimed;
    for (const std::string& name : members) {
        const Account& account = *state.find(name);
        Totals totals = account.totals;
        if (operation != nullptr) {
            totals = operation->settlements.find(name)->second.totals;
        }
        MoneyTotal all_back;
        MoneyTotal all_net;
        for (const std::string& peer_name : members) {
            if (peer_name == name) continue;
            const Channel& here = state.channel(operation, account, peer_name);
            const Channel& there = state.channel(operation, *state.find(peer_name), name);
            // received - sent + given back, where given back is sent - received there.
            MoneyTotal back;
            back += here.sent_sum;
            back -= there.received_sum;
            all_back += back;
            all_net += here.received_sum;
            all_net -= there.received_sum;
            if (back.is_zero()) continue;
            answer.line("gave back " + back.to_string() + " to " + name + ", in transit to " +
                        peer_name);
            given_back.push_back({{"amount", back.to_string(), true},
                                  {"to", name, false},
                                  {"in_transit_to", peer_name, false}});
        }
        const AfterCohort after = after_cohort(totals, all_back, all_net);
        if (!after.left_over.is_zero()) {
            if (operation != nullptr) {
                return Error{"limit", name + " cannot hold the " + all_back.to_string() +
                                          " that would be given back: let it withdraw something "
                                          "and take a checkpoint first; nothing was changed "
                                          "(--force ends the cohort all the same)"};
            }
            answer.line(name + " cannot hold " + after.left_over.to_string() +
                        " of it: they are in the bank's own account unclaimed");
            unclaimed += after.left_over;
        }
        auto* end = ended->add_members();
        end->set_name(name);
        to_wire(after.totals, end->mutable_totals());
    }
    answer.tables.emplace_back("given_back", std::move(given_back));
    if (!unclaimed.is_zero()) {
        ended->mutable_unclaimed()->set_low(unclaimed.low_bits());
        ended->mutable_unclaimed()->set_high(unclaimed.high_bits());
    }
    context_.commit(record);
    for (const std::string& name : members) decisions_.tell_end(*state.find(name));
    return answer;
}

}  // namespace p2pbank::bank
