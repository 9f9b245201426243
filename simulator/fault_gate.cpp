#include "simulator/fault_gate.h"

#include <algorithm>
#include <charconv>

namespace p2pbank::simulator {
namespace {

constexpr uint64_t kMostNumbers = 1'000'000;

std::optional<uint64_t> parse_number(std::string_view text) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc() || stopped != end) return std::nullopt;
    return value;
}

}  // namespace

std::string_view name_of(Fault kind) {
    switch (kind) {
        case Fault::loss:
            return "a lost datagram";
        case Fault::duplicate:
            return "a doubled datagram";
        case Fault::late_duplicate:
            return "a datagram again, much later";
        case Fault::delay:
            return "a delayed datagram";
        case Fault::corruption:
            return "a corrupted datagram";
        case Fault::truncation:
            return "a truncated datagram";
        case Fault::partition:
            return "a partition";
        case Fault::clog:
            return "a clogged link";
        case Fault::attack:
            return "an attacker's packet";
        case Fault::crash:
            return "a crash";
        case Fault::quit:
            return "a process asked to end";
        case Fault::disk_error:
            return "a failed disk call";
        case Fault::freeze:
            return "a process stopped for a while";
        case Fault::clock_jump:
            return "a jump of the wall clock";
        case Fault::mode_change:
            return "another mode of storage";
        case Fault::table_edit:
            return "an edited table";
    }
    return "";
}

std::string to_text(const std::set<uint64_t>& numbers) {
    std::string out;
    for (auto at = numbers.begin(); at != numbers.end();) {
        const uint64_t first = *at;
        uint64_t last = first;
        while (++at != numbers.end() && *at == last + 1) ++last;
        if (!out.empty()) out += ',';
        out += std::to_string(first);
        if (last > first) out += ".." + std::to_string(last);
    }
    return out;
}

std::optional<std::set<uint64_t>> parse_selection(std::string_view text) {
    std::set<uint64_t> out;
    if (text == "none") return out;
    while (!text.empty()) {
        const size_t comma = std::min(text.find(','), text.size());
        const std::string_view piece = text.substr(0, comma);
        if (comma + 1 == text.size()) return std::nullopt;
        text.remove_prefix(std::min(comma + 1, text.size()));
        const size_t dots = piece.find("..");
        const auto first = parse_number(piece.substr(0, dots));
        const auto last =
            dots == std::string_view::npos ? first : parse_number(piece.substr(dots + 2));
        if (!first || !last || *last < *first || *last - *first >= kMostNumbers - out.size()) {
            return std::nullopt;
        }
        for (uint64_t number = *first; number <= *last; ++number) out.insert(number);
    }
    return out;
}

}  // namespace p2pbank::simulator
