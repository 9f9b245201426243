#include "simulator/liar.h"

#include <algorithm>
#include <limits>

#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"

namespace p2pbank::simulator {
namespace {

constexpr int64_t kInventedCents = 1'00;

// One transfer more than there was. Returns the cents that it makes; 0: nothing was received.
int64_t invent(wire::Channel& channel) {
    if (channel.received_size() == 0) return 0;
    const int last = channel.received_size() - 1;  // the length of the last interval
    channel.set_received(last, channel.received(last) + 1);
    channel.set_received_sum(channel.received_sum() + kInventedCents);
    return kInventedCents;
}

}  // namespace

class Liar::Mouth final : public Effects {
  public:
    Mouth(Liar& liar, Effects& real) : liar_(liar), real_(real) {}

    void send(Socket from, Address to, std::string_view datagram) override {
        real_.send(from, to, liar_.lie(std::string(datagram)));
    }
    void log_key(uint32_t index, const KeyBytes& key) override {
        liar_.keys_.add(index, key);
        real_.log_key(index, key);
    }

    void persist(std::string record) override { real_.persist(std::move(record)); }
    void answer(CommandId command, Answer answer) override {
        real_.answer(command, std::move(answer));
    }
    void notice(Severity severity, std::string text) override {
        real_.notice(severity, std::move(text));
    }
    void publish_table(std::string content) override { real_.publish_table(std::move(content)); }
    void start_job(JobId job, Job work) override { real_.start_job(job, std::move(work)); }
    void ask(CommandId command, std::vector<Question> questions) override {
        real_.ask(command, std::move(questions));
    }
    Result<void> claim_store(std::string_view name, const KeyBytes* secret) override {
        return real_.claim_store(name, secret);
    }
    void release_store() override { real_.release_store(); }
    void stop(int status) override { real_.stop(status); }
    bool tracing() const override { return real_.tracing(); }
    void trace(TraceEvent event) override { real_.trace(std::move(event)); }

  private:
    Liar& liar_;
    Effects& real_;
};

Liar::Liar(std::unique_ptr<Customer> inner, const KeyBytes& key_seed, uint64_t seed,
           const double& rate)
    : inner_(std::move(inner)), identity_(key_seed), random_(seed), rate_(rate) {}

void Liar::start(TimePoint now, Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->start(now, mouth);
}

void Liar::on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                       Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->on_datagram(now, at, from, datagram, mouth);
}

void Liar::on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->on_command(now, id, line, mouth);
}

void Liar::on_timer(TimePoint now, Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->on_timer(now, mouth);
}

void Liar::on_job(TimePoint now, JobId job, JobResult result, Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->on_job(now, job, std::move(result), mouth);
}

void Liar::on_typed(TimePoint now, CommandId id, Result<std::vector<Secret>> typed,
                    Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->on_typed(now, id, std::move(typed), mouth);
}

void Liar::end_of_turn(TimePoint now, Effects& effects) {
    Mouth mouth(*this, effects);
    inner_->end_of_turn(now, mouth);
}

std::string Liar::lie(std::string packet) {
    const bool at_random = rate_ > 0 && random_.fraction() < rate_;
    if (!at_random && !chosen_) return packet;
    const auto plain = keys_.open(packet);
    wire::Datagram datagram;
    if (!plain || plain->empty() || !datagram.ParseFromString(*plain)) return packet;
    if (at_random && (datagram.has_settle() || !in_settlements_only_)) change(datagram);
    if (chosen_) tell_chosen(datagram);
    const auto changed = keys_.reseal(packet, datagram.SerializeAsString());
    return changed && changed->size() <= limits::kMaxDatagramBytes ? *changed : packet;
}

void Liar::tell_chosen(wire::Datagram& datagram) {
    if (!datagram.has_settle() || datagram.settle().kind() != wire::OPERATION_CHECKPOINT) return;
    wire::Settle& settle = *datagram.mutable_settle();
    const OperationId id = from_wire(settle.operation());
    if (told_in_ && *told_in_ != id) return;
    auto statement = read_statement(settle.statement());
    if (!statement) return;
    for (wire::Channel& channel : *statement->mutable_channels()) {
        const int64_t made = *chosen_ == ChosenLie::deny ? deny(channel) : invent(channel);
        if (made == 0) continue;
        statement->mutable_totals()->set_balance(statement->totals().balance() + made);
        *settle.mutable_statement() = sign_statement(&identity_, *statement);
        told_in_ = id;
        return;
    }
}

