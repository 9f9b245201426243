// Who has signed in at the bank: a bounded number of sessions, in memory only. Owned by SignIn
// (bank/sign_in.h), which decides who gets one.
//
// A session is a number that counts only from whoever signed in: the owner of the key with which
// the password came, wherever that is (in clear: whoever is at that address). Requests of a session
// are counted, so that none counts twice. It ends when it is told to, when it is idle for twelve
// hours, or when it was idle longest and room is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "bank/context.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/secure/keyed_random.h"
#include "common/wire/messages.pb.h"

namespace p2pbank::bank {

// Whether a request may come a second time. Requests of which each must count once may not.
enum class Repeats { refused, allowed };

class Sessions {
  public:
    explicit Sessions(KeyedRandom& random) : random_(random) {}
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;

    // Gives the session's number, which is not 0.
    uint64_t begin(TimePoint now, const std::string& email, const Party& party);
    void end(uint64_t id);
    // Ends all of that person's but one.
    void end_others(const std::string& email, uint64_t but);
    // What that person has asked for so far counts no more, also where repeats are allowed: what
    // the answer to it was is no longer what it would be.
    void close_past(const std::string& email);

    // Whose session it is that `party` names; it is not idle now. Errors: not-signed-in,
    // repeated-request.
    Result<std::string> email_of(TimePoint now, const wire::Authority& authority,
                                 const Party& party, Repeats repeats);

    size_t size() const { return sessions_.size(); }

  private:
    struct Session {
        Party party;
        std::string email;
        uint64_t counter = 0;      // the highest seen
        uint64_t seen_before = 0;  // which of the 64 below it: datagrams overtake each other
        uint64_t closed = 0;       // requests up to this one count no more
        TimePoint used{};
        std::list<uint64_t>::iterator age;
    };
    static bool is_new(Session& session, uint64_t counter);
    void end_idle(TimePoint now);

    KeyedRandom& random_;
    std::map<uint64_t, Session> sessions_;
    std::list<uint64_t> by_use_;  // the one that was idle longest first
};

}  // namespace p2pbank::bank
