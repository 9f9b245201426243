// What customers sign: statements, and their word for transfers.
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/core/statement.h"
#include "common/wire/convert.h"
#include "tests/unit/customer_world.h"

using namespace p2pbank;

namespace {

wire::Transfers transfers_of(uint64_t first, std::vector<uint64_t> gaps,
                             std::vector<uint64_t> amounts) {
    wire::Transfers out;
    out.set_first_label(first);
    for (const uint64_t gap : gaps) out.add_gaps(gap);
    for (const uint64_t amount : amounts) out.add_amounts(amount);
    return out;
}

const ChannelContext kContext{"alice", "bob", CohortId(7), Epoch(3)};

wire::SignedTransfers item_of(const secure::Identity& identity, const ChannelContext& context,
                              const wire::Transfers& transfers) {
    wire::SignedTransfers item;
    item.set_epoch(context.epoch.value());
    *item.add_transfers() = transfers;
    *item.mutable_signed_() =
        sign_transfers(identity, {std::string(32, 'x'), transfers_digest(context, transfers)});
    return item;
}

wire::Statement statement_of(const std::string& name) {
    wire::Statement statement;
    statement.set_bank(std::string(32, 'b'));
    statement.set_name(name);
    statement.set_number(4);
    statement.set_previous(std::string(32, 'p'));
    statement.mutable_totals()->set_balance(10'000);
    return statement;
}

}  // namespace

TEST_CASE("statement: whoever changes any number or name of a message changes its digest") {
    const wire::Transfers base = transfers_of(5, {0, 1, 3}, {100, 200, 300});
    std::vector<std::string> digests{transfers_digest(kContext, base)};
    CHECK(digests[0].size() == 32);
    CHECK(digests[0] == transfers_digest(kContext, base));
    for (const ChannelContext& other :
         std::vector<ChannelContext>{{"alicf", "bob", CohortId(7), Epoch(3)},
                                     {"alice", "bobb", CohortId(7), Epoch(3)},
                                     {"aliceb", "ob", CohortId(7), Epoch(3)},
                                     {"bob", "alice", CohortId(7), Epoch(3)},
                                     {"alice", "bob", CohortId(8), Epoch(3)},
                                     {"alice", "bob", CohortId(7), Epoch(4)},
                                     {"alice", "bob", CohortId(3), Epoch(7)}}) {
        digests.push_back(transfers_digest(other, base));
    }
    for (const wire::Transfers& other :
         {transfers_of(6, {0, 1, 3}, {100, 200, 300}), transfers_of(5, {1, 1, 3}, {100, 200, 300}),
          transfers_of(5, {0, 2, 3}, {100, 200, 300}), transfers_of(5, {0, 1, 4}, {100, 200, 300}),
          transfers_of(5, {0, 1, 3}, {101, 200, 300}), transfers_of(5, {0, 1, 3}, {100, 201, 300}),
          transfers_of(5, {0, 1, 3}, {100, 200, 301}), transfers_of(5, {0, 1, 3}, {200, 100, 300}),
          transfers_of(5, {0, 1}, {3, 100, 200, 300}), transfers_of(5, {}, {100, 200, 300}),
          transfers_of(5, {0, 1, 3}, {100, 200}), transfers_of(5, {0, 1, 3}, {})}) {
        digests.push_back(transfers_digest(kContext, other));
    }
    CHECK(std::set<std::string>(digests.begin(), digests.end()).size() == digests.size());
}

TEST_CASE("statement: the digest of a message that does not fit into one piece of memory") {
    wire::Transfers large = transfers_of(1, {}, {});
    for (uint64_t i = 1; i <= 1'000; ++i) large.add_amounts(i);
    wire::Transfers other = large;
    other.set_amounts(900, 7);
    CHECK(transfers_digest(kContext, large) != transfers_digest(kContext, other));
    const std::string name(5'000, 'n');
    const ChannelContext context{name, "bob", CohortId(7), Epoch(3)};
    CHECK(transfers_digest(context, large) != transfers_digest(kContext, large));
}

TEST_CASE("statement: transfers are read as they are written") {
    const auto follow = read_transfers(transfers_of(5, {}, {100, 200}));
    REQUIRE(follow.has_value());
    CHECK(*follow == std::vector<Transfer>{{Label(5), Money::from_cents(100)},
                                           {Label(6), Money::from_cents(200)}});
    const auto gapped = read_transfers(transfers_of(5, {2, 1, 4}, {1, 2, 3}));
    REQUIRE(gapped.has_value());
    CHECK((*gapped)[0].label == Label(7));
    CHECK((*gapped)[2].label == Label(12));
    CHECK(read_transfers(transfers_of(kMaxLabel, {}, {1})).has_value());
}

TEST_CASE("statement: what nobody who keeps to the protocol sends is no message") {
    const auto most = static_cast<uint64_t>(limits::kMaxAmountUnits) * 100;
    CHECK(read_transfers(transfers_of(1, {}, {most})).has_value());
    for (const wire::Transfers& wrong :
         {transfers_of(0, {}, {100}), transfers_of(1, {}, {}), transfers_of(1, {0}, {1, 2}),
          transfers_of(1, {0, 0}, {1, 2}), transfers_of(1, {}, {1, 0}),
          transfers_of(1, {}, {most + 1}), transfers_of(kMaxLabel + 1, {}, {1}),
          transfers_of(kMaxLabel, {}, {1, 1}), transfers_of(1, {0, UINT64_MAX}, {1, 2}),
          transfers_of(UINT64_MAX, {1}, {1}), transfers_of(2, {UINT64_MAX}, {1})}) {
        CHECK_FALSE(read_transfers(wrong).has_value());
    }
    wire::Transfers many = transfers_of(1, {}, {});
    for (size_t i = 0; i < limits::kMaxTransfersInDatagram; ++i) many.add_amounts(1);
    CHECK(read_transfers(many).has_value());
    many.add_amounts(1);
    CHECK_FALSE(read_transfers(many).has_value());
}

TEST_CASE("statement: one signature stands for all digests, in their order") {
    const secure::Identity alice(seed_of(1));
    const secure::Identity bob(seed_of(2));
    std::vector<std::string> digests;
    for (size_t i = 0; i < limits::kMaxDigestsInSigned; ++i) {
        digests.emplace_back(32, static_cast<char>('a' + i));
    }
    const wire::Signed word = sign_transfers(alice, digests);
    CHECK(is_signed_by(word, alice.keys().signing));
    CHECK_FALSE(is_signed_by(word, bob.keys().signing));
    CHECK_FALSE(is_signed_by(word, KeyBytes{}));
    CHECK(word.ByteSizeLong() + 50 < 3 * limits::kMaxFragmentBytes);

    wire::Signed changed = word;
    changed.mutable_digests()->SwapElements(0, 1);
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
    changed = word;
    changed.mutable_digests()->RemoveLast();
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
    // The same bytes, cut otherwise.
    changed = word;
    changed.mutable_digests(0)->push_back(changed.digests(1)[0]);
    changed.mutable_digests(1)->erase(0, 1);
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
    changed = word;
    changed.clear_digests();
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
    changed = word;
    changed.mutable_signature()->back() = static_cast<char>(changed.signature().back() ^ 1);
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
    changed = word;
    changed.add_digests(std::string(32, 'z'));
    CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
}

TEST_CASE("statement: signed transfers are proof of exactly what was sent, by whom and to whom") {
    const secure::Identity alice(seed_of(1));
    const secure::Identity bob(seed_of(2));
    const KeyBytes& key = alice.keys().signing;
    const wire::SignedTransfers item = item_of(alice, kContext, transfers_of(5, {}, {100, 200}));
    CHECK(proves(kContext, item, key));
    CHECK_FALSE(proves(kContext, item, bob.keys().signing));
    for (const ChannelContext& other :
         std::vector<ChannelContext>{{"carol", "bob", CohortId(7), Epoch(3)},
                                     {"alice", "carol", CohortId(7), Epoch(3)},
                                     {"alice", "bob", CohortId(6), Epoch(3)},
                                     {"alice", "bob", CohortId(7), Epoch(2)}}) {
        CHECK_FALSE(proves(other, item, key));
    }
    wire::SignedTransfers changed = item;
    changed.mutable_transfers(0)->set_amounts(1, 201);
    CHECK_FALSE(proves(kContext, changed, key));
    changed = item;
    changed.mutable_transfers(0)->set_first_label(4);
    CHECK_FALSE(proves(kContext, changed, key));
    changed = item;
    changed.set_epoch(2);
    CHECK_FALSE(proves(kContext, changed, key));
    changed = item;
    changed.mutable_signed_()->mutable_digests()->RemoveLast();
    CHECK_FALSE(proves(kContext, changed, key));
    // Every message has to be one of those that were signed.
    changed = item;
    *changed.add_transfers() = item.transfers(0);
    CHECK(proves(kContext, changed, key));
    changed.mutable_transfers(1)->set_amounts(0, 101);
    CHECK_FALSE(proves(kContext, changed, key));
    changed.clear_transfers();
    CHECK_FALSE(proves(kContext, changed, key));
    // Signed, and still no message of the protocol.
    CHECK_FALSE(proves(kContext, item_of(alice, kContext, transfers_of(5, {}, {0})), key));
}

TEST_CASE("statement: a statement is what its bytes say") {
    const secure::Identity alice(seed_of(1));
    const secure::Identity bob(seed_of(2));
    const wire::SignedStatement made = sign_statement(&alice, statement_of("alice"));
    CHECK(is_signed_by(made, alice.keys().signing));
    CHECK_FALSE(is_signed_by(made, bob.keys().signing));
    const auto read = read_statement(made);
    REQUIRE(read.has_value());
    CHECK(read->name() == "alice");
    CHECK(read->totals().balance() == 10'000);
    CHECK(statement_digest(made).size() == 32);

    for (size_t i = 0; i < made.statement().size(); ++i) {
        wire::SignedStatement changed = made;
        (*changed.mutable_statement())[i] = static_cast<char>(changed.statement()[i] ^ 1);
        CHECK_FALSE(is_signed_by(changed, alice.keys().signing));
        CHECK(statement_digest(changed) != statement_digest(made));
    }
    // A word for transfers is none for a statement, even if the bytes were the same.
    wire::SignedStatement other;
    other.set_statement(std::string(32, 'x'));
    other.set_signature(sign_transfers(alice, {std::string(32, 'x')}).signature());
    CHECK_FALSE(is_signed_by(other, alice.keys().signing));

    other.set_statement("\xff\xff\xff");
    CHECK_FALSE(read_statement(other).has_value());
}

TEST_CASE("statement: in clear nothing is signed") {
    const wire::SignedStatement made = sign_statement(nullptr, statement_of("alice"));
    CHECK(made.signature().empty());
    REQUIRE(read_statement(made).has_value());
    CHECK(statement_digest(made).size() == 32);
}
