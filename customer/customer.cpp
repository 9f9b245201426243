#include "customer/customer.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/names.h"
#include "customer/timing.h"

namespace p2pbank {

using namespace customer;

Customer::Customer(CustomerSettings settings)
    : context_(settings),
      proofs_(context_, [this] { operations_.covered_more(); }),
      channels_(context_, proofs_,
                [this](const Peer& peer, SentEntry& entry) { transfer_acknowledged(peer, entry); }),
      operations_(
          context_, channels_, proofs_,
          [this](const Operations::End& end) { operation_ended(end); }, [this] { released(); }),
      rosters_(context_, channels_),
      bank_key_(
          context_, [this] { return JobId(++jobs_); },
          [this] {
              bank_link_.introduced();
              deals_.introduced();
          }),
      session_(context_, bank_key_),
      bank_link_(
          context_, channels_, session_, bank_key_, rosters_,
          [this](CommandId id, Answer result) {
              if (token_wanted_ && token_wanted_->command == id) {
                  // The deal stands, whatever became of the question for its token.
                  Answer paid = std::move(token_wanted_->answer);
                  token_wanted_.reset();
                  result = std::move(paid.line("`tokens` shows its token"));
              }
              session_.gave_up(id);
              if (binding_ && binding_->first == id) binding_.reset();
              answer(id, std::move(result));
              pump();
          },
          [this](CommandId id, const wire::Told& reply) { told(id, reply); }),
      deals_(context_, session_, bank_key_,
             [this](const Deals::Outcome& outcome) { deal_ended(outcome); }) {
    context_.courier.accept_only([this](Socket at, const KeyBytes& key) {
        if (at == Socket::peer) return rosters_.accepts(key);
        return context_.bank_keys && context_.bank_keys->channel == key;
    });
}

Result<void> Customer::replay(std::string_view bytes) {
    State::Record record;
    if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return Error{"bad-record", "bytes that are no record of a customer"};
    }
    return context_.state.apply(record);
}

void Customer::start(TimePoint now, Effects& effects) {
    at(now, effects);
    State& state = context_.state;
    if (state.phase == Phase::none) {
        context_.courier.identify("", context_.random.next());
    } else {
        // What was not journalled is gone: back to the permanent checkpoint, in a new epoch. While
        // the account is being closed, or is, all that it has is in the journal.
        const bool restored =
            state.mode == StableMode::checkpoint && state.boots > 0 && state.phase == Phase::open;
        State::Record record;
        auto* started = record.mutable_started();
        started->set_boots(state.boots + 1);
        started->set_mode(context_.settings.stable == StableMode::checkpoint
                              ? customer_records::STABLE_CHECKPOINT
                              : customer_records::STABLE_JOURNAL);
        started->set_epoch((restored ? state.epoch.next() : state.epoch).value());
        started->set_restored(restored);
        started->set_in_clear(!context_.sealed());
        context_.commit(record);
        context_.courier.identify(state.name, state.boots);
        if (state.phase == Phase::open) finds_out_until_ = now + timing::kFindsOut;
        context_.notice(Severity::info, "account " + state.name + " has a balance of " +
                                            to_string(state.totals.balance));
        if (restored) {
            context_.notice(Severity::info,
                            "stands at its last permanent checkpoint, in a new epoch");
        }
        if (const size_t pending = state.activity.pending_deals(); pending > 0) {
            context_.notice(Severity::info, std::to_string(pending) +
                                                (pending == 1 ? " order is" : " orders are") +
                                                " pending; the next `checkpoint` settles " +
                                                (pending == 1 ? "it" : "them"));
        }
    }
    bank_key_.start();
    channels_.rebuild(true);
    operations_.resume();
    bank_link_.resume();
    deals_.resume();
}

void Customer::on_datagram(TimePoint now, Socket socket, Address from, std::string_view bytes,
                           Effects& effects) {
    at(now, effects);
    const Courier::Arrival arrival = context_.courier.receive(now, socket, from, bytes, effects);
    if (arrival.keys) bank_key_.on_keys(from, *arrival.keys);
    if (arrival.other_mode && socket == Socket::bank && from == context_.settings.bank) {
        bank_key_.on_other_mode();
    }
    if (arrival.introduced) introduced(from);
    if (arrival.message) dispatch(from, context_.courier.received());
}

