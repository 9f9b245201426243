#include "simulator/scale/recoveries.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "common/base/random.h"
#include "simulator/scale/closed_forms.h"
#include "simulator/scale/dependencies.h"
#include "simulator/scale/uncoordinated.h"

namespace p2pbank::simulator::scale {
namespace {

constexpr size_t kFailures = 20;  // over which recoveries are averaged
constexpr size_t kRounds = 5;     // of transfers, with a checkpoint between two
constexpr size_t kRandomCustomers = 10'000;

// What a scheme cost until the failures, and what these cost, summed over all of them.
struct Scheme {
    uint64_t checkpoints = 0;
    uint64_t messages = 0;
    Recovery recovery;
};

class Comparison {
  public:
    Comparison(const Settings& settings, Pattern pattern, size_t customers)
        : customers_(customers),
          transfers_(make_transfers(pattern, customers,
                                    customers * settings.transfers_per_customer / 2 * kRounds,
                                    settings.seed)),
          seed_(settings.seed),
          timers_(draw_checkpoints(customers, transfers_.size(),
                                   static_cast<uint32_t>(transfers_.size() / kRounds),
                                   settings.seed)) {
        Random random(seed_for(Purpose::failures, seed_));
        for (size_t i = 0; i < kFailures; ++i) {
            failed_.push_back(static_cast<uint32_t>(random.below(customers)));
        }
    }

    size_t transfers() const { return transfers_.size(); }

    // One customer, another one each time, begins a checkpoint behind each round but the last.
    Scheme by_rounds() const {
        Random random(seed_for(Purpose::initiators, seed_));
        std::vector<std::pair<size_t, uint32_t>> begun;
        for (size_t round = 1; round < kRounds; ++round) {
            begun.emplace_back(transfers_.size() * round / kRounds,
                               static_cast<uint32_t>(random.below(customers_)));
        }
        return coordinated(begun);
    }
    // Everybody begins its checkpoints at the times at which it takes the uncoordinated ones.
    Scheme by_timers() const {
        std::vector<std::pair<size_t, uint32_t>> begun;
        for (uint32_t i = 0; i < customers_; ++i) {
            for (const uint32_t at : std::span(timers_[i]).subspan(1)) begun.emplace_back(at, i);
        }
        std::sort(begun.begin(), begun.end());
        return coordinated(begun);
    }
    // Snapshots behind each round but the last.
    Scheme snapshots() const {
        Scheme scheme;
        scheme.checkpoints = customers_ * (kRounds - 1);
        scheme.messages = markers(customers_) * (kRounds - 1);
        const size_t last = transfers_.size() * (kRounds - 1) / kRounds;
        Recovery& all = scheme.recovery;
        all.participants = all.steps = kFailures * customers_;
        all.most_steps = 1;
        all.lost = kFailures * (transfers_.size() - last);
        return scheme;
    }
    Scheme uncoordinated() const {
        Scheme scheme;
        for (const auto& own : timers_) scheme.checkpoints += own.size() - 1;
        const UncoordinatedHistory history(transfers_, timers_);
        for (const uint32_t failed : failed_) {
            const Recovery one = recovery_of(history, history.recovery_line(failed));
            scheme.recovery.participants += one.participants;
            scheme.recovery.lost += one.lost;
            scheme.recovery.steps += one.steps;
            scheme.recovery.most_steps = std::max(scheme.recovery.most_steps, one.most_steps);
            scheme.recovery.to_start += one.to_start;
        }
        return scheme;
    }

  private:
    // Checkpoints after Koo and Toueg: by whom, after how many transfers.
    Scheme coordinated(std::span<const std::pair<size_t, uint32_t>> begun) const {
        Scheme scheme;
        Dependencies dependencies(customers_);
        std::vector<bool> has_one(customers_);
        const std::span<const Transfer> transfers(transfers_);
        size_t done = 0;
        for (const auto& [at, initiator] : begun) {
            dependencies.transfer(transfers.subspan(done, at - done));
            done = at;
            const auto participants =
                dependencies.participants(OperationType::checkpoint, initiator);
            const auto edges = dependencies.edges(OperationType::checkpoint, participants);
            scheme.checkpoints += participants.size();
            scheme.messages +=
                total(operation_messages(OperationType::checkpoint, participants.size(), edges));
            dependencies.make_permanent(participants);
            for (const uint32_t participant : participants) has_one[participant] = true;
        }
        dependencies.transfer(transfers.subspan(done));
        Recovery& sum = scheme.recovery;
        for (const uint32_t failed : failed_) {
            const auto participants = dependencies.participants(OperationType::rollback, failed);
            sum.participants += participants.size();
            sum.lost += dependencies.undone_by(participants);
            for (const uint32_t participant : participants) sum.to_start += !has_one[participant];
        }
        sum.steps = sum.participants;
        sum.most_steps = 1;
        return scheme;
    }

