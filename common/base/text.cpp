#include "common/base/text.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/names.h"

namespace p2pbank {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kBlanks = " \t";

struct Range {
    char32_t first;
    char32_t last;
};

template <size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
    for (const Range& range : ranges) {
        if (c < range.first) return false;
        if (c <= range.last) return true;
    }
    return false;
}

// The length of the valid sequence at the front; 0 if there is none.
size_t sequence_length(std::string_view text, char32_t& code_point) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(0);
    size_t length = 1;
    char32_t least = 0;
    if (first < 0x80) {
        code_point = first;
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
        code_point = first & 0x1FU;
        least = 0x80;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        code_point = first & 0x0FU;
        least = 0x800;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        code_point = first & 0x07U;
        least = 0x10000;
    } else {
        return 0;
    }
    if (text.size() < length) return 0;
    for (size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xC0U) != 0x80U) return 0;
        code_point = (code_point << 6U) | (byte(at) & 0x3FU);
    }
    const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    return code_point < least || code_point > 0x10FFFF || surrogate ? 0 : length;
}

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029;
}

// What turns the direction of writing makes a line read otherwise than it is; what is invisible
// makes two names look the same. The joiners stay: scripts and emoji need them.
bool is_deceptive(char32_t c) {
    static constexpr std::array<Range, 8> kDeceptive{{{0xAD, 0xAD},
                                                      {0x61C, 0x61C},
                                                      {0x200B, 0x200B},
                                                      {0x200E, 0x200F},
                                                      {0x202A, 0x202E},
                                                      {0x2060, 0x206F},
                                                      {0xFEFF, 0xFEFF},
                                                      {0xE0000, 0xE007F}}};
    return is_in(kDeceptive, c);
}

bool is_space(char32_t c) {
    return c == ' ' || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

// Alphabets in which capital and small letters alternate, the capital at `first`.
char32_t fold_alternating(char32_t c, char32_t first) {
    return (c - first) % 2 == 0 ? c + 1 : c;
}

char32_t fold_latin(char32_t c) {
    if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
    if (c == 0x130) return 'i';
    if (c == 0x178) return 0xFF;
    if (c == 0x17F) return 's';
    if (c >= 0x100 && c <= 0x137) return c == 0x131 ? c : fold_alternating(c, 0x100);
    if (c >= 0x139 && c <= 0x148) return fold_alternating(c, 0x139);
    if (c >= 0x14A && c <= 0x177) return fold_alternating(c, 0x14A);
    if (c >= 0x179 && c <= 0x17E) return fold_alternating(c, 0x179);
    if (c == 0x1E9E) return 0xDF;
    if ((c >= 0x1E00 && c <= 0x1E95) || (c >= 0x1EA0 && c <= 0x1EFF)) {
        return fold_alternating(c, 0x1E00);
    }
    return c;
}

char32_t fold_greek(char32_t c) {
    if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
    if (c == 0x3C2) return 0x3C3;
    if (c == 0x386) return 0x3AC;
    if (c >= 0x388 && c <= 0x38A) return c + 37;
    if (c == 0x38C) return 0x3CC;
    if (c == 0x38E || c == 0x38F) return c + 63;
    return c;
}

char32_t fold_cyrillic(char32_t c) {
    if (c >= 0x410 && c <= 0x42F) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if ((c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F)) {
        return fold_alternating(c, 0x460);
    }
    if (c == 0x4C0) return 0x4CF;
    if (c >= 0x4C1 && c <= 0x4CE) return fold_alternating(c, 0x4C1);
    return c;
}

char32_t fold_code_point(char32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c <= 0x17F || (c >= 0x1E00 && c <= 0x1EFF)) return fold_latin(c);
    if (c >= 0x370 && c <= 0x3FF) return fold_greek(c);
    if (c >= 0x400 && c <= 0x52F) return fold_cyrillic(c);
    if (c >= 0x531 && c <= 0x556) return c + 48;
    if (c >= 0xFF21 && c <= 0xFF3A) return c + 32;
    return c;
}

// Spreadsheets look behind blanks, and some take full-width signs for the others.
bool looks_like_formula(std::string_view text) {
    const size_t at = text.find_first_not_of("' ");
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at);
    if (std::string_view("=+-@\t\r\n").find(text[0]) != std::string_view::npos) return true;
    const char32_t c = take_code_point(text);
    return c == 0xFF1D || c == 0xFF0B || c == 0xFF0D || c == 0xFF20;
}

