// Loans and their schedules. Part of Desk.
#include <algorithm>

#include "bank/desk.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {

void Desk::loans(const Asker& asker, const Words& words) {
    if (words.size() > 2) return reply(asker, usage(asker, "loans"));
    const auto& business = context_.state.business;
    std::vector<uint64_t> ids;
    if (words.size() == 1 && asker.is_console()) {
        for (const auto& [id, loan] : business.loans()) ids.push_back(id);
    } else {
        const auto whose = subject(asker, words.size() == 2 ? &words[1] : nullptr, "loans");
        if (!whose) return reply(asker, failure(whose.error()));
        ids = business.deals_of(whose.value()).loans;
    }
    // The newest first, and what is open before what is repaid: what is left out matters least.
    std::reverse(ids.begin(), ids.end());
    const auto repaid = std::stable_partition(ids.begin(), ids.end(), [&](uint64_t id) {
        return !business.loans().at(id).is_repaid(context_.wall_us());
    });
    const size_t count = ids.size();
    const auto open = static_cast<size_t>(repaid - ids.begin());
    ids.resize(std::min(count, limits::kRowsOnPage));
    std::vector<std::vector<std::string>> rows;
    std::vector<std::vector<Answer::Fact>> facts;
    for (const uint64_t id : ids) {
        const Loan& loan = business.loans().at(id);
        const LoanStanding now = loan.standing(context_.wall_us());
        const std::string status = loan.settled ? std::string(to_string(now.status)) : "pending";
        rows.push_back({std::to_string(id), loan.account, marked(loan.terms.principal),
                        rate_text(loan.terms.rate_bp) + " %", std::to_string(loan.terms.months),
                        status, marked(now.outstanding), marked(now.payoff), marked(now.overdue)});
        facts.push_back({{"loan", std::to_string(id), true},
                         {"customer", loan.account, false},
                         {"principal", to_string(loan.terms.principal), true},
                         {"rate", rate_text(loan.terms.rate_bp), true},
                         {"months", std::to_string(loan.terms.months), true},
                         {"status", status, false},
                         {"outstanding", to_string(now.outstanding), true},
                         {"payoff", to_string(now.payoff), true},
                         {"overdue", to_string(now.overdue), true}});
    }
    Answer answer = success("loans " + std::to_string(count));
    answer.fact("count", uint64_t(count));
    if (!rows.empty()) {
        answer.lines = aligned({{"loan", Align::right},
                                {"customer", Align::left},
                                {"amount", Align::right},
                                {"rate", Align::right},
                                {"months", Align::right},
                                {"status", Align::left},
                                {"outstanding", Align::right},
                                {"ends with", Align::right},
                                {"overdue", Align::right}},
                               rows);
    }
    if (count > ids.size()) {
        answer.line("and " + std::to_string(count - ids.size()) +
                    (open <= ids.size() ? " more, all repaid" : " more"));
    }
    answer.tables.emplace_back("loans", std::move(facts));
    reply(asker, std::move(answer));
}

void Desk::schedule(const Asker& asker, const Words& words) {
    if (words.size() != 2) return reply(asker, usage(asker, "schedule"));
    const auto& business = context_.state.business;
    const Loan* loan = nullptr;
    for (const auto& [id, candidate] : business.loans()) {
        if (std::to_string(id) == words[1]) loan = &candidate;
    }
    const Answer none =
        failure("unknown-loan", "there is no loan " + quote(words[1]) + "; `loans` lists them");
    if (loan == nullptr) return reply(asker, none);
    const auto whose = subject(asker, &loan->account, "schedule");
    if (!whose) {
        // Whose loans there are is nobody else's business.
        return reply(asker, asker.caller.role == Role::customer ? none : failure(whose.error()));
    }
    const auto paid = loan->paid();
    const auto rest = remaining_schedule(loan->terms, paid, context_.wall_us());
    Answer answer =
        success("schedule " + words[1] + " instalment " + to_string(instalment(loan->terms)) +
                " remaining " + std::to_string(rest.size()));
    answer.fact("instalment", instalment(loan->terms)).fact("remaining", uint64_t(rest.size()));
    std::vector<std::vector<std::string>> rows;
    std::vector<std::vector<Answer::Fact>> facts;
    for (const Instalment& line : rest) {
        rows.push_back({std::to_string(line.number), to_string(line.due), marked(line.payment),
                        marked(line.interest), marked(line.principal), marked(line.outstanding)});
        facts.push_back({{"number", std::to_string(line.number), true},
                         {"due", to_string(line.due), false},
                         {"payment", to_string(line.payment), true},
                         {"interest", to_string(line.interest), true},
                         {"principal", to_string(line.principal), true},
                         {"outstanding", to_string(line.outstanding), true}});
    }
    if (!rows.empty()) {
        answer.lines = aligned({{"number", Align::right},
                                {"due", Align::left},
                                {"payment", Align::right},
                                {"interest", Align::right},
                                {"principal", Align::right},
                                {"outstanding", Align::right}},
                               rows);
    }
    answer.tables.emplace_back("instalments", std::move(facts));
    reply(asker, std::move(answer));
}

}  // namespace p2pbank::bank
