#include "simulator/story.h"

#include <algorithm>
#include <cstdio>

#include "common/core/answer.h"

namespace p2pbank::simulator {
namespace {

constexpr std::string_view kTwoTo53 = "9007199254740992";

bool is_whole_number(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return false;
    }
    return text.size() < kTwoTo53.size() || (text.size() == kTwoTo53.size() && text < kTwoTo53);
}

}  // namespace

std::string trace_line(TimePoint when, std::string_view node, const TraceEvent& event) {
    std::string out = "{\"time_us\":" + std::to_string(when.time_since_epoch().count());
    out += ",\"node\":" + json_string(node) + ",\"kind\":" + json_string(event.kind);
    for (const auto& [name, value] : event.facts) {
        out += ',' + json_string(name) + ':';
        out += is_whole_number(value) ? value : json_string(value);
    }
    return out + "}\n";
}

void Story::tell(TimePoint when, std::string_view who, std::string_view what) {
    if (lines_ == nullptr && keep_ == 0) return;
    char head[64];
    std::snprintf(head, sizeof head, "%12.6f  %-8.*s  ",
                  static_cast<double>(when.time_since_epoch().count()) / 1e6,
                  static_cast<int>(who.size()), who.data());
    std::string line = head + std::string(what);
    if (lines_ != nullptr) *lines_ << line << std::endl;  // flushed: a failed check aborts
    if (keep_ == 0) return;
    last_.push_back(std::move(line));
    if (last_.size() > keep_) last_.pop_front();
}

void Story::traced(TimePoint when, std::string_view who, const TraceEvent& event) {
    if (trace_ != nullptr) *trace_ << trace_line(when, who, event);
    if (event.kind == "command" || event.kind == "answer") return;  // told by the world
    std::string what(event.kind);
    for (const auto& [name, value] : event.facts) {
        what += " " + std::string(name) + "=" + value;
    }
    tell(when, who, what);
}

}  // namespace p2pbank::simulator
