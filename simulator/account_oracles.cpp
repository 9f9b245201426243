// The oracles about accounts at the bank: those that are opened and closed, or are not in the end,
// and rows that a person has edited. Part of Oracles.
#include "common/base/names.h"
#include "common/stable/table.h"
#include "simulator/oracles.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using customer::Phase;

// What a process asks the bank for when it opens an account: none that it is offered.
void Oracles::follow_opening(size_t machine, const customer_records::Opening& opening) {
    opening_.erase(machine);
    if (!opening.offered()) opening_[machine] = {opening.name(), opening.opener()};
}

// A process has an account, or has given up the one that it was about to open: it was told FAILURE,
// at once or after an UNKNOWN.
void Oracles::check_opening(size_t machine, Phase phase) {
    const auto found = opening_.find(machine);
    if (found == opening_.end() || phase == Phase::opening) return;
    if (phase == Phase::none) {
        given_up_.push_back(found->second);
        check_given_up(given_up_.back());
    }
    opening_.erase(found);
}

void Oracles::check_given_up(const Opening& opening) const {
    if (world_.bank() == nullptr) return;
    const bank::Account* account = world_.bank()->state().find(opening.name);
    if (account == nullptr || account->opener != opening.opener) return;
    // The attacker, who is taken to know every number, may have opened one of this name for
    // himself.
    if (account->keys().channel == world_.attacker().channel_key()) return;
    world_.violated(
        "failure-is-nothing",
        "the open of " + opening.name + " was answered with FAILURE, and the account is there");
}

// `exit` and `close` at a customer's prompt.
void Oracles::check_not_closed(const customer::State& state, const Answer& answer) const {
    if (world_.bank() == nullptr || state.phase != Phase::open) return;
    const bank::Account* account = world_.bank()->state().find(state.name);
    if (account == nullptr || !account->exited) return;
    world_.violated("failure-is-nothing", state.name + " is told " + to_lines(answer) +
                                              ", and the bank has closed the account");
}

void Oracles::table_edited(const std::string& content) {
    edited_.clear();
    const auto rows = parse_table(content);
    if (!rows) return;
    for (const TableRow& row : rows.value()) edited_[row.name] = row.balance;
}

// An edit that would have to wait, because a correction before it is not covered yet, is not shown
// at once.
void Oracles::check_edited(const bank_records::Edited& edited) const {
    const bank::Account* account = world_.bank()->state().find(edited.name());
    const auto row = edited_.find(edited.name());
    if (account == nullptr || row == edited_.end()) {
        world_.violated("edits-count-once",
                        "the bank takes over a row that nobody edited: " + edited.name());
    }
    const int64_t waiting =
        account->corrections.cents() - account->totals.adjustments.cents() - edited.correction();
    if (account->totals.balance.cents() + waiting < 0) return;
    if (account->shown_balance() == row->second) return;
    world_.violated("edits-count-once", "the balance of " + edited.name() + " was edited to be " +
                                            to_string(row->second) + ", and the bank shows " +
                                            to_string(account->shown_balance()));
}

// Called when the record has been applied: the account has the newest epoch that the bank knows.
void Oracles::check_epoch(const std::string& name, uint64_t epoch, const char* what) const {
    const bank::Account* account = world_.bank()->state().find(name);
    if (account == nullptr || epoch >= account->epoch) return;
    world_.violated("old-epochs-are-over", "the bank takes a " + std::string(what) + " that " +
                                               name + " sent in epoch " + std::to_string(epoch) +
                                               ", and knows of epoch " +
                                               std::to_string(account->epoch));
}

}  // namespace p2pbank::simulator
