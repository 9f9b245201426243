#include "simulator/run.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/base/names.h"
#include "simulator/rest.h"
#include "simulator/workload.h"

namespace p2pbank::simulator {
namespace {

// How long after the faults stop everything may take: longer than every time limit of a node
// together, with a cohort that has to be recovered member by member.
constexpr Duration kAllEndsWithin = seconds(180);
constexpr Duration kAnswerWithin = seconds(60);
constexpr uint64_t kEventsPerReplayCheck = 500;

constexpr std::pair<std::string_view, ModeChoice> kModeChoices[] = {
    {"journal", ModeChoice::journal},
    {"checkpoint", ModeChoice::checkpoint},
    {"mixed", ModeChoice::mixed},
};

class Runner {
  public:
    Runner(const RunSettings& settings, Story* story)
        : random_(settings.seed),
          rates_(FaultRates::draw(settings.faults, random_)),
          world_(world_settings(settings), story),
          workload_(world_, random_.next(), settings.steps, settings.only_steps),
          faults_(world_, rates_, random_.next()) {}

    RunResult run();

  private:
    WorldSettings world_settings(const RunSettings& settings);
    void work();
    void come_to_rest(const std::string& after);
    const Command& ask(size_t machine, const std::string& line);
    // Returns the amount in transit.
    std::string audit(const std::string& after);
    void checkpoint_all();
    void check_ghosts();
    void restart_all();
    void roll_back_all();
    void check_replays();

    Random random_;
    FaultRates rates_;
    World world_;
    Workload workload_;
    FaultInjector faults_;
};

WorldSettings Runner::world_settings(const RunSettings& settings) {
    WorldSettings out;
    out.seed = random_.next();
    out.only_faults = settings.only_faults;
    out.customers = draw_customers(settings, 2, 4, random_);
    if (settings.mode != ModeChoice::mixed) rates_.change_modes = false;
    // In clear no replay window stands before the protocol, and nobody is kept from forging: so
    // late copies come, and nobody attacks.
    out.insecure = settings.faults != FaultKinds::attack && settings.seed % 4 == 1;
    if (out.insecure) rates_.attack = {};
    out.slow_disk = rates_.slow_disk;
    out.long_turns = random_.one_in(2) ? 0 : random_.fraction() / 2;
    // Small enough to be replaced many times in some runs, and never in others.
    out.replace_after_bytes = uint64_t{1} << (9 + random_.below(12));
    return out;
}

void Runner::work() {
    world_.start_all();
    faults_.begin();
    workload_.begin();
    uint64_t events = 0;
    while (!workload_.done() && world_.step()) {
        if (++events % kEventsPerReplayCheck == 0) {
            world_.oracles().check_replay(static_cast<size_t>(random_.below(world_.machines())));
        }
    }
}

void Runner::come_to_rest(const std::string& after) {
    // The last transfers may give somebody something to do again: an operator's correction that
    // waited until the balance covers it.
    constexpr int kRounds = 3;
    for (int round = 1;; ++round) {
        if (!world_.run_until([&] { return unfinished(world_).empty(); }, kAllEndsWithin)) {
            std::string what = unfinished(world_);
            if (world_.commands_waiting() > 0) what += ": " + world_.oldest_waiting();
            world_.violated("all-ends-well",
                            what + ", " +
                                std::to_string(duration_cast<seconds>(kAllEndsWithin).count()) +
                                " s after " + after);
        }
        // Acknowledgements that nobody waits for, disks.
        world_.run_for(seconds(2));
        const std::string what = unfinished(world_);
        if (what.empty()) break;
        if (round == kRounds) {
            world_.violated("all-ends-well", what + ", after it had come to rest");
        }
    }
    world_.oracles().check_books();
    world_.business().check_rest();
    check_replays();
}

void Runner::check_replays() {
    for (size_t i = 0; i < world_.machines(); ++i) world_.oracles().check_replay(i);
}

const Command& Runner::ask(size_t machine, const std::string& line) {
    const CommandId id = world_.type(machine, line);
    if (!world_.run_until([&] { return world_.command(id).over(); }, kAnswerWithin)) {
        world_.violated("all-ends-well", world_.who(machine) + " does not answer " + line);
    }
    return world_.command(id);
}

std::string Runner::audit(const std::string& after) {
    const std::string line = ask(World::kBank, "audit").first_line();
    if (!line.starts_with("SUCCESS audit ") || !line.ends_with(" difference 0")) {
        world_.violated("the-audit-agrees", "after " + after + ": " + line);
    }
    const auto words = split_words(line);
    const auto at = std::find(words.begin(), words.end(), "in-transit");
    return at == words.end() || at + 1 == words.end() ? "" : std::string(at[1]);
}

void Runner::checkpoint_all() {
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        const Customer* customer = world_.customer(i);
        if (customer == nullptr || customer->state().phase != customer::Phase::open) continue;
        const Command& command = ask(i, "checkpoint");
        if (!command.success()) {
            world_.violated("all-ends-well",
                            world_.who(i) + ", with nothing in its way: " + command.first_line());
        }
    }
}

// An hour passes: what was duplicated much later comes now, and changes nothing.
void Runner::check_ghosts() {
    std::vector<std::string> before;
    const auto balances = [&] {
        std::vector<std::string> out;
        for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
            const Customer* customer = world_.customer(i);
            out.push_back(customer == nullptr ? "" : to_string(customer->state().totals.balance));
        }
        return out;
    };
    before = balances();
    world_.network().deliver_late();
    world_.run_for(seconds(5));
    if (balances() != before) {
        world_.violated("no-orphan", "late duplicates of old datagrams have changed a balance");
    }
    come_to_rest("late duplicates came");
}

