#include "bank/evidence.h"

#include <algorithm>
#include <tuple>

#include "common/base/names.h"

namespace p2pbank::bank {
namespace {

Error unreadable(std::string what) {
    return Error{"unreadable", std::move(what)};
}
Error false_statement(std::string why) {
    return Error{"false-statement", std::move(why)};
}

// Whether a sum that rose by `labels` transfers can have gone from `before` to `after`: each
// transfer is at least one cent.
bool rises_with(Money before, Money after, uint64_t labels) {
    const auto by = checked_subtract(after, before);
    if (!by || by->is_negative()) return false;
    return labels == 0 ? by->is_zero() : static_cast<uint64_t>(by->cents()) >= labels;
}

std::optional<Error> why_not_next(const std::string& peer, const Channel& before,
                                  const Channel& after) {
    if (after.sent_last < before.sent_last) {
        return false_statement("takes back transfers to " + peer + " that were permanent");
    }
    if (!rises_with(before.sent_sum, after.sent_sum,
                    after.sent_last.value() - before.sent_last.value())) {
        return false_statement("the sum sent to " + peer + " does not go with its transfers");
    }
    if (!after.received.contains_all(before.received)) {
        return false_statement("has lost transfers of " + peer + " that were permanent");
    }
    if (!rises_with(before.received_sum, after.received_sum,
                    after.received.count() - before.received.count())) {
        return false_statement("the sum received from " + peer + " does not go with its transfers");
    }
    return std::nullopt;
}

// Of a total within an account's bounds: the same.
Money nearest(const MoneyTotal& total) {
    const auto low = static_cast<int64_t>(total.low_bits());
    const bool fits = total.high_bits() == (low < 0 ? -1 : 0);
    if (fits) return Money::from_cents(low);
    return Money::from_cents(total.is_negative() ? INT64_MIN : INT64_MAX);
}

bool in_order(const Proven& a, const Proven& b) {
    return std::tuple(a.label, a.epoch, a.amount, a.item) <
           std::tuple(b.label, b.epoch, b.amount, b.item);
}

void sort(std::vector<Proven>& proven) {
    std::sort(proven.begin(), proven.end(), in_order);
}

std::vector<size_t> distinct(std::vector<size_t> items) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    return items;
}

std::string transfer(Label label) {
    return "transfer " + std::to_string(label.value());
}

// Of a label that the sender's permanent checkpoint does not cover a transfer counts only in the
// epoch in which the sender settled: in an older one the label may have meant something else.
bool counts(const Dispute& dispute, const Proven& one) {
    return one.label <= dispute.sender_before.sent_last || one.epoch == dispute.sender_epoch;
}

// The first label of the set that has no transfer in `sorted`.
std::optional<Label> first_missing(const IntervalSet& labels, const std::vector<Proven>& sorted) {
    auto at = sorted.begin();
    for (const IntervalSet::Interval& stretch : labels.intervals()) {
        // Each round but the last takes a transfer, however long the stretch is.
        for (uint64_t wanted = stretch.first; wanted <= stretch.last; ++wanted) {
            while (at != sorted.end() && at->label < Label(wanted)) ++at;
            if (at == sorted.end() || at->label != Label(wanted)) return Label(wanted);
        }
    }
    return std::nullopt;
}

}  // namespace

Result<Books> next_books(const Books& before, const wire::Statement& statement) {
    Books after{from_wire(statement.totals()), before.channels};
    const bool in_cohort = (statement.kind() == wire::OPERATION_CHECKPOINT ||
                            statement.kind() == wire::OPERATION_FREEZE) &&
                           statement.cohort() != 0;
    if (!in_cohort && statement.channels_size() > 0) {
        return false_statement("has transfers and is in no cohort");
    }
    const std::string* last = nullptr;
    for (const wire::Channel& channel : statement.channels()) {
        if (last != nullptr && channel.peer() <= *last) return unreadable("channels out of order");
        last = &channel.peer();
        // It is shown to people.
        if (!is_valid_name(channel.peer())) return unreadable("a channel with nobody");
        if (channel.peer() == statement.name()) return false_statement("has transfers with itself");
        auto read = from_wire(channel);
        if (!read) return unreadable("no set of labels");
        Channel& place = after.channels[channel.peer()];
        if (auto wrong = why_not_next(channel.peer(), place, *read)) return *wrong;
        place = std::move(*read);
    }
    const auto falls = [](const char* what, Money from, Money to) {
        return false_statement(std::string(what) + " fall from " + to_string(from) + " to " +
                               to_string(to));
    };
    if (!is_within_bounds(after.totals, after.channels)) {
        return unreadable("more than an account can hold");
    }
    const Totals& old = before.totals;
    if (after.totals.opening != old.opening) return false_statement("changes its opening balance");
    if (after.totals.deposits < old.deposits) {
        return falls("its deposits", old.deposits, after.totals.deposits);
    }
    if (after.totals.withdrawals < old.withdrawals) {
        return falls("its withdrawals", old.withdrawals, after.totals.withdrawals);
    }
    if (after.totals.carried != old.carried) {
        return false_statement("changes what it carried over from cohorts that have ended");
    }
    if (!adds_up(after.totals, after.channels)) return false_statement("does not add up");
    return after;
}

AfterCohort after_cohort(const Totals& last, const MoneyTotal& back, const MoneyTotal& net) {
    AfterCohort after{last, {}};
    MoneyTotal balance = back;
    balance += last.balance;
    // One from before there were bounds may be beyond them.
    const Money most = std::max(last.balance, kMaxBalance);
    MoneyTotal room;
    room += most;
    room -= balance;
    if (room.is_negative()) after.left_over -= room;
    balance -= after.left_over;
    MoneyTotal carried = net;
    carried += last.carried;
    carried -= after.left_over;
    after.totals.balance = nearest(balance);
    after.totals.carried = nearest(carried);
    return after;
}

