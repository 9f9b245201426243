#include "common/base/names.h"

#include "common/base/limits.h"

namespace p2pbank {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_name_byte(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

bool is_valid_name(std::string_view name) {
    if (name.empty() || name.size() > limits::kMaxNameBytes || !is_letter(name[0])) return false;
    for (const char c : name) {
        if (!is_name_byte(c)) return false;
    }
    return name != "bank";
}

Result<void> check_name(std::string_view name) {
    if (is_valid_name(name)) return {};
    if (name == "bank") return Error{"bad-name", "'bank' is the bank itself: choose another name"};
    return Error{"bad-name",
                 quote(name) +
                     " is not a name: a letter, then letters, digits, '_' or '-', 32 at "
                     "most"};
}

Result<uint32_t> parse_count(std::string_view text) {
    uint32_t count = 0;
    const bool digits = !text.empty() && text.size() <= 9 &&
                        text.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) {
        for (const char c : text) count = count * 10 + static_cast<uint32_t>(c - '0');
    }
    if (!digits || count < limits::kMinCohort || count > limits::kMaxCohort) {
        return Error{"bad-count", quote(text) + " is not a size of a cohort: write a number from " +
                                      std::to_string(limits::kMinCohort) + " to " +
                                      std::to_string(limits::kMaxCohort)};
    }
    return count;
}

std::vector<std::string_view> split_words(std::string_view line) {
    std::vector<std::string_view> words;
    size_t at = 0;
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (at < line.size()) {
        while (at < line.size() && is_blank(line[at])) ++at;
        const size_t begin = at;
        while (at < line.size() && !is_blank(line[at])) ++at;
        if (at > begin) words.push_back(line.substr(begin, at - begin));
    }
    return words;
}

std::string quote(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, 60)) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
    if (text.size() > 60) out += "...";
    return out + "'";
}

}  // namespace p2pbank
