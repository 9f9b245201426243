// What people type in a random run: every command, legal and silly, at every prompt, one at a time
// and several at once; purchases, loans and what else is the bank's business
// (business_workload.cpp); and accounts that are closed and opened again under another name. How
// often each is typed is drawn from the seed, so that runs differ in kind: some have hardly
// anything but rollbacks. Owned by the runner of one seed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

class Workload {
  public:
    // `only`: the steps that are taken; the first is 1. Each has dice of its own.
    Workload(World& world, uint64_t seed, uint64_t steps, Selection only);

    // Opens an account at each customer's prompt and then types, until the steps are used up.
    void begin();
    bool done() const { return step_ == steps_; }

  private:
    enum Act : size_t {
        transfer,
        cash,
        checkpoint,
        rollback,
        two_at_once,
        new_cohort,
        delete_cohort,
        exit,
        query,
        nonsense,
        at_the_bank,
        deals,
        question,
        people,
        counter,
        kActs,
    };
    using Weights = std::array<uint64_t, kActs>;

    static constexpr size_t kMostUnread = 16;

    void plan();
    void step();
    void keep_accounts();
    size_t any_customer();
    // A running customer whose account is open; 0 if none was found.
    size_t any_open();
    std::string amount();
    std::string any_name();
    std::string balance_of(size_t machine);
    std::string peer_of(size_t machine);
    void transfers(size_t machine);
    Act choose(const Weights& weights);
    void at_customer(size_t machine, Act act);
    void at_bank();
    std::string silly();
    void open_account(size_t machine);

    void stock_shop();
    void deal(size_t machine);
    void rush();
    std::optional<uint64_t> any_loan(size_t machine);
    void ask_bank(size_t machine);
    void person(size_t machine);
    void at_counter();
    void import_files();

    World& world_;
    Random random_;  // of the step under way
    Random pauses_;
    uint64_t seed_;
    uint64_t steps_;
    uint64_t step_ = 0;
    Selection only_;
    Duration average_pause_{};
    uint64_t lost_in_100_;
    Weights in_cohort_{};
    Weights alone_{};
    uint64_t names_ = 0;
    std::vector<std::string> known_names_;
};

}  // namespace p2pbank::simulator
