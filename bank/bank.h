// The bank: the registry of customers and cohorts, and the place where operations are decided. A
// pure state machine behind common/core/node.h; the program is bank/main.cpp. docs/protocol.md is
// the contract.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank/bindings.h"
#include "bank/context.h"
#include "bank/deals.h"
#include "bank/decisions.h"
#include "bank/desk.h"
#include "bank/evidence_file.h"
#include "bank/procedures.h"
#include "bank/sign_in.h"
#include "common/core/node.h"
#include "common/stable/table.h"

namespace p2pbank {

// Whether what the journal holds fits how the bank is about to run.
enum class Fit {
    fits,
    other_key,  // accounts rely on another key of the bank than the one that it has now
    sealed,     // accounts are bound to keys, and the bank is to run in clear
    in_clear,   // accounts were made in clear, and the bank is to run sealed
};

class Bank : public Node {
  public:
    explicit Bank(BankSettings settings);

    Result<void> replay(std::string_view record) override;

    // After the last replay and before start. `had_key`: its key was not drawn just now; that
    // counts where the journal is of a version that did not write the bank's keys down.
    Fit fit(bool had_key) const;
    // The fingerprint of the key that the bank had in its last run; empty if that is not known.
    std::string known_key() const;

    // After the last replay and before start: the content of data.csv as it stands on the disk,
    // nothing if there is none. What a person edited is taken over at start. Errors: bad-csv with
    // the line and the reason; the bank must not start then, and the file is left alone.
    Result<void> load_table(std::optional<std::string_view> content);

    void start(TimePoint now, Effects& effects) override;
    void on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                     Effects& effects) override;
    void on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) override;
    void on_timer(TimePoint now, Effects& effects) override;
    void on_job(TimePoint now, JobId job, JobResult result, Effects& effects) override;
    void tell_history(FactSink* sink) override { context_.state.history = sink; }
    uint64_t history_position() const override { return context_.state.position; }
    void on_close(TimePoint now, int step, Effects& effects) override;
    void end_of_turn(TimePoint now, Effects& effects) override;
    std::optional<TimePoint> next_wake() const override;
    bool wants_commands() const override;
    void snapshot(const std::function<void(std::string)>& take) const override;
    std::vector<std::string> complete(std::string_view line) const override;
    std::vector<MenuSection> menu() const override { return bank::menu_sections(); }
    void set_wall_offset(int64_t us) override { context_.settings.wall_offset_us = us; }

    // For the simulator's oracles and for tests.
    const bank::State& state() const { return context_.state; }

  private:
    using Words = std::vector<std::string_view>;
    struct Waiting {
        CommandId id;
        std::string line;
    };

    void at(TimePoint now, Effects& effects) {
        context_.now = now;
        context_.effects = &effects;
    }
    // Whom it is from: an account's own process, or somebody who is to be taken for a process
    // without an account.
    bank::Origin origin_of(Address from, const wire::Datagram& datagram);
    void dispatch(const wire::Datagram& datagram, const bank::Origin& from);
    void from_account(bank::Account& account, const wire::Datagram& datagram,
                      const bank::Origin& from);
    void refuse_other_key(const wire::Datagram& datagram, const bank::Origin& from);
    void answer_probe(const wire::Probe& probe, const bank::Origin& from);
    void promise(const bank::Requester& requester, const Answer& answer);
    void reply(const bank::Requester& requester, Answer answer);

    // requests.cpp
    void on_customer_command(const wire::Datagram& datagram, const bank::Origin& from);
    void on_open(const wire::Datagram& datagram, const wire::Command& command,
                 const bank::Origin& from);
    void on_attach(const wire::Datagram& datagram, const bank::Origin& from);
    void tell_newer_run(const bank::Account& account, const bank::Origin& from);
    void offer_account(const wire::Attach& attach, const bank::Origin& from);
    // Whose the account will be: nobody's (empty), or the person's who has signed in.
    Result<std::string> owner_of(const wire::Open& open, const bank::Origin& from);
    std::optional<Answer> why_not_open(std::string_view name, const wire::Open& open) const;
    Answer opened_answer(const bank::Account& account) const;

    // commands.cpp
    void pump();
    bool execute(CommandId id, std::string_view line);
    void open(CommandId id, const Words& words);
    Result<const bank::Account*> open_account(std::string_view name) const;
    Answer customers() const;
    Answer cohorts() const;
    bool unbind(CommandId id, const Words& words);
    bool audit(CommandId id, std::string_view line);

    // table.cpp
    Result<void> import_row(const TableRow& row, size_t line);
    void take_over_edits();
    void publish_table_if_due();

    bank::Context context_;
    bank::Decisions decisions_;
    bank::Procedures procedures_;
    uint64_t jobs_ = 0;  // started so far
    bank::SignIn sign_in_;
    bank::Deals deals_;
    bank::Bindings bindings_;
    bank::Desk desk_;

    bank::EvidenceFile evidence_file_;

    std::optional<std::string> evidence_path_;  // where the audit under way at the console goes
    std::deque<Waiting> waiting_;               // at the console, behind the one under way
    std::optional<CommandId> under_way_;        // at the console
    std::vector<bank_records::Record> edits_;   // of data.csv, to be recorded at start
    std::optional<uint64_t> edited_table_;      // the hash of the table with these edits
    TimePoint next_table_{};
};

}  // namespace p2pbank
