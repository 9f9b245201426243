#include "simulator/story.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>
#include <utility>

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

// What every two programs say to each other all the time.
bool is_greeting(const Story::Line& line) {
    if (line.kind == "durable") return true;
    if (line.kind != "received") return line.text.starts_with("note: the key of this bank");
    const std::string what = line.text.substr(line.text.find("what=") + 5);
    static constexpr std::string_view kGreetings[] = {"attach", "probe", "hello", "roster"};
    return std::any_of(std::begin(kGreetings), std::end(kGreetings),
                       [&](std::string_view greeting) { return what.starts_with(greeting); });
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

std::string to_text(const Story::Line& line) {
    char head[64];
    std::snprintf(head, sizeof head, "%12.6f  %-8s  ",
                  static_cast<double>(line.when.time_since_epoch().count()) / 1e6,
                  line.who.c_str());
    return head + line.text;
}

void Story::add(Line line) {
    if (lines_ == nullptr && keep_ == 0) return;
    if (lines_ != nullptr) *lines_ << to_text(line) << std::endl;  // a failed check aborts
    if (keep_ == 0) return;
    last_.push_back(std::move(line));
    if (last_.size() > keep_) last_.pop_front();
}

void Story::tell(TimePoint when, std::string_view who, std::string_view what) {
    add({when, std::string(who), std::string(what), "", ""});
}

void Story::traced(TimePoint when, std::string_view who, const TraceEvent& event) {
    if (trace_ != nullptr) *trace_ << trace_line(when, who, event);
    if (event.kind == "command" || event.kind == "answer") return;  // told by the world
    Line line{when, std::string(who), std::string(event.kind), std::string(event.kind), ""};
    for (const auto& [name, value] : event.facts) {
        line.text += " " + std::string(name) + "=" + value;
        if (name == "id") line.id = value;
    }
    add(std::move(line));
}

std::vector<std::string> short_story(const std::deque<Story::Line>& lines, std::string_view about,
                                     size_t most) {
    std::set<std::string> relevant;  // processes, from here back
    std::set<std::string> awaited;   // ids of datagrams that were received further on
    std::vector<std::string> told;
    for (auto at = lines.rbegin(); at != lines.rend(); ++at) {
        const bool last = at->when == lines.back().when;
        const bool cause = at->kind == "sent" && awaited.contains(at->id);
        if (last || cause || about.find(at->who) != about.npos) relevant.insert(at->who);
        if (!relevant.contains(at->who) || is_greeting(*at)) continue;
        if (at->kind == "received") awaited.insert(at->id);
        // What is received tells what was sent.
        if (at->kind != "sent") told.push_back(to_text(*at));
    }
    std::reverse(told.begin(), told.end());
    if (told.size() > most) {
        const size_t head = most / 4;
        const size_t tail = most - head;
        const size_t gone = told.size() - most;
        told.erase(told.begin() + static_cast<std::ptrdiff_t>(head),
                   told.end() - static_cast<std::ptrdiff_t>(tail));
        told.insert(told.begin() + static_cast<std::ptrdiff_t>(head),
                    "              ... " + std::to_string(gone) + " lines ...");
    }
    return told;
}

}  // namespace p2pbank::simulator
