// data.csv: what a person sees and may edit while the bank is stopped. Part of Bank.
#include <algorithm>
#include <unordered_set>

#include <sodium.h>

#include "bank/bank.h"
#include "bank/timing.h"
#include "common/base/limits.h"

namespace p2pbank {

using namespace bank;

namespace {

// Tells the bank's own table from one that a person edited.
uint64_t hash_of(std::string_view content) {
    static constexpr unsigned char kKey[crypto_shorthash_KEYBYTES] = {'d', 'a', 't', 'a'};
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                     kKey);
    uint64_t value = 0;
    for (const unsigned char byte : out) value = value << 8 | byte;
    return value;
}

Error at_line(size_t line, const std::string& what) {
    return Error{"bad-csv", "line " + std::to_string(line) + ": " + what};
}

}  // namespace

Result<void> Bank::load_table(std::optional<std::string_view> content) {
    State& state = context_.state;
    if (!content) {
        state.table_changed = true;
        return {};
    }
    const uint64_t hash = hash_of(*content);
    const auto& hashes = state.table_hashes;
    if (!hashes.empty() && hashes.back() == hash) return {};
    if (!hashes.empty() && !state.closed_cleanly) {
        if (std::find(hashes.begin(), hashes.end(), hash) != hashes.end()) {
            // The bank's own: it was killed before it could put the newest in its place.
            state.table_changed = true;
            return {};
        }
        return Error{"bad-csv",
                     "it was edited, but the bank was killed before it could bring the table up to "
                     "date, so that the edit may rest on old balances. Move the file away, start "
                     "the bank, end it with quit, and edit the new file"};
    }
    const auto rows = parse_table(*content);
    if (!rows) return rows.error();
    state.reserve(rows.value().size());
    edits_.clear();
    std::unordered_set<std::string_view> seen;
    if (!state.accounts().empty()) seen.reserve(rows.value().size());
    for (size_t i = 0; i < rows.value().size(); ++i) {
        const TableRow& row = rows.value()[i];
        if (!state.accounts().empty()) seen.insert(row.name);
        const auto imported = import_row(row, i + 2);
        if (!imported) {
            edits_.clear();
            return imported;
        }
    }
    for (const Account& account : state.accounts()) {
        if (seen.contains(account.name)) continue;
        edits_.clear();
        return Error{"bad-csv", "the row of " + account.name +
                                    " is missing: put it back, and close the account with `exit`"};
    }
    edited_table_ = hash;
    state.table_changed = true;
    return {};
}

Result<void> Bank::import_row(const TableRow& row, size_t line) {
    const Account* account = context_.state.find(row.name);
    if (row.port1 == row.port2) return at_line(line, "port1 and port2 must differ");
    if (account == nullptr) {
        if (!fits_total(row.balance)) {
            return at_line(line, "the balance of " + row.name + " is more than " +
                                     to_string(kMaxTotal) + ", which no account can hold");
        }
        if (!row.cohort.empty()) {
            return at_line(line, "this bank knows no cohort '" + row.cohort + "' of " + row.name +
                                     ": leave the column empty, and form it with `new-cohort`");
        }
        auto* opened = edits_.emplace_back().mutable_opened();
        opened->set_name(row.name);
        opened->set_balance(row.balance.cents());
        opened->set_ip(row.ip);
        opened->set_port1(row.port1);
        opened->set_port2(row.port2);
        opened->set_exited(row.exited);
        return {};
    }
    const Cohort* cohort = context_.state.find_cohort(account->cohort);
    if (row.cohort != (cohort == nullptr ? "" : cohort->name)) {
        return at_line(line, "the cohort of " + row.name +
                                 " cannot be edited: use `new-cohort` and `delete-cohort`");
    }
    if (row.exited != account->exited) {
        return at_line(line, "exit_state of " + row.name + " cannot be edited: use `exit`");
    }
    const auto by = checked_subtract(row.balance, account->shown_balance());
    const bool moved =
        row.ip != account->ip || row.port1 != account->port1 || row.port2 != account->port2;
    if (by && by->is_zero() && !moved) return {};
    if (account->exited) {
        return at_line(line, "the account of " + row.name + " is closed and cannot be edited");
    }
    if (!by || !fits_total(checked_add(account->corrections, *by))) {
        return at_line(line, "the balance of " + row.name + " is out of range");
    }
    auto* edited = edits_.emplace_back().mutable_edited();
    edited->set_name(row.name);
    edited->set_correction(by->cents());
    edited->set_ip(row.ip);
    edited->set_port1(row.port1);
    edited->set_port2(row.port2);
    return {};
}

void Bank::take_over_edits() {
    if (!edited_table_) return;
    if (!edits_.empty()) {
        context_.notice(Severity::info, "takes over " + std::to_string(edits_.size()) +
                                            " new or changed rows of the table");
    }
    for (auto& edit : edits_) context_.commit(edit);
    edits_.clear();
    edits_.shrink_to_fit();
    // From now on the edited file is the bank's own: killed before it could write the next one, it
    // finds this one again.
    State::Record record;
    record.mutable_table_written()->set_hash(*edited_table_);
    context_.commit(record);
    edited_table_.reset();
}

void Bank::publish_table_if_due() {
    State& state = context_.state;
    if (!state.table_changed || context_.now < next_table_) return;
    std::string content(kTableHeader);
    content += '\n';
    TableRow row;
    for (const Account& account : state.accounts()) {
        row.name = account.name;
        row.balance = account.shown_balance();
        row.ip = account.ip;
        row.port1 = account.port1;
        row.port2 = account.port2;
        const Cohort* cohort = state.find_cohort(account.cohort);
        row.cohort = cohort == nullptr ? "" : cohort->name;
        row.exited = account.exited;
        append_row(content, row);
    }
    State::Record record;
    record.mutable_table_written()->set_hash(hash_of(content));
    context_.commit(record);
    context_.effects->publish_table(std::move(content));
    state.table_changed = false;
    if (state.accounts().size() > limits::kSmallTableRows) {
        next_table_ = context_.now + timing::kTableInterval;
    }
}

}  // namespace p2pbank