// What waited for the introduction goes now.
void Customer::introduced(Address from) {
    channels_.introduced(from);
    operations_.introduced(from);
    if (from == context_.settings.bank) {
        // Whoever makes a session has the bank's key and is there now: also with data from a
        // backup, and with fewer starts than before.
        if (context_.sealed() && context_.is_from_bank(from)) bank_instance_ = 0;
        bank_link_.introduced();
        deals_.introduced();
    }
    operations_.on_timer();
    bank_link_.on_timer();
    deals_.on_timer();
}

void Customer::dispatch(Address from, wire::Datagram& datagram) {
    if (context_.state.phase == Phase::exited) return;
    // An address is used again by another account, or by a later run, and datagrams may be late.
    if (datagram.receiver() != context_.courier.sender()) return;
    if (datagram.sender() == "bank") {
        if (!context_.is_from_bank(from) || datagram.instance() < bank_instance_ ||
            datagram.receiver_instance() != context_.courier.instance()) {
            return;
        }
        bank_instance_ = datagram.instance();
        bank_key_.heard();
        from_bank(datagram);
        return;
    }
    Peer* peer = context_.state.find_peer(datagram.sender());
    if (peer == nullptr || CohortId(datagram.cohort()) != context_.state.cohort ||
        !context_.is_from(*peer)) {
        return;
    }
    channels_.heard(*peer, from, datagram.instance());
    from_peer(*peer, datagram);
}

void Customer::from_bank(wire::Datagram& datagram) {
    if (datagram.has_probe()) bank_link_.on_probe(datagram.probe(), datagram.instance());
    if (datagram.has_reply()) bank_link_.on_reply(datagram.reply());
    if (datagram.has_told()) bank_link_.on_told(datagram.told(), datagram.instance());
    if (datagram.has_account_offer()) bank_link_.on_account_offer(datagram.account_offer());
    if (datagram.has_attach_reply()) bank_link_.on_attach_reply(datagram.attach_reply());
    if (!context_.state.has_account()) return;
    if (datagram.has_report_request()) bank_link_.on_report_request(datagram.report_request());
    if (datagram.has_roster()) rosters_.on_roster(datagram.roster());
    if (datagram.has_deal_reply()) deals_.on_reply(datagram.deal_reply());
    if (datagram.has_settle_ack()) operations_.on_settle_ack(datagram.settle_ack());
    if (datagram.has_operation_begun()) operations_.on_operation_begun(datagram.operation_begun());
    if (datagram.has_decision()) operations_.on_decision(datagram.decision());
    if (datagram.has_join_request()) operations_.on_join_request(datagram.join_request());
    if (datagram.has_freeze_request()) operations_.on_freeze_request(datagram.freeze_request());
    if (datagram.has_cohort_started()) operations_.on_cohort_started(datagram.cohort_started());
    if (datagram.has_cohort_ended()) operations_.on_cohort_ended(datagram.cohort_ended());
    if (datagram.has_evidence_request()) {
        wire::Datagram reply;
        *reply.mutable_evidence() = proofs_.evidence(datagram.evidence_request());
        context_.send_to_bank(reply);
    }
    if (datagram.has_exit_order()) {
        exit_order_ = datagram.exit_order().nonce();
        exit_order_until_ = context_.now + timing::kBankDeadline;
        obey_exit_order();
    }
}

