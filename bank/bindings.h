// Whose key an account is. The key that opened an account, or took one over that nobody's key had,
// is the only one that acts for it (Bank::on_datagram). Its owner, signed in, or an admin binds
// another one; the operator takes it away. Owned by Bank.
//
// Not in clear: there nobody has a key, and who has the account is told by its opener alone.
#pragma once

#include <string_view>

#include "bank/context.h"
#include "bank/decisions.h"
#include "bank/sign_in.h"
#include "common/core/answer.h"

namespace p2pbank::bank {

class Bindings {
  public:
    Bindings(Context& context, Decisions& decisions, SignIn& sign_in)
        : context_(context), decisions_(decisions), sign_in_(sign_in) {}

    // The keys of the process there: its session's, and the one that it signs with as it says, if
    // they can become those of the account (nullptr: of a new one). Errors: bad-key, when they are
    // none; key-taken, when another account has one of them.
    Result<secure::PublicKeys> keys_of(const Origin& from, std::string_view signing_key,
                                       const Account* account) const;

    // Whether the process, which says that it has no account, may have that one. Sealed: one that
    // its key was bound to, or one that nobody's key has and that is registered at its IP address;
    // `named`: it asks for it by name, and not for what is registered at its ports.
    bool may_take_over(const Account& account, const Origin& from, bool named) const;

    // Whether an account that nobody's key has becomes the process's, which says that its name is
    // the account's; then its keys are the account's. Requires sealed(), and an account without
    // keys. `attach` is what the process says.
    Result<secure::PublicKeys> take_over(Account& account, const Origin& from,
                                         const wire::Attach& attach);

    // `bind <name>`, by somebody who has signed in. An account without an owner becomes that
    // person's where its own program asks. FAILURE no-account, not-allowed, not-verified, exited,
    // bad-key, key-taken, old-state, in-cohort, busy, insecure.
    Answer bind(const Origin& from, const Caller& caller, const wire::Ask& ask);
    // `unbind <name>`, by the operator: `forced`, or when the account's program does not answer.
    Answer unbind(const Account& account, bool forced);
    // FAILURE no-key: there is nothing to unbind.
    static Answer no_key(const Account& account);
    // FAILURE running: the account's program has answered.
    static Answer running(const Account& account);

  private:
    std::optional<Answer> why_not(const Origin& from, const Caller& caller, const wire::Ask& ask);
    // Of the account's state, where it is with another key than the account's: why it is not the
    // newest. What was done since then would be done again.
    std::optional<Answer> why_old(const Origin& from, const wire::Ask& ask,
                                  const Account& account) const;
    Answer hand_over(Account& account, const secure::PublicKeys& keys);
    // Nobody has its state any more: it stands as it was settled last, for the process with these
    // keys. Requires that it is in no cohort.
    void reset(Account& account, const secure::PublicKeys& keys);
    void commit(const Account& account, const secure::PublicKeys& keys, uint64_t reset_epoch,
                const std::string& owner = {});

    Context& context_;
    Decisions& decisions_;
    SignIn& sign_in_;
};

}  // namespace p2pbank::bank
