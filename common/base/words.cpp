#include "common/base/words.h"

namespace p2pbank {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

Result<std::vector<std::string>> split_quoted(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    bool in_quotes = false;
    for (size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        if (in_quotes) {
            const bool escapes =
                c == '\\' && at + 1 < line.size() && (line[at + 1] == '"' || line[at + 1] == '\\');
            if (c == '"') {
                in_quotes = false;
            } else {
                word += escapes ? line[++at] : c;
            }
        } else if (c == '"') {
            in_quotes = in_word = true;
        } else if (is_blank(c)) {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (in_quotes) {
        return Error{"usage",
                     "a quote is not closed: put \" behind the words that belong together"};
    }
    if (in_word) words.push_back(std::move(word));
    return words;
}

std::string quoted_word(std::string_view word) {
    if (!word.empty() && word.find_first_of(" \t\r\n\"") == std::string_view::npos) {
        return std::string(word);
    }
    std::string out = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace p2pbank
