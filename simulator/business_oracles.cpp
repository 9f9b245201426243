#include "simulator/business_oracles.h"

#include <algorithm>

#include "bank/history/schema.h"
#include "simulator/machine.h"
#include "simulator/world.h"

namespace p2pbank::simulator {

using bank::HistoryStatement;
using BankRecord = bank_records::Record;

namespace {

int64_t number(const Row& row, size_t column) {
    return std::get<int64_t>(row.at(column));
}

const std::string& text(const Row& row, size_t column) {
    return std::get<std::string>(row.at(column));
}

uint64_t hash_of(uint64_t before, const Fact& fact) {
    Digest digest;
    digest.add(before);
    digest.add(uint64_t{fact.statement});
    for (const Value& value : fact.values) {
        digest.add(value.index());
        if (const auto* as_number = std::get_if<int64_t>(&value)) {
            digest.add(static_cast<uint64_t>(*as_number));
        } else if (const auto* as_text = std::get_if<std::string>(&value)) {
            digest.add(*as_text);
        }
    }
    return digest.value();
}

std::string cents(int64_t amount) {
    return to_string(Money::from_cents(amount));
}

// Which of the bank's own accounts a deal goes to.
std::string own_account(const std::string& kind, const std::string& what) {
    if (kind == "purchase") return "shop";
    return kind == "payment" ? what : "loans";
}

}  // namespace

void BusinessOracles::violated(const char* invariant, const std::string& why) const {
    world_.violated(invariant, why);
}

const bank::State& BusinessOracles::bank() const {
    return world_.bank()->state();
}

// --- facts
// ----------------------------------------------------------------------------------------

FactSink* BusinessOracles::history() {
    replaying_ = true;
    told_again_.clear();
    return this;
}

void BusinessOracles::fact(uint64_t position, Fact fact) {
    std::vector<Told>& told = replaying_ ? told_again_ : told_;
    if (!told.empty() && position < told.back().position) {
        violated("history-replays", "a fact at position " + std::to_string(position) +
                                        " follows one at " + std::to_string(told.back().position));
    }
    if (told.empty() || told.back().position < position) told.push_back({position, 0});
    told.back().hash = hash_of(told.back().hash, fact);
    if (!replaying_) live_fact(position, fact);
}

void BusinessOracles::live_fact(uint64_t position, const Fact& fact) {
    switch (static_cast<HistoryStatement>(fact.statement)) {
        case HistoryStatement::deal_made:
            return deal_made(position, fact.values);
        case HistoryStatement::deal_settled:
            return deal_ended(position, fact.values, Fate::settled);
        case HistoryStatement::deal_cancelled:
            return deal_ended(position, fact.values, Fate::cancelled);
        default:
            return;
    }
}

void BusinessOracles::deal_made(uint64_t position, const Row& row) {
    const auto id = static_cast<uint64_t>(number(row, 0));
    Order order;
    order.account = text(row, 1);
    order.kind = text(row, 4);
    order.what = text(row, 5);
    order.quantity = static_cast<uint64_t>(number(row, 8));
    order.amount = order.kind == "loan" ? number(row, 9) : -number(row, 9);
    order.token = text(row, 10);
    order.imported = number(row, 13) != 0;
    order.made_at = position;
    if (order.imported) {
        order.fate = text(row, 11) == "settled" ? Fate::settled : Fate::cancelled;
        order.ended_at = position;
    }
    if (!orders_.empty() && id <= orders_.rbegin()->first) {
        violated("settled-once", "order " + std::to_string(id) + " is made after order " +
                                     std::to_string(orders_.rbegin()->first));
    }
    if (!order.token.empty() && !tokens_.emplace(order.token, id).second) {
        violated("tokens-wait", "order " + std::to_string(id) + " has the token of order " +
                                    std::to_string(tokens_[order.token]));
    }
    count_in(order, 1);
    orders_.emplace(id, std::move(order));
}

void BusinessOracles::deal_ended(uint64_t position, const Row& row, Fate fate) {
    const auto id = static_cast<uint64_t>(number(row, 0));
    const auto found = orders_.find(id);
    const char* const what = fate == Fate::settled ? " is settled" : " is cancelled";
    if (found == orders_.end() || found->second.fate != Fate::pending) {
        violated("settled-once",
                 "order " + std::to_string(id) + what +
                     (found == orders_.end()                ? ", and was never accepted"
                      : found->second.fate == Fate::settled ? ", and was settled before"
                                                            : ", and was cancelled before"));
    }
    const auto promise = promises_.find(id);
    if (fate == Fate::cancelled && promise != promises_.end() && promise->second.settled) {
        violated("deals-are-kept",
                 "order " + std::to_string(id) + " is cancelled, and was answered as settled");
    }
    count_in(found->second, -1);
    found->second.fate = fate;
    found->second.ended_at = position;
    count_in(found->second, 1);
}

void BusinessOracles::count_in(const Order& order, int sign) {
    if (order.imported || order.fate == Fate::cancelled) return;
    const auto add = [&](Sums& sums, int64_t by) {
        (order.fate == Fate::settled ? sums.settled : sums.pending) += sign * by;
    };
    add(by_account_[order.account], order.amount);
    add(by_own_account_[own_account(order.kind, order.what)], -order.amount);
    if (order.kind == "purchase") {
        add(by_product_[order.what], static_cast<int64_t>(order.quantity));
    }
}

// --- crashes
// --------------------------------------------------------------------------------------

void BusinessOracles::replayed(const Machine& machine) {
    replaying_ = false;
    position_ = world_.bank()->history_position();
    if (position_ != durable_) {
        violated("history-replays", "after a start the position is " + std::to_string(position_) +
                                        ", and " + std::to_string(durable_) +
                                        " records were durable");
    }
    bool first = true;
    uint64_t from = 0;
    machine.each_record([&](const std::string& bytes) {
        if (!std::exchange(first, false)) return;
        BankRecord record;
        if (record.ParseFromString(bytes) && record.has_snapshot()) {
            from = record.snapshot().position();
        }
    });
    check_replayed_facts(from, position_);
    forget_after(position_);
    not_yet_seen_.clear();
    check_books();
    for (const auto& [id, promise] : promises_) {
        const auto order = orders_.find(id);
        if (order == orders_.end() || (promise.settled && order->second.fate != Fate::settled)) {
            violated("deals-are-kept", "a crash of the bank took back order " + std::to_string(id) +
                                           ", which was answered");
        }
    }
}

void BusinessOracles::check_replayed_facts(uint64_t from, uint64_t upto) {
    auto before = std::upper_bound(told_.begin(), told_.end(), from,
                                   [](uint64_t p, const Told& told) { return p < told.position; });
    const auto fail = [&](uint64_t position) {
        violated("history-replays", "the record at position " + std::to_string(position) +
                                        " tells other facts when it is replayed");
    };
    for (const Told& again : told_again_) {
        if (before == told_.end() || before->position != again.position ||
            before->hash != again.hash) {
            fail(again.position);
        }
        ++before;
    }
    if (before != told_.end() && before->position <= upto) fail(before->position);
}

void BusinessOracles::forget_after(uint64_t position) {
    while (!told_.empty() && told_.back().position > position) told_.pop_back();
    for (auto at = orders_.begin(); at != orders_.end();) {
        Order& order = at->second;
        if (order.made_at > position) {
            count_in(order, -1);
            if (!order.token.empty()) tokens_.erase(order.token);
            at = orders_.erase(at);
            continue;
        }
        if (order.ended_at > position) {
            count_in(order, -1);
            order.fate = Fate::pending;
            order.ended_at = 0;
            count_in(order, 1);
        }
        ++at;
    }
    while (!stock_.empty() && stock_.back().position > position) {
        came_in_[stock_.back().product] -= stock_.back().came_in;
        stock_.pop_back();
    }
}

// --- the bank's books
// -----------------------------------------------------------------------------

void BusinessOracles::persisted(std::string_view bytes) {
    const uint64_t before = position_;
    position_ = world_.bank()->history_position();
    if (position_ != before + 1) {
        violated("history-replays", "a record follows position " + std::to_string(before) +
                                        " and has position " + std::to_string(position_));
    }
    BankRecord record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    switch (record.kind_case()) {
        case BankRecord::kDealt:
            check_loans(false, record.dealt().account());
            break;
        case BankRecord::kExited:
            check_loans(true, record.exited().name());
            break;
        case BankRecord::kProducts:
        case BankRecord::kProductRemoved:
        case BankRecord::kRestocked:
            change_stock(record);
            break;
        case BankRecord::kDecided:
        case BankRecord::kCohortEnded:
        case BankRecord::kSettled:
        case BankRecord::kAttached:
        case BankRecord::kEpochSeen:
            break;
        default:
            return;
    }
    check_books();
}

void BusinessOracles::change_stock(const BankRecord& record) {
    const auto in_stock = [&](const std::string& product) {
        const Sums& sums = by_product_[product];
        return came_in_[product] - sums.pending - sums.settled;
    };
    if (record.has_restocked()) {
        add_stock(record.restocked().id(), static_cast<int64_t>(record.restocked().quantity()));
    } else if (record.has_product_removed()) {
        const std::string& product = record.product_removed().id();
        add_stock(product, -in_stock(product));
    }
    for (const auto& product : record.products().products()) {
        add_stock(product.id(), static_cast<int64_t>(product.quantity()) - in_stock(product.id()));
    }
}

void BusinessOracles::add_stock(const std::string& product, int64_t pieces) {
    came_in_[product] += pieces;
    stock_.push_back({position_, product, pieces});
}

void BusinessOracles::check_books() const {
    check_stock();
    check_own_accounts();
    check_pending();
}

void BusinessOracles::check_stock() const {
    const auto& products = bank().business.products();
    for (const auto& [id, pieces] : came_in_) {
        const auto found = by_product_.find(id);
        const Sums sums = found == by_product_.end() ? Sums() : found->second;
        const bank::Product* product = bank().business.find_product(id);
        const int64_t in_stock = product == nullptr ? 0 : static_cast<int64_t>(product->quantity);
        if (in_stock < 0 || in_stock + sums.pending + sums.settled != pieces ||
            (product == nullptr && sums.pending != 0)) {
            violated("stock-adds-up", id + ": " + std::to_string(in_stock) + " in stock, " +
                                          std::to_string(sums.pending) + " reserved and " +
                                          std::to_string(sums.settled) + " sold of " +
                                          std::to_string(pieces));
        }
    }
    for (const auto& [id, product] : products) {
        if (!came_in_.contains(id)) violated("stock-adds-up", id + " came from nowhere");
    }
}

void BusinessOracles::check_own_accounts() const {
    int64_t in_books = 0;
    const auto& own = bank().business.own_accounts();
    for (const auto& [name, balance] : own) {
        const auto found = by_own_account_.find(name);
        const int64_t settled = found == by_own_account_.end() ? 0 : found->second.settled;
        MoneyTotal difference = balance;
        difference -= Money::from_cents(settled);
        if (difference != MoneyTotal()) {
            violated("own-accounts-balance", "the bank's account " + name + " has " +
                                                 balance.to_string() + ", settled are " +
                                                 cents(settled));
        }
        in_books += settled;
    }
    // Everything that anybody has is what was brought in and not taken out.
    int64_t dealings = 0;
    int64_t everything = in_books;
    int64_t brought_in = 0;
    for (const bank::Account& account : bank().accounts()) {
        const Totals& totals = account.totals;
        dealings += totals.dealings.cents();
        everything += totals.balance.cents();
        for (const auto& entry : account.channels()) {
            everything += entry.second.sent_sum.cents() - entry.second.received_sum.cents();
        }
        brought_in += totals.opening.cents() + totals.deposits.cents() -
                      totals.withdrawals.cents() + totals.adjustments.cents();
    }
    if (in_books + dealings != 0) {
        violated("own-accounts-balance", "the bank's own accounts have " + cents(in_books) +
                                             ", its customers paid " + cents(-dealings));
    }
    if (everything != brought_in) {
        violated("own-accounts-balance", "all balances and what is in transit are " +
                                             cents(everything) + ", and " + cents(brought_in) +
                                             " were brought in");
    }
}

void BusinessOracles::check_pending() const {
    for (const auto& [account, sums] : by_account_) {
        const bank::Account* row = bank().find(account);
        if (row == nullptr) violated("settled-once", "a deal of nobody: " + account);
        const MoneyTotal& pending = bank().business.pending_sum(account);
        MoneyTotal expected;
        expected += Money::from_cents(sums.pending);
        if (pending != expected || row->totals.dealings.cents() != sums.settled) {
            violated("settled-once", account + ": pending are " + pending.to_string() +
                                         " and should be " + cents(sums.pending) +
                                         "; settled are " + to_string(row->totals.dealings) +
                                         " and should be " + cents(sums.settled));
        }
    }
}

void BusinessOracles::check_loans(bool closing, const std::string& account) const {
    const int64_t now_us =
        bank().business.deals_of(account).loans.empty() ? 0 : world_.wall_us(World::kBank);
    for (const uint64_t id : bank().business.deals_of(account).loans) {
        const bank::LoanStanding standing = bank().business.loans().at(id).standing(now_us);
        if (standing.outstanding.is_negative() || standing.payoff.is_negative() ||
            !standing.overpaid.is_zero()) {
            violated("loans-stay-positive", "loan " + std::to_string(id) + " of " + account +
                                                ": outstanding " + to_string(standing.outstanding) +
                                                ", overpaid " + to_string(standing.overpaid));
        }
        if (closing && standing.status != bank::LoanStatus::repaid) {
            violated("loans-stay-positive",
                     account + " is closed with the open loan " + std::to_string(id));
        }
    }
}

}  // namespace p2pbank::simulator
