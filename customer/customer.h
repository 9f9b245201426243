// A customer: one account, its channels to its peers, its checkpoints. A pure state machine behind
// common/core/node.h; the program is customer/main.cpp. docs/protocol.md is the contract.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/node.h"
#include "customer/bank_key.h"
#include "customer/bank_link.h"
#include "customer/channels.h"
#include "customer/context.h"
#include "customer/deals.h"
#include "customer/operations.h"
#include "customer/proofs.h"
#include "customer/roster_book.h"
#include "customer/session.h"

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
    void on_job(TimePoint now, JobId job, JobResult result, Effects& effects) override;
    void on_typed(TimePoint now, CommandId id, Result<std::vector<Secret>> typed,
                  Effects& effects) override;
    void end_of_turn(TimePoint now, Effects& effects) override;
    std::optional<TimePoint> next_wake() const override;
    bool wants_commands() const override;
    void snapshot(const std::function<void(std::string)>& take) const override;
    std::vector<std::string> complete(std::string_view line) const override;
    std::vector<MenuSection> menu() const override;
    void set_wall_offset(int64_t us) override { context_.settings.wall_offset_us = us; }

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
    // A checkpoint that a deal needs: its answer is the deal's.
    struct MadeDeal {
        customer::OpenDeal deal;
        wire::DealReply reply;
        // Its line of the activity, and in what it was made.
        uint64_t line = 0;
        Epoch epoch;
        CohortId cohort;
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
        std::optional<MadeDeal> deal;
    };

    struct TokenWanted {  // the last step of a payment for a service
        CommandId command;
        Answer answer;
    };
    using Words = std::vector<std::string_view>;

    void at(TimePoint now, Effects& effects) {
        context_.now = now;
        context_.effects = &effects;
    }
    void answer(CommandId id, Answer answer);
    void introduced(Address from);
    void dispatch(Address from, wire::Datagram& datagram);
    void from_bank(wire::Datagram& datagram);
    void from_peer(customer::Peer& peer, wire::Datagram& datagram);

    // commands.cpp
    void pump();
    bool try_start(CommandId id, std::string_view line);
    bool is_barrier(std::string_view verb) const;
    Answer busy() const;
    // Of a command that the next one waits for.
    bool is_answer_awaited() const;
    bool is_finding_out() const;
    void start_open(CommandId id, const Words& words);
    bool start_cash(CommandId id, std::string_view line, bool deposit);
    bool start_transfer(CommandId id, const Words& words, bool lost);
    void start_operation(CommandId id, wire::OperationKind kind);
    void finish_operation(Answer result);
    void start_exit(CommandId id, const Words& words);
    void start_new_cohort(CommandId id, const Words& words);
    void start_delete_cohort(CommandId id, const Words& words);
    bool check_own_name(CommandId id, std::string_view name);
    bool check_account(CommandId id);
    Answer no_account() const;
    void try_operation();
    void operation_ended(const customer::Operations::End& end);
    void released();
    void transfer_acknowledged(const customer::Peer& peer, customer::SentEntry& entry);
    void expire_transfers();
    void tell_undone_transfers();
    void obey_exit_order();

    // business.cpp
    bool start_deal(CommandId id, const Words& words);
    std::optional<Answer> begin_deal(CommandId id, const Words& words);
    void deal_ended(const customer::Deals::Outcome& outcome);
    void deal_settled(CommandId id, const MadeDeal& made, const Answer& checkpoint);
    void start_ask(CommandId id, std::string_view line);
    void pass_on(CommandId id, std::vector<std::string> words);
    void pass_on_sealed(CommandId id);
    void told(CommandId id, const wire::Told& told);
    void start_close(CommandId id, const Words& words);
    void start_bind(CommandId id, const Words& words);
    std::optional<Answer> why_not_settle() const;
    Answer other_key() const;

    // activity.cpp
    Answer history() const;
    Answer statement(std::string_view line) const;
    Answer last(const Words& words) const;

    // queries.cpp
    Answer balance() const;
    Answer status() const;
    Answer peers() const;

    customer::Context context_;
    customer::Proofs proofs_;
    customer::Channels channels_;
    customer::Operations operations_;
    customer::RosterBook rosters_;
    customer::BankKey bank_key_;
    customer::Session session_;
    customer::BankLink bank_link_;
    customer::Deals deals_;

    std::deque<Waiting> waiting_;
    TimePoint front_since_{};  // when the first of waiting_ became the first
    // A resumed account is checked with the bank until then, before it takes commands.
    std::optional<TimePoint> finds_out_until_;
    std::map<CommandId, OpenTransfer> transfers_;
    std::map<CommandId, OpenTransfer> in_transit_;  // that UNKNOWN was answered to
    std::deque<std::pair<TimePoint, CommandId>> transfer_deadlines_;
    std::optional<OwnOperation> own_;
    std::optional<CommandId> typing_;  // somebody is asked for secrets
    std::optional<TokenWanted> token_wanted_;
    std::optional<std::pair<CommandId, std::string>> binding_;  // the account's name
    bool pump_due_ = false;                                     // at the end of the turn
    uint64_t bank_instance_ = 0;  // the newest run of the bank that was heard
    uint64_t exit_order_ = 0;     // of the bank's operator, not yet obeyed
    TimePoint exit_order_until_{};
    uint64_t jobs_ = 0;  // started so far
};

}  // namespace p2pbank
