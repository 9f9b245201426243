#include "simulator/liar.h"

#include "common/base/limits.h"
#include "common/core/statement.h"

namespace p2pbank::simulator {

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
    if (rate_ <= 0 || random_.fraction() >= rate_) return packet;
    const auto plain = keys_.open(packet);
    wire::Datagram datagram;
    if (!plain || plain->empty() || !datagram.ParseFromString(*plain)) return packet;
    change(datagram);
    const auto changed = keys_.reseal(packet, datagram.SerializeAsString());
    return changed && changed->size() <= limits::kMaxDatagramBytes ? *changed : packet;
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
    wire::Channel* channel =
        statement->channels_size() > 0 ? statement->mutable_channels(0) : statement->add_channels();
    if (channel->peer().empty()) channel->set_peer(somebody());
    switch (random_.below(6)) {
        case 0:  // invents a balance
            totals->set_balance(totals->balance() + by);
            break;
        case 1:  // claims more than it got
            totals->set_balance(totals->balance() + by);
            channel->set_received_sum(channel->received_sum() + by);
            break;
        case 2:  // claims one that was not sent
            totals->set_balance(totals->balance() + by);
            channel->set_received_sum(channel->received_sum() + by);
            channel->add_received(random_.below(3));
            channel->add_received(0);
            break;
        case 3:  // denies what it sent
            if (channel->sent_sum() < by || channel->sent_last() == 0) break;
            totals->set_balance(totals->balance() + by);
            channel->set_sent_sum(channel->sent_sum() - by);
            channel->set_sent_last(channel->sent_last() - random_.below(2));
            break;
        case 4:
            statement->set_number(statement->number() + 1);
            break;
        default:
            statement->set_previous(std::string(32, 'x'));
    }
    signed_statement = sign_statement(&identity_, *statement);
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
            if (item.transfers().amounts_size() > 0) {
                item.mutable_transfers()->set_amounts(0, static_cast<uint64_t>(amount()));
            }
        }
    }
    if (datagram.has_deal()) {
        auto* deal = datagram.mutable_deal();
        if (random_.one_in(2)) deal->set_amount(deal->amount() + amount());
        if (random_.one_in(2)) deal->set_number(deal->number() + random_.below(3));
    }
}

}  // namespace p2pbank::simulator
