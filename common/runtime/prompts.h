// Asks a person, or a script, for a setting that was not given as a flag: one line from standard
// input. Used by the mains, before the driver runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/runtime/line_reader.h"

namespace p2pbank {

class Prompts {
  public:
    explicit Prompts(LineReader& input);

    // Asks until parse(text) gives a value; says each time why not. Nothing at the end of the
    // input.
    template <class Parse>
    auto ask(std::string_view prompt, Parse parse) {
        using Parsed = std::decay_t<decltype(parse(std::string_view()).value())>;
        for (;;) {
            say(prompt);
            const std::optional<std::string> text = read();
            if (!text) return std::optional<Parsed>();
            auto value = parse(std::string_view(*text));
            if (value) return std::optional<Parsed>(std::move(value).value());
            say(value.error().message + "\n");
        }
    }

  private:
    void say(std::string_view text);
    std::optional<std::string> read();  // without blanks at both ends

    LineReader& input_;
    int fd_;  // standard output on a terminal, or what a script reads as answers would begin with
              // this
};

// An address without its port; "localhost" is 127.0.0.1. Errors: bad-address.
Result<uint32_t> parse_ip_or_localhost(std::string_view text);
// "127.0.0.1:8500", "localhost:8500". Errors: bad-address, bad-port.
Result<Address> parse_address_or_localhost(std::string_view text);
// 0, a port that the system gives, to 65535. Errors: bad-port.
Result<uint16_t> parse_own_port(std::string_view text);
// limits::kMinBankPort to kMaxBankPort. Errors: bad-port.
Result<uint16_t> parse_bank_port(std::string_view text);

}  // namespace p2pbank
