// How a bank may be started with the records of an earlier run: with which key, sealed or in clear.
#include <doctest/doctest.h>

#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Record = bank::State::Record;
using Records = std::vector<std::string>;

Records snapshot_of(const Bank& bank) {
    Records records;
    bank.snapshot([&](std::string record) { records.push_back(std::move(record)); });
    return records;
}

// As an earlier version has written them, which said nothing of keys and modes.
Records of_before(const Records& records) {
    Records older;
    for (const std::string& bytes : records) {
        Record record;
        REQUIRE(record.ParseFromString(bytes));
        if (record.has_started()) record.mutable_started()->clear_keys();
        if (record.has_snapshot()) {
            record.mutable_snapshot()->clear_bank_keys();
            record.mutable_snapshot()->clear_sealed();
            record.mutable_snapshot()->clear_in_clear();
        }
        older.push_back(record.SerializeAsString());
    }
    return older;
}

// A bank that has read these records and is about to start.
std::unique_ptr<Bank> about_to_start(const Records& records, bool insecure, unsigned char key) {
    BankSettings settings = BankWorld::settings(insecure);
    settings.key_seed = bank_seed(key);
    auto bank = std::make_unique<Bank>(settings);
    for (const std::string& record : records) REQUIRE(bank->replay(record).ok());
    return bank;
}
Fit fit(const Records& records, bool insecure, unsigned char key, bool had_key = true) {
    return about_to_start(records, insecure, key)->fit(had_key);
}

constexpr unsigned char kOwnKey = 32;  // as BankWorld has it
constexpr unsigned char kOtherKey = 33;

}  // namespace

TEST_CASE("modes: accounts with keys hold the bank to its key, and to being sealed") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    const std::string known = secure::fingerprint(secure::Identity(bank_seed(kOwnKey)).keys());
    for (const Records& records :
         {world.effects.records, snapshot_of(world.bank()), of_before(world.effects.records),
          of_before(snapshot_of(world.bank()))}) {
        CHECK(fit(records, true, kOwnKey) == Fit::sealed);
        CHECK(fit(records, false, kOwnKey) == Fit::fits);
    }
    for (const Records& records : {world.effects.records, snapshot_of(world.bank())}) {
        CHECK(fit(records, false, kOwnKey, false) == Fit::fits);
        CHECK(fit(records, false, kOtherKey) == Fit::other_key);
        CHECK(about_to_start(records, false, kOtherKey)->known_key() == known);
    }
    // Which key it was is not known: what is there counts, and one drawn just now does not.
    const Records older = of_before(world.effects.records);
    CHECK(fit(older, false, kOtherKey, false) == Fit::other_key);
    CHECK(about_to_start(older, false, kOtherKey)->known_key().empty());
    // Nobody's any more, it was signed with keys all the same.
    Record unbound;
    unbound.mutable_bound()->set_name("alice");
    Records freed = world.effects.records;
    freed.push_back(unbound.SerializeAsString());
    for (const Records& records : {freed, snapshot_of(*about_to_start(freed, false, kOwnKey))}) {
        CHECK(fit(records, true, kOwnKey) == Fit::sealed);
        CHECK(fit(records, false, kOwnKey) == Fit::fits);
    }
}

TEST_CASE("modes: accounts in clear stay in clear") {
    BankWorld world(true);
    world.customer("alice", 1, 9'001);
    for (const Records& records :
         {world.effects.records, snapshot_of(world.bank()), of_before(world.effects.records),
          of_before(snapshot_of(world.bank()))}) {
        CHECK(fit(records, true, kOwnKey) == Fit::fits);
        CHECK(fit(records, false, kOwnKey) == Fit::in_clear);
        CHECK(fit(records, false, kOwnKey, false) == Fit::in_clear);
    }
}

TEST_CASE("modes: what no process has had is free for either, and for any key") {
    for (const bool insecure : {true, false}) {
        BankWorld world(insecure);
        world.type("open alice 5 127.0.0.1 9003 9103");
        for (const Records& records : {world.effects.records, snapshot_of(world.bank())}) {
            CHECK(fit(records, true, kOwnKey) == Fit::fits);
            CHECK(fit(records, false, kOwnKey) == Fit::fits);
            CHECK(fit(records, false, kOtherKey, false) == Fit::fits);
        }
    }
}

TEST_CASE("modes: the bank remembers the keys that it had, the newest last") {
    BankWorld world;
    world.customer("alice", 1, 9'001);
    Records records = world.effects.records;
    for (const unsigned char key : {kOtherKey, kOwnKey, kOwnKey, kOtherKey}) {
        const auto bank = about_to_start(records, false, key);
        RecordedEffects effects;
        bank->start(world.now, effects);
        records.insert(records.end(), effects.records.begin(), effects.records.end());
        CHECK(fit(records, false, key) == Fit::fits);
        const auto& keys = bank->state().bank_keys;
        REQUIRE(keys.size() == 2);
        CHECK(keys.back() == secure::Identity(bank_seed(key)).keys());
        CHECK(keys.front() != keys.back());
        CHECK(about_to_start(snapshot_of(*bank), false, key)->state().bank_keys == keys);
    }
}
