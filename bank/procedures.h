// What the bank does that takes more than one message: start a cohort, end one, close an account
// for the operator, audit. Each ends in exactly one answer. Owned by Bank; several may be under
// way.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bank/context.h"
#include "bank/decisions.h"
#include "common/core/backoff.h"

namespace p2pbank::bank {

// Who gets the answer: somebody at the bank's console, or a customer who passed a command on.
struct Requester {
    CommandId command;     // not 0: at the console
    std::string customer;  // otherwise this one, for its request of that number
    uint64_t instance = 0;
    uint64_t request = 0;
    Origin from;
    uint64_t opener = 0;  // of the process: another one counts its runs and requests anew
};

class Procedures {
  public:
    using Reply = std::function<void(const Requester&, Answer)>;

    // `promise` makes an answer durable, in the same turn as what it tells of; `reply` gives it.
    Procedures(Context& context, Decisions& decisions, Reply promise, Reply reply);

    // The names are those of existing, open accounts; everything else is checked here.
    void new_cohort(Requester requester, const Account& account, uint32_t size);
    void delete_cohort(Requester requester, const Account& account, bool force);
    // `empty`: only with nothing left in it.
    void exit(Requester requester, const Account& account, bool empty);
    void audit(Requester requester);

    // A repeated request finds its procedure still under way.
    bool is_under_way(const Requester& requester) const;

    void on_probe_answer(const Account& account, uint64_t nonce);
    void on_settled(const OperationId& id);
    void on_settle_refused(const Account& account, const wire::SettleRefused& refused);
    void on_exit(const Requester& requester, const Account& account, const wire::Exit& exit);
    void on_report(const Account& account, const wire::Report& report);
    // Whether the account's program answers. Called once, now or later.
    using Looked = std::function<void(const Account& account, bool answers)>;
    void look_for(const Account& account, Looked looked);
    // Somebody has acknowledged a decision or the end of a cohort.
    void on_acknowledged();

    void on_timer();
    std::optional<TimePoint> next_wake() const;

  private:
    enum class Stage { probing, settling, telling };
    struct Forming {
        Requester requester;
        std::string first;  // the one who asked for it
        size_t size = 0;
        Stage stage = Stage::probing;
        uint64_t nonce = 0;
        std::vector<std::string> candidates;  // in random order; the first `asked` were probed
        size_t asked = 0;
        bool first_answered = false;
        std::vector<std::string> answering;
        CohortId cohort;
        OperationId operation;
        std::map<std::string, std::string> refusals;
        Answer answer;
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{timing_first(), timing_most()};
    };
    struct Ending {
        Requester requester;
        CohortId cohort;
        OperationId operation;
        Stage stage = Stage::settling;
        std::map<std::string, std::string> refusals;
        std::vector<std::string> members;
        Answer answer;
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{timing_first(), timing_most()};
    };
    struct Exiting {
        Requester requester;
        std::string name;
        bool empty = false;
        uint64_t nonce = 0;
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{timing_first(), timing_most()};
    };
    struct Looking {
        std::string name;
        Looked looked;
        uint64_t nonce = 0;
        bool answers = false;
        TimePoint deadline{};
        TimePoint at{};
        Backoff retry{timing_first(), timing_most()};
    };
    struct Audit {
        Requester requester;
        uint64_t nonce = 0;
        std::set<std::string> missing;
        std::map<std::string, wire::Report> reports;
        TimePoint deadline{};
        TimePoint at{};
    };
    static Duration timing_first();
    static Duration timing_most();

    // Each advances one procedure; true when it is over.
    bool advance(Forming& forming);
    bool advance(Ending& ending);
    bool advance(Exiting& exiting);
    bool advance(Looking& looking);
    bool advance(Audit& audit);
    void probe_more(Forming& forming);
    bool begin_joining(Forming& forming);
    Answer joined_answer(const Cohort& cohort) const;
    bool finish_freezing(Ending& ending);
    // Gives back what is in transit and records the end. The answer says what went where.
    // Errors: limit, when an account cannot hold what it would get; then nothing has changed.
    Result<Answer> end_cohort(const Cohort& cohort, const Operation* operation);
    bool is_eligible(const Account& account) const;
    // Why the account cannot be closed with this balance; nothing if it can.
    std::optional<Answer> why_not_close(const Account& account, bool empty, Money balance) const;
    // Closes the account with its last statement, or says why that cannot be.
    std::optional<Answer> close(const Account& account, const wire::Exit& exit, bool empty);
    std::string unsettled(const OperationId& id, const std::vector<std::string>& members,
                          const std::map<std::string, std::string>& refusals) const;
    template <class Procedure>
    void run(std::list<Procedure>& procedures);

    Context& context_;
    Decisions& decisions_;
    Reply promise_;
    Reply reply_;
    std::list<Forming> forming_;
    std::list<Ending> ending_;
    std::list<Exiting> exiting_;
    std::list<Looking> looking_;
    std::list<Audit> audits_;
};

// The audit's tables (audit.cpp).
Answer audit_answer(const State& state, const std::map<std::string, wire::Report>& reports);

}  // namespace p2pbank::bank
