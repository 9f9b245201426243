// Result<T>: a value, or an Error that says what went wrong outside of our control.
// For mistakes of our own use P2PBANK_CHECK instead.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace p2pbank {

// `code` is one lower-case-hyphenated word from the README's table of codes; `message` is a
// sentence that says what is wrong and what to do.
struct Error {
    std::string code;
    std::string message;
};

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : held_(std::move(value)) {}
    Result(Error error) : held_(std::move(error)) {}

    bool ok() const { return std::holds_alternative<T>(held_); }
    explicit operator bool() const { return ok(); }

    // Requires ok().
    const T& value() const& {
        P2PBANK_CHECK(ok());
        return std::get<T>(held_);
    }
    T& value() & {
        P2PBANK_CHECK(ok());
        return std::get<T>(held_);
    }
    T&& value() && {
        P2PBANK_CHECK(ok());
        return std::get<T>(std::move(held_));
    }

    // Requires !ok().
    const Error& error() const {
        P2PBANK_CHECK(!ok());
        return std::get<Error>(held_);
    }

  private:
    std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), ok_(false) {}

    bool ok() const { return ok_; }
    explicit operator bool() const { return ok_; }
    const Error& error() const {
        P2PBANK_CHECK(!ok_);
        return error_;
    }

  private:
    Error error_;
    bool ok_ = true;
};

}  // namespace p2pbank
