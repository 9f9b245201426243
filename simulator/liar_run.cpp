// A random run with a customer among the others who lies. When it has lied long enough it is killed
// for good; then the operator ends its cohort, and the others have to go on as if nothing had been.
//
//   no-cent-made         in the bank's books all customers together have what was brought in and
//                        not taken out, less what is in transit
//   bounded              the bank does not wait for one account in many operations
//   cuts-match           both ends of every channel in the bank's books fit together
//   only-liars-accused   nobody honest is said to have lied
//   evidence-holds       `bank verify` has nothing to say against the bank's evidence
//   honest-go-on         nobody honest stops, and when the attack is over everybody honest can do
//                        everything
#include "bank/verify.h"
#include "common/wire/books.h"
#include "simulator/run.h"
#include "simulator/workload.h"

namespace p2pbank::simulator {
namespace {

constexpr size_t kLiar = 1;
constexpr const char* kEvidence = "files/./all.evidence";
constexpr Duration kFormsWithin = seconds(5);
constexpr Duration kGoesOnWithin = seconds(240);
constexpr Duration kAnswerWithin = seconds(60);

class LiarRunner {
  public:
    LiarRunner(const RunSettings& settings, Story* story)
        : random_(settings.seed),
          rates_(FaultRates::draw(settings.faults, random_)),
          world_(world_settings(settings), story),
          workload_(world_, random_.next(), settings.steps, settings.only_steps),
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
    void check_evidence();
    void check_not_accused(const bank::Account& account);

    Random random_;
    FaultRates rates_;
    World world_;
    Workload workload_;
    FaultInjector faults_;
};

WorldSettings LiarRunner::world_settings(const RunSettings& settings) {
    WorldSettings out;
    out.seed = random_.next();
    out.only_faults = settings.only_faults;
    out.customers = draw_customers(settings, 3, 3, random_);
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
    // What an earlier run of a program asked for may still form one: there has to be none for
    // longer than that takes.
    TimePoint quiet_since = world_.now();
    while (world_.now() - quiet_since < kFormsWithin) {
        if (!bank.cohorts.empty() || world_.commands_waiting() > 0) quiet_since = world_.now();
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
    // Who is about to open an account, or to close one, would be in the next cohort or not.
    const auto told = [&] {
        for (size_t i = 0; i < world_.machines(); ++i) {
            const Customer* customer = honest(i) ? world_.customer(i) : nullptr;
            if (customer == nullptr) continue;
            const customer::Phase phase = customer->state().phase;
            if (phase == customer::Phase::opening || phase == customer::Phase::exiting) {
                return false;
            }
        }
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
    if (open.size() < 2) return check_evidence();
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
    check_evidence();
}

void LiarRunner::check_books() {
    const bank::State& bank = world_.bank()->state();
    int64_t together = 0;
    int64_t in_transit = 0;
    for (const bank::Account& account : bank.accounts()) {
        check_not_accused(account);
        const Totals& totals = account.totals;
        // Only the bank's operator corrects balances.
        if (!totals.adjustments.is_zero() && account.corrections.is_zero()) {
            world_.violated("no-cent-made", account.name + " has corrected its own balance");
        }
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
    if (bank.committed.size() > 2 * bank.accounts().size() * bank.accounts().size()) {
        world_.violated("bounded", "the bank waits for acknowledgements of " +
                                       std::to_string(bank.committed.size()) + " operations");
    }
    if (together + in_transit != 0) {
        world_.violated("no-cent-made",
                        std::to_string(together + in_transit) + " cents more than were brought in");
    }
}

void LiarRunner::check_not_accused(const bank::Account& account) {
    // The liar may have had several accounts, one after the other.
    const bool liars = account.ip == world_.address(kLiar, Socket::bank).ip;
    if (liars || account.details == nullptr) return;
    for (const bank_evidence::Accusation& one : account.details->accusations) {
        // Who crashed in the wrong moment may have no evidence any more, and is said to give none.
        if (one.kind() == bank_evidence::ACCUSATION_NO_EVIDENCE) continue;
        world_.violated("only-liars-accused", account.name + " lied: " + one.text());
    }
}

void LiarRunner::check_evidence() {
    insist(World::kBank, "audit --evidence all.evidence");
    const auto bundle = world_.machine(World::kBank).disk().read_all(kEvidence);
    const bank::VerifyReport report = bank::verify(bundle.value_or(""));
    if (report.problems.empty()) return;
    world_.violated("evidence-holds", report.problems[0].code + ": " + report.problems[0].text);
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
    world_.proofs().count(result.tally);
    result.digest = world_.digest();
    result.events = world_.schedule().events();
    result.simulated = world_.now() - TimePoint();
    result.customers = world_.machines() - 1;
    result.faults = world_.gate().fired();
    return result;
}

}  // namespace

RunResult run_liar_seed(const RunSettings& settings, Story* story) {
    LiarRunner runner(settings, story);
    return runner.run();
}

}  // namespace p2pbank::simulator
