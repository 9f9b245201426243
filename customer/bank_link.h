// The way to the bank: says where this customer is, passes commands on and gets one answer to each,
// closes the account, reports for an audit. Owned by Customer.
//
// A command is passed on in two steps, so that a bank that is not there makes a definite FAILURE:
// first a probe, which changes nothing, then the command, whose fate may be unknown for a while.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/core/answer.h"
#include "common/core/backoff.h"
#include "customer/bank_key.h"
#include "customer/context.h"
#include "customer/roster_book.h"
#include "customer/session.h"

namespace p2pbank::customer {

class BankLink {
  public:
    // Called with the one answer to a command that was passed on.
    using Answered = std::function<void(CommandId, Answer)>;
    // Called instead with what the bank told about a question.
    using ToldBack = std::function<void(CommandId, const wire::Told&)>;

    BankLink(Context& context, Channels& channels, Session& session, const BankKey& bank_key,
             RosterBook& rosters, Answered answered, ToldBack told_back);

    // After a start, and when there is an account: attaches, and goes on with what was unfinished.
    void resume();

    // An exit that the bank answers to another key only is not in the way of what gets the account
    // its key back: it is asked for again after that.
    bool busy() const { return request_ && !(context_.other_key && is_closing()); }
    // Busy, and somebody waits for the answer.
    bool awaited() const {
        return (request_ && request_->command.value() != 0) ||
               (bound_ && bound_->command.value() != 0);
    }

    // Require !busy(). Open requires no account, the others one.
    // Without a balance: the bank's starting balance.
    void open(CommandId id, const std::string& name, std::optional<Money> balance, Address at,
              uint16_t port2);
    // Words for the bank. `changes`: it may change something there, so that without an answer it is
    // not known whether it did. `prepare` is called when the bank is there, and may say why not.
    using Prepare = std::function<Result<void>(wire::Ask&)>;
    void ask(CommandId id, wire::Ask ask, bool changes, Prepare prepare);
    void new_cohort(CommandId id, uint32_t size);
    void delete_cohort(CommandId id, bool force);
    // What is in the way of an exit, if anything.
    std::optional<Answer> why_not_exit() const;
    // order: of the bank's operator, or 0. `empty`: only with nothing in it. Requires
    // !why_not_exit().
    void exit(CommandId id, uint64_t order, bool empty);
    // The bank has bound this process's key to the account `name`: attaches again, or, without an
    // account, takes it over. Then, or when that takes too long, `answer` is the command's.
    void bound(CommandId id, const std::string& name, Answer answer);

    // `bank_run`: the bank's, that said it.
    void on_probe(const wire::Probe& probe, uint64_t bank_run);
    void on_reply(const wire::Reply& reply);
    void on_told(const wire::Told& told, uint64_t bank_run);
    void on_attach_reply(const wire::AttachReply& reply);
    void on_report_request(const wire::ReportRequest& request);
    void on_account_offer(const wire::AccountOffer& offer);

    void introduced();
    void on_timer();
    std::optional<TimePoint> next_wake() const;
    // Whether the bank has answered anything in this run.
    bool heard() const { return heard_; }
    bool attached() const { return attached_; }

  private:
    enum class Stage { probing, asked };
    struct Request {
        CommandId command;       // 0: nobody waits
        wire::Datagram message;  // a Command
        Stage stage = Stage::probing;
        uint64_t nonce = 0;
        uint64_t bank_run = 0;  // of the bank, that was there when it was passed on
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{milliseconds(1), milliseconds(1)};
        std::string name;  // open
        std::optional<Money> balance;
        Address address;
        uint16_t port2 = 0;
        bool changes = true;
        Prepare prepare;  // ask

        Request() = default;
        Request(Request&&) = default;
        Request& operator=(Request&&) = default;
        ~Request();  // overwrites the secrets of an Ask
    };
    struct Bound {          // a `bind` that has succeeded
        Bound() {}          // clang 14 does not find an implicit one for std::optional
        CommandId command;  // 0: it has its answer, before the bank has confirmed it
        std::string name;   // of the account
        Answer answer;
        TimePoint deadline{};
    };

    void begin(Request request);
    void ask();
    bool is_closing() const {
        return request_->command.value() == 0 && request_->message.command().has_exit();
    }
    void go_on_closing();
    wire::SignedStatement last_statement();
    bool begin_opening();
    void give_up_opening();
    void send_request();
    void answer(Answer answer);
    void start_account(uint64_t boots);
    void attach();
    // Whether the bank has seen more of this account than its state says; then it stops.
    bool refuse_old_copy(const std::string& what, uint64_t bank, uint64_t own);
    bool is_old_run(const wire::AttachReply& reply);
    bool is_old_copy(const wire::AttachReply& reply);
    // The other way round: the bank has seen less than it once had.
    void look_whether_bank_is_behind(const wire::AttachReply& reply);
    void lost_to_other_key();
    void attached_after_bind();
    void on_exit_reply(const wire::Reply& reply);
    void close_account();
    void opened(const wire::AttachReply& reply);
    void opened(customer_records::Record& record);

    Context& context_;
    Channels& channels_;
    Session& session_;
    const BankKey& bank_key_;
    RosterBook& rosters_;
    Answered answered_;
    ToldBack told_back_;
    std::optional<Request> request_;
    std::optional<Bound> bound_;
    uint64_t next_request_ = 1;
    uint64_t opener_;
    std::string wanted_;  // the account that a process without one would take over
    TimePoint attach_at_{};
    Backoff attach_retry_;
    bool attached_ = false;
    bool heard_ = false;
    uint64_t run_;              // told when attaching
    int behind_ = 0;            // how often in a row the bank knew less than this customer
    bool asked_since_ = false;  // since it was counted
};

}  // namespace p2pbank::customer
