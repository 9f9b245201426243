// What happened to the account, from this program's own list: `history`, `statement`, `last`. It
// has what is pending too, and needs no bank. Part of Customer.
#include <algorithm>

#include "common/base/csv.h"
#include "common/base/dates.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/base/words.h"
#include "common/core/command_table.h"
#include "customer/command_list.h"
#include "customer/customer.h"

namespace p2pbank {

using namespace customer;

namespace {

using Facts = std::vector<Answer::Fact>;

std::string signed_marked(Money amount) {
    return amount.is_negative() ? "-" + marked(positive(amount)) : marked(amount);
}

// A damaged clock or journal may say any time.
int64_t at_us(const ActivityEntry& entry) {
    constexpr uint64_t kMostMs = INT64_MAX / 1'000;
    return static_cast<int64_t>(std::min(entry.at_ms, kMostMs)) * 1'000;
}

Answer usage(std::string_view verb) {
    return usage_failure(command_table(), verb);
}

struct StatementOptions {
    int64_t from_us = INT64_MIN;
    int64_t to_us = INT64_MAX;
    uint64_t last = limits::kMaxActivity;
    bool csv = false;
    bool json = false;
};

Result<StatementOptions> read_options(const std::vector<std::string>& words) {
    const Error wrong{"usage", usage("statement").text};
    StatementOptions options;
    std::vector<std::string> seen;
    for (size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (std::find(seen.begin(), seen.end(), word) != seen.end()) return wrong;
        seen.push_back(word);
        if (word == "--csv" || word == "--json") {
            (word == "--csv" ? options.csv : options.json) = true;
            if (options.csv && options.json) return wrong;
            continue;
        }
        if (i + 1 == words.size()) return wrong;
        const std::string& value = words[++i];
        if (word == "--from" || word == "--to") {
            const auto date = parse_date(value);
            if (!date) return date.error();
            (word == "--from" ? options.from_us : options.to_us) =
                begin_of(date.value()) + (word == "--to" ? kMicrosInDay : 0);
        } else if (word == "--last") {
            const bool digits = !value.empty() && value.size() <= 6 &&
                                value.find_first_not_of("0123456789") == std::string::npos;
            options.last = digits ? std::stoull(value) : 0;
            if (options.last == 0) {
                return Error{"usage", quote(value) + " is not a number of lines"};
            }
        } else {
            return wrong;
        }
    }
    if (options.from_us >= options.to_us) {
        return Error{"bad-date", "the period ends before it begins"};
    }
    return options;
}

struct Line {
    const ActivityEntry* entry;
    const char* state;
};

Answer lines_answer(std::string title, const std::vector<Line>& lines, bool csv, bool json) {
    Answer answer = success(std::move(title));
    std::vector<std::vector<std::string>> rows;
    std::vector<Facts> facts;
    if (csv) answer.line("date,what,number,amount,balance,state,note");
    for (const auto& [entry, state] : lines) {
        const std::string at = date_and_time(at_us(*entry));
        const std::string what = to_text(*entry);
        facts.push_back({{"at", at, false},
                         {"what", what, false},
                         {"number", std::to_string(entry->number), true},
                         {"amount", to_string(entry->amount), true},
                         {"balance", to_string(entry->balance), true},
                         {"state", state, false},
                         {"note", entry->note, false}});
        if (csv) {
            std::string text;
            append_csv_row(
                text, {at, defuse(what), std::to_string(entry->number), to_string(entry->amount),
                       to_string(entry->balance), state, defuse(entry->note)});
            text.pop_back();  // the newline
            answer.line(std::move(text));
        } else if (json) {
            answer.line(to_json(facts.back()));
        } else {
            rows.push_back({at, what, signed_marked(entry->amount), marked(entry->balance), state,
                            entry->note});
        }
    }
    if (!rows.empty()) {
        answer.lines = aligned({{"at", Align::left},
                                {"what", Align::left},
                                {"amount", Align::right},
                                {"balance", Align::right},
                                {"state", Align::left},
                                {"note", Align::left}},
                               rows);
    }
    answer.fact("count", uint64_t(lines.size()));
    answer.tables.emplace_back("entries", std::move(facts));
    return answer;
}

}  // namespace

Answer Customer::history() const {
    const ActivityLog& log = context_.state.activity;
    const size_t count = std::min(log.entries.size(), limits::kMaxHistory);
    Answer result = success("history " + std::to_string(count));
    result.fact("count", uint64_t(count));
    std::vector<Facts> rows;
    for (uint64_t i = log.count() - count; i < log.count(); ++i) {
        const ActivityEntry& entry = log.entries[i - log.dropped];
        const char* state = log.state_of(i);
        const std::string what = to_text(entry) + (entry.note.empty() ? "" : ": " + entry.note);
        result.line(what + ", balance " + to_string(entry.balance) +
                    (entry.rolled_back ? ", rolled back" : ""));
        rows.push_back({{"what", what, false},
                        {"balance", to_string(entry.balance), true},
                        {"state", state, false}});
    }
    result.tables.emplace_back("history", std::move(rows));
    return result;
}

// What moved money, the oldest line first; lines that were rolled back are there, and say so.
Answer Customer::statement(std::string_view line) const {
    const auto words = split_quoted(line);
    if (!words) return failure(words.error());
    const auto options = read_options(words.value());
    if (!options) return failure(options.error());
    if (!context_.state.has_account()) {
        return no_account();
    }
    const ActivityLog& log = context_.state.activity;
    std::vector<Line> lines;
    for (uint64_t i = log.count(); i > log.dropped && lines.size() < options.value().last; --i) {
        const ActivityEntry& entry = log.entries[i - 1 - log.dropped];
        if (!entry.moves_money() || at_us(entry) < options.value().from_us ||
            at_us(entry) >= options.value().to_us) {
            continue;
        }
        lines.push_back({&entry, log.state_of(i - 1)});
    }
    std::reverse(lines.begin(), lines.end());
    Answer answer = lines_answer("statement " + std::to_string(lines.size()), lines,
                                 options.value().csv, options.value().json);
    if (log.dropped > 0) {
        answer.line("this program keeps the newest " + std::to_string(limits::kMaxActivity) +
                    " lines; the bank's `statement` has what was settled before");
    }
    return answer;
}

Answer Customer::last(const Words& words) const {
    if (words.size() != 1) return usage("last");
    if (!context_.state.has_account()) {
        return no_account();
    }
    const ActivityLog& log = context_.state.activity;
    for (uint64_t i = log.count(); i > log.dropped; --i) {
        const ActivityEntry& entry = log.entries[i - 1 - log.dropped];
        if (!entry.moves_money()) continue;
        Answer answer = success("last " + to_text(entry) + ", " + log.state_of(i - 1) +
                                ", balance " + to_string(entry.balance));
        answer.fact("what", to_text(entry)).fact("amount", entry.amount);
        answer.fact("balance", entry.balance).fact("state", log.state_of(i - 1));
        answer.fact("at", date_and_time(at_us(entry)));
        if (!entry.note.empty()) answer.line(entry.note).fact("note", entry.note);
        return answer;
    }
    return failure("no-account", "nothing has happened yet");
}

}  // namespace p2pbank