bool add_proof(const Dispute& dispute, CohortId cohort, const KeyBytes& sender_key,
               const wire::SignedTransfers& item, size_t index, std::vector<Proven>& proven) {
    const Epoch epoch(item.epoch());
    if (!proves({dispute.sender, dispute.receiver, cohort, epoch}, item, sender_key)) return false;
    for (const wire::Transfers& message : item.transfers()) {
        const auto transfers = read_transfers(message);
        for (const Transfer& one : transfers.value()) {
            proven.push_back({one.label, epoch, one.amount, index});
        }
    }
    return true;
}

IntervalSet claimed(const Dispute& dispute) {
    IntervalSet known = dispute.receiver_before.received;
    IntervalSet fresh;
    for (const IntervalSet::Interval& stretch : dispute.receiver_now.received.intervals()) {
        known.add(stretch.first, stretch.last, [&](uint64_t first, uint64_t last) {
            fresh.add(first, last, [](uint64_t, uint64_t) {});
        });
    }
    return fresh;
}

std::optional<Lie> lie_of_sender(const Dispute& dispute, std::vector<Proven> proven) {
    sort(proven);
    for (size_t i = 1; i < proven.size(); ++i) {
        const Proven& a = proven[i - 1];
        const Proven& b = proven[i];
        if (a.label != b.label || a.epoch != b.epoch || a.amount == b.amount) continue;
        return Lie{"signed " + transfer(a.label) + " to " + dispute.receiver + " as " +
                       to_string(a.amount) + " and as " + to_string(b.amount),
                   distinct({a.item, b.item})};
    }
    if (!dispute.sender_took_part) return std::nullopt;
    const Channel& before = dispute.sender_before;
    const Channel& now = dispute.sender_now;
    // What it signed of the labels that are new in its statement.
    MoneyTotal signed_sum;
    uint64_t signed_count = 0;
    std::vector<size_t> items;
    Label counted;
    for (const Proven& one : proven) {
        if (one.epoch != dispute.sender_epoch || one.label <= before.sent_last) continue;
        if (one.label > now.sent_last) {
            // What it sent behind its checkpoint is no lie: only what the receiver had before.
            if (!dispute.receiver_now.received.contains(one.label)) continue;
            return Lie{"denies " + transfer(one.label) + " of " + to_string(one.amount) + " to " +
                           dispute.receiver + " that it signed",
                       {one.item}};
        }
        if (one.label == counted) continue;
        counted = one.label;
        signed_sum += one.amount;
        ++signed_count;
        items.push_back(one.item);
    }
    const uint64_t fresh = now.sent_last.value() - before.sent_last.value();
    const Money said = must_subtract(now.sent_sum, before.sent_sum);
    // Each of the others is at least a cent.
    MoneyTotal room;
    room += said;
    room -= signed_sum;
    room -= Money::from_cents(static_cast<int64_t>(fresh - signed_count));
    const bool all = signed_count == fresh;
    if (signed_count == 0 || (all ? room.is_zero() : !room.is_negative())) return std::nullopt;
    return Lie{"says that its " + std::to_string(fresh) + " new transfers to " + dispute.receiver +
                   " come to " + to_string(said) + " and signed " + signed_sum.to_string() +
                   " for " + std::to_string(signed_count) + " of them",
               distinct(std::move(items))};
}

std::optional<Lie> lie_of_receiver(const Dispute& dispute, std::vector<Proven> proven) {
    sort(proven);
    std::vector<size_t> all;
    for (const Proven& one : proven) all.push_back(one.item);
    all = distinct(std::move(all));
    const IntervalSet labels = claimed(dispute);
    if (const auto missing = first_missing(labels, proven)) {
        return Lie{
            "claims " + transfer(*missing) + " of " + dispute.sender + " that it cannot prove",
            std::move(all)};
    }
    MoneyTotal sum;
    Label counted;
    Money amount;
    for (const Proven& one : proven) {
        if (!labels.contains(one.label) || !counts(dispute, one)) continue;
        // Signed with two amounts: it is not for the receiver to know which one counts.
        if (one.label == counted && one.amount != amount) return std::nullopt;
        if (one.label == counted) continue;
        counted = one.label;
        amount = one.amount;
        sum += one.amount;
    }
    // Only of another epoch: one of the two did not follow a rollback, and that shows nowhere.
    std::erase_if(proven, [&](const Proven& one) { return !counts(dispute, one); });
    if (first_missing(labels, proven)) return std::nullopt;
    const Money said =
        must_subtract(dispute.receiver_now.received_sum, dispute.receiver_before.received_sum);
    MoneyTotal difference = sum;
    difference -= said;
    if (difference.is_zero()) return std::nullopt;
    return Lie{"claims that its new transfers of " + dispute.sender + " come to " +
                   to_string(said) + " and proves " + sum.to_string(),
               std::move(all)};
}

std::string undecided(const Dispute& dispute, const std::vector<Proven>& proven) {
    const bool other_epoch = std::any_of(proven.begin(), proven.end(), [&](const Proven& one) {
        return dispute.receiver_now.received.contains(one.label) && !counts(dispute, one);
    });
    if (other_epoch) {
        return dispute.receiver + " proves transfers of " + dispute.sender +
               " of another epoch than that in which " + dispute.sender + " stands";
    }
    if (!dispute.sender_took_part) {
        return dispute.receiver + " proves transfers of " + dispute.sender + ", who took no part";
    }
    return "the contradiction is older than their permanent checkpoints";
}

}  // namespace p2pbank::bank
