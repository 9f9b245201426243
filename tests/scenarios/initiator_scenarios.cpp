// Several operations at once.
#include "tests/scenarios/stage.h"

using namespace p2pbank;
using namespace p2pbank::scenarios;

namespace {

void all_send_to_all(Stage& stage, const std::vector<std::string>& names) {
    for (const std::string& from : names) {
        for (const std::string& to : names) {
            if (from != to) stage.does(from, "transfer 1 " + to);
        }
    }
}

}  // namespace

TEST_CASE(
    "two initiators: two checkpoints at once are both taken in the end, with one answer each") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        all_send_to_all(stage, {"alice", "bob", "carol"});
        const CommandId one = stage.types("alice", "checkpoint");
        const CommandId two = stage.types("bob", "checkpoint");
        CHECK(stage.wait(one).starts_with("SUCCESS checkpoint alice"));
        CHECK(stage.wait(two).starts_with("SUCCESS checkpoint bob"));
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("two initiators: a checkpoint and a rollback at once both end, one after the other") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        all_send_to_all(stage, {"alice", "bob", "carol"});
        const CommandId one = stage.types("alice", "checkpoint");
        const CommandId two = stage.types("bob", "rollback");
        CHECK(stage.wait(one).starts_with("SUCCESS checkpoint alice"));
        CHECK(stage.wait(two).starts_with("SUCCESS rollback bob"));
        stage.comes_to_rest();
        CHECK(stage.in_transit() == "0");
    });
}

TEST_CASE("two initiators: five rollbacks at once all end") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 5);
        all_send_to_all(stage, {"alice", "bob", "carol", "dave", "erin"});
        std::vector<CommandId> commands;
        for (size_t i = 1; i <= 5; ++i) {
            commands.push_back(stage.types(Stage::name(i), "rollback"));
        }
        for (const CommandId id : commands) {
            const std::string answer = stage.wait(id);
            // Bounded tries: one may have to give up, and then nothing was changed for it.
            CHECK(
                (answer.starts_with("SUCCESS rollback ") || answer.starts_with("FAILURE busy: ")));
        }
        stage.comes_to_rest();
        for (size_t i = 1; i <= 5; ++i) CHECK(stage.balance(Stage::name(i)) == "100");
    });
}

TEST_CASE("two initiators: who is in another operation says no, and the answer names it") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 3);
        stage.does("bob", "transfer 1 alice");
        stage.does("bob", "transfer 2 carol");
        // Bob has taken a tentative checkpoint for alice, and hears nothing about it.
        const auto rule = stage.hold([](auto& from, auto& to, auto& datagram) {
            return to == "bob" && (datagram.has_outcome() || datagram.has_decision()) &&
                   (from == "alice" || from == kBank);
        });
        CHECK(stage.does("alice", "checkpoint").ends_with(", bob"));
        CHECK(stage.say("carol", "checkpoint").starts_with("FAILURE busy: bob "));
        CHECK(stage.row("carol") == "100,cohort-1");
        stage.lift_and_release(rule);
        stage.comes_to_rest();
        CHECK(stage.does("carol", "checkpoint").starts_with("SUCCESS checkpoint carol"));
        stage.comes_to_rest();
    });
}

TEST_CASE(
    "two initiators: operations of those who have nothing to do with each other run side by side") {
    in_both_modes([](StableMode mode) {
        Stage stage(mode, 4);
        stage.does("alice", "transfer 1 bob");
        stage.does("carol", "transfer 2 dave");
        const CommandId one = stage.types("bob", "checkpoint");
        const CommandId two = stage.types("carol", "rollback");
        CHECK(stage.wait(one) == "SUCCESS checkpoint bob (received 1 transfer from alice), alice");
        CHECK(stage.wait(two) == "SUCCESS rollback carol (sent 1 transfer to dave), dave");
        stage.comes_to_rest();
    });
}
