// The person at a customer's terminal: asks for the password, seals it to the bank's key, keeps the
// session that the bank gives, and signs requests with it. Owned by Customer.
//
// A command of these goes: begin() says what the person is to be asked; typed() checks what came
// back; then, when the bank has answered a Probe, request() makes the Ask that goes to the bank;
// told() takes the bank's answer. gave_up() ends it anywhere in between.
//
// The bank's key is remembered at the first meeting, in a file. A bank with another key than the
// remembered one is never sent a secret.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/answer.h"
#include "common/core/jobs.h"
#include "common/core/keyed_random.h"
#include "common/wire/messages.pb.h"
#include "customer/context.h"

namespace p2pbank::customer {

class Session {
  public:
    // Gives the next id of a job of this node.
    using NextJob = std::function<JobId()>;

    // Draws from context.settings.secret_seed; nobody else may.
    Session(Context& context, NextJob next_job);
    ~Session();

    // register, verify, sign-in, sign-out, passwd.
    static bool handles(std::string_view verb);

    // Begins a command. What the person has to be asked, nothing if nothing: then request() may
    // follow at once. Requires handles(words[0]), and that this command is not begun. Errors (the
    // command is then over): usage, bad-email, not-signed-in, bank-key-changed.
    Result<std::vector<Question>> begin(CommandId id, const std::vector<std::string>& words);
    // What was typed. Requires that begin() gave questions. Errors (the command is then over):
    // those of Node::on_typed, bad-text, bad-password, passwords-differ.
    Result<void> typed(CommandId id, Result<std::vector<Secret>> texts);
    // The Ask, sealed and signed: make it once and repeat it as it is. To be called after the bank
    // has answered a Probe: before, the key may not be known. Requires that the command is under
    // way. Errors (the command is then over): not-signed-in, bank-unreachable, bank-key-changed.
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

    // Sign another request with the session; do nothing if nobody is signed in. Once for each
    // request; repeat what was signed as it is. It must go out under courier.sender() and
    // courier.instance() as they are now, a Deal in the present epoch.
    void sign(wire::Ask* ask);
    void sign(wire::Deal* deal);
    void sign(wire::Open* open);
    // To be told the code of each refusal that the bank gave a signed request: with not-signed-in
    // the session is over.
    void refused(std::string_view code);

    // Of every answer of the bank to a Probe; empty if it showed none.
    void on_bank_key(std::string_view shown);
    // True if the job was this one's.
    bool on_job(JobId job, const JobResult& result);

  private:
    struct Begun {
        Begun() = default;
        Begun(Begun&&) = default;
        ~Begun();

        std::vector<std::string> words;
        Secret name;
        Secret password;
        Secret new_password;
        KeyBytes key{};  // of the session that a sign-in is to give
    };
    struct SignedIn {
        SignedIn() {}  // clang 14 does not find an implicit one for std::optional
        uint64_t id = 0;
        KeyBytes key{};
        uint64_t counter = 0;
        std::string email;
    };

    void sign(std::string_view text, wire::Authority* authority);
    Result<std::string> seal_secrets_of(Begun& begun, uint64_t nonce);
    std::optional<Error> why_no_secret() const;
    void remember_key(const KeyBytes& key);
    std::string key_file() const;
    void end_session();

    Context& context_;
    KeyedRandom random_;
    NextJob next_job_;
    std::map<CommandId, Begun> begun_;
    std::optional<SignedIn> session_;
    std::optional<KeyBytes> bank_key_;     // the remembered one
    std::optional<KeyBytes> foreign_key_;  // what the bank showed last, where it is another
    std::optional<JobId> writing_;         // the remembered key
};

}  // namespace p2pbank::customer
