// The person at a customer's terminal: asks for the password, keeps the session that the bank
// gives, and names it in requests. Owned by Customer.
//
// A command of these goes: begin() says what the person is to be asked; typed() checks what came
// back; then, when the bank has answered a Probe, request() makes the Ask that goes to the bank;
// told() takes the bank's answer. gave_up() ends it anywhere in between.
//
// Secrets travel inside the sealed session with the bank only (in clear, with --insecure, as
// everything else does). The bank takes a session of a person only from the key that signed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/secret.h"
#include "common/core/answer.h"
#include "common/core/jobs.h"
#include "common/wire/messages.pb.h"
#include "customer/bank_key.h"
#include "customer/context.h"

namespace p2pbank::customer {

class Session {
  public:
    Session(Context& context, const BankKey& bank_key);

    // register, verify, sign-in, sign-out, passwd.
    static bool handles(std::string_view verb);

    // Begins a command. What the person has to be asked, nothing if nothing: then request() may
    // follow at once. Requires handles(words[0]), and that this command is not begun. Errors (the
    // command is then over): usage, bad-email, not-signed-in, and what is the matter with the bank
    // (BankKey::trouble).
    Result<std::vector<Question>> begin(CommandId id, const std::vector<std::string>& words);
    // What was typed. Requires that begin() gave questions. Errors (the command is then over):
    // those of Node::on_typed, bad-text, bad-password, passwords-differ.
    Result<void> typed(CommandId id, Result<std::vector<Secret>> texts);
    // The Ask: make it once, repeat it as it is, and wipe() its secrets when that is over. Requires
    // that the command is under way. Errors (the command is then over): not-signed-in.
    Result<wire::Ask> request(CommandId id);
    // The answer for the person. Requires that the command is under way.
    Answer told(CommandId id, const wire::Told& told);
    // No answer came in time, or the command ended otherwise. Does nothing if it is over already.
    void gave_up(CommandId id);
    // Whether the command is begun and not over.
    bool is_under_way(CommandId id) const { return begun_.count(id) != 0; }

    bool signed_in() const { return session_.has_value(); }
    // Of the person who is signed in; empty if nobody is.
    std::string_view email() const { return session_ ? session_->email : std::string_view(); }

    // Puts the session and its next counter into a request of another kind (Ask, Deal, Open); does
    // nothing if nobody is signed in. Once for each request: a repeated one goes out as it is.
    template <class Request>
    void authorize(Request* request) {
        if (!session_) return;
        request->mutable_authority()->set_session(session_->id);
        request->mutable_authority()->set_counter(++session_->counter);
    }
    // To be told the code of each refusal that the bank gave a signed request: with not-signed-in
    // the session is over.
    void refused(std::string_view code);

  private:
    struct Begun {
        std::vector<std::string> words;
        Secret name;
        Secret password;
        Secret new_password;
    };
    struct SignedIn {
        SignedIn() {}  // clang 14 does not find an implicit one for std::optional
        uint64_t id = 0;
        uint64_t counter = 0;
        std::string email;
    };

    Context& context_;
    const BankKey& bank_key_;
    std::map<CommandId, Begun> begun_;
    std::optional<SignedIn> session_;
};

// Overwrites what is secret in it.
void wipe(wire::Secrets& secrets);

}  // namespace p2pbank::customer
