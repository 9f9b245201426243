// A random run with a customer among the others who lies. When it has lied long enough it is killed
// for good; then the operator ends its cohort, and the others have to go on as if nothing had been.
//
//   no-cent-made         in the bank's books all customers together have what was brought in and
//                        not taken out, less what is in transit
//   cuts-match           both ends of every channel in the bank's books fit together
//   honest-go-on         nobody honest stops, and when the attack is over everybody honest can do
//                        everything
#include "common/wire/books.h"
#include "simulator/run.h"
#include "simulator/workload.h"

namespace p2pbank::simulator {
namespace {

constexpr size_t kLiar = 1;
constexpr Duration kGoesOnWithin = seconds(240);
constexpr Duration kAnswerWithin = seconds(60);

class LiarRunner {
  public:
    LiarRunner(const RunSettings& settings, Story* story)
        : random_(settings.seed),
          rates_(FaultRates::draw(settings.faults, random_)),
          world_(world_settings(settings), story),
          workload_(world_, random_.next(), settings.steps),
          faults_(world_, rates_, random_.next()) {}

    RunResult run();

  private:
    WorldSettings world_settings(const RunSettings& settings);
    bool honest(size_t machine) const { return machine != World::kBank && machine != kLiar; }
    void work();
    void end_attack();
    void go_on();
    // Types it again, as a person would, until it succeeds.
    void insist(size_t machine, const std::string& line);
    std::vector<size_t> members() const;
    void check_books();

    Random random_;
    FaultRates rates_;
    World world_;
    Workload workload_;
    FaultInjector faults_;
};

WorldSettings LiarRunner::world_settings(const RunSettings& settings) {
    WorldSettings out;
    out.seed = random_.next();
    const size_t drawn = 3 + static_cast<size_t>(random_.below(3));
    const size_t count = settings.customers == 0 ? drawn : settings.customers;
    for (size_t i = 0; i < count; ++i) {
        const bool checkpoint = settings.mode == ModeChoice::checkpoint ||
                                (settings.mode == ModeChoice::mixed && random_.one_in(2));
        out.customers.push_back(checkpoint ? StableMode::checkpoint : StableMode::journal);
    }
    out.slow_disk = rates_.slow_disk;
    out.liar = kLiar;
    out.lies = 0.01 + 0.5 * random_.fraction() * random_.fraction();
    return out;
}

void LiarRunner::work() {
    world_.start_all();
    faults_.begin();
    workload_.begin();
    while (!workload_.done() && world_.step()) {
    }
}

void LiarRunner::end_attack() {
    faults_.end();
    world_.tell(kLiar, "(the attack is over)");
    if (world_.machine(kLiar).running()) world_.machine(kLiar).crash();
}

void LiarRunner::insist(size_t machine, const std::string& line) {
    std::string last;
    const TimePoint deadline = world_.now() + kGoesOnWithin;
    while (world_.now() < deadline) {
        const CommandId id = world_.type(machine, line);
        if (!world_.run_until([&] { return world_.command(id).over(); }, kAnswerWithin)) {
            world_.violated("honest-go-on", world_.who(machine) + " does not answer " + line);
        }
        if (world_.command(id).success()) return;
        last = world_.command(id).first_line();
        world_.run_for(seconds(2));
    }
    world_.violated("honest-go-on", world_.who(machine) + " cannot " + line + ": " + last);
}

std::vector<size_t> LiarRunner::members() const {
    std::vector<size_t> out;
    for (size_t i = 0; i < world_.machines(); ++i) {
        const Customer* customer = honest(i) ? world_.customer(i) : nullptr;
        if (customer != nullptr && customer->state().phase == customer::Phase::open) {
            out.push_back(i);
        }
    }
    return out;
}

void LiarRunner::go_on() {
    // The operator ends all cohorts: the liar is gone, and nobody can settle with it. What was
    // typed before is answered meanwhile, and may form another one.
    const bank::State& bank = world_.bank()->state();
    const TimePoint deadline = world_.now() + kGoesOnWithin;
    while (!(bank.cohorts.empty() && world_.commands_waiting() == 0)) {
        if (world_.now() > deadline) {
            world_.violated("honest-go-on", "still under way: " + world_.oldest_waiting());
        }
        if (!bank.cohorts.empty() &&
            bank.cohorts.begin()->second.stage == bank::CohortStage::active) {
            const std::string member = bank.cohorts.begin()->second.members.front();
            static_cast<void>(world_.type(World::kBank, "delete-cohort " + member + " --force"));
        }
        world_.run_for(seconds(1));
    }
    const auto told = [&] {
        for (const size_t i : members()) {
            const customer::State& state = world_.customer(i)->state();
            if (state.in_cohort() || state.operation || state.deal) return false;
        }
        return true;
    };
    if (!world_.run_until(told, kGoesOnWithin)) {
        world_.violated("honest-go-on", "not everybody honest has left the liar's cohort");
    }
    check_books();
    const std::vector<size_t> open = members();
    if (open.size() < 2) return;
    insist(open[0], "deposit 10");
    insist(open[0], "new-cohort " + world_.who(open[0]) + " " + std::to_string(open.size()));
    for (const size_t i : open) {
        const size_t next =
            open[(i == open.back())
                     ? 0
                     : static_cast<size_t>(&*std::find(open.begin(), open.end(), i) - open.data()) +
                           1];
        insist(i, "deposit 5");
        insist(i, "transfer 5 " + world_.who(next));
        insist(i, "checkpoint");
    }
    for (const size_t i : open) insist(i, "rollback");
    insist(open[0], "delete-cohort " + world_.who(open[0]));
    check_books();
}

void LiarRunner::check_books() {
    const bank::State& bank = world_.bank()->state();
    int64_t together = 0;
    int64_t in_transit = 0;
    for (const bank::Account& account : bank.accounts()) {
        const Totals& totals = account.totals;
        if (!adds_up(totals, account.channels())) {
            world_.violated("no-cent-made", "the books of " + account.name + " do not add up");
        }
        together += totals.balance.cents() - totals.opening.cents() - totals.deposits.cents() +
                    totals.withdrawals.cents() - totals.adjustments.cents() -
                    totals.dealings.cents();
        for (const auto& [peer_name, out] : account.channels()) {
            const bank::Account* peer = bank.find(peer_name);
            static const Channel kEmpty;
            const auto found =
                peer == nullptr ? account.channels().end() : peer->channels().find(account.name);
            const Channel& in =
                peer == nullptr || found == peer->channels().end() ? kEmpty : found->second;
            if (!matches(out, in)) {
                world_.violated("cuts-match", "between " + account.name + " and " + peer_name);
            }
            in_transit += out.sent_sum.cents() - in.received_sum.cents();
        }
    }
    if (together + in_transit != 0) {
        world_.violated("no-cent-made",
                        std::to_string(together + in_transit) + " cents more than were brought in");
    }
}

RunResult LiarRunner::run() {
    RunResult result;
    try {
        work();
        end_attack();
        go_on();
    } catch (const Violation& violation) {
        result.violation = violation;
    }
    result.tally = world_.tally();
    result.digest = world_.digest();
    result.events = world_.schedule().events();
    result.simulated = world_.now() - TimePoint();
    result.customers = world_.machines() - 1;
    return result;
}

}  // namespace

RunResult run_liar_seed(const RunSettings& settings, Story* story) {
    LiarRunner runner(settings, story);
    return runner.run();
}

}  // namespace p2pbank::simulator
