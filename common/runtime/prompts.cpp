#include "common/runtime/prompts.h"

#include <unistd.h>

#include "common/base/limits.h"

namespace p2pbank {
namespace {

constexpr std::string_view kLocalhost = "localhost";

}  // namespace

Prompts::Prompts(LineReader& input)
    : input_(input), fd_(::isatty(STDOUT_FILENO) == 1 ? STDOUT_FILENO : STDERR_FILENO) {}

void Prompts::say(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd_, text.data(), text.size());
        if (n <= 0) return;  // nobody reads it: the answer may come all the same
        text.remove_prefix(static_cast<size_t>(n));
    }
}

std::optional<std::string> Prompts::read() {
    const std::optional<LineReader::Line> line = input_.wait_next();
    if (!line) return std::nullopt;
    const size_t first = line->text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::string();
    return std::string(line->text.substr(first, line->text.find_last_not_of(" \t") + 1 - first));
}

Result<uint32_t> parse_ip_or_localhost(std::string_view text) {
    return parse_ip(text == kLocalhost ? "127.0.0.1" : text);
}

Result<Address> parse_address_or_localhost(std::string_view text) {
    if (text.starts_with(kLocalhost) && text.substr(kLocalhost.size()).starts_with(':')) {
        return parse_address("127.0.0.1" + std::string(text.substr(kLocalhost.size())));
    }
    return parse_address(text);
}

Result<uint16_t> parse_own_port(std::string_view text) {
    if (text == "0") return uint16_t{0};
    return parse_port(text);
}

Result<uint16_t> parse_bank_port(std::string_view text) {
    const Result<uint16_t> port = parse_port(text);
    if (port && port.value() >= limits::kMinBankPort && port.value() <= limits::kMaxBankPort) {
        return port;
    }
    return Error{"bad-port", "the bank's port is a number from " +
                                 std::to_string(limits::kMinBankPort) + " to " +
                                 std::to_string(limits::kMaxBankPort)};
}

}  // namespace p2pbank
