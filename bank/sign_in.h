// People at the bank: registration, verification, signing in and out, passwords, roles; and who is
// behind any other request. Owned by Bank. People are state (bank/people.h); sessions and failed
// attempts are kept in memory only, so a bank that was started again asks everybody to sign in
// again.
//
// Passwords arrive in an Ask, as sealed as everything else, and are hashed and compared by jobs. An
// e-mail that the bank does not know gets the same answer after the same work as a wrong password.
// After a few failures the next attempt has to wait, longer each time: for each e-mail, and for who
// guesses codes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/attempts.h"
#include "bank/context.h"
#include "bank/people.h"
#include "bank/sessions.h"
#include "common/core/answer.h"
#include "common/secure/keyed_random.h"
#include "common/wire/messages.pb.h"

namespace p2pbank::bank {

// Who is behind a request, as it was when it came.
struct Caller {
    uint64_t session = 0;  // 0: the operator at the console
    std::string email;
    Role role = Role::customer;
    bool verified = false;
};

class SignIn {
  public:
    // Tells an Ask its answer; the session is that of a sign-in that succeeded, 0 otherwise.
    using Tell = std::function<void(const Origin& to, uint64_t nonce, Answer, uint64_t session)>;
    // Gives the next id of a job of this node.
    using NextJob = std::function<JobId()>;

    SignIn(Context& context, NextJob next_job, Tell tell);

    // register, verify, sign-in, sign-out, passwd, role, people.
    static bool handles(std::string_view verb);

    // Requires handles(ask.words(0)), and that the Ask is no repeated one (bank/recent_asks.h).
    // Tells the answer now or after a job, exactly once. The Ask's secrets are the caller's to
    // wipe.
    void ask(const Origin& from, const wire::Ask& ask);
    // The same at the console, by the operator: role, people. Requires handles(words[0]).
    Answer at_console(const std::vector<std::string>& words);
    // True if the job was one of these.
    bool on_job(JobId job, JobResult result);

    // Who is behind any other request that came from there. An Ask counts once: a repeated one must
    // be found out first (bank/recent_asks.h). A Deal and an Open may come again, because their
    // numbers tell; the bank looks for their answer first, for the session may be gone by then.
    // Errors: not-signed-in (nobody has signed in, or the bank does not know the session, or no
    // longer, or not from there), repeated-request; each says what to do.
    Result<Caller> caller_of(const wire::Authority& authority, const Origin& from, Repeats repeats);

    // FAILURE not-allowed for a caller whose role is not enough; it is written down, too.
    Answer not_allowed(const Caller& caller, std::string_view verb, Role least);
    // Writes down that somebody was refused: a record and a notice. Only so many in a minute; those
    // above are counted and told with the next. `who` is an e-mail, an account or an address.
    void refused(std::string_view who, std::string_view command, std::string_view code);

    size_t sessions() const { return sessions_.size(); }

  private:
    using Words = std::vector<std::string>;
    enum class Stage { registering, signing_in, checking_old_password, hashing_new_password };
    // Waits for its job.
    struct Pending {
        Stage stage = Stage::registering;
        Origin from;
        uint64_t nonce = 0;
        std::string email;
        std::string name;      // registering
        Secret new_password;   // checking_old_password
        uint64_t session = 0;  // passwd: stays when the others end
        std::string hash;      // that was compared with: it may be changed meanwhile
    };

    void register_person(const Origin& from, const wire::Ask& ask, const Words& words);
    void verify(const Origin& from, const wire::Ask& ask, const Words& words);
    void sign_in(const Origin& from, const wire::Ask& ask, const Words& words);
    Answer sign_out(const Caller& caller, const Words& words);
    void passwd(const Origin& from, const wire::Ask& ask, const Caller& caller, const Words& words);
    Answer role(const Words& words);
    Answer people(const Words& words) const;

    void registered(const Pending& pending, const JobResult& result);
    void signed_in(const Pending& pending, const JobResult& result);
    void old_password_checked(Pending pending, const JobResult& result);
    void password_changed(const Pending& pending, const JobResult& result);

    // Those who did not verify in time are forgotten.
    void forget_late();
    // And of the others the oldest where there are too many. False if there is no room for one
    // more.
    bool make_room();
    void forget(const Person& person);
    std::optional<Error> busy() const;
    void start(Job work, Pending pending);
    void tell(const Origin& to, uint64_t nonce, Answer answer, uint64_t session = 0);
    void commit(const Person& person);

    Context& context_;
    NextJob next_job_;
    Tell tell_;

    Sessions sessions_;
    std::map<JobId, Pending> pending_;
    Attempts sign_ins_;  // by e-mail
    Attempts codes_;     // by IP address
    RateLimit refusals_;
};

}  // namespace p2pbank::bank
