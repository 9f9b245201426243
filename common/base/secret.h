// A text that must not stay behind in memory: a password, a key. It can be moved, not copied, and
// is overwritten when it goes. Never log it, never put it into a record or an answer.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace p2pbank {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string text) : text_(std::move(text)) {
        // What was moved from may have been copied, where it was short.
        wipe(text);
    }
    Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            wipe(text_);
            text_ = std::move(other.text_);
            wipe(other.text_);
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(text_); }

    std::string_view view() const { return text_; }
    bool empty() const { return text_.empty(); }
    Secret copy() const { return Secret(std::string(text_)); }

    // Overwrites the bytes of `text`, its capacity included, and empties it.
    static void wipe(std::string& text);

  private:
    std::string text_;
};

}  // namespace p2pbank
