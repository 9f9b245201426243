#include "common/runtime/trace_writer.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

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
    Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!fd) {
        return Error{"io-error", "cannot open the trace " + path + ": " +
                                     std::generic_category().message(errno)};
    }
    return TraceWriter(path, std::move(fd));
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

Result<void> TraceWriter::flush() {
    size_t done = 0;
    while (done < kept_.size()) {
        const ssize_t n = ::write(fd_.get(), kept_.data() + done, kept_.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            kept_.clear();
            return Error{"io-error", "cannot write the trace " + path_ + ": " +
                                         std::generic_category().message(errno)};
        }
        done += static_cast<size_t>(n);
    }
    kept_.clear();
    return {};
}

}  // namespace p2pbank
