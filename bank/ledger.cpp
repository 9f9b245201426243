#include "bank/ledger.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/wire/convert.h"

namespace p2pbank::bank {
namespace {

std::string named(const std::string& name, uint64_t number) {
    return "statement " + std::to_string(number) + " of " + name;
}

// What is left of a balance when the operator's corrections are taken off: those that no process
// has to settle the bank makes by itself.
std::optional<Money> without_corrections(const Totals& totals) {
    return checked_subtract(totals.balance, totals.adjustments);
}

}  // namespace

void Ledger::problem(std::string code, std::string text) {
    problems_.push_back({std::move(code), std::move(text)});
}

const Books* Ledger::books_at(const std::string& name, const std::string& head,
                              bool in_cohort) const {
    const auto found = kept_.find({{name, head}, in_cohort});
    return found == kept_.end() ? nullptr : &found->second;
}

void Ledger::remember(const std::string& name, const Member& member) {
    if (!wanted_.contains({name, member.digest})) return;
    kept_.insert_or_assign({{name, member.digest}, !member.cohort.empty()}, member.books);
}

uint64_t Ledger::committed_to(const std::string& bank_signing_key) const {
    const auto found = committed_to_.find(bank_signing_key);
    return found == committed_to_.end() ? 0 : found->second;
}

bool Ledger::has_signed_with(const std::string& name, const std::string& key) const {
    const auto found = members_.find(name);
    return found != members_.end() && found->second.keys.contains(key);
}

std::optional<wire::Statement> Ledger::read(const std::string& name, const std::string& signing_key,
                                            const wire::SignedStatement& signed_one) const {
    const auto key = secure::key_from_bytes(signing_key);
    if (!key || !is_signed_by(signed_one, *key)) return std::nullopt;
    auto statement = read_statement(signed_one);
    if (!statement || statement->name() != name || !banks_.contains(statement->bank()))
        return std::nullopt;
    return statement;
}

void Ledger::correct(const bank_evidence::Account& row) {
    // Where it does not begin with 0 the bank no longer knows all of them.
    if (row.corrections().empty() || row.corrections(0) != 0) return;
    auto& made = corrections_[row.name()];
    for (const int64_t cents : row.corrections()) made.push_back(Money::from_cents(cents));
    if (made.back().is_zero()) return;
    notes_.push_back("the balance of " + row.name() + " was corrected by " +
                     to_string(made.back()) + " in all: that is the bank's word alone");
}

// What an account is before its first statement: nothing but its opening balance.
Ledger::Member& Ledger::begin(const std::string& name, const wire::Statement& statement) {
    const auto [at, fresh] = members_.try_emplace(name);
    if (fresh) {
        at->second.books.totals.opening = Money::from_cents(statement.totals().opening());
        remember(name, at->second);
    }
    return at->second;
}

const Channel& Ledger::channel(const std::string& of, const std::string& peer) const {
    static const Channel none;
    const auto member = members_.find(of);
    if (member == members_.end()) return none;
    const auto& channels = member->second.books.channels;
    const auto found = channels.find(peer);
    return found == channels.end() ? none : found->second;
}

void Ledger::check_kind(Member& member, const std::string& name, const wire::Statement& statement) {
    const std::string what = named(name, statement.number());
    const std::string& initiator = statement.operation().initiator();
    const auto wrong = [&](const char* why) { problem("bad-books", what + why); };
    if (member.exited) wrong(" comes behind the end of the account");
    switch (statement.kind()) {
        case wire::OPERATION_JOIN:
            if (!member.cohort.empty()) wrong(" joins a cohort from within another one");
            if (!initiator.starts_with("bank:"))
                wrong(" joins a cohort that the bank did not form");
            return;
        case wire::OPERATION_FREEZE:
            if (member.cohort.empty() || member.cohort != initiator) {
                wrong(" is the last of a cohort that the account is not in");
            }
            break;
        case wire::OPERATION_CHECKPOINT:
            if (member.cohort.empty() != (statement.cohort() == 0)) {
                wrong(" is of another cohort than the account was in");
            }
            break;
        default:
            if (!statement.operation().initiator().empty()) wrong(" is of no known kind");
            if (!member.cohort.empty()) wrong(" closes the account within a cohort");
            member.exited = true;
            return;
    }
    if (member.cohort.empty()) return;
    if (member.cohort_id == 0) {
        for (const std::string& other : cohorts_[member.cohort]) {
            members_[other].cohort_id = statement.cohort();
        }
    }
    if (member.cohort_id != statement.cohort()) {
        wrong(" is of another cohort than the account was in");
    }
}

bool Ledger::take(const bank_evidence::Committed& committed, const wire::Statement& statement) {
    const std::string& name = committed.name();
    const std::string what = named(name, committed.number());
    Member& member = begin(name, statement);
    if (statement.number() != committed.number() || statement.number() != member.number + 1 ||
        statement.previous() != member.digest) {
        problem("broken-chain", what + " does not follow statement " +
                                    std::to_string(member.number) + " of " + name);
    }
    if (!member.signing_key.empty() && member.signing_key != committed.signing_key()) {
        notes_.push_back(name + " signs with another key from statement " +
                         std::to_string(committed.number()) + " on");
    }
    member.signing_key = committed.signing_key();
    member.keys.insert(member.signing_key);
    check_kind(member, name, statement);
    auto books = next_books(member.books, statement);
    member.number = statement.number();
    member.digest = statement_digest(committed.statement());
    if (!books) {
        problem("bad-books", what + ": " + books.error().message);
        return false;
    }
    const Money adjustments = books.value().totals.adjustments;
    const auto made = corrections_.find(name);
    if (made != corrections_.end() && adjustments != member.books.totals.adjustments) {
        const auto& sums = made->second;
        const auto from = std::min(member.corrections_taken, sums.size());
        const auto at =
            std::find(sums.begin() + static_cast<std::ptrdiff_t>(from), sums.end(), adjustments);
        if (at == sums.end()) {
            problem("bad-books", what + " has corrections of " + to_string(adjustments) +
                                     " that the bank does not say it made, or takes one back");
        } else {
            member.corrections_taken = static_cast<size_t>(at - sums.begin());
        }
    }
    member.books = std::move(books).value();
    return true;
}

void Ledger::commit(const std::vector<const bank_evidence::Committed*>& cut) {
    std::vector<wire::Statement> statements;
    std::set<std::string> names;
    for (const bank_evidence::Committed* committed : cut) {
        auto statement = read(committed->name(), committed->signing_key(), committed->statement());
        if (!statement) {
            problem("bad-signature", named(committed->name(), committed->number()) +
                                         " is not signed by the account for this bank");
            continue;
        }
        if (!names.insert(committed->name()).second) {
            problem("broken-chain", "two statements of " + committed->name() + " in one cut");
        }
        ++committed_to_[statement->bank()];
        take(*committed, *statement);
        statements.push_back(std::move(*statement));
    }
    for (const wire::Statement& statement : statements) {
        const wire::Statement& first = statements.front();
        if (from_wire(statement.operation()) != from_wire(first.operation()) ||
            statement.kind() != first.kind()) {
            problem("cut-mismatch", statement.name() + " and " + first.name() +
                                        " are in one cut with statements for different operations");
        }
        check_channels(statement);
    }
    if (!statements.empty() && statements[0].kind() == wire::OPERATION_FREEZE) {
        for (const std::string& member : cohorts_[statements[0].operation().initiator()]) {
            if (names.contains(member)) continue;
            problem("cut-mismatch", member + " has no last statement of its cohort");
        }
    }
    for (const wire::Statement& statement : statements) {
        if (statement.kind() == wire::OPERATION_JOIN) enter(statement);
        remember(statement.name(), members_[statement.name()]);
    }
}

void Ledger::enter(const wire::Statement& statement) {
    Member& member = members_[statement.name()];
    member.cohort = statement.operation().initiator();
    member.cohort_id = 0;
    member.books.channels.clear();
    cohorts_[member.cohort].insert(statement.name());
}

void Ledger::check_channels(const wire::Statement& statement) {
    const std::string& name = statement.name();
    for (const wire::Channel& settled : statement.channels()) {
        const std::string& peer = settled.peer();
        const auto other = members_.find(peer);
        if (other == members_.end() || other->second.cohort.empty() ||
            other->second.cohort != members_[name].cohort) {
            problem("cut-mismatch", named(name, statement.number()) + " has transfers with " +
                                        peer + ", who is not in its cohort");
            continue;
        }
        for (const auto& [from, to] : {std::pair(name, peer), std::pair(peer, name)}) {
            if (matches(channel(from, to), channel(to, from))) continue;
            problem("cut-mismatch", "at " + named(name, statement.number()) + " the books of " +
                                        from + " and " + to +
                                        " contradict each other about the transfers from " + from +
                                        " to " + to);
        }
    }
}

void Ledger::end_cohort(const bank_evidence::CohortEnd& end) {
    const std::string initiator = "bank:" + end.cohort_name();
    const auto found = cohorts_.find(initiator);
    if (found == cohorts_.end()) {
        problem("broken-chain",
                "the end of " + end.cohort_name() + ", of which nothing else is there");
        return;
    }
    if (found->second.size() > limits::kMaxCohort) {
        problem("bad-books", end.cohort_name() + " has more members than a cohort can have");
        return;
    }
    // What every channel gives back follows from both of its ends, so all are looked at before one
    // is changed.
    std::map<std::string, Totals> last;
    for (const std::string& name : found->second) {
        MoneyTotal back;
        MoneyTotal net;
        for (const std::string& peer : found->second) {
            if (peer == name) continue;
            const Channel& here = channel(name, peer);
            const Channel& there = channel(peer, name);
            back += here.sent_sum;
            back -= there.received_sum;
            net += here.received_sum;
            net -= there.received_sum;
        }
        const AfterCohort after = after_cohort(members_[name].books.totals, back, net);
        last[name] = after.totals;
        if (after.left_over.is_zero()) continue;
        notes_.push_back("the end of " + end.cohort_name() + " would give " + name + " " +
                         after.left_over.to_string() +
                         " more than an account holds: they are the bank's");
    }
    for (const auto& [name, totals] : last) {
        Member& member = members_[name];
        member.books = {totals, {}};
        member.cohort.clear();
        member.cohort_id = 0;
        remember(name, member);
    }
    cohorts_.erase(found);
}

void Ledger::compare(const bank_evidence::Account& row) {
    const auto found = members_.find(row.name());
    const uint64_t number = found == members_.end() ? 0 : found->second.number;
    const std::string digest = found == members_.end() ? "" : found->second.digest;
    if (row.statements() != number || row.statement_digest() != digest) {
        problem("broken-chain", "the bank says that " + row.name() + " stands at statement " +
                                    std::to_string(row.statements()) + ", and " +
                                    std::to_string(number) + " is the last that is here");
    }
    if (found == members_.end()) return;
    Member& member = found->second;
    member.compared = true;
    const Totals held = from_wire(row.totals());
    const Totals& proven = member.books.totals;
    if (without_corrections(held) != without_corrections(proven) ||
        held.opening != proven.opening || held.deposits != proven.deposits ||
        held.withdrawals != proven.withdrawals || held.carried != proven.carried ||
        held.dealings != proven.dealings || row.exited() != member.exited) {
        problem("bad-books", "the bank has other values for " + row.name() +
                                 " than its statements: balance " + to_string(held.balance) +
                                 " instead of " + to_string(proven.balance));
    }
    const auto made = corrections_.find(row.name());
    if (made == corrections_.end()) {
        if (!held.adjustments.is_zero()) {
            notes_.push_back("the balance of " + row.name() + " was corrected by " +
                             to_string(held.adjustments) +
                             " in all, and the bank does not say how: that is its word alone");
        }
    } else if (std::find(made->second.begin(), made->second.end(), held.adjustments) ==
               made->second.end()) {
        problem("bad-books", "the bank has corrections of " + to_string(held.adjustments) +
                                 " for " + row.name() + " that it does not say it made");
    }
    if (member.signing_key != row.signing_key()) {
        notes_.push_back(row.name() +
                         " has another key now than it signed its last statement with");
    }
}

void Ledger::finish() {
    for (const auto& [name, member] : members_) {
        if (member.compared || member.number == 0) continue;
        problem("broken-chain", "the bank does not say where " + name + " stands");
    }
}

}  // namespace p2pbank::bank
