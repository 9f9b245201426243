// Every fault of a random run asks here before it happens, and has a number: the first is 1. A run
// may be told to let only some of them happen, which is how a failing one is made smaller
// (shrink.h): a fault that is kept back still uses its number, so that the others keep theirs as
// long as the run is the same. Owned by the world.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace p2pbank::simulator {

enum class Fault : uint8_t {
    loss,
    duplicate,
    late_duplicate,
    delay,
    corruption,
    truncation,
    partition,
    clog,
    attack,
    crash,
    quit,
    disk_error,
    freeze,
    clock_jump,
    mode_change,
    table_edit,
};

// "a lost datagram"; for people.
std::string_view name_of(Fault kind);

// Which faults or steps of a run happen; nothing: all of them.
using Selection = std::optional<std::set<uint64_t>>;

// "1,4..7"; empty for an empty set.
std::string to_text(const std::set<uint64_t>& numbers);
// The reverse; "none" is empty too. Nothing for what cannot be read, or for more than a million.
std::optional<std::set<uint64_t>> parse_selection(std::string_view text);

class FaultGate {
  public:
    struct Fired {
        uint64_t number;
        Fault kind;
    };

    explicit FaultGate(Selection only) : only_(std::move(only)) {}

    // A fault is about to happen. False if it must not.
    bool fires(Fault kind) {
        const uint64_t number = ++asked_;
        if (only_ && !only_->contains(number)) return false;
        fired_.push_back({number, kind});
        return true;
    }
    // Those that happened, in order.
    const std::vector<Fired>& fired() const { return fired_; }

  private:
    Selection only_;
    uint64_t asked_ = 0;
    std::vector<Fired> fired_;
};

}  // namespace p2pbank::simulator
