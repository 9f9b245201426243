// Cohorts so large that a roster, a settlement or a vote does not fit in one datagram.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

constexpr size_t kMany = 60;

void lose(Stage& stage, double rate) {
    simulator::NetworkFaults faults;
    faults.loss = rate;
    faults.duplicate = rate / 2;
    faults.slow = rate;
    stage.world.network().set_faults(faults);
}

}  // namespace

TEST_CASE(
    "large messages: rosters and settlements arrive in parts, though every fifth part is lost") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, kMany);
        const auto parts =
            stage.watch([](auto&, auto&, auto& datagram) { return datagram.has_fragment(); });
        lose(stage, 0.2);
        // Everyone pays alice: her settlement names all of them, and so does her answer.
        std::vector<CommandId> payments;
        for (size_t i = 2; i <= kMany; ++i) {
            payments.push_back(stage.types(Stage::name(i), "transfer 1 alice"));
        }
        for (const CommandId id : payments) stage.wait(id);
        REQUIRE(stage.until([&] { return stage.balance("alice") == "159"; }, seconds(60)));
        const std::string answer = stage.say("alice", "checkpoint");
        CHECK(parts->count() > 0);
        lose(stage, 0);
        stage.comes_to_rest();
        if (answer.starts_with("SUCCESS ")) {
            CHECK(stage.row("alice") == "159,cohort-1");
            CHECK(stage.row("member-60") == "99,cohort-1");
        }
        stage.does("alice", "checkpoint");
        CHECK(stage.row("alice") == "159,cohort-1");
        CHECK(stage.in_transit() == "0");
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "large messages: a rollback of a whole large cohort, with the names of all in one answer") {
    Stage stage(StableMode::journal, kMany);
    for (size_t i = 2; i <= kMany; ++i) stage.types("alice", "transfer 1 " + Stage::name(i));
    stage.comes_to_rest();
    const std::string answer = stage.does("alice", "rollback");
    CHECK(answer.find("member-60") != std::string::npos);
    stage.comes_to_rest();
    CHECK(stage.balance("alice") == "100");
    CHECK(stage.balance("member-60") == "100");
}
