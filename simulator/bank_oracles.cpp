// The oracles that read the bank: its decisions, its cuts, its table. Part of Oracles.
#include <algorithm>

#include "common/base/names.h"
#include "common/stable/table.h"
#include "common/wire/convert.h"
#include "simulator/oracles.h"
#include "simulator/world.h"

namespace p2pbank::simulator {
namespace {

int64_t expected_balance(const bank::Account& account) {
    const Totals& totals = account.totals;
    int64_t cents = totals.opening.cents() + totals.deposits.cents() - totals.withdrawals.cents() +
                    totals.adjustments.cents() + totals.carried.cents() + totals.dealings.cents();
    for (const auto& entry : account.channels()) {
        cents += entry.second.received_sum.cents() - entry.second.sent_sum.cents();
    }
    return cents;
}

const Channel& channel_in(const ChannelMap& channels, const std::string& peer) {
    static const Channel none;
    const auto found = channels.find(peer);
    return found == channels.end() ? none : found->second;
}

std::string list(const std::set<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return out.empty() ? "nobody" : out;
}

}  // namespace

void Oracles::bank_restored() {
    const bank::State& state = world_.bank()->state();
    for (const std::string& name : opened_) {
        if (state.find(name) == nullptr) {
            world_.violated("success-is-kept", "the bank has forgotten the account " + name);
        }
    }
    for (const std::string& name : exited_) {
        if (!state.find(name)->exited) {
            world_.violated("success-is-kept",
                            "the bank has forgotten that " + name + " is closed");
        }
    }
    check_cut();
}

void Oracles::bank_persisted(std::string_view bytes) {
    bank_records::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    switch (record.kind_case()) {
        case bank_records::Record::kDecided: {
            const auto& decided_now = record.decided();
            if (!decided_now.commit()) break;
            if (decided_now.kind() == wire::OPERATION_CHECKPOINT) check_minimal(decided_now);
            check_cut();
            break;
        }
        case bank_records::Record::kCohortEnded: {
            const OperationId id = from_wire(record.cohort_ended().operation());
            if (id.empty()) forced_.insert(CohortId(record.cohort_ended().cohort()));
            check_cut();
            break;
        }
        case bank_records::Record::kSettled:
            check_epoch(record.settled().name(), record.settled().epoch(), "settlement");
            break;
        case bank_records::Record::kDealt:
            check_epoch(record.dealt().account(), record.dealt().epoch(), "deal");
            break;
        case bank_records::Record::kEdited:
            check_edited(record.edited());
            check_cut();
            break;
        case bank_records::Record::kExited:
        case bank_records::Record::kOpened:
            check_cut();
            break;
        default:
            break;
    }
}

// Every cohort's newest cut, and what the bank says of everyone.
void Oracles::check_cut() {
    const bank::State& state = world_.bank()->state();
    check_limits(state);
    int64_t carried = 0;
    cut_.clear();
    for (const bank::Account& account : state.accounts()) {
        carried += account.totals.carried.cents();
        cut_[account.name] = account.channels();
        const int64_t expected = expected_balance(account);
        if (account.totals.balance.cents() != expected || account.totals.balance.is_negative()) {
            world_.violated("accounts-add-up",
                            "the bank's row of " + account.name + ": the balance is " +
                                to_string(account.totals.balance) + " and should be " +
                                to_string(Money::from_cents(expected)));
        }
    }
    for (const auto& entry : state.cohorts) {
        for (const std::string& name : entry.second.members) {
            const bank::Account* sender = state.find(name);
            if (entry.second.stage == bank::CohortStage::forming || sender == nullptr) continue;
            for (const std::string& other : entry.second.members) {
                const bank::Account* receiver = state.find(other);
                if (other != name && receiver != nullptr) check_cut_channel(*sender, *receiver);
            }
        }
    }
    // What one member of an ended cohort has carried away, another has brought in.
    if (carried != 0) {
        std::string who;
        for (const bank::Account& account : state.accounts()) {
            who += ", " + account.name + " " + to_string(account.totals.carried);
        }
        world_.violated("no-orphan", "the cohorts that have ended have made " +
                                         to_string(Money::from_cents(carried)) + " out of nothing" +
                                         who);
    }
}

void Oracles::check_cut_channel(const bank::Account& sender, const bank::Account& receiver) {
    const Channel& out = channel_in(sender.channels(), receiver.name);
    const Channel& in = channel_in(receiver.channels(), sender.name);
    const std::string name = "the cut's " + sender.name + " -> " + receiver.name;
    if (in.received.highest() > out.sent_last) {
        world_.violated("no-orphan", name + ": received " + to_string(in.received) +
                                         ", and the last one sent is " +
                                         std::to_string(out.sent_last.value()));
    }
    const auto known = accounts_.find(sender.name);
    if (known == accounts_.end()) return;
    const auto& ledgers = known->second.sent[sender.cohort];
    const auto ledger = ledgers.find(receiver.name);
    if (ledger == ledgers.end()) return;
    if (ledger->second.last() < out.sent_last) return;  // it has crashed and not heard yet
    const int64_t cents = ledger->second.sum(in.received);
    if (cents != in.received_sum.cents()) {
        world_.violated("no-orphan", name + ": received " + to_string(in.received) + " amount to " +
                                         to_string(in.received_sum) + ", sent were " +
                                         to_string(Money::from_cents(cents)));
    }
}

// Whoever keeps its old checkpoint would leave an orphan has to take part, and nobody else.
void Oracles::check_minimal(const bank_records::Decided& decided_now) {
    const bank::State& state = world_.bank()->state();
    const std::string initiator = decided_now.operation().initiator();
    const bank::Account* first = state.find(initiator);
    const bank::Cohort* cohort = first == nullptr ? nullptr : state.find_cohort(first->cohort);
    if (cohort == nullptr) return;
    std::set<std::string> needed{initiator};
    std::vector<std::string> to_do{initiator};
    while (!to_do.empty()) {
        const std::string one = to_do.back();
        to_do.pop_back();
        for (const std::string& other : cohort->members) {
            const Label received =
                channel_in(state.find(one)->channels(), other).received.highest();
            const Label covered = channel_in(cut_[other], one).sent_last;
            if (received > covered && needed.insert(other).second) to_do.push_back(other);
        }
    }
    const std::set<std::string> took_part(decided_now.participants().begin(),
                                          decided_now.participants().end());
    if (took_part != needed) {
        world_.violated("minimal", "checkpoint " + to_string(from_wire(decided_now.operation())) +
                                       ": " + list(took_part) + " took part, and " + list(needed) +
                                       " had to");
    }
}

// The table shows exactly what is settled.
void Oracles::table_made(const std::string& content) {
    const bank::State& state = world_.bank()->state();
    const auto rows = parse_table(content);
    if (!rows) {
        world_.violated("table-is-a-cut", "the table cannot be read: " + rows.error().message);
    }
    size_t index = 0;
    for (const bank::Account& account : state.accounts()) {
        const bank::Cohort* cohort = state.find_cohort(account.cohort);
        const std::string cohort_name = cohort == nullptr ? "" : cohort->name;
        if (index >= rows.value().size() || rows.value()[index].name != account.name ||
            rows.value()[index].balance != account.shown_balance() ||
            rows.value()[index].cohort != cohort_name ||
            rows.value()[index].exited != account.exited) {
            world_.violated("table-is-a-cut", "the row of " + account.name +
                                                  " is not what the "
                                                  "bank has settled");
        }
        ++index;
    }
    if (index != rows.value().size()) {
        world_.violated("table-is-a-cut", "the table has rows that no account has");
    }
    tables_on_the_way_.push_back(content);
}

void Oracles::table_in_place(const std::string& content) {
    const auto found = std::find(tables_on_the_way_.begin(), tables_on_the_way_.end(), content);
    if (found != tables_on_the_way_.end()) {
        tables_on_the_way_.erase(tables_on_the_way_.begin(), found + 1);
    }
    table_ = content;
}

void Oracles::table_found(const std::optional<std::string>& content) {
    const std::string found = content.value_or("");
    const auto on_the_way = std::find(tables_on_the_way_.begin(), tables_on_the_way_.end(), found);
    if (found != table_ && on_the_way == tables_on_the_way_.end()) {
        world_.violated("table-is-a-cut",
                        "the bank finds a table that it never wrote as a whole:\n" + found);
    }
    table_ = found;
    tables_on_the_way_.clear();
}

void Oracles::check_books() {
    if (world_.bank() == nullptr) return;
    for (const Opening& opening : given_up_) check_given_up(opening);
    const bank::State& state = world_.bank()->state();
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        const Customer* customer = world_.customer(i);
        if (customer == nullptr || !customer->state().has_account()) continue;
        const customer::State& own = customer->state();
        const bank::Account* row = state.find(own.name);
        if (row == nullptr) {
            world_.violated("the-audit-agrees", "the bank has no account " + own.name);
        }
        if (own.phase == customer::Phase::exited) continue;
        if (row->cohort != own.cohort) {
            world_.violated("the-audit-agrees", own.name +
                                                    " and the bank do not agree on its "
                                                    "cohort");
        }
        if (!own.in_cohort()) continue;
        bool same = row->totals == own.permanent.totals;
        for (const auto& [peer_name, peer] : own.peers) {
            same =
                same && channel_in(row->channels(), peer_name) == own.permanent.channel(peer_name);
        }
        if (!same) {
            world_.violated("the-audit-agrees",
                            own.name + ": its permanent checkpoint has balance " +
                                to_string(own.permanent.totals.balance) + ", the bank's row " +
                                to_string(row->totals.balance));
        }
    }
}

}  // namespace p2pbank::simulator
