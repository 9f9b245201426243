#include "bank/procedures.h"

#include <algorithm>

#include "bank/timing.h"
#include "common/base/check.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

constexpr size_t kProbesBeyondNeed = 8;  // not everybody answers
constexpr size_t kMostReports = 2'000;   // asked for by an audit

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

Answer exit_answer(const Account& account, bool empty) {
    const Money balance = account.totals.balance;
    Answer answer =
        success((empty ? "close " : "exit ") + account.name + " balance " + to_string(balance));
    return answer.fact("name", account.name).fact("balance", balance);
}

// A code as a customer's program gives it is shown to people: anything else than a word is none.
std::string code_of(const wire::SettleRefused& refused) {
    const std::string& code = refused.code();
    const bool is_word = !code.empty() && code.size() <= 32 &&
                         code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
    return is_word ? code : "refused";
}

bool same(const Requester& a, const Requester& b) {
    return a.command == b.command && a.customer == b.customer && a.instance == b.instance &&
           a.request == b.request;
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

// --- new-cohort
// -----------------------------------------------------------------------------------

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
    Answer answer = success("new-cohort " + cohort.name + " members " + joined(members));
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
    return joined(names);
}

// --- delete-cohort
// --------------------------------------------------------------------------------

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
    Answer answer = success("delete-cohort " + cohort.name + " members " + joined(members));
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

// --- exit, by the operator
// ------------------------------------------------------------------------

std::optional<Answer> Procedures::why_not_close(const Account& account, bool empty,
                                                Money balance) const {
    const size_t loans = context_.state.business.open_loans(account.name, context_.wall_us());
    if (loans > 0) {
        return failure("open-loan", account.name + " has " + std::to_string(loans) +
                                        (loans == 1 ? " open loan" : " open loans") +
                                        ": `loans` shows what is to be repaid first");
    }
    if (empty && !balance.is_zero()) {
        return failure("has-balance",
                       "the balance is " + to_string(balance) + ": withdraw it first");
    }
    return std::nullopt;
}

void Procedures::exit(Requester requester, const Account& account, bool empty) {
    const Cohort* cohort = context_.state.cohort_of(account);
    if (cohort != nullptr) {
        reply_(requester, failure("in-cohort", account.name + " is in " + cohort->name +
                                                   "; delete-cohort comes first"));
        return;
    }
    // What a running program has in it only that program knows: it is looked at when it answers.
    auto why_not = why_not_close(account, empty && !account.attached, account.totals.balance);
    if (why_not) {
        reply_(requester, std::move(*why_not));
        return;
    }
    if (!account.attached) {  // no process has ever had it
        State::Record record;
        record.mutable_exited()->set_name(account.name);
        to_wire(account.totals, record.mutable_exited()->mutable_totals());
        context_.commit(record);
        reply_(requester, exit_answer(account, empty));
        return;
    }
    Exiting exiting;
    exiting.requester = std::move(requester);
    exiting.name = account.name;
    exiting.empty = empty;
    exiting.nonce = context_.random.next() | 1;
    exiting.deadline = context_.now + timing::kExiting;
    exiting.at = context_.now;
    exiting_.push_back(std::move(exiting));
    if (advance(exiting_.back())) exiting_.pop_back();
}

bool Procedures::advance(Exiting& exiting) {
    const Account& account = *context_.state.find(exiting.name);
    if (account.exited) {
        reply_(exiting.requester, exit_answer(account, exiting.empty));
        return true;
    }
    if (context_.now >= exiting.deadline) {
        reply_(exiting.requester,
               failure("unreachable", account.name + " does not answer; nothing was changed"));
        return true;
    }
    if (context_.now < exiting.at) return false;
    wire::Datagram message;
    message.mutable_exit_order()->set_nonce(exiting.nonce);
    context_.send(account, message);
    exiting.at = context_.now + exiting.retry.next(context_.random);
    return false;
}

void Procedures::on_exit(const Requester& requester, const Account& account,
                         const wire::Exit& exit) {
    const Cohort* cohort = context_.state.cohort_of(account);
    const auto order = std::find_if(exiting_.begin(), exiting_.end(), [&](const Exiting& exiting) {
        return exiting.name == account.name && exiting.nonce == exit.order();
    });
    const bool ordered = exit.order() == 0 || order != exiting_.end();
    if (account.exited) {
        reply_(requester, exit_answer(account, exit.empty()));
    } else if (cohort != nullptr || account.ended_cohort().value() != 0) {
        reply_(requester, failure("in-cohort", account.name + " is in a cohort, or has not heard "
                                                              "that it ended; delete-cohort comes "
                                                              "first"));
    } else if (!ordered) {
        reply_(requester, failure("refused", "the operator has given up closing the account"));
    } else {
        const bool empty = exit.empty() || (order != exiting_.end() && order->empty);
        auto refused = close(account, exit, empty);
        if (!refused) {
            reply_(requester, exit_answer(account, exit.empty()));
        } else {
            if (order != exiting_.end()) {
                reply_(order->requester, *refused);
                exiting_.erase(order);
            }
            reply_(requester, std::move(*refused));
            return;
        }
    }
    run(exiting_);
}

std::optional<Answer> Procedures::close(const Account& account, const wire::Exit& exit,
                                        bool empty) {
    const auto last = decisions_.last_statement(account, exit);
    if (!last) return failure("refused", "the last balance cannot be taken as it is");
    const Totals totals = from_wire(last->totals());
    if (auto why_not = why_not_close(account, empty, totals.balance)) return why_not;
    if (totals.carried != account.totals.carried ||
        !context_.state.business.are_dealings(account.name, account.totals.dealings,
                                              totals.dealings)) {
        context_.notice(Severity::error,
                        "refuses the last balance of " + account.name + ": it does not add up");
        return failure("refused", "the last balance does not add up");
    }
    if (totals.adjustments != account.corrections) {
        MoneyTotal by;
        by += account.corrections;
        by -= totals.adjustments;
        MoneyTotal left = by;
        left += totals.balance;
        return left.is_negative()
                   ? failure("overdraft", "the operator's correction by " + by.to_string() +
                                              " waits until the balance covers it; deposit that "
                                              "first")
                   : failure("busy", "the operator has corrected the balance by " + by.to_string() +
                                         ", which this program has yet to hear; try again in some "
                                         "seconds");
    }
    State::Record record;
    record.mutable_exited()->set_name(account.name);
    *record.mutable_exited()->mutable_statement() = known_part(exit.statement());
    if (context_.sealed()) {
        record.mutable_exited()->set_signing_key(secure::to_bytes(account.keys().signing));
    }
    context_.commit(record);
    return std::nullopt;
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
