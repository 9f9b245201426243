// The answer to a command: facts, not text on a screen. The runtime prints it as lines for people
// or as one JSON object (docs in README.md, "Answers").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/money.h"
#include "common/base/result.h"

namespace p2pbank {

enum class Outcome { success, failure, unknown };

// In `text` and `lines` of an answer this byte marks the amount behind it, "\x01" "1000000.50", as
// money: people see it as they write it, scripts see the amount alone.
inline constexpr char kMoneyMark = '\x01';

struct Answer {
    // A named fact. Numbers are kept as the text that is printed, so that money stays exact.
    struct Fact {
        std::string name;
        std::string value;
        bool is_number = false;
    };

    Outcome outcome = Outcome::success;
    std::string currency;            // before amounts, for people; may be empty
    std::string code;                // of a failure: one lower-case-hyphenated word
    std::string text;                // the rest of the first line
    std::vector<std::string> lines;  // further lines, without the indentation
    std::vector<Fact> facts;
    std::vector<std::pair<std::string, std::vector<std::vector<Fact>>>> tables;

    Answer& fact(std::string name, std::string value) {
        facts.push_back({std::move(name), std::move(value), false});
        return *this;
    }
    Answer& fact(std::string name, Money value) {
        facts.push_back({std::move(name), to_string(value), true});
        return *this;
    }
    Answer& fact(std::string name, uint64_t value) {
        facts.push_back({std::move(name), std::to_string(value), true});
        return *this;
    }
    Answer& line(std::string text_of_line) {
        lines.push_back(std::move(text_of_line));
        return *this;
    }
};

// An amount in `text` or `lines` that a person sees with thousands separators and the currency.
inline std::string marked(Money amount) {
    return "\x01" + to_string(amount);
}

inline Answer success(std::string text) {
    Answer answer;
    answer.text = std::move(text);
    return answer;
}

inline Answer failure(std::string code, std::string message) {
    Answer answer;
    answer.outcome = Outcome::failure;
    answer.code = std::move(code);
    answer.text = std::move(message);
    return answer;
}

inline Answer failure(const Error& error) {
    return failure(error.code, error.message);
}

inline Answer unknown(std::string text) {
    Answer answer;
    answer.outcome = Outcome::unknown;
    answer.text = std::move(text);
    return answer;
}

// "SUCCESS balance 950\n", "FAILURE busy: ...\n  further line\n". Ends in a newline.
std::string to_lines(const Answer& answer);
// The same for a person at a terminal: marked amounts with thousands separators and the currency,
// and with `colour` the first word in its own.
std::string to_screen(const Answer& answer, bool colour);
// One row of a table as one JSON object, without a newline.
std::string to_json(const std::vector<Answer::Fact>& row);
// The same facts as one JSON object and a newline.
std::string to_json(const Answer& answer);
// A JSON string with its quotes; bytes that are not valid UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace p2pbank
