#include "common/base/csv.h"

#include <algorithm>

namespace p2pbank {
namespace {

bool only_line_ends(std::string_view text) {
    return text.find_first_not_of("\r\n") == std::string_view::npos;
}

}  // namespace

void append_csv_field(std::string& out, std::string_view field) {
    if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
        out += field;
        return;
    }
    out += '"';
    for (const char c : field) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

void append_csv_row(std::string& out, const std::vector<std::string>& fields) {
    bool first = true;
    for (const std::string& field : fields) {
        if (!first) out += ',';
        first = false;
        append_csv_field(out, field);
    }
    out += '\n';
}

std::string_view without_byte_order_mark(std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    return text;
}

CsvReader::CsvReader(std::string_view content) : rest_(without_byte_order_mark(content)) {}

Error CsvReader::error(std::string_view reason) const {
    return Error{"bad-csv",
                 "line " + std::to_string(std::max<size_t>(line_, 1)) + ": " + std::string(reason)};
}

bool CsvReader::take_line(std::string_view& line) {
    if (rest_.empty()) return false;
    ++line_;
    const size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
}

Result<void> CsvReader::expect_header(std::string_view header) {
    std::string_view line;
    if (!take_line(line) || line != header) {
        return error("the header is not '" + std::string(header) + "'");
    }
    columns_ = static_cast<size_t>(std::count(header.begin(), header.end(), ',')) + 1;
    return {};
}

Result<bool> CsvReader::next() {
    std::string_view line;
    if (only_line_ends(rest_) || !take_line(line)) return false;
    if (line.empty()) return error("a blank line between the rows");
    if (auto outcome = split(line); !outcome) return outcome.error();
    if (columns_ != 0 && fields_.size() != columns_) {
        return error(std::to_string(fields_.size()) + " columns instead of " +
                     std::to_string(columns_));
    }
    return true;
}

Result<void> CsvReader::split(std::string_view line) {
    fields_.clear();
    unquoted_.clear();
    // What fields refer to must not move while the line is taken apart.
    unquoted_.reserve(line.size());
    for (size_t at = 0;;) {
        if (at < line.size() && line[at] == '"') {
            const size_t begin = unquoted_.size();
            ++at;
            for (;;) {
                const size_t end = line.find('"', at);
                if (end == std::string_view::npos) {
                    return error("a quoted field does not end on this line");
                }
                unquoted_ += line.substr(at, end - at);
                at = end + 1;
                if (at == line.size() || line[at] != '"') break;
                unquoted_ += line[at++];
            }
            if (at < line.size() && line[at] != ',') return error("text follows a closing quote");
            fields_.push_back(std::string_view(unquoted_).substr(begin));
        } else {
            const size_t end = std::min(line.find(',', at), line.size());
            fields_.push_back(line.substr(at, end - at));
            if (fields_.back().find('"') != std::string_view::npos) {
                return error("a quote stands in the middle of a field");
            }
            at = end;
        }
        if (at == line.size()) return {};
        ++at;
    }
}

}  // namespace p2pbank