size_t width_of(char32_t c) {
    static constexpr std::array<Range, 9> kNone{{{0x300, 0x36F},
                                                 {0x483, 0x489},
                                                 {0x591, 0x5BD},
                                                 {0x200B, 0x200F},
                                                 {0x20D0, 0x20F0},
                                                 {0xFE00, 0xFE0F},
                                                 {0xFE20, 0xFE2F},
                                                 {0x1F3FB, 0x1F3FF},
                                                 {0xE0100, 0xE01EF}}};
    static constexpr std::array<Range, 9> kDouble{{{0x1100, 0x115F},
                                                   {0x2E80, 0x303E},
                                                   {0x3041, 0xA4CF},
                                                   {0xAC00, 0xD7A3},
                                                   {0xF900, 0xFAFF},
                                                   {0xFE30, 0xFE6F},
                                                   {0xFF00, 0xFF60},
                                                   {0x1F300, 0x1FAFF},
                                                   {0x20000, 0x3FFFD}}};
    if (c < 0x300) return 1;
    if (is_in(kNone, c)) return 0;
    return is_in(kDouble, c) ? 2 : 1;
}

}  // namespace

bool valid_utf8(std::string_view text) {
    while (!text.empty()) {
        char32_t ignored = 0;
        const size_t length = sequence_length(text, ignored);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

char32_t take_code_point(std::string_view& rest) {
    P2PBANK_CHECK(!rest.empty());
    char32_t c = 0;
    const size_t length = sequence_length(rest, c);
    rest.remove_prefix(std::max<size_t>(length, 1));
    return length == 0 ? kReplacement : c;
}

void append_code_point(std::string& out, char32_t c) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0U | (c >> 6U));
        put(0x80U | (c & 0x3FU));
    } else if (c < 0x10000) {
        put(0xE0U | (c >> 12U));
        put(0x80U | ((c >> 6U) & 0x3FU));
        put(0x80U | (c & 0x3FU));
    } else {
        put(0xF0U | (c >> 18U));
        put(0x80U | ((c >> 12U) & 0x3FU));
        put(0x80U | ((c >> 6U) & 0x3FU));
        put(0x80U | (c & 0x3FU));
    }
}

size_t count_code_points(std::string_view text) {
    size_t count = 0;
    while (!text.empty()) {
        take_code_point(text);
        ++count;
    }
    return count;
}

Result<void> check_text(std::string_view what, std::string_view text, size_t max_bytes) {
    const auto bad = [&](const std::string& why) {
        return Error{"bad-text", std::string(what) + " " + why};
    };
    if (text.size() > max_bytes) {
        return bad("is longer than " + std::to_string(max_bytes) + " bytes");
    }
    if (!valid_utf8(text)) return bad("is not UTF-8");
    bool visible = false;
    while (!text.empty()) {
        const char32_t c = take_code_point(text);
        if (is_control(c)) return bad("holds a control character");
        if (is_deceptive(c)) return bad("holds an invisible character or one that turns the text");
        visible = visible || !is_space(c);
    }
    if (!visible) return bad("is empty");
    return {};
}

std::string_view trim(std::string_view text) {
    const size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string fold(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        append_code_point(out, fold_code_point(take_code_point(text)));
    }
    return out;
}

std::string defuse(std::string_view text) {
    return looks_like_formula(text) ? "'" + std::string(text) : std::string(text);
}

std::string undefuse(std::string_view text) {
    if (text.starts_with('\'') && looks_like_formula(text)) text.remove_prefix(1);
    return std::string(text);
}

std::string join(const std::vector<std::string>& texts, std::string_view separator) {
    std::string out;
    for (const std::string& text : texts) {
        if (&text != &texts.front()) out += separator;
        out += text;
    }
    return out;
}

size_t display_width(std::string_view text) {
    size_t width = 0;
    while (!text.empty()) width += width_of(take_code_point(text));
    return width;
}

std::string pad_right(std::string_view text, size_t width) {
    const size_t taken = display_width(text);
    return std::string(text) + std::string(width > taken ? width - taken : 0, ' ');
}

std::string pad_left(std::string_view text, size_t width) {
    const size_t taken = display_width(text);
    return std::string(width > taken ? width - taken : 0, ' ') + std::string(text);
}

std::vector<std::string> aligned(const std::vector<Column>& columns,
                                 const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths;
    for (const Column& column : columns) widths.push_back(display_width(column.head));
    for (const auto& row : rows) {
        P2PBANK_CHECK(row.size() == columns.size());
        for (size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i]));
        }
    }
    std::vector<std::string> lines;
    const auto add = [&](const auto& cell_of) {
        std::string line;
        for (size_t i = 0; i < columns.size(); ++i) {
            if (i != 0) line += "  ";
            line += columns[i].align == Align::left ? pad_right(cell_of(i), widths[i])
                                                    : pad_left(cell_of(i), widths[i]);
        }
        line.resize(line.find_last_not_of(' ') + 1);
        lines.push_back(std::move(line));
    };
    lines.reserve(rows.size() + 1);
    add([&](size_t i) { return columns[i].head; });
    for (const auto& row : rows) {
        add([&](size_t i) { return row[i]; });
    }
    return lines;
}

}  // namespace p2pbank
