#include "common/core/answer.h"

#include <array>

#include "common/base/text.h"

namespace p2pbank {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// The length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    size_t length = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;  // what the second byte may be
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    }
    if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
    for (size_t i = 2; i < length; ++i) {
        if (!is_continuation(text[i])) return 0;
    }
    return length;
}

void append_json_string(std::string& out, std::string_view text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    while (!text.empty()) {
        const auto byte = static_cast<unsigned char>(text[0]);
        const size_t length = utf8_length(text);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[0];
        } else if (byte == '\n') {
            out += "\\n";
        } else if (byte == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += kHex[byte >> 4U];
            out += kHex[byte & 0xFU];
        } else if (length == 0) {
            out += kReplacement;
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

void append_facts(std::string& out, const std::vector<Answer::Fact>& facts) {
    bool first = out.back() == '{';
    for (const Answer::Fact& fact : facts) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, fact.name);
        out += ':';
        if (fact.is_number) {
            out += fact.value;
        } else {
            append_json_string(out, fact.value);
        }
    }
}

std::string_view word(Outcome outcome) {
    static constexpr std::array<std::string_view, 3> kWords = {"SUCCESS", "FAILURE", "UNKNOWN"};
    return kWords[static_cast<size_t>(outcome)];
}

std::string without_marks(std::string_view text) {
    std::string out(text);
    std::erase(out, kMoneyMark);
    return out;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Appends the amount at the start of `text` as people write it; returns how long it was there.
size_t append_money(std::string& out, std::string_view text, std::string_view currency) {
    const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
    size_t whole = sign;
    while (whole < text.size() && is_digit(text[whole])) ++whole;
    if (whole == sign) return 0;
    out += text.substr(0, sign);
    out += currency;
    if (!currency.empty()) out += ' ';
    for (size_t i = sign; i < whole; ++i) {
        if (i > sign && (whole - i) % 3 == 0) out += ',';
        out += text[i];
    }
    return whole;  // the cents follow as they are
}

// How an answer is put into lines.
struct Form {
    bool money = false;  // amounts as people write them
    bool colour = false;
    std::string_view currency;
};

// Amounts stand in columns that were made for their plain form: what the other takes more is taken
// from the blanks in front.
void append_wide_money(std::string& out, std::string_view& text, std::string_view currency) {
    std::string money;
    const size_t taken = append_money(money, text, currency);
    text.remove_prefix(taken);
    const bool negative = out.ends_with('-');
    if (negative) out.pop_back();
    for (size_t more = count_code_points(money) - taken; more > 0 && out.ends_with("  "); --more) {
        out.pop_back();
    }
    if (negative) out += '-';
    out += money;
}

// One line stays one line whatever is in it, or a script would take its rest for another answer.
void append_one_line(std::string& out, std::string_view text, const Form& form) {
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == kMoneyMark) {
            if (form.money) append_wide_money(out, text, form.currency);
        } else {
            out += c == '\n' || c == '\r' ? ' ' : c;
        }
    }
    out += '\n';
}

std::string in_lines(const Answer& answer, const Form& form) {
    static constexpr std::array<std::string_view, 3> kColours = {"\033[32m", "\033[31m",
                                                                 "\033[33m"};
    std::string out;
    if (form.colour) out += kColours[static_cast<size_t>(answer.outcome)];
    out += word(answer.outcome);
    if (form.colour) out += "\033[0m";
    out += ' ';
    if (answer.outcome == Outcome::failure) {
        out += answer.code;
        out += ": ";
    }
    append_one_line(out, answer.text, form);
    for (const std::string& line : answer.lines) {
        out += "  ";
        append_one_line(out, line, form);
    }
    return out;
}

}  // namespace

std::string to_lines(const Answer& answer) {
    return in_lines(answer, {});
}

std::string to_screen(const Answer& answer, bool colour) {
    return in_lines(answer, {.money = true, .colour = colour, .currency = answer.currency});
}

std::string to_json(const std::vector<Answer::Fact>& row) {
    std::string out = "{";
    append_facts(out, row);
    return out + "}";
}

std::string to_json(const Answer& answer) {
    std::string out = "{\"result\":";
    append_json_string(out, word(answer.outcome));
    if (!answer.code.empty()) {
        out += ",\"code\":";
        append_json_string(out, answer.code);
    }
    out += ",\"text\":";
    append_json_string(out, without_marks(answer.text));
    append_facts(out, answer.facts);
    for (const auto& [name, rows] : answer.tables) {
        out += ',';
        append_json_string(out, name);
        out += ":[";
        for (const auto& row : rows) {
            out += out.back() == '[' ? "{" : ",{";
            append_facts(out, row);
            out += '}';
        }
        out += ']';
    }
    if (!answer.lines.empty()) {
        out += ",\"lines\":[";
        for (const std::string& line : answer.lines) {
            if (out.back() != '[') out += ',';
            append_json_string(out, without_marks(line));
        }
        out += ']';
    }
    return out + "}\n";
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

}  // namespace p2pbank