void Runner::roll_back_all() {
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        const Customer* customer = world_.customer(i);
        if (customer == nullptr || !customer->state().in_cohort()) continue;
        const Command& command = ask(i, "rollback");
        if (!command.success()) {
            world_.violated("all-ends-well",
                            world_.who(i) + ", with nothing in its way: " + command.first_line());
        }
    }
}

void Runner::restart_all() {
    for (size_t i = 0; i < world_.machines(); ++i) {
        if (world_.machine(i).running()) world_.machine(i).crash();
    }
    world_.start_all();
}

RunResult Runner::run() {
    RunResult result;
    try {
        work();
        faults_.end();
        come_to_rest("the faults stopped");
        audit("the faults stopped");
        checkpoint_all();
        come_to_rest("a checkpoint of each");
        world_.business().check_all_settled();
        audit("a checkpoint of each");
        check_ghosts();
        restart_all();
        come_to_rest("all were started again");
        audit("all were started again");
        roll_back_all();
        come_to_rest("a rollback of each");
        checkpoint_all();
        come_to_rest("a rollback and a checkpoint of each");
        world_.business().check_all_settled();
        // What was lost has been sent again, or was undone.
        const std::string left = audit("a rollback and a checkpoint of each");
        if (left != "0") world_.violated("all-ends-well", left + " are still in transit");
    } catch (const Violation& violation) {
        result.violation = violation;
    }
    result.tally = world_.tally();
    const auto deals = world_.business().count();
    result.tally.deals = deals.made;
    result.tally.deals_settled = deals.settled;
    result.tally.deals_cancelled = deals.cancelled;
    result.digest = world_.digest();
    result.events = world_.schedule().events();
    result.simulated = world_.now() - TimePoint();
    result.customers = world_.machines() - 1;
    result.faults = world_.gate().fired();
    return result;
}

}  // namespace

std::optional<ModeChoice> parse_mode_choice(std::string_view text) {
    for (const auto& [name, mode] : kModeChoices) {
        if (name == text) return mode;
    }
    return std::nullopt;
}

std::string_view name_of(ModeChoice mode) {
    for (const auto& [name, known] : kModeChoices) {
        if (known == mode) return name;
    }
    return "";
}

std::vector<StableMode> draw_customers(const RunSettings& settings, uint64_t least, uint64_t spread,
                                       Random& random) {
    const uint64_t drawn = least + random.below(spread);
    const size_t count = settings.customers == 0 ? static_cast<size_t>(drawn) : settings.customers;
    std::vector<StableMode> out;
    for (size_t i = 0; i < count; ++i) {
        const bool checkpoint = settings.mode == ModeChoice::checkpoint ||
                                (settings.mode == ModeChoice::mixed && random.one_in(2));
        out.push_back(checkpoint ? StableMode::checkpoint : StableMode::journal);
    }
    return out;
}

RunResult run_seed(const RunSettings& settings, Story* story) {
    if (settings.liar) return run_liar_seed(settings, story);
    Runner runner(settings, story);
    return runner.run();
}

}  // namespace p2pbank::simulator
