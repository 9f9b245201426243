#include "simulator/scale/report.h"

#include <optional>
#include <span>
#include <string>

#include "simulator/scale/chandy_lamport.h"
#include "simulator/scale/closed_forms.h"
#include "simulator/scale/dependencies.h"
#include "simulator/scale/koo_toueg.h"
#include "simulator/scale/real.h"
#include "simulator/scale/recoveries.h"

namespace p2pbank::simulator::scale {
namespace {

constexpr size_t kMostSealed = 100;  // above, sessions between all take too long

std::string text(uint64_t number) {
    return std::to_string(number);
}

// Everything of one operation for one pattern and size.
struct Measured {
    Cost model;
    uint64_t edges = 0;
    uint64_t lost = 0;  // transfers, of a rollback
    std::optional<Extent> form;
    std::optional<Cost> real;
    bool sealed = true;
};

class Report {
  public:
    Report(const Settings& settings, const std::function<void(const Table&)>& take)
        : settings_(settings), take_(take) {}

    void make();

  private:
    void measure(Pattern pattern, size_t customers);
    Measured model(const Dependencies& dependencies, OperationType type, Pattern pattern,
                   size_t transfers) const;
    void add_rows(Table& table, OperationType type, Pattern pattern, size_t customers,
                  const Measured& measured) const;
    void compare(size_t customers);