// Takes the newest transfer back. Returns the cents that this makes; 0: none was sent since the
// permanent checkpoint.
int64_t Liar::deny(wire::Channel& channel) const {
    const Label newest(channel.sent_last());
    const customer::Peer* peer = inner_->state().find_peer(channel.peer());
    if (peer == nullptr) return 0;
    if (newest <= inner_->state().permanent.channel(channel.peer()).sent_last) return 0;
    const auto sent =
        std::find_if(peer->sent_log.begin(), peer->sent_log.end(),
                     [&](const customer::SentEntry& entry) { return entry.label == newest; });
    if (sent == peer->sent_log.end()) return 0;
    channel.set_sent_last(newest.value() - 1);
    channel.set_sent_sum(channel.sent_sum() - sent->amount.cents());
    return sent->amount.cents();
}

std::string Liar::somebody() {
    const auto& peers = inner_->state().peers;
    if (peers.empty() || random_.one_in(4)) return inner_->state().name;
    auto at = peers.begin();
    std::advance(at, static_cast<ptrdiff_t>(random_.below(peers.size())));
    return at->first;
}

void Liar::change_operation(wire::OperationId& id) {
    if (random_.one_in(2)) id.set_initiator(somebody());
    if (random_.one_in(2)) id.set_counter(id.counter() + (uint64_t{1} << random_.below(62)));
    if (random_.one_in(4)) id.set_epoch(id.epoch() + 1 + random_.below(5));
}

void Liar::change(wire::Datagram& datagram) {
    switch (random_.below(8)) {
        case 0:
            datagram.set_epoch(datagram.epoch() + 1 + random_.below(5));
            break;
        case 1:
            datagram.set_receiver_epoch(datagram.receiver_epoch() + 1 + random_.below(5));
            break;
        case 2:
            datagram.set_instance(datagram.instance() + random_.below(3));
            break;
        default:
            change_peer_message(datagram);
            change_bank_message(datagram);
    }
}

void Liar::change_peer_message(wire::Datagram& datagram) {
    if (datagram.has_transfers() && datagram.transfers().amounts_size() > 0) {
        auto* transfers = datagram.mutable_transfers();
        const int at =
            static_cast<int>(random_.below(static_cast<uint64_t>(transfers->amounts_size())));
        if (random_.one_in(2)) {
            transfers->set_amounts(at, static_cast<uint64_t>(amount()));
        } else {
            transfers->set_first_label(transfers->first_label() + 1 + random_.below(3));
        }
    }
    if (datagram.has_ack()) {
        auto* covered = datagram.mutable_ack()->mutable_covered();
        covered->Clear();
        covered->Add(0);
        covered->Add(random_.below(100));
    }
    if (datagram.has_signed_()) {
        if (random_.one_in(2)) {
            datagram.clear_signed_();
        } else {
            datagram.mutable_signed_()->set_signature(std::string(64, 'x'));
        }
    }
    if (datagram.has_checkpoint_request()) {
        auto* request = datagram.mutable_checkpoint_request();
        if (random_.one_in(2)) request->set_label(request->label() + random_.below(5));
        if (random_.one_in(2)) change_operation(*request->mutable_operation());
    }
    if (datagram.has_rollback_request()) {
        auto* request = datagram.mutable_rollback_request();
        if (random_.one_in(2)) request->set_label(random_.below(request->label() + 1));
        if (random_.one_in(2)) request->set_next_epoch(request->next_epoch() + random_.below(1000));
        if (random_.one_in(2)) change_operation(*request->mutable_operation());
    }
    if (datagram.has_vote()) {
        auto* vote = datagram.mutable_vote();
        if (random_.one_in(2)) vote->set_yes(!vote->yes());
        wire::Participant* other = vote->add_participants();
        other->set_name(somebody());
        other->set_next_epoch(random_.below(100));
    }
    if (datagram.has_outcome()) {
        datagram.mutable_outcome()->set_commit(!datagram.outcome().commit());
    }
}