    size_t customers_;
    std::vector<Transfer> transfers_;
    uint64_t seed_;
    std::vector<std::vector<uint32_t>> timers_;
    std::vector<uint32_t> failed_;
};

double ratio(uint64_t part, double whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / whole;
}

void add_row(Table& table, Pattern pattern, size_t customers, size_t transfers,
             const std::string& name, const Scheme& scheme) {
    const auto all = static_cast<double>(customers);
    const Recovery& sum = scheme.recovery;
    const double rolled_back = ratio(sum.participants, kFailures);
    const double lost = ratio(sum.lost, kFailures);
    const auto members = static_cast<double>(sum.participants);
    table.rows.push_back(
        {std::string(to_string(pattern)), std::to_string(customers), name,
         with_decimals(ratio(scheme.checkpoints, all), 1),
         with_decimals(ratio(scheme.messages, all), 1), with_decimals(rolled_back, 1),
         percent(rolled_back, all), with_decimals(ratio(sum.steps, members), 1),
         std::to_string(sum.most_steps), percent(static_cast<double>(sum.to_start), members),
         with_decimals(lost, 1), percent(lost, static_cast<double>(transfers))});
}

}  // namespace

Table recovery_table(const Settings& settings) {
    Table table;
    table.title = "4. A failure after 5 rounds of transfers";
    table.headers = {"pattern",       "customers", "scheme", "checkpoints each",
                     "messages each", "roll back", "of all", "back",
                     "at most",       "to start",  "lost",   "of transfers"};
    table.explanation =
        "A round has half of the transfers of --transfers-per-customer. One customer loses what "
        "is\n"
        "behind its last checkpoint; the average of 20 who fail, each alone. checkpoints, "
        "messages\n"
        "each: for one customer, in all. back: checkpoints that somebody who rolls back goes "
        "back,\n"
        "on average and at most; 1 is its last one. to start: share of those who roll back that "
        "go\n"
        "back to the cohort's start. lost: transfers that are undone.\n"
        "Koo-Toueg: one customer begins a checkpoint behind each of the first 4 rounds. by timer:\n"
        "everybody begins one by its own timer, once a round. uncoordinated: everybody takes one "
        "by\n"
        "itself, at the same times.\n";
    for (const Pattern pattern : settings.patterns) {
        for (const size_t customers : settings.customers) {
            const Comparison comparison(settings, pattern, customers);
            const auto add = [&](const std::string& name, const Scheme& scheme) {
                add_row(table, pattern, customers, comparison.transfers(), name, scheme);
            };
            add("Koo-Toueg", comparison.by_rounds());
            add("Koo-Toueg by timer", comparison.by_timers());
            add("Chandy-Lamport", comparison.snapshots());
            add("uncoordinated", comparison.uncoordinated());
        }
    }
    return table;
}

Table participation_table(const Settings& settings) {
    constexpr uint64_t kSeeds = 10;
    constexpr uint64_t kInitiators = 200;
    Table table;
    table.title = "5. Who takes part, by how much has been paid: random, 10,000 customers";
    table.headers = {"transfers each", "giant share", "participants by formula", "by model",
                     "of all"};
    table.explanation =
        "transfers each: for one customer, since the last checkpoint. giant share x: the largest\n"
        "solution of x = 1 - exp(-transfers x). participants: expected of a checkpoint, x^2 n "
        "above\n"
        "1 transfer each and 1 / (1 - transfers) below it; by the model, the average of 200\n"
        "initiators with each of 10 seeds.\n";
    for (const double mean : {0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0}) {
        const auto count = static_cast<size_t>(mean * static_cast<double>(kRandomCustomers));
        uint64_t participants = 0;
        for (uint64_t i = 0; i < kSeeds; ++i) {
            Dependencies dependencies(kRandomCustomers);
            dependencies.transfer(
                make_transfers(Pattern::random, kRandomCustomers, count, settings.seed + i));
            Random random(seed_for(Purpose::initiators, settings.seed + i));
            for (uint64_t one = 0; one < kInitiators; ++one) {
                const auto initiator = static_cast<uint32_t>(random.below(kRandomCustomers));
                participants +=
                    dependencies.participants(OperationType::checkpoint, initiator).size();
            }
        }
        const double average = ratio(participants, kSeeds * kInitiators);
        table.rows.push_back({with_decimals(mean, 2), with_decimals(giant_share(mean), 3),
                              with_decimals(expected_participants(mean, kRandomCustomers), 1),
                              with_decimals(average, 1),
                              percent(average, static_cast<double>(kRandomCustomers))});
    }
    return table;
}

Table overtaking_table() {
    Table table;
    table.title = "6. What Chandy and Lamport would need here: FIFO channels";
    table.headers = {"gap us", "marker overtakes the transfer"};
    table.explanation =
        "How often a marker that is sent so many microseconds after a transfer on the same "
        "channel\n"
        "arrives before it, with the network's delay of 50 to 200 us. The snapshot would then "
        "show\n"
        "the transfer as sent, and neither as received nor in transit: money is lost.\n";
    for (const int64_t gap : {0, 10, 25, 50, 100, 150}) {
        table.rows.push_back({std::to_string(gap), percent(overtaking(microseconds(gap)), 1)});
    }
    return table;
}

}  // namespace p2pbank::simulator::scale