    const Settings& settings_;
    const std::function<void(const Table&)>& take_;
    Table checkpoints_;
    Table rollbacks_;
    Table schemes_;
};

void Report::make() {
    const std::vector<std::string> headers{"pattern", "customers",  "by",       "participants",
                                           "edges",   "paper",      "messages", "bytes",
                                           "ms",      "blocked ms", "longest"};
    checkpoints_.title = "1. A checkpoint";
    checkpoints_.headers = headers;
    checkpoints_.explanation =
        "by: formula, model, or the real bank and customers (real: sealed; clear: in clear).\n"
        "edges: pairs of a participant and somebody whom it asks. paper: Koo and Toueg's 3 "
        "messages\n"
        "an edge. messages: with the bank's record and acknowledgements, each once. ms: from the\n"
        "command to SUCCESS. blocked: how long a participant may not send, on average and at "
        "most.\n"
        "late: a chain of requests so long that its last votes come behind their deadline; the\n"
        "model goes on, the real customers answer FAILURE unreachable.\n";
    rollbacks_.title = "2. A rollback, after as many transfers again";
    rollbacks_.headers = headers;
    rollbacks_.headers.insert(rollbacks_.headers.begin() + 7, {"notices", "lost transfers"});
    rollbacks_.explanation =
        "notices: EpochNotices that follow, one from each participant to each other customer, and\n"
        "as many confirmations; not in the messages. lost transfers: sent by a participant since "
        "its\n"
        "last checkpoint, and undone.\n";
    schemes_.title = "3. One checkpoint, beside other schemes";
    schemes_.headers = {"pattern",  "customers", "scheme", "checkpoints",
                        "messages", "bytes",     "ms",     "blocked customer-ms"};
    schemes_.explanation =
        "Chandy-Lamport: a marker on each of the n (n - 1) channels, everybody records its state,\n"
        "nobody is blocked. uncoordinated: everybody by its own timer, nobody says anything. "
        "blocked\n"
        "customer-ms: over all customers.\n";
    for (const Pattern pattern : settings_.patterns) {
        for (const size_t customers : settings_.customers) measure(pattern, customers);
    }
    take_(checkpoints_);
    take_(rollbacks_);
    for (const size_t customers : settings_.customers) compare(customers);
    take_(schemes_);
    take_(recovery_table(settings_));
    take_(participation_table(settings_));
    take_(overtaking_table());
}

Measured Report::model(const Dependencies& dependencies, OperationType type, Pattern pattern,
                       size_t transfers) const {
    Measured out;
    out.model = model_operation(dependencies, type, settings_.initiator, settings_.seed);
    out.edges = dependencies.edges(type, out.model.participants);
    out.form = extent(pattern, type, settings_.initiator, dependencies.customers(), transfers);
    if (type == OperationType::rollback) out.lost = dependencies.undone_by(out.model.participants);
    return out;
}

void Report::measure(Pattern pattern, size_t customers) {
    const size_t count = customers * settings_.transfers_per_customer;
    const auto all = make_transfers(pattern, customers, count, settings_.seed);
    const auto before = std::span(all).first(count / 2);
    const auto after = std::span(all).subspan(count / 2);
    Dependencies dependencies(customers);
    dependencies.transfer(before);
    Measured checkpoint = model(dependencies, OperationType::checkpoint, pattern, before.size());
    dependencies.make_permanent(checkpoint.model.participants);
    dependencies.transfer(after);
    Measured rollback = model(dependencies, OperationType::rollback, pattern, after.size());
    if (customers <= settings_.real_up_to) {
        checkpoint.sealed = rollback.sealed = customers <= kMostSealed;
        RealCohort cohort(customers, settings_.seed,
                          checkpoint.sealed ? RealCohort::Wire::sealed : RealCohort::Wire::clear);
        cohort.transfer(before);
        checkpoint.real = cohort.measure(OperationType::checkpoint, settings_.initiator);
        cohort.transfer(after);
        rollback.real = cohort.measure(OperationType::rollback, settings_.initiator);
    }
    add_rows(checkpoints_, OperationType::checkpoint, pattern, customers, checkpoint);
    add_rows(rollbacks_, OperationType::rollback, pattern, customers, rollback);
    const Cost& cost = checkpoint.model;
    schemes_.rows.push_back({std::string(to_string(pattern)), text(customers), "Koo-Toueg",
                             text(cost.participants.size()), text(total(cost.messages)),
                             text(total(cost.bytes)), in_milliseconds(cost.duration),
                             in_milliseconds(cost.blocked)});
}

void Report::add_rows(Table& table, OperationType type, Pattern pattern, size_t customers,
                      const Measured& measured) const {
    const auto add = [&](const std::string& by, uint64_t participants, uint64_t edges,
                         const std::string& messages, const Cost* cost, const std::string& lost) {
        std::vector<std::string> row{
            std::string(to_string(pattern)), text(customers), by, text(participants), text(edges),
            text(paper_messages(edges)),     messages};
        if (type == OperationType::rollback) {
            row.push_back(text(announcements(participants, customers)));
            row.push_back(lost);
        }
        if (cost == nullptr) {
            row.insert(row.end(), {"", "", "", ""});
        } else {
            row.insert(row.end(), {text(total(cost->bytes)), in_milliseconds(cost->duration),
                                   in_milliseconds(cost->average_blocked()),
                                   in_milliseconds(cost->longest_blocked)});
        }
        table.rows.push_back(std::move(row));
    };
    if (measured.form) {
        const auto& [participants, edges] = *measured.form;
        add("formula", participants, edges,
            text(total(operation_messages(type, participants, edges))), nullptr, "");
    }
    const Cost& model = measured.model;
    add(model.in_time ? "model" : "model, late", model.participants.size(), measured.edges,
        text(total(model.messages)), &model, text(measured.lost));
    if (!measured.real) return;
    const Cost& real = *measured.real;
    const std::string by = measured.sealed ? "real" : "clear";
    // Of one that fails, what was said until then.
    add(real.committed ? by : by + ", FAILURE", real.participants.size(),
        of(real.messages, Kind::request), text(total(real.messages)), &real, "");
}

// What the transfers do not matter for.
void Report::compare(size_t customers) {
    const SnapshotCost snapshot = model_snapshot(customers, settings_.seed);
    schemes_.rows.push_back({"any", text(customers), "Chandy-Lamport", text(snapshot.participants),
                             text(snapshot.messages), text(snapshot.bytes),
                             in_milliseconds(snapshot.duration), "0"});
    schemes_.rows.push_back(
        {"any", text(customers), "uncoordinated", text(customers), "0", "0", "", "0"});
}

}  // namespace

void make_report(const Settings& settings, const std::function<void(const Table&)>& take) {
    Report(settings, take).make();
}

}  // namespace p2pbank::simulator::scale
