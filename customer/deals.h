// Deals with the bank: purchases, payments, loans and their repayment. Owned by Customer.
//
// A deal has three steps. The bank is asked what it would come to, which changes nothing; so a bank
// that is not there, an unknown product or too small a balance makes a definite FAILURE. Then what
// it costs is debited and the deal recorded, durably, and then it is asked for, until the bank
// answers. The bank answers a repeated deal the same way. One deal at a time; while it is open this
// customer takes part in no checkpoint, so that a checkpoint covers only deals that are certain.
//
// What the bank accepted is pending until a permanent checkpoint covers it. A rollback raises the
// epoch, and with it the bank cancels what is pending.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/core/answer.h"
#include "common/core/backoff.h"
#include "customer/context.h"
#include "customer/session.h"

namespace p2pbank::customer {

class Deals {
  public:
    // What the bank made of a deal. `answer` is set when it came to nothing or is not known yet.
    struct Outcome {
        CommandId command;
        std::optional<Answer> answer;
        OpenDeal deal;          // as it was asked for
        wire::DealReply reply;  // of an accepted one
    };
    using Ended = std::function<void(const Outcome&)>;

    Deals(Context& context, Session& session, const BankKey& bank_key, Ended ended);

    // After a start: goes on with what was open.
    void resume();

    // Requires !busy(), an account, no operation. Amount: what is paid or borrowed, positive; of a
    // purchase it is not used.
    void begin(CommandId id, wire::DealKind kind, const std::string& what, uint64_t quantity,
               Money amount, uint32_t months);
    // A deal is being asked about or open.
    bool busy() const { return question_.has_value() || context_.state.deal.has_value(); }
    // Somebody waits for the answer.
    bool awaited() const { return question_.has_value() || command_.value() != 0; }

    void on_reply(const wire::DealReply& reply);
    // The open deal may be gone with a rollback or with the cohort.
    void released();

    void introduced();
    void on_timer();
    std::optional<TimePoint> next_wake() const;

  private:
    bool is_in_the_way() const;
    void send_question();
    void send_deal();
    void make(const wire::DealReply& quote);
    void on_answer(const wire::DealReply& reply);
    void finish(Answer answer);

    Context& context_;
    Session& session_;
    const BankKey& bank_key_;
    Ended ended_;
    CommandId command_;  // of the deal that is being asked about or open; 0: nobody waits
    std::optional<wire::Deal> question_;
    std::optional<wire::Datagram> message_;  // of the open deal, as it was first sent in this run
    OpenDeal asked_;
    TimePoint at_{};
    TimePoint deadline_{};
    Backoff retry_;
};

}  // namespace p2pbank::customer
