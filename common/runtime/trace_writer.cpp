#include "common/runtime/trace_writer.h"

#include <algorithm>

#include "common/core/answer.h"

namespace p2pbank {
namespace {

constexpr std::string_view kLimit = "9007199254740992";  // 2^53

bool is_whole_number(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return false;
    }
    return text.size() < kLimit.size() || (text.size() == kLimit.size() && text < kLimit);
}

}  // namespace

Result<TraceWriter> TraceWriter::open(const std::string& path) {
    Result<AppendFile> file = AppendFile::open("the trace", path);
    if (!file) return file.error();
    if (auto kind = file.value().check_begins_with("{\"time_us\":"); !kind) return kind.error();
    return TraceWriter(std::move(file).value());
}

std::string TraceWriter::format(int64_t time_us, std::string_view node, const TraceEvent& event) {
    std::string out = "{\"time_us\":" + std::to_string(time_us);
    out += ",\"node\":" + json_string(node) + ",\"kind\":" + json_string(event.kind);
    for (const auto& [name, value] : event.facts) {
        out += ',' + json_string(name) + ':';
        out += is_whole_number(value) ? value : json_string(value);
    }
    return out + "}\n";
}

}  // namespace p2pbank
