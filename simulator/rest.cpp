#include "simulator/rest.h"

namespace p2pbank::simulator {
namespace {

std::string unfinished_of(const customer::State& state) {
    if (state.phase == customer::Phase::none || state.phase == customer::Phase::exited) return "";
    if (state.phase != customer::Phase::open) return state.name + " is neither open nor closed";
    if (state.operation) {
        return state.name + " is in the operation " + to_string(state.operation->id);
    }
    if (state.deal) return state.name + " has a deal that is not answered";
    if (!state.held_back.empty()) return state.name + " still holds back";
    if (state.recovering || state.is_suspended()) return state.name + " has not recovered";
    for (const auto& [peer_name, peer] : state.peers) {
        for (const customer::SentEntry& entry : peer.sent_log) {
            if (!entry.lost && !entry.acked) {
                return state.name + " -> " + peer_name + ": label " +
                       std::to_string(entry.label.value()) + " has not been acknowledged";
            }
        }
    }
    return "";
}

// One that would leave less than nothing waits until the balance covers it.
bool awaits_correction(const bank::Account& account, const customer::State& state) {
    const int64_t by = account.corrections.cents() - state.totals.adjustments.cents();
    return state.phase == customer::Phase::open && by != 0 &&
           state.totals.balance.cents() + by >= 0;
}

std::string unfinished_at_bank(const World& world) {
    const bank::State& state = world.bank()->state();
    if (!state.committed.empty()) {
        const auto& [id, commit] = *state.committed.begin();
        return "the COMMIT of " + to_string(id) + " has not been acknowledged by " +
               (commit.unacked.empty() ? "nobody" : *commit.unacked.begin());
    }
    for (const auto& entry : state.cohorts) {
        if (entry.second.stage != bank::CohortStage::active) {
            return "the cohort " + entry.second.name + " is still being formed or ended";
        }
    }
    for (const bank::Account& account : state.accounts()) {
        const auto process = world.find(account.name);
        if (process && awaits_correction(account, world.customer(*process)->state())) {
            return account.name + " has not heard of the operator's correction";
        }
        if (account.ended_cohort().value() != 0 && world.find(account.name)) {
            return account.name + " has not acknowledged the end of its cohort";
        }
        if (process && !account.exited &&
            account.epoch < world.customer(*process)->state().epoch.value()) {
            return "the bank has not heard of the epoch of " + account.name;
        }
    }
    return "";
}

}  // namespace

std::string unfinished(const World& world) {
    if (world.bank() == nullptr) return "the bank does not run";
    if (world.commands_waiting() > 0) return "a command waits for its answer";
    for (size_t i = World::kBank + 1; i < world.machines(); ++i) {
        const Customer* customer = world.customer(i);
        if (customer == nullptr) {
            if (world.last_status(i) == 0) continue;
            return world.who(i) + " does not run";
        }
        if (auto what = unfinished_of(customer->state()); !what.empty()) return what;
    }
    return unfinished_at_bank(world);
}

}  // namespace p2pbank::simulator
