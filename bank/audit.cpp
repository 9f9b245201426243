// Does the money add up? The last settled cut, and beside it what the members say at this moment.
#include <algorithm>

#include "bank/procedures.h"
#include "common/base/dates.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

std::string padded(std::string text, size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

struct Sums {
    MoneyTotal balances;
    MoneyTotal expected;  // opening + deposits - withdrawals + corrections
    void add(const Totals& totals) {
        balances += totals.balance;
        expected += totals.opening;
        expected += totals.deposits;
        expected -= totals.withdrawals;
        expected += totals.adjustments;
    }
};

Answer::Fact number(const char* name, std::string value) {
    return {name, std::move(value), true};
}

// The channels with money in transit at the settled cut.
MoneyTotal add_settled_channels(const State& state, Answer& answer) {
    MoneyTotal in_transit;
    std::vector<std::vector<Answer::Fact>> rows;
    for (const auto& [id, cohort] : state.cohorts) {
        if (cohort.stage == CohortStage::forming) continue;
        for (const std::string& from : cohort.members) {
            for (const auto& [to, channel] : state.find(from)->channels()) {
                MoneyTotal difference;
                difference += channel.sent_sum;
                difference -= state.channel(nullptr, *state.find(to), from).received_sum;
                in_transit += difference;
                if (difference.is_zero()) continue;
                answer.line("in transit at the cut: " + difference.to_string() + " from " + from +
                            " to " + to);
                rows.push_back({{"from", from, false},
                                {"to", to, false},
                                number("amount", difference.to_string())});
            }
            // Received and never sent: made-up money, which must not be.
            for (const auto& [to, channel] : state.find(from)->channels()) {
                if (state.find(to)->channels().contains(from)) continue;
                in_transit -= channel.received_sum;
            }
        }
    }
    answer.tables.emplace_back("in_transit_channels", std::move(rows));
    return in_transit;
}

// False if no honest customer can report that.
bool read_report(const wire::Report& report, ChannelMap& channels) {
    for (const wire::Channel& channel : report.channels()) {
        auto read = p2pbank::from_wire(channel);
        if (!read || read->sent_sum.is_negative() || read->received_sum.is_negative()) return false;
        channels[channel.peer()] = std::move(*read);
    }
    const Totals totals = p2pbank::from_wire(report.totals());
    return is_within_bounds(totals, channels) && adds_up(totals, channels);
}

void add_reports(const State& state, const std::map<std::string, wire::Report>& reports,
                 Answer& answer) {
    answer.line("at this moment, as members report it (not a cut):");
    std::vector<std::vector<Answer::Fact>> rows;
    std::map<std::string, ChannelMap, std::less<>> channels;
    for (const auto& [name, report] : reports) {
        ChannelMap told;
        if (!read_report(report, told)) {
            answer.line("  " + padded(name, 16) + " reports what makes no sense");
            continue;
        }
        channels[name] = std::move(told);
        const Money balance = Money::from_cents(report.totals().balance());
        answer.line("  " + padded(name, 16) + " " + to_string(balance));
        rows.push_back({{"name", name, false}, number("balance", to_string(balance))});
    }
    answer.tables.emplace_back("reported", std::move(rows));
    std::vector<std::vector<Answer::Fact>> transit_rows;
    for (const auto& [from, report] : reports) {
        for (const auto& [to, channel] : channels[from]) {
            if (!channels.contains(to)) continue;
            MoneyTotal difference;
            difference += channel.sent_sum;
            const auto there = channels[to].find(from);
            if (there != channels[to].end()) difference -= there->second.received_sum;
            if (difference.is_zero()) continue;
            Money lost;
            for (const wire::Reason& reason : report.lost()) {
                if (reason.peer() == to &&
                    reason.transfers() <= static_cast<uint64_t>(channel.sent_sum.cents())) {
                    lost = Money::from_cents(static_cast<int64_t>(reason.transfers()));
                }
            }
            answer.line("  in transit now: " + difference.to_string() + " from " + from + " to " +
                        to + (lost.is_zero() ? "" : ", of it lost " + to_string(lost)));
            transit_rows.push_back({{"from", from, false},
                                    {"to", to, false},
                                    number("amount", difference.to_string()),
                                    number("lost", to_string(lost))});
        }
    }
    answer.tables.emplace_back("in_transit_now", std::move(transit_rows));
    constexpr size_t kMostNamed = 20;
    size_t silent = 0;
    std::string names;
    for (const Account& account : state.accounts()) {
        if (account.exited || reports.contains(account.name)) continue;
        if (++silent > kMostNamed) continue;
        names += (names.empty() ? "" : ", ") + account.name +
                 (account.attached ? "" : " (no program yet)");
    }
    if (silent == 0) return;
    if (silent > kMostNamed) names += " and " + std::to_string(silent - kMostNamed) + " more";
    answer.line("  did not report: " + names);
}

// Settled by a bank that did not look, and never made by the operator.
bool is_invented(const Account& account) {
    if (account.corrections == account.totals.adjustments) return false;
    const auto all = account.all_corrections();
    return all.front().is_zero() &&
           std::find(all.begin(), all.end(), account.totals.adjustments) == all.end();
}

// What the operator changed in data.csv and the customer has not settled yet.
void add_corrections(const State& state, Answer& answer) {
    for (const Account& account : state.accounts()) {
        if (account.corrections == account.totals.adjustments) continue;
        if (is_invented(account)) {
            answer.line(account.name + " has settled corrections of " +
                        to_string(account.totals.adjustments) + ", and the operator has made " +
                        to_string(account.corrections) + ": the difference is not expected");
            continue;
        }
        MoneyTotal by;
        by += account.corrections;
        by -= account.totals.adjustments;
        answer.line("not settled yet: a correction of " + account.name + " by " + by.to_string() +
                    " in data.csv; its next checkpoint or its exit settles it");
    }
}

// Who was found out in what. The bundle of evidence shows it to others.
void add_accusations(const State& state, Answer& answer) {
    std::vector<std::vector<Answer::Fact>> rows;
    for (const Account& account : state.accounts()) {
        if (account.details == nullptr) continue;
        for (const bank_evidence::Accusation& one : account.details->accusations) {
            const bool lied = one.kind() != bank_evidence::ACCUSATION_NO_EVIDENCE;
            answer.line(account.name + (lied ? " lied: " : " gave no evidence: ") + one.text());
            rows.push_back({{"name", account.name, false},
                            {"lied", lied ? "yes" : "no", false},
                            {"text", one.text(), false},
                            {"operation", to_string(p2pbank::from_wire(one.operation())), false},
                            {"at", date_and_time(moment_of_ms(one.at_ms())), false}});
        }
    }
    answer.tables.emplace_back("accusations", std::move(rows));
}

}  // namespace