void Liar::change_statement(wire::SignedStatement& signed_statement) {
    auto statement = read_statement(signed_statement);
    if (!statement) return;
    auto* totals = statement->mutable_totals();
    const int64_t by = amount();
    switch (random_.below(9)) {
        case 0:  // invents a balance
            totals->set_balance(totals->balance() + by);
            break;
        case 1:  // invents a correction by the operator
            totals->set_balance(totals->balance() + by);
            totals->set_adjustments(totals->adjustments() + by);
            break;
        case 2: {  // as much as a number can hold
            const int64_t most = random_.one_in(2) ? std::numeric_limits<int64_t>::max()
                                                   : std::numeric_limits<int64_t>::min();
            if (random_.one_in(2)) totals->set_balance(most);
            if (random_.one_in(2)) totals->set_deposits(most);
            if (random_.one_in(2)) totals->set_withdrawals(most);
            if (random_.one_in(2)) totals->set_adjustments(most);
            break;
        }
        case 3:
            statement->set_number(statement->number() + 1);
            break;
        case 4:
            statement->set_previous(std::string(32, 'x'));
            break;
        case 5: {  // what nobody reads, for the bank to keep: field 1000, of 300 bytes
            const std::string unknown = "\xC2\x3E\xAC\x02" + std::string(300, 'x');
            statement->MergeFromString(unknown);
            break;
        }
        default:
            change_channel(*statement, by);
    }
    signed_statement = sign_statement(&identity_, *statement);
}

void Liar::change_channel(wire::Statement& statement, int64_t by) {
    auto* totals = statement.mutable_totals();
    wire::Channel* channel =
        statement.channels_size() > 0 ? statement.mutable_channels(0) : statement.add_channels();
    if (channel->peer().empty()) channel->set_peer(somebody());
    switch (random_.below(3)) {
        case 0:  // claims more than it got
            totals->set_balance(totals->balance() + by);
            channel->set_received_sum(channel->received_sum() + by);
            break;
        case 1:  // claims one that was not sent
            totals->set_balance(totals->balance() + by);
            channel->set_received_sum(channel->received_sum() + by);
            channel->add_received(random_.below(3));
            channel->add_received(0);
            break;
        default:  // denies what it sent
            if (channel->sent_sum() < by || channel->sent_last() == 0) break;
            totals->set_balance(totals->balance() + by);
            channel->set_sent_sum(channel->sent_sum() - by);
            channel->set_sent_last(channel->sent_last() - random_.below(2));
    }
}

void Liar::change_bank_message(wire::Datagram& datagram) {
    if (datagram.has_settle()) {
        change_statement(*datagram.mutable_settle()->mutable_statement());
        if (random_.one_in(8)) change_operation(*datagram.mutable_settle()->mutable_operation());
    }
    if (datagram.has_command() && datagram.command().has_exit()) {
        change_statement(*datagram.mutable_command()->mutable_exit()->mutable_statement());
    }
    if (datagram.has_decision_request()) {
        auto* request = datagram.mutable_decision_request();
        if (random_.one_in(2)) request->add_participants(somebody());
        if (random_.one_in(2) && request->participants_size() > 0) {
            request->mutable_participants()->RemoveLast();
        }
        wire::RolledBack* rolled = request->add_rolled_back();
        rolled->set_name(somebody());
        rolled->set_epoch(random_.below(1'000));
        if (random_.one_in(4)) change_operation(*request->mutable_operation());
    }
    if (datagram.has_decision_query()) {
        change_operation(*datagram.mutable_decision_query()->mutable_operation());
    }
    if (datagram.has_operation_begin()) {
        change_operation(*datagram.mutable_operation_begin()->mutable_operation());
    }
    if (datagram.has_decision_ack()) {
        change_operation(*datagram.mutable_decision_ack()->mutable_operation());
    }
    if (datagram.has_attach()) {
        datagram.mutable_attach()->set_port2(1 + static_cast<uint32_t>(random_.below(60'000)));
    }
    if (datagram.has_report()) {
        auto* totals = datagram.mutable_report()->mutable_totals();
        totals->set_balance(totals->balance() + amount());
    }
    if (datagram.has_evidence()) {
        for (auto& item : *datagram.mutable_evidence()->mutable_items()) {
            if (item.transfers_size() > 0 && item.transfers(0).amounts_size() > 0) {
                item.mutable_transfers(0)->set_amounts(0, static_cast<uint64_t>(amount()));
            }
        }
    }
    if (datagram.has_deal()) {
        auto* deal = datagram.mutable_deal();
        if (random_.one_in(2)) deal->set_amount(deal->amount() + amount());
        if (random_.one_in(8)) deal->set_amount(std::numeric_limits<int64_t>::max());
        if (random_.one_in(2)) deal->set_number(deal->number() + random_.below(3));
    }
}

}  // namespace p2pbank::simulator
