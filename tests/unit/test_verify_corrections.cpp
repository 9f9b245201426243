// What `bank verify` says of the bank's own word: its former keys, and the operator's corrections.
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;

TEST_CASE(
    "verify: keys that the bank had before are keys, or what is signed for them has no note") {
    EvidenceWorld world;
    world.open("alice", 100'00);
    REQUIRE(world.checkpoint({"alice"}));
    const secure::Identity fresh(KeyBytes{77});
    auto items = items_of(world.bundle());
    bank_evidence::Head* head = items[0].mutable_head();
    head->set_channel_key(secure::to_bytes(fresh.keys().channel));
    head->set_signing_key(secure::to_bytes(fresh.keys().signing));
    const secure::PublicKeys& before = world.context->identity.keys();
    head->add_former()->set_signing_key(secure::to_bytes(before.signing));
    // Without the other key there would be nothing to compare.
    for (const char* channel : {"", "no key"}) {
        head->mutable_former(0)->set_channel_key(channel);
        CHECK(codes(sealed(items, fresh)) == std::set<std::string>{"bad-file"});
    }
    head->mutable_former(0)->set_channel_key(secure::to_bytes(before.channel));
    CHECK(codes(sealed(items, fresh)).empty());
    CHECK(bank::verify(sealed(items, fresh)).notes.size() == 1);
}

TEST_CASE("verify: a correction of the operator is in the list, or is noted") {
    EvidenceWorld world;
    world.open("alice", 100'00);
    REQUIRE(world.checkpoint({"alice"}));
    const auto report = [&](const std::vector<int64_t>& corrections) {
        auto items = items_of(world.bundle());
        for (Item& item : items) {
            if (!item.has_account()) continue;
            bank_evidence::Account* account = item.mutable_account();
            account->mutable_totals()->set_balance(account->totals().balance() + 7'00);
            account->mutable_totals()->set_adjustments(7'00);
            account->clear_corrections();
            for (const int64_t cents : corrections) account->add_corrections(cents);
        }
        return bank::verify(sealed(items, world.context->identity));
    };
    // Made of nothing, with a list that does not have it.
    for (const auto& list : {std::vector<int64_t>{0}, std::vector<int64_t>{0, 5'00}}) {
        const auto found = report(list);
        REQUIRE(found.problems.size() == 1);
        CHECK(found.problems[0].code == "bad-books");
        CHECK(found.problems[0].text ==
              "the bank has corrections of 7 for alice that it does not say it made");
    }
    // The bank no longer knows all of them: its word alone.
    for (const auto& list : {std::vector<int64_t>{}, std::vector<int64_t>{5'00, 7'00}}) {
        const auto found = report(list);
        CHECK(found.problems.empty());
        REQUIRE(found.notes.size() == 1);
        CHECK(found.notes[0].starts_with("the balance of alice was corrected by 7 in all"));
    }
    const auto listed = report({0, 7'00});
    CHECK(listed.problems.empty());
    CHECK(listed.notes.size() == 1);
}