void Customer::from_peer(Peer& peer, wire::Datagram& datagram) {
    // While a rollback is undecided, peers may know its epoch before this customer takes it.
    const auto& operation = context_.state.operation;
    const bool rolling_back = operation && operation->kind == wire::OPERATION_ROLLBACK;
    if (Epoch(datagram.receiver_epoch()) > context_.state.epoch && !rolling_back) {
        // Anybody can say so; this customer's own signature can not be made up.
        if (context_.sealed()) {
            if (datagram.has_epoch_proof()) channels_.on_epoch_proof(peer, datagram.epoch_proof());
            return;
        }
        context_.refuse_to_go_on(
            peer.name + " knows it in epoch " + std::to_string(datagram.receiver_epoch()) +
            ", its own storage says " + std::to_string(context_.state.epoch.value()));
        return;
    }
    if (datagram.has_transfers()) channels_.on_transfers(peer, datagram);
    if (datagram.has_ack()) channels_.on_ack(peer, datagram);
    if (datagram.has_signed_()) proofs_.on_signed(peer, datagram.signed_());
    if (datagram.has_sign_request()) channels_.on_sign_request(peer, datagram);
    if (datagram.has_epoch_notice()) channels_.on_epoch_notice(peer, datagram);
    if (datagram.has_epoch_confirm()) channels_.on_epoch_confirm(peer, datagram);
    if (datagram.has_checkpoint_request()) operations_.on_checkpoint_request(peer, datagram);
    if (datagram.has_rollback_request()) operations_.on_rollback_request(peer, datagram);
    if (datagram.has_vote()) operations_.on_vote(peer, datagram);
    if (datagram.has_outcome()) operations_.on_outcome(peer, datagram);
    if (datagram.has_outcome_ack()) operations_.on_outcome_ack(peer, datagram);
}

void Customer::on_timer(TimePoint now, Effects& effects) {
    at(now, effects);
    bank_key_.on_timer();
    rosters_.on_timer();
    channels_.on_timer();
    proofs_.on_timer();
    operations_.on_timer();
    bank_link_.on_timer();
    deals_.on_timer();
    expire_transfers();
    if (own_ && !own_->under_way && now >= own_->again_at) try_operation();
    pump();
}

void Customer::end_of_turn(TimePoint now, Effects& effects) {
    at(now, effects);
    if (pump_due_) {
        pump_due_ = false;
        pump();
    }
    rosters_.end_of_turn();
    channels_.end_of_turn();
    context_.courier.end_of_turn(now, effects);
}

std::optional<TimePoint> Customer::next_wake() const {
    std::optional<TimePoint> wake;
    const auto consider = [&](std::optional<TimePoint> other) {
        if (other) wake = wake ? std::min(*wake, *other) : *other;
    };
    consider(bank_key_.next_wake());
    consider(rosters_.next_wake());
    consider(channels_.next_wake());
    consider(proofs_.next_wake());
    consider(operations_.next_wake());
    consider(bank_link_.next_wake());
    consider(deals_.next_wake());
    if (is_finding_out()) consider(finds_out_until_);
    if (!transfer_deadlines_.empty()) consider(transfer_deadlines_.front().first);
    // While somebody's answer is awaited, that is what the others wait for.
    if (!waiting_.empty() && !is_answer_awaited() && transfers_.empty()) {
        consider(front_since_ + timing::kCommandDeadline);
    }
    if (own_ && !own_->under_way) consider(own_->again_at);
    return wake;
}

// For a moment after it was resumed the bank may have to say that this state is an old copy: what
// is paid out meanwhile would be paid twice. A bank that cannot be reached holds nobody up.
bool Customer::is_finding_out() const {
    return finds_out_until_ && !bank_link_.attached() && context_.now < *finds_out_until_;
}

bool Customer::wants_commands() const {
    if (is_finding_out()) return false;
    return waiting_.size() + transfers_.size() < limits::kMaxCommandsInProgress;
}

void Customer::snapshot(const std::function<void(std::string)>& take) const {
    if (context_.state.phase == Phase::none) return;
    State::Record record;
    context_.state.snapshot(record);
    take(record.SerializeAsString());
}

void Customer::answer(CommandId id, Answer result) {
    if (context_.effects->tracing()) {
        const char* word = result.outcome == Outcome::success   ? "SUCCESS "
                           : result.outcome == Outcome::failure ? "FAILURE "
                                                                : "UNKNOWN ";
        context_.effects->trace({"answer", {{"text", word + result.text}}});
    }
    context_.effects->answer(id, std::move(result));
}

}  // namespace p2pbank