Answer audit_answer(const State& state, const std::map<std::string, wire::Report>& reports) {
    Sums sums;
    for (const Account& account : state.accounts()) {
        Totals totals = account.totals;
        if (is_invented(account)) totals.adjustments = account.corrections;
        sums.add(totals);
    }
    Answer details;
    const MoneyTotal in_transit = add_settled_channels(state, details);
    // What customers paid to the bank's own accounts is still there, and what it lent is with them.
    const MoneyTotal own = state.business.own_total();
    MoneyTotal difference = sums.balances;
    difference += in_transit;
    difference += own;
    difference -= sums.expected;
    Answer answer =
        success("audit balances " + sums.balances.to_string() + " in-transit " +
                in_transit.to_string() + (own.is_zero() ? "" : " bank " + own.to_string()) +
                " expected " + sums.expected.to_string() + " difference " + difference.to_string());
    answer.facts = {number("balances", sums.balances.to_string()),
                    number("in_transit", in_transit.to_string()), number("bank", own.to_string()),
                    number("expected", sums.expected.to_string()),
                    number("difference", difference.to_string())};
    answer.lines = std::move(details.lines);
    answer.tables = std::move(details.tables);
    for (const auto& [name, balance] : state.business.own_accounts()) {
        answer.line("the bank's own account " + name + ": " + balance.to_string());
    }
    add_corrections(state, answer);
    add_accusations(state, answer);
    add_reports(state, reports, answer);
    return answer;
}

}  // namespace p2pbank::bank
