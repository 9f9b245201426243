// The bank's side of deals: what one would come to, and whether it is made. Owned by Bank.
// docs/protocol.md, "Deals".
#pragma once

#include <string>

#include "bank/context.h"
#include "bank/decisions.h"
#include "bank/sign_in.h"

namespace p2pbank::bank {

class Deals {
  public:
    Deals(Context& context, Decisions& decisions, SignIn& sign_in)
        : context_(context), decisions_(decisions), sign_in_(sign_in) {}

    // A question (number 0) is answered and forgotten. A deal is answered once for ever: accepted
    // and pending, or refused; repeated, it gets the same answer. What an older epoch, another
    // cohort, an earlier deal's copy or a run of the program that has not attached says is dropped.
    // Whoever may not act for the account is refused, and that changes nothing for the account.
    void on_deal(Account& account, const wire::Datagram& datagram, const Origin& from);

  private:
    // What a deal comes to.
    struct Terms {
        Money amount;      // what is paid or borrowed
        std::string what;  // as the bank spells it
        std::string name;  // for people
        std::string text;
        uint32_t rate = 0;
        bool service = false;
    };
    Result<Terms> terms_of(const Account& account, const wire::Deal& deal) const;
    Result<Terms> purchase(const wire::Deal& deal) const;
    Result<Terms> payment(const wire::Deal& deal) const;
    Result<Terms> loan(const Account& account, const wire::Deal& deal) const;
    Result<Terms> repayment(const Account& account, const wire::Deal& deal) const;
    Result<void> may_act(const Account& account, const wire::Deal& deal, const Origin& from);
    std::string new_token(uint64_t order) const;

    Context& context_;
    Decisions& decisions_;
    SignIn& sign_in_;
};

}  // namespace p2pbank::bank
