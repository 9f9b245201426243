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
#include "customer/channels.h"
#include "customer/context.h"

namespace p2pbank::customer {

class BankLink {
  public:
    // Called with the one answer to a command that was passed on.
    using Answered = std::function<void(CommandId, Answer)>;

    BankLink(Context& context, Channels& channels, Answered answered);

    // After a start, and when there is an account: attaches, and goes on with what was unfinished.
    void resume();

    bool busy() const { return request_.has_value(); }
    // Busy, and somebody waits for the answer.
    bool awaited() const { return request_ && request_->command.value() != 0; }

    // Require !busy(). Open requires no account, the others one.
    void open(CommandId id, const std::string& name, Money balance, Address at, uint16_t port2);
    void new_cohort(CommandId id, uint32_t size);
    void delete_cohort(CommandId id, bool force);
    // order: of the bank's operator, or 0. Requires no cohort and no operation.
    void exit(CommandId id, uint64_t order);

    void on_probe(const wire::Probe& probe);
    void on_reply(const wire::Reply& reply);
    void on_attach_reply(const wire::AttachReply& reply);
    void on_report_request(const wire::ReportRequest& request);
    void on_roster(const wire::Roster& roster);
    void on_account_offer(const wire::AccountOffer& offer);

    void introduced();
    void on_timer();
    std::optional<TimePoint> next_wake() const;
    // Whether the bank has answered anything in this run.
    bool heard() const { return heard_; }

  private:
    enum class Stage { probing, asked };
    struct Request {
        CommandId command;       // 0: nobody waits
        wire::Datagram message;  // a Command
        Stage stage = Stage::probing;
        uint64_t nonce = 0;
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{milliseconds(1), milliseconds(1)};
        std::string name;  // open
        Money balance;
        Address address;
        uint16_t port2 = 0;
    };

    void begin(Request request);
    void ask();
    bool begin_opening();
    void give_up_opening();
    void send_request();
    void answer(Answer answer);
    void start_account(uint64_t boots);
    void attach();
    void on_exit_reply(const wire::Reply& reply);
    void close_account();
    void opened(const wire::Totals& totals);

    Context& context_;
    Channels& channels_;
    Answered answered_;
    std::optional<Request> request_;
    uint64_t next_request_ = 1;
    uint64_t opener_;
    TimePoint attach_at_{};
    Backoff attach_retry_;
    bool attached_ = false;
    bool heard_ = false;
};

}  // namespace p2pbank::customer
