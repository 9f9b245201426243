// deposit, withdrawal and transfer, until they have their answers. Part of Customer.
#include <algorithm>

#include "common/base/check.h"
#include "common/base/names.h"
#include "common/base/text.h"
#include "common/base/words.h"
#include "common/core/command_table.h"
#include "customer/command_list.h"
#include "customer/customer.h"
#include "customer/timing.h"

namespace p2pbank {

using namespace customer;

namespace {

Answer transfer_answer(Outcome outcome, const std::string& verb, Money amount,
                       const std::string& peer, Label label, Money balance) {
    Answer result;
    result.outcome = outcome;
    result.text = verb + " " + to_string(amount) + " to " + peer + " label " +
                  std::to_string(label.value()) + " balance " + to_string(balance);
    result.fact("amount", amount).fact("to", peer).fact("label", label.value());
    result.fact("balance", balance);
    return result;
}

}  // namespace

bool Customer::start_cash(CommandId id, std::string_view line, bool deposit) {
    const std::string verb = deposit ? "deposit" : "withdrawal";
    const auto split = split_quoted(line);
    const bool noted = split && split.value().size() == 4 && split.value()[2] == "--note";
    if (!split || (split.value().size() != 2 && !noted)) {
        answer(id, !split ? failure(split.error()) : usage_failure(command_table(), verb));
        return true;
    }
    const std::vector<std::string>& words = split.value();
    const auto checked =
        noted ? check_text("the note", words[3], limits::kMaxNoteBytes) : Result<void>();
    if (!checked) {
        answer(id, failure(checked.error()));
        return true;
    }
    const auto amount = parse_amount(words[1], Zero::refused);
    if (!amount) {
        answer(id, failure(amount.error()));
        return true;
    }
    State& state = context_.state;
    if (state.phase == Phase::open && state.is_suspended()) return false;
    if (!check_account(id)) return true;
    if (!deposit && state.totals.balance < amount.value()) {
        const Money short_of = must_subtract(amount.value(), state.totals.balance);
        answer(id, failure("overdraft", "the balance is " + to_string(state.totals.balance) + ", " +
                                            to_string(short_of) + " short; nothing was changed"));
        return true;
    }
    const Money& sum = deposit ? state.totals.deposits : state.totals.withdrawals;
    if (!fits_total(checked_add(sum, amount.value())) ||
        (deposit && !state.can_hold(checked_add(state.totals.balance, amount.value())))) {
        answer(id, failure("limit", "the account cannot hold so much; nothing was changed"));
        return true;
    }
    State::Record record;
    record.mutable_cash()->set_amount(deposit ? amount.value().cents() : -amount.value().cents());
    if (noted) record.mutable_cash()->set_note(words[3]);
    context_.commit(record);
    Answer result = success(verb + " " + to_string(amount.value()) + " balance " +
                            to_string(state.totals.balance));
    result.fact("amount", amount.value()).fact("balance", state.totals.balance);
    answer(id, std::move(result));
    return true;
}

bool Customer::start_transfer(CommandId id, const Words& words, bool lost) {
    const std::string verb = lost ? "lost-transfer" : "transfer";
    const auto refuse = [&](Answer why) {
        answer(id, std::move(why));
        return true;
    };
    if (words.size() != 3) return refuse(usage_failure(command_table(), verb));
    const auto amount = parse_amount(words[1], Zero::refused);
    if (!amount) return refuse(failure(amount.error()));
    const auto name = check_name(words[2]);
    if (!name) return refuse(failure(name.error()));
    State& state = context_.state;
    if (!check_account(id)) return true;
    if (words[2] == state.name) {
        return refuse(failure("self-transfer", "a transfer goes to another customer"));
    }
    // A join or the end of the cohort may be under way: who is a peer is known afterwards.
    if (operations_.holds_up_transfers() || state.is_suspended()) return false;
    if (!state.in_cohort()) {
        return refuse(failure("not-in-cohort",
                              "the account is in no cohort; transfers go to "
                              "members of the same cohort"));
    }
    Peer* peer = state.find_peer(words[2]);
    if (peer == nullptr) {
        return refuse(failure(
            "not-in-your-cohort",
            quote(words[2]) + " is not a member of " + state.cohort_name + "; `peers` lists them"));
    }
    if (state.totals.balance < amount.value()) {
        const Money short_of = must_subtract(amount.value(), state.totals.balance);
        return refuse(failure("overdraft", "the balance is " + to_string(state.totals.balance) +
                                               ", " + to_string(short_of) +
                                               " short; nothing was changed"));
    }
    if (peer->sent_log.size() >= limits::kMaxSentLog) {
        return refuse(failure("limit", "too much has been sent to " + peer->name +
                                           " since its last checkpoint: it has to take one first"));
    }
    if (!channels_.has_room_to_send()) {
        return refuse(
            failure("limit",
                    "too much has been sent to all together since their last checkpoints: "
                    "they have to take one first"));
    }
    if (!fits_total(checked_add(peer->channel.sent_sum, amount.value()))) {
        return refuse(failure("limit", "in one cohort no more than " + to_string(kMaxTotal) +
                                           " can be sent to " + peer->name +
                                           "; nothing was changed"));
    }
    SentEntry& entry = channels_.transfer(*peer, amount.value(), lost);
    if (lost) {
        return refuse(transfer_answer(Outcome::success, verb, amount.value(), peer->name,
                                      entry.label, state.totals.balance));
    }
    entry.command = id;
    const TimePoint deadline = context_.now + timing::kTransferDeadline;
    transfers_.emplace_hint(
        transfers_.end(), id,
        OpenTransfer{peer->name, entry.label, amount.value(), state.totals.balance, deadline});
    transfer_deadlines_.emplace_back(deadline, id);
    return true;
}

void Customer::transfer_acknowledged(const Peer& peer, SentEntry& entry) {
    if (entry.command.value() == 0) return;
    const CommandId command = entry.command;
    const auto found = transfers_.find(command);
    entry.command = CommandId();
    if (found == transfers_.end()) {  // UNKNOWN was answered
        in_transit_.erase(command);
        context_.notice(Severity::info, "the transfer of " + to_string(entry.amount) + " to " +
                                            peer.name + ", label " +
                                            std::to_string(entry.label.value()) +
                                            ", which was in transit, has arrived");
        return;
    }
    const OpenTransfer open = std::move(found->second);
    transfers_.erase(found);
    answer(command, transfer_answer(Outcome::success, "transfer", open.amount, open.peer,
                                    open.label, open.balance));
    while (!transfer_deadlines_.empty() &&
           !transfers_.contains(transfer_deadlines_.front().second)) {
        transfer_deadlines_.pop_front();
    }
    // Not at once: this is called from the middle of the sent log.
    if (transfers_.empty() && !waiting_.empty()) pump_due_ = true;
}

void Customer::expire_transfers() {
    while (!transfer_deadlines_.empty() && transfer_deadlines_.front().first <= context_.now) {
        const auto found = transfers_.find(transfer_deadlines_.front().second);
        transfer_deadlines_.pop_front();
        if (found == transfers_.end()) continue;
        const OpenTransfer& open = found->second;
        Answer result = transfer_answer(Outcome::unknown, "transfer", open.amount, open.peer,
                                        open.label, open.balance);
        result.line(open.peer + " has not acknowledged it yet; it is in transit and sent again");
        answer(found->first, std::move(result));
        in_transit_.insert(transfers_.extract(found));
    }
}

// What UNKNOWN was answered to and was undone with an operation.
void Customer::tell_undone_transfers() {
    std::erase_if(in_transit_, [&](const auto& entry) {
        const OpenTransfer& open = entry.second;
        const Peer* peer = context_.state.find_peer(open.peer);
        if (peer != nullptr && open.label <= peer->channel.sent_last) return false;
        context_.notice(Severity::info,
                        "the transfer of " + to_string(open.amount) + " to " + open.peer +
                            ", label " + std::to_string(open.label.value()) +
                            ", which was in transit, " +
                            (peer != nullptr ? "was taken back by a rollback"
                                             : "came back if it had not arrived: the cohort "
                                               "has ended"));
        return true;
    });
}

// No longer in an operation: transfers that it took back have failed, and what waited may go on.
void Customer::released() {
    for (auto at = transfers_.begin(); at != transfers_.end();) {
        const OpenTransfer& open = at->second;
        Peer* peer = context_.state.find_peer(open.peer);
        if (peer != nullptr && open.label <= peer->channel.sent_last) {
            ++at;
            continue;
        }
        if (peer != nullptr) {
            answer(at->first, failure("rolled-back",
                                      "a rollback took the transfer of " + to_string(open.amount) +
                                          " to " + open.peer + " back before it was acknowledged"));
        } else {
            Answer result = transfer_answer(Outcome::unknown, "transfer", open.amount, open.peer,
                                            open.label, open.balance);
            answer(at->first, result.line("the cohort ended first: what had not arrived was given "
                                          "back, `balance` shows it"));
        }
        at = transfers_.erase(at);
    }
    tell_undone_transfers();
    channels_.resumed();
    deals_.released();
    obey_exit_order();
    if (own_ && !own_->under_way && own_->tries == 0) own_->again_at = context_.now;
    pump();
}

}  // namespace p2pbank
