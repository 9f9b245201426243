// A customer that lies: a real one, with an account, a key and a place in a cohort, whose messages
// are changed on their way out, and signed and sealed again with its own keys. Its own state stays
// what it would be without the lies, so that it goes on for long.
//
// Attack model, for each message it sends, with a rate that a run draws from its seed: amounts,
// labels, sums, epochs and balances are raised or lowered; statements, votes, outcomes and requests
// to decide say what is not so; operations are said to be somebody else's, or to come much later;
// others are named who have no part; signatures are left out or are none.
//
// Instead of that, or beside it, one lie can be chosen, for whoever wants to see it found out.
//
// Owned by its machine, as any node, or by a real program (tests/processes/lying_customer.cpp).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/secure/identity.h"
#include "common/secure/key_log.h"
#include "customer/customer.h"

namespace p2pbank::simulator {

// What it can be made to say once, for certain.
enum class ChosenLie {
    deny,    // of its newest transfer to somebody, that it has not sent it
    invent,  // of somebody it has received from, that there was one transfer more
};

class Liar final : public Node {
  public:
    // `rate` in [0, 1]: of messages that are changed. It may be changed while the node runs.
    Liar(std::unique_ptr<Customer> inner, const KeyBytes& key_seed, uint64_t seed,
         const double& rate);

    // Tells this lie in the first settlement of a checkpoint that has room for it, whenever that
    // one is sent. Draws nothing: random lies stay what they are.
    void choose(ChosenLie lie) { chosen_ = lie; }

    // At random it lies in settlements only: most else stops operations before there is one.
    void lie_in_settlements_only() { in_settlements_only_ = true; }

    Customer& inner() { return *inner_; }

    Result<void> replay(std::string_view record) override { return inner_->replay(record); }
    void start(TimePoint now, Effects& effects) override;
    void on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                     Effects& effects) override;
    void on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) override;
    void on_timer(TimePoint now, Effects& effects) override;
    void on_job(TimePoint now, JobId job, JobResult result, Effects& effects) override;
    void on_typed(TimePoint now, CommandId id, Result<std::vector<Secret>> typed,
                  Effects& effects) override;
    void end_of_turn(TimePoint now, Effects& effects) override;
    std::optional<TimePoint> next_wake() const override { return inner_->next_wake(); }
    bool wants_commands() const override { return inner_->wants_commands(); }
    void snapshot(const std::function<void(std::string)>& take) const override {
        inner_->snapshot(take);
    }
    std::vector<std::string> complete(std::string_view line) const override {
        return inner_->complete(line);
    }

  private:
    class Mouth;  // the effects that the inner node is given

    std::string lie(std::string packet);
    void change(wire::Datagram& datagram);
    void change_peer_message(wire::Datagram& datagram);
    void change_bank_message(wire::Datagram& datagram);
    void change_statement(wire::SignedStatement& signed_statement);
    void change_channel(wire::Statement& statement, int64_t by);
    void change_operation(wire::OperationId& id);
    void tell_chosen(wire::Datagram& datagram);
    int64_t deny(wire::Channel& channel) const;
    std::string somebody();
    int64_t amount() { return 1 + static_cast<int64_t>(random_.below(100'000)); }

    std::unique_ptr<Customer> inner_;
    secure::Identity identity_;
    secure::KeyLog keys_;
    Random random_;
    const double& rate_;
    bool in_settlements_only_ = false;
    std::optional<ChosenLie> chosen_;
    std::optional<OperationId> told_in_;  // the operation in whose settlement the chosen lie is
};

}  // namespace p2pbank::simulator
