// The counter when it is full, and when staff asks about an account that is not there.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

constexpr const char* kTina = "tina@example.org";

// Starts the bank with this part of a snapshot behind what it has.
void add_to(BankWorld& world, const bank_records::Business& part) {
    bank::State::Record record;
    *record.mutable_business() = part;
    std::vector<std::string> records = world.effects.records;
    records.push_back(record.SerializeAsString());
    world.start(records);
}

}  // namespace

TEST_CASE("counter: as many billers as the bank can hold, and not one more") {
    BankWorld world;
    bank_records::Business part;
    part.set_has_billers(true);
    for (size_t i = 0; i + 1 < limits::kMaxBillers; ++i) {
        bank_records::Biller* biller = part.add_billers();
        biller->set_name("Biller-" + std::to_string(i));
        biller->set_service(i % 2 == 0);
    }
    add_to(world, part);
    CHECK(world.type("add-biller The-last-one bill").code.empty());
    CHECK(world.state().business.billers().size() == limits::kMaxBillers);
    const size_t records = world.effects.records.size();
    for (const char* line : {"add-biller One-more service", "add-biller other bill"}) {
        const Answer answer = world.type(line);
        CHECK(answer.code == "limit");
        CHECK(answer.text == "the bank cannot hold more billers");
    }
    CHECK(world.type("add-biller biller-3 bill").code == "biller-exists");
    CHECK(world.effects.records.size() == records);
    // One that goes makes room for one.
    CHECK(world.type("remove-biller Biller-3").code.empty());
    CHECK(world.type("add-biller One-more service").code.empty());
    CHECK(world.type("add-biller other bill").code == "limit");
    world.restart_from_snapshot();
    CHECK(world.state().business.billers().size() == limits::kMaxBillers);
    CHECK(world.type("add-biller other bill").code == "limit");
}

TEST_CASE("counter: staff hears that an account is not there, and nobody else does") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    Process& tina = world.add("", 2, 9'002);
    world.sign_in(tina, kTina);
    const std::vector<std::vector<std::string>> questions = {{"statement", "nobody"},
                                                             {"last", "nobody"},
                                                             {"activity", "nobody"},
                                                             {"purchases", "nobody"},
                                                             {"loans", "nobody"}};
    const auto about_alice = [](std::vector<std::string> words) {
        words[1] = "alice";
        return words;
    };
    // A customer gets the same answer about an account that is there.
    for (const auto& words : questions) {
        CAPTURE(words[0]);
        const Answer unknown = world.ask(tina, words);
        const Answer known = world.ask(tina, about_alice(words));
        CHECK(unknown.code == "not-allowed");
        CHECK(known.code == "not-allowed");
        CHECK(unknown.text == known.text);
        CHECK(world.ask(alice, words).code == "not-signed-in");
    }
    REQUIRE(world.type("role " + std::string(kTina) + " teller").code.empty());
    const size_t records = world.effects.records.size();
    for (const auto& words : questions) {
        CAPTURE(words[0]);
        const Answer answer = world.ask(tina, words);
        CHECK(answer.code == "unknown-customer");
        CHECK(answer.text.find("nobody") != std::string::npos);
    }
    // Of the account of a program that has none.
    CHECK(world.ask(tina, {"activity"}).code == "no-account");
    CHECK(world.effects.records.size() == records);
}
