// How failing runs are found, made smaller and told.
#include "simulator/shrink.h"

#include <csignal>
#include <cstdlib>

#include <doctest/doctest.h>

#include "simulator/isolated.h"
#include "simulator/swarm.h"

using namespace p2pbank;
using namespace p2pbank::simulator;

namespace {

using Numbers = std::set<uint64_t>;

bool has_all(const Numbers& some, const Numbers& wanted) {
    return std::includes(some.begin(), some.end(), wanted.begin(), wanted.end());
}

RunResult failed_run(const std::string& invariant) {
    RunResult out;
    out.customers = 5;
    out.violation = Violation{invariant, "what happened", TimePoint(seconds(3)), "a datagram"};
    return out;
}

bool happens(const Selection& only, uint64_t number) {
    return !only || only->contains(number);
}

// Breaks "one" with at least two customers, the step 7 and the fault 5, and "two" without step 7.
RunResult brittle(const RunSettings& settings) {
    RunResult out = failed_run("one");
    out.customers = settings.customers == 0 ? 5 : settings.customers;
    for (uint64_t number = 1; number <= 20; ++number) {
        const Fault kind = number < 10 ? Fault::loss : Fault::crash;
        if (happens(settings.only_faults, number)) out.faults.push_back({number, kind});
    }
    if (settings.steps < 7 || !happens(settings.only_steps, 7)) out.violation->invariant = "two";
    if (out.customers < 2 || !happens(settings.only_faults, 5)) out.violation.reset();
    return out;
}

}  // namespace

TEST_CASE("shrinking: what cannot be taken away is left, whatever else there is") {
    Numbers all;
    for (uint64_t number = 1; number <= 500; ++number) all.insert(number);
    for (const Numbers& wanted :
         {Numbers{}, Numbers{1}, Numbers{500}, Numbers{3, 4}, Numbers{7, 250, 499}}) {
        uint64_t asked = 0;
        const Numbers left = minimized(
            all,
            [&](const Numbers& some) {
                ++asked;
                return has_all(some, wanted);
            },
            [] { return true; });
        CHECK(left == wanted);
        CHECK(asked < 200);
    }
    // It stops when it is told to, with what it has.
    int asked = 0;
    const Numbers left = minimized(
        all,
        [&](const Numbers& some) {
            ++asked;
            return has_all(some, {7});
        },
        [&] { return asked < 3; });
    CHECK(asked == 3);
    CHECK(has_all(left, {7}));
}

