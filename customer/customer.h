// A customer: one account, its channels to its peers, its checkpoints. A pure state machine behind
// common/core/node.h; the program is customer/main.cpp. docs/protocol.md is the contract.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/node.h"
#include "customer/bank_link.h"
#include "customer/channels.h"
#include "customer/context.h"
#include "customer/operations.h"

namespace p2pbank {

class Customer : public Node {
  public:
    explicit Customer(CustomerSettings settings);

    Result<void> replay(std::string_view record) override;
    void start(TimePoint now, Effects& effects) override;
    void on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                     Effects& effects) override;
    void on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) override;
    void on_timer(TimePoint now, Effects& effects) override;
    void end_of_turn(TimePoint now, Effects& effects) override;
    std::optional<TimePoint> next_wake() const override;
    bool wants_commands() const override;
    void snapshot(const std::function<void(std::string)>& take) const override;
    std::vector<std::string> complete(std::string_view line) const override;

    // For the simulator's oracles and for tests.
    const customer::State& state() const { return context_.state; }

  private:
    struct Waiting {
        CommandId id;
        std::string line;
    };
    struct OpenTransfer {
        std::string peer;
        Label label;
        Money amount;
        Money balance;  // right after the debit
        TimePoint deadline;
    };
    struct OwnOperation {
        OwnOperation() {}  // clang 14 does not find an implicit one for std::optional
        CommandId command;
        wire::OperationKind kind = wire::OPERATION_NONE;
        int tries = 0;
        TimePoint deadline{};
        TimePoint again_at{};  // a try is due then, unless one is under way
        bool under_way = false;
        Backoff pause{milliseconds(1), milliseconds(1)};
        Answer last;  // what the last try came to
    };
    using Words = std::vector<std::string_view>;

    void at(TimePoint now, Effects& effects) {
        context_.now = now;
        context_.effects = &effects;
    }
    void answer(CommandId id, Answer answer);
    void dispatch(Address from, wire::Datagram& datagram);
    void from_bank(wire::Datagram& datagram);
    void from_peer(customer::Peer& peer, wire::Datagram& datagram);

    // commands.cpp
    void pump();
    bool try_start(CommandId id, std::string_view line);
    bool is_barrier(std::string_view verb) const;
    void start_open(CommandId id, const Words& words);
    bool start_cash(CommandId id, const Words& words, bool deposit);
    bool start_transfer(CommandId id, const Words& words, bool lost);
    void start_operation(CommandId id, wire::OperationKind kind);
    void start_exit(CommandId id, const Words& words);
    void start_new_cohort(CommandId id, const Words& words);
    void start_delete_cohort(CommandId id, const Words& words);
    bool check_own_name(CommandId id, std::string_view name);
    bool check_account(CommandId id);
    void try_operation();
    void operation_ended(const customer::Operations::End& end);
    void released();
    void transfer_acknowledged(const customer::Peer& peer, customer::SentEntry& entry);
    void expire_transfers();
    void obey_exit_order();

    // queries.cpp
    Answer balance() const;
    Answer status() const;
    Answer peers() const;
    Answer history() const;
    Answer help(const Words& words) const;

    customer::Context context_;
    customer::Channels channels_;
    customer::Operations operations_;
    customer::BankLink bank_link_;

    std::deque<Waiting> waiting_;
    TimePoint front_since_{};  // when the first of waiting_ became the first
    std::map<CommandId, OpenTransfer> transfers_;
    std::deque<std::pair<TimePoint, CommandId>> transfer_deadlines_;
    std::optional<OwnOperation> own_;
    bool pump_due_ = false;       // at the end of the turn
    uint64_t bank_instance_ = 0;  // the newest run of the bank that was heard
    uint64_t exit_order_ = 0;     // of the bank's operator, not yet obeyed
    TimePoint exit_order_until_{};
};

}  // namespace p2pbank
