// Who the bank is: its public keys as they were remembered, or as it shows them at the first
// meeting. Owned by Customer. Does nothing in clear.
//
// Remembered keys are used at once. Without them the bank is asked for its keys; the answer proves
// nothing, so it is either the one whose fingerprint the user has given, or trusted on first use:
// shown, and written down. From then on nobody with other keys is talked to. When the bank is
// silent for a while it is asked again, only to be able to say why: that it shows other keys now.
//
// An answer may also be damaged on its way, and nothing in it would show that: what is not what was
// expected counts when two answers, to two requests, say the same.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/core/backoff.h"
#include "common/core/jobs.h"
#include "common/secure/sessions.h"
#include "customer/context.h"

namespace p2pbank::customer {

class BankKey {
  public:
    // Gives the next id of a job of this node.
    using NextJob = std::function<JobId()>;
    // The keys are known now: what waits for them may be sent.
    using Known = std::function<void()>;

    BankKey(Context& context, NextJob next_job, Known known);

    // After a start.
    void start();

    // What came as an answer to a key request, from anywhere.
    void on_keys(Address from, const secure::KeyAnswer& answer);
    // A hint from the bank's address: it talks in clear and we do not, or the other way round.
    void on_other_mode();
    // Something came from the bank itself: whatever was the matter is over.
    void heard();
    // True if the job was this one's.
    bool on_job(JobId job, const JobResult& result);

    // Whether the bank, with the key that is expected of it, has said anything in this run.
    bool was_heard() const { return was_heard_; }

    // Why the bank is not to be had, for people, where that is known: bank-key-changed, other-mode.
    std::optional<Error> trouble() const;
    // The same, or else bank-unreachable with `silence` as its text.
    Error unreachable(const std::string& silence) const;

    void on_timer();
    std::optional<TimePoint> next_wake() const;

  private:
    std::optional<TimePoint> ask_at() const;
    void ask();
    void take(const secure::PublicKeys& keys);
    void refuse(const secure::PublicKeys& keys);
    void remember(const secure::PublicKeys& keys);
    std::string key_file() const;
    // Of the keys that would do.
    std::string expected() const;

    Context& context_;
    NextJob next_job_;
    Known known_;
    std::optional<uint64_t> nonce_;            // of the requests that are under way
    std::optional<secure::PublicKeys> shown_;  // in the last answer, until another says the same
    TimePoint again_at_{};                     // the next request, not earlier
    Backoff pause_;
    std::optional<secure::PublicKeys> foreign_;  // what the bank showed last, where it will not do
    bool foreign_told_ = false;
    bool was_heard_ = false;
    bool other_mode_ = false;
    bool other_mode_told_ = false;
    std::optional<JobId> writing_;  // the remembered keys
};

}  // namespace p2pbank::customer