TEST_CASE("shrinking: customers, steps and faults go, and the invariant stays the same") {
    RunSettings settings;
    settings.seed = 9;
    const Shrunk shrunk = shrink(settings, brittle(settings), brittle, 1'000);
    CHECK(shrunk.settings.customers == 2);
    CHECK(shrunk.settings.only_steps == Numbers{7});
    CHECK(shrunk.settings.steps == 7);
    CHECK(shrunk.settings.only_faults == Numbers{5});
    REQUIRE(shrunk.result.violation);
    CHECK(shrunk.result.violation->invariant == "one");
    CHECK(command_line(shrunk.settings) ==
          "--seed 9 --customers 2 --steps 7 --only-steps 7 --only-faults 5");
    CHECK(shrink(settings, brittle(settings), brittle, 10).runs == 10);
}

TEST_CASE("shrinking: a real run is left with the three crashes that it takes") {
    const auto run = [](const RunSettings& settings) {
        RunResult result = run_seed(settings, nullptr);
        if (result.tally.crashes_between_effects >= 3) {
            result.violation = Violation{"three-crashes", "", TimePoint(), ""};
        }
        return result;
    };
    RunSettings settings;
    settings.faults = FaultKinds::crash;
    settings.seed = 1;
    settings.steps = 60;
    while (!run(settings).violation) ++settings.seed;
    const RunResult failed = run(settings);
    const Shrunk shrunk = shrink(settings, failed, run, 400);
    CHECK(shrunk.result.violation);
    CHECK(shrunk.result.faults.size() >= 3);
    CHECK(shrunk.result.faults.size() < failed.faults.size());
    CHECK(run(shrunk.settings).digest == shrunk.result.digest);
}

TEST_CASE("a run with all its faults named is the same run, and with none it has none") {
    RunSettings settings;
    settings.seed = 5;
    settings.steps = 80;
    const RunResult whole = run_seed(settings, nullptr);
    REQUIRE(whole.faults.size() > 10);
    settings.only_faults.emplace();
    for (const FaultGate::Fired& fault : whole.faults) settings.only_faults->insert(fault.number);
    CHECK(run_seed(settings, nullptr).digest == whole.digest);
    settings.only_faults->clear();
    const RunResult calm = run_seed(settings, nullptr);
    CHECK(calm.faults.empty());
    CHECK(calm.tally.lost + calm.tally.attacks + calm.tally.partitions == 0);
    settings.only_steps.emplace();
    CHECK(run_seed(settings, nullptr).tally.commands < calm.tally.commands / 2);
}

TEST_CASE("isolated runs: the result comes through whole, and a death is a failed run") {
    RunResult result = failed_run("an-invariant");
    result.tally.crashes = 12;
    result.digest = 0x123456789abcdefULL;
    result.events = 77;
    result.simulated = seconds(8);
    result.faults = {{3, Fault::clog}, {9, Fault::attack}};
    RunSettings settings;
    settings.seed = 4;
    const RunResult back = run_isolated([&](const RunSettings&) { return result; }, settings);
    CHECK(to_bytes(back) == to_bytes(result));
    REQUIRE(back.violation);
    CHECK(back.violation->cause == "a datagram");
    CHECK(back.faults.size() == 2);

    const RunResult dead = run_isolated(
        [](const RunSettings& one) {
            if (one.seed == 4) std::abort();
            return RunResult();
        },
        settings);
    REQUIRE(dead.violation);
    CHECK(dead.violation->invariant == kDied);
    CHECK(dead.violation->text.find("seed 4 ended with signal " + std::to_string(SIGABRT)) !=
          std::string::npos);
}

TEST_CASE("swarms: every seed is run once, also behind one whose process dies") {
    const auto run = [](const RunSettings& settings) {
        if (settings.seed == 14) std::abort();
        RunResult out = settings.seed == 17 ? failed_run("seventeen") : RunResult();
        out.events = settings.seed;
        return out;
    };
    for (const unsigned jobs : {1U, 3U}) {
        std::set<uint64_t> seeds;
        SwarmSettings swarm;
        swarm.first = 11;
        swarm.last = 30;
        swarm.jobs = jobs;
        swarm.on_result = [&](uint64_t seed, const RunResult&) {
            CHECK(seeds.insert(seed).second);
        };
        const SwarmResult result = run_swarm(run, {}, swarm);
        CHECK(seeds.size() == 20);
        CHECK(result.passed == 18);
        CHECK(result.failed == 2);
        CHECK(result.failed_seed == 14);
        CHECK(result.failure.violation->invariant == kDied);
        CHECK(result.events == (11 + 30) * 10 - 14);
    }
    SwarmSettings swarm;
    swarm.first = 15;
    swarm.jobs = 2;
    swarm.stop_at_failure = true;
    const SwarmResult result = run_swarm(run, {}, swarm);
    CHECK(result.failed_seed == 17);
    CHECK(result.failure.violation->invariant == "seventeen");
    CHECK(to_text(result).find(" runs, ") != std::string::npos);
}

TEST_CASE("stories: only what led to the end is told, and no greetings") {
    Story story(nullptr, nullptr, SIZE_MAX);
    const auto at = [](int64_t us) { return TimePoint(microseconds(us)); };
    const auto sent = [&](int64_t us, const char* who, const char* id, const char* what) {
        story.traced(at(us), who, {"sent", {{"id", id}, {"to", "x"}, {"what", what}}});
    };
    const auto received = [&](int64_t us, const char* who, const char* id, const char* what) {
        story.traced(at(us), who, {"received", {{"id", id}, {"from", "x"}, {"what", what}}});
    };
    story.tell(at(1), "carol", "> deposit 1");
    story.tell(at(2), "alice", "> transfer 5 bob");
    sent(3, "alice", "alice/1/1", "transfers 1");
    sent(3, "alice", "alice/1/2", "attach");
    received(4, "bank", "alice/1/2", "attach");
    received(5, "bob", "alice/1/1", "transfers 1");
    story.tell(at(6), "alice", "> balance");
    story.tell(at(7), "bob", "CRASHES");
    const auto text = [](const std::vector<std::string>& lines) {
        std::string out;
        for (const std::string& line : lines) out += line + "\n";
        return out;
    };
    const std::string told = text(short_story(story.last(), "", 100));
    CHECK(told.find("transfer 5 bob") != std::string::npos);
    CHECK(told.find("received id=alice/1/1") != std::string::npos);
    CHECK(told.find("CRASHES") != std::string::npos);
    CHECK(told.find("carol") == std::string::npos);
    CHECK(told.find("balance") == std::string::npos);  // behind what alice was last heard of
    CHECK(told.find("attach") == std::string::npos);
    CHECK(text(short_story(story.last(), "carol: lost", 100)).find("deposit 1") !=
          std::string::npos);
    const auto few = short_story(story.last(), "alice bob carol", 2);
    REQUIRE(few.size() == 3);
    CHECK(few[0].find("lines ...") != std::string::npos);
}
