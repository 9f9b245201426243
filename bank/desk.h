// The bank's counter: the commands that only concern the bank (products, purchases, billers, loans,
// statements, reports, settings), for the operator at the console and for customers who pass them
// on. Owned by Bank. Who may do what is in bank/command_list.h; people and their sessions are in
// bank/sign_in.h; deals, which move money, in bank/deals.h.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/bindings.h"
#include "bank/command_list.h"
#include "bank/context.h"
#include "bank/history/queries.h"
#include "bank/recent_asks.h"
#include "bank/sign_in.h"

namespace p2pbank::bank {

class Desk {
  public:
    using AnswerConsole = std::function<void(CommandId, Answer)>;
    using NextJob = std::function<JobId()>;

    Desk(Context& context, SignIn& sign_in, Bindings& bindings, NextJob next_job,
         AnswerConsole answer_console);

    // A command at the console, or false if it is none of these. It is answered now or after a job.
    static bool handles(std::string_view verb);
    void at_console(CommandId id, std::string_view line);

    // A command that somebody passes on; answered once or repeatedly the same.
    void on_ask(const wire::Datagram& datagram, const Origin& from);
    // SignIn's way to tell an Ask its answer.
    void tell(const Origin& to, uint64_t nonce, Answer answer, uint64_t session);

    // True if the job was one of these.
    bool on_job(JobId job, JobResult& result);

  private:
    using Words = std::vector<std::string>;
    // Who gets the answer.
    struct Asker {
        CommandId command;  // not 0: the console
        Origin from;
        uint64_t nonce = 0;
        std::string account;          // of the customer's program that asks; may be empty
        bool is_earlier_run = false;  // the account's program, and a later start of it has come
        Caller caller;
        bool is_console() const { return command.value() != 0; }
    };
    // The options of a command, checked: each at most once, with its value.
    struct Options {
        std::vector<std::string> plain;  // behind the verb
        std::map<std::string, std::string, std::less<>> values;
        const std::string* find(std::string_view name) const;
    };
    using Then = std::function<void(JobResult&)>;

    void carry_out(const Asker& asker, const Words& words);
    void reply(const Asker& asker, Answer answer);
    void start(Job job, Then then);
    void look_up(const Asker& asker, Query query, std::function<Answer(const JobResult&)> answer);
    std::optional<Answer> why_not(Asker& asker, const wire::Datagram& datagram);
    // FAILURE for an asker who is not signed in or whose role is not enough; it is written down.
    Answer refuse(const Asker& asker, std::string_view verb, Role least);
    // Whose purchases, tokens ... are asked about: the name given, or the asker's own account.
    Result<std::string> subject(const Asker& asker, const std::string* name, std::string_view verb);
    static Result<Options> options(const Words& words, std::vector<std::string_view> flags,
                                   std::vector<std::string_view> switches);
    static Result<Period> period(const Options& options);
    Answer usage(const Asker& asker, std::string_view verb) const;
    Answer told(Answer answer) const;

    // desk.cpp: what the state knows, and what changes it
    Answer products(const Words& words) const;
    Answer search(const Words& words) const;
    Answer billers(bool services) const;
    Answer add_product(const Words& words);
    Answer edit_product(const Words& words);
    Answer remove_product(const Words& words);
    Answer restock(const Words& words);
    Answer set_biller(const Words& words, bool remove);
    Answer settings() const;
    Answer set(const Words& words);
    Answer product_list(const std::string& what, const std::vector<const Product*>& products,
                        bool more) const;
    void put(const Product& product);

    // desk_loans.cpp
    void loans(const Asker& asker, const Words& words);
    void schedule(const Asker& asker, const Words& words);

    // desk_history.cpp: what the history knows
    void purchases(const Asker& asker, const Words& words);
    void tokens(const Asker& asker, const Words& words);
    void statement(const Asker& asker, const Words& words);
    void last(const Asker& asker, const Words& words);
    void activity(const Asker& asker, const Words& words);
    void refusals(const Asker& asker);
    void report(const Asker& asker, const Words& words);
    struct Report;
    void continue_report(std::shared_ptr<Report> report);
    Answer report_answer(const Report& report) const;

    // desk_files.cpp
    void import_file(const Asker& asker, const Words& words);
    Answer import_inventory(std::string_view content, const std::string& path, bool replace);
    Answer import_purchases(std::string_view content, const std::string& path);
    void export_files(const Asker& asker, const Words& words, bool as_text);

    Context& context_;
    SignIn& sign_in_;
    Bindings& bindings_;
    NextJob next_job_;
    AnswerConsole answer_console_;
    RecentAsks recent_;
    std::map<JobId, Then> jobs_;
};

}  // namespace p2pbank::bank
