// What the bank's history knows: purchases, tokens, statements, activity, refusals, reports. Part
// of Desk. The history is asked beside the loop; the answer follows when its rows are there.
#include <algorithm>
#include <memory>
#include <set>

#include "bank/desk.h"
#include "bank/domain/tokens.h"
#include "common/base/dates.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/text.h"

namespace p2pbank::bank {
namespace {

using FactRows = std::vector<std::vector<Answer::Fact>>;

std::string signed_marked(Money amount) {
    return amount.is_negative() ? "-" + marked(must_subtract(Money(), amount)) : marked(amount);
}

Answer deal_list(const std::string& what, const JobResult& result, const std::string& next) {
    std::vector<std::vector<std::string>> rows;
    FactRows facts;
    for (const Row& row : result.rows) {
        const DealRow deal = read_deal(row);
        rows.push_back({std::to_string(deal.order), date_and_time(deal.at_us), deal.account,
                        deal.what, deal.quantity == 0 ? "" : std::to_string(deal.quantity),
                        marked(deal.amount), deal.state + (deal.imported ? ", imported" : "")});
        facts.push_back({{"order", std::to_string(deal.order), true},
                         {"at", date_and_time(deal.at_us), false},
                         {"customer", deal.account, false},
                         {"product", deal.what, false},
                         {"name", deal.name, false},
                         {"quantity", std::to_string(deal.quantity), true},
                         {"amount", to_string(deal.amount), true},
                         {"state", deal.state, false}});
    }
    Answer answer = success(what + " " + std::to_string(rows.size()));
    answer.fact("count", uint64_t(rows.size()));
    if (!rows.empty()) {
        answer.lines = aligned({{"order", Align::right},
                                {"at", Align::left},
                                {"customer", Align::left},
                                {"product", Align::left},
                                {"quantity", Align::right},
                                {"amount", Align::right},
                                {"state", Align::left}},
                               rows);
    }
    if (rows.size() == limits::kRowsOnPage) {
        answer.line("and perhaps more: `" + next + " --before " + rows.back()[0] + "`");
    }
    answer.tables.emplace_back("purchases", std::move(facts));
    return answer;
}

Answer line_list(const std::string& what, const JobResult& result) {
    std::vector<ActivityRow> lines;
    for (const Row& row : result.rows) lines.push_back(read_activity(row));

    std::vector<std::vector<std::string>> rows;
    FactRows facts;
    for (const ActivityRow& line : lines) {
        std::string about = line.what;
        if (line.number != 0) {
            about += (about.empty() ? "" : " ") + ("#" + std::to_string(line.number));
        }
        rows.push_back({date_and_time(line.at_us), line.kind, about, signed_marked(line.amount),
                        signed_marked(line.balance), line.state, line.note});
        facts.push_back({{"at", date_and_time(line.at_us), false},
                         {"kind", line.kind, false},
                         {"what", line.what, false},
                         {"number", std::to_string(line.number), true},
                         {"amount", to_string(line.amount), true},
                         {"balance", to_string(line.balance), true},
                         {"state", line.state, false},
                         {"note", line.note, false}});
    }
    Answer answer = success(what + " " + std::to_string(rows.size()));
    answer.fact("count", uint64_t(rows.size()));
    if (!rows.empty()) {
        answer.lines = aligned({{"at", Align::left},
                                {"what", Align::left},
                                {"", Align::left},
                                {"amount", Align::right},
                                {"balance", Align::right},
                                {"state", Align::left},
                                {"note", Align::left}},
                               rows);
    }
    answer.tables.emplace_back("entries", std::move(facts));
    return answer;
}

Result<uint64_t> parse_number(std::string_view text, uint64_t most, const char* what) {
    uint64_t value = 0;
    const bool digits = !text.empty() && text.size() <= 18 &&
                        text.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) {
        for (const char c : text) value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    if (!digits || value == 0 || value > most) {
        return Error{"usage", quote(text) + " is not " + what};
    }
    return value;
}

}  // namespace

Result<Period> Desk::period(const Options& options) {
    Period period;
    if (const std::string* from = options.find("--from")) {
        const auto date = parse_date(*from);
        if (!date) return date.error();
        period.from_us = begin_of(date.value());
    }
    if (const std::string* to = options.find("--to")) {
        const auto date = parse_date(*to);
        if (!date) return date.error();
        period.to_us = begin_of(date.value()) + kMicrosInDay;  // the day itself counts
    }
    if (period.from_us >= period.to_us) {
        return Error{"bad-date", "the period ends before it begins"};
    }
    return period;
}

void Desk::purchases(const Asker& asker, const Words& words) {
    const auto read = options(words, {"--product", "--before"}, {});
    if (!read) return reply(asker, failure(read.error()));
    const Options& given = read.value();
    uint64_t before = kNewest;
    if (const std::string* text = given.find("--before")) {
        const auto number = parse_number(*text, kNewest, "the number of an order");
        if (!number) return reply(asker, failure(number.error()));
        before = number.value();
    }
    const std::string* product = given.find("--product");
    if (given.plain.size() > 1 || (product != nullptr && !given.plain.empty())) {
        return reply(asker, usage(asker, "purchases"));
    }
    const bool everybody = given.plain.empty() && (product != nullptr || asker.is_console());
    if (everybody && !asker.is_console() && asker.caller.role == Role::customer) {
        return reply(asker, refuse(asker, "purchases --product", Role::teller));
    }
    if (product != nullptr) {
        look_up(asker, deals_of(Dealing::purchase, *product, limits::kRowsOnPage, before),
                [what = *product](const JobResult& result) {
                    return deal_list("purchases", result, "purchases --product " + what);
                });
        return;
    }
    if (everybody) {
        look_up(
            asker, newest_deals(Dealing::purchase, limits::kRowsOnPage, before),
            [](const JobResult& result) { return deal_list("purchases", result, "purchases"); });
        return;
    }
    const auto whose = subject(asker, given.plain.empty() ? nullptr : &given.plain[0], "purchases");
    if (!whose) return reply(asker, failure(whose.error()));
    look_up(asker, deals_of_account(whose.value(), Dealing::purchase, limits::kRowsOnPage, before),
            [name = whose.value()](const JobResult& result) {
                return deal_list("purchases", result, "purchases " + name);
            });
}

void Desk::tokens(const Asker& asker, const Words& words) {
    const auto read = options(words, {"--order"}, {});
    if (!read) return reply(asker, failure(read.error()));
    const Options& given = read.value();
    if (given.plain.size() > 1) return reply(asker, usage(asker, "tokens"));
    const auto whose = subject(asker, given.plain.empty() ? nullptr : &given.plain[0], "tokens");
    if (!whose) return reply(asker, failure(whose.error()));
    uint64_t order = 0;
    if (const std::string* text = given.find("--order")) {
        const auto number = parse_number(*text, kNewest - 1, "the number of an order");
        if (!number) return reply(asker, failure(number.error()));
        order = number.value();
    }
    const uint32_t limit = order == 0 ? limits::kRowsOnPage : 1;
    look_up(
        asker, tokens_of_account(whose.value(), limit, order == 0 ? kNewest : order + 1),
        [order](const JobResult& result) {
            std::vector<std::vector<std::string>> rows;
            FactRows facts;
            Answer answer;
            for (const Row& row : result.rows) {
                const TokenRow token = read_token(row);
                if (order != 0 && token.order != order) continue;
                rows.push_back({std::to_string(token.order), date_and_time(token.at_us),
                                token.biller, marked(token.amount), grouped_token(token.token)});
                facts.push_back({{"order", std::to_string(token.order), true},
                                 {"at", date_and_time(token.at_us), false},
                                 {"biller", token.biller, false},
                                 {"amount", to_string(token.amount), true},
                                 {"token", token.token, false}});
                if (order != 0) answer.fact("token", token.token);
            }
            answer.text = "tokens " + std::to_string(rows.size());
            answer.fact("count", uint64_t(rows.size()));
            if (!rows.empty()) {
                answer.lines = aligned({{"order", Align::right},
                                        {"at", Align::left},
                                        {"service", Align::left},
                                        {"amount", Align::right},
                                        {"token", Align::left}},
                                       rows);
            }
            answer.tables.emplace_back("tokens", std::move(facts));
            return answer;
        });
}

void Desk::statement(const Asker& asker, const Words& words) {
    const auto read = options(words, {"--from", "--to", "--last"}, {"--csv", "--json"});
    if (!read) return reply(asker, failure(read.error()));
    const Options& given = read.value();
    if (given.find("--csv") != nullptr && given.find("--json") != nullptr) {
        return reply(asker, usage(asker, "statement"));
    }
    const auto when = period(given);
    if (!when) return reply(asker, failure(when.error()));
    const auto whose = given.plain.size() == 1
                           ? subject(asker, &given.plain[0], "statement")
                           : Result<std::string>(Error{"usage", usage(asker, "statement").text});
    if (!whose) return reply(asker, failure(whose.error()));
    uint64_t most = limits::kRowsOnPage;
    if (const std::string* text = given.find("--last")) {
        const auto number = parse_number(*text, 10'000, "a number of lines, at most 10000");
        if (!number) return reply(asker, failure(number.error()));
        most = number.value();
    }
    Query query = statement_query(whose.value(), when.value(), static_cast<uint32_t>(most));
    const std::string what = "statement " + whose.value();
    if (given.find("--csv") != nullptr) {
        look_up(asker, with_csv(std::move(query)), [what](const JobResult& result) {
            Answer answer = success(what);
            for (size_t at = 0; at < result.text.size();) {
                const size_t end = std::min(result.text.find('\n', at), result.text.size());
                answer.line(result.text.substr(at, end - at));
                at = end + 1;
            }
            return answer;
        });
        return;
    }
    look_up(asker, std::move(query),
            [what, json = given.find("--json") != nullptr](const JobResult& result) {
                Answer answer = line_list(what, result);
                if (!json) return answer;
                answer.lines.clear();
                for (const auto& row : answer.tables.back().second) answer.line(to_json(row));
                return answer;
            });
}

void Desk::last(const Asker& asker, const Words& words) {
    if (words.size() != 2) return reply(asker, usage(asker, "last"));
    const auto whose = subject(asker, &words[1], "last");
    if (!whose) return reply(asker, failure(whose.error()));
    look_up(asker, statement_query(whose.value(), {}, 1),
            [name = whose.value()](const JobResult& result) {
                return line_list("last " + name, result);
            });
}

void Desk::activity(const Asker& asker, const Words& words) {
    if (words.size() > 2) return reply(asker, usage(asker, "activity"));
    const auto whose = subject(asker, words.size() == 2 ? &words[1] : nullptr, "activity");
    if (!whose) return reply(asker, failure(whose.error()));
    look_up(asker, activity_query(whose.value(), limits::kRowsOnPage * 2),
            [this, name = whose.value()](const JobResult& result) {
                Answer answer = line_list("activity " + name, result);
                // What is pending comes with the next checkpoint; the deals are known already.
                for (const PendingDeal& deal : context_.state.business.deals_of(name).pending) {
                    answer.line("pending: order " + std::to_string(deal.order) + ", " + deal.what +
                                ", " + signed_marked(deal.amount) + ", since " +
                                date_and_time(deal.at_us));
                }
                return answer;
            });
}

void Desk::refusals(const Asker& asker) {
    look_up(asker, refusals_query(limits::kRowsOnPage), [](const JobResult& result) {
        std::vector<std::vector<std::string>> rows;
        FactRows facts;
        for (const Row& row : result.rows) {
            const RefusalRow refusal = read_refusal(row);
            rows.push_back(
                {date_and_time(refusal.at_us), refusal.who, refusal.command, refusal.code});
            facts.push_back({{"at", date_and_time(refusal.at_us), false},
                             {"who", refusal.who, false},
                             {"command", refusal.command, false},
                             {"code", refusal.code, false}});
        }
        Answer answer = success("refusals " + std::to_string(rows.size()));
        answer.fact("count", uint64_t(rows.size()));
        if (!rows.empty()) {
            answer.lines = aligned({{"at", Align::left},
                                    {"who", Align::left},
                                    {"command", Align::left},
                                    {"code", Align::left}},
                                   rows);
        }
        answer.tables.emplace_back("refusals", std::move(facts));
        return answer;
    });
}

}  // namespace p2pbank::bank
