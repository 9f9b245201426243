#include <doctest/doctest.h>

#include "bank/evidence_file.h"
#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;
using Texts = std::vector<std::string>;

namespace {

// Alice, bob and carol: a cohort with two checkpoints, its end, another cohort, an end by force.
struct Told : EvidenceWorld {
    Told() {
        for (const char* name : {"alice", "bob", "carol"}) open(name, 100'00);
        join(1, {"alice", "bob", "carol"});
        send("alice", "bob", {10'00, 20'00});
        send("bob", "carol", {5'00}, false);
        REQUIRE(checkpoint({"bob", "alice"}));
        send("carol", "alice", {1'00});
        REQUIRE(checkpoint({"alice", "carol"}));
        end_cohort(1, {"alice", "bob", "carol"}, false);
        join(2, {"alice", "bob"});
        send("bob", "alice", {2'00, 3'00});
        REQUIRE(checkpoint({"alice", "bob"}));
        send("bob", "alice", {4'00}, false);
        REQUIRE(checkpoint({"bob"}));
        end_cohort(2, {"alice", "bob"}, true);
    }
    // The bank changes the bundle and signs it again.
    std::string changed(const std::function<void(std::vector<Item>&)>& change) {
        std::vector<Item> items = items_of(bundle());
        change(items);
        return sealed(items, context->identity);
    }
    std::string changed_account(const std::function<void(bank_evidence::Account&)>& change) {
        return changed([&](std::vector<Item>& items) {
            for (Item& item : items) {
                if (item.has_account()) return change(*item.mutable_account());
            }
        });
    }
};

}  // namespace

TEST_CASE("verify: an honest bundle holds") {
    Told told;
    const std::string bundle = told.bundle();
    const VerifyReport report = verify(bundle);
    for (const Problem& problem : report.problems) FAIL_CHECK(problem.code << ": " << problem.text);
    CHECK(report.accounts == 3);
    CHECK(report.statements == 15);
    CHECK(report.accusations.empty());
    CHECK(report.notes.empty());
    const std::string key = secure::fingerprint(told.context->identity.keys());
    CHECK(report.bank == key);
    const Answer answer = verify_answer(bundle, key);
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.text == "verify statements 15 accounts 3");
    CHECK(answer.lines == Texts{"the bank's key: " + key});
    CHECK(verify_answer(bundle, "").outcome == Outcome::success);
    CHECK(verify_answer(bundle, "1234").code == "bad-key");
    const std::string other = secure::fingerprint(told.at("bob").identity.keys());
    CHECK(verify_answer(bundle, other).code == "other-bank");
}

TEST_CASE("verify: a bank without customers") {
    EvidenceWorld world;
    const VerifyReport report = verify(world.bundle());
    CHECK(report.problems.empty());
    CHECK(report.accounts == 0);
}

TEST_CASE("verify: a bundle in which any bit was changed fails") {
    EvidenceWorld world;
    world.open("alice", 100);
    REQUIRE(world.checkpoint({"alice"}));
    std::string bundle = world.bundle();
    REQUIRE(verify(bundle).problems.empty());
    size_t held = 0;
    for (size_t i = 0; i < bundle.size() * 8; ++i) {
        const auto bit = static_cast<char>(1 << (i % 8));
        bundle[i / 8] = static_cast<char>(bundle[i / 8] ^ bit);
        held += verify(bundle).problems.empty();
        bundle[i / 8] = static_cast<char>(bundle[i / 8] ^ bit);
    }
    CHECK(held == 0);
    // Nor may an end be missing, or something be added.
    for (size_t size = 0; size < bundle.size(); ++size) {
        held += verify(std::string_view(bundle).substr(0, size)).problems.empty();
    }
    CHECK(held == 0);
    CHECK(codes(bundle + '\0') == std::set<std::string>{"bad-file"});
    CHECK(codes("") == std::set<std::string>{"bad-file"});
    CHECK(codes(std::string(kBundleMagic)) == std::set<std::string>{"bad-file"});
    CHECK(codes(std::string(kBundleMagic) + std::string(100, '\xff')) ==
          std::set<std::string>{"bad-file"});
}

TEST_CASE("verify: somebody else's seal") {
    Told told;
    const auto items = items_of(told.bundle());
    CHECK(codes(sealed(items, told.at("bob").identity)) == std::set<std::string>{"bad-signature"});
    // Under another bank's head the statements are for the wrong bank.
    auto taken = items;
    const secure::PublicKeys& keys = told.at("bob").identity.keys();
    taken[0].mutable_head()->set_channel_key(secure::to_bytes(keys.channel));
    taken[0].mutable_head()->set_signing_key(secure::to_bytes(keys.signing));
    CHECK(codes(sealed(taken, told.at("bob").identity)).contains("bad-signature"));
}

TEST_CASE("verify: statements to a key that the bank had before hold, with a note") {
    Told told;
    const secure::Identity fresh(KeyBytes{77});
    auto items = items_of(told.bundle());
    bank_evidence::Head* head = items[0].mutable_head();
    head->set_channel_key(secure::to_bytes(fresh.keys().channel));
    head->set_signing_key(secure::to_bytes(fresh.keys().signing));
    CHECK(codes(sealed(items, fresh)).contains("bad-signature"));
    const secure::PublicKeys& before = told.context->identity.keys();
    head->add_former()->set_channel_key(secure::to_bytes(before.channel));
    head->mutable_former(0)->set_signing_key(secure::to_bytes(before.signing));
    const std::string bundle = sealed(items, fresh);
    const VerifyReport report = verify(bundle);
    CHECK(report.problems.empty());
    REQUIRE(report.notes.size() == 1);
    CHECK(report.notes[0].starts_with("15 of the statements are to the key " +
                                      secure::fingerprint(before)));
    CHECK(verify_answer(bundle, secure::fingerprint(fresh.keys())).outcome == Outcome::success);
    // Who knows only the old one hears that the file is of another bank, and what that says of it.
    const Answer answer = verify_answer(bundle, secure::fingerprint(before));
    CHECK(answer.code == "other-bank");
    CHECK(answer.text.find("had the given key before") != std::string::npos);
}

TEST_CASE("verify: evidence names the keys that the bank had before") {
    Told told;
    told.context->state.bank_keys = {secure::Identity(KeyBytes{78}).keys(),
                                     told.context->identity.keys()};
    const auto items = items_of(told.bundle());
    REQUIRE(items[0].head().former_size() == 1);
    CHECK(items[0].head().former(0).signing_key() ==
          secure::to_bytes(told.context->state.bank_keys[0].signing));
    CHECK(verify(told.bundle()).problems.empty());
    CHECK(verify(told.bundle()).notes.empty());
}

TEST_CASE("verify: a bank that drops any one statement") {
    Told told;
    const auto items = items_of(told.bundle());
    size_t dropped = 0;
    for (size_t i = 0; i < items.size(); ++i) {
        if (!items[i].has_committed()) continue;
        auto fewer = items;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK(codes(sealed(fewer, told.context->identity)).contains("broken-chain"));
        ++dropped;
    }
    CHECK(dropped == 15);
}

TEST_CASE("verify: a bank that drops a last statement, or the row, of one member") {
    Told told;
    const auto texts = [](const std::string& bundle) {
        std::string all;
        for (const Problem& problem : verify(bundle).problems) all += problem.text + "; ";
        return all;
    };
    const auto is_last = [](const Item& item) {
        const auto statement = read_statement(item.committed().statement());
        return item.has_committed() && item.committed().name() == "carol" &&
               statement->kind() == wire::OPERATION_FREEZE;
    };
    CHECK(texts(told.changed([&](auto& items) {
              std::erase_if(items, is_last);
          })).find("carol has no last statement of its cohort; ") != std::string::npos);
    const auto is_row = [](const Item& item) { return item.account().name() == "carol"; };
    CHECK(texts(told.changed([&](auto& items) { std::erase_if(items, is_row); })) ==
          "the bank does not say where carol stands; ");
    // Signed by the customer, in place of what is before it.
    CHECK(texts(told.changed([&](auto& items) {
              for (Item& item : items) {
                  if (item.committed().name() != "carol" || item.committed().number() != 2)
                      continue;
                  wire::Statement statement = *read_statement(item.committed().statement());
                  statement.set_previous("");
                  *item.mutable_committed()->mutable_statement() = told.sign("carol", statement);
              }
          })).find("statement 2 of carol does not follow statement 1 of carol; ") !=
          std::string::npos);
}

TEST_CASE("verify: a bank that drops the newest statement of an account and its trace") {
    Told told;
    // The other end of the channel shows it.
    const std::string bundle = told.changed([&](std::vector<Item>& items) {
        std::map<std::string, std::vector<size_t>> of;
        for (size_t i = 0; i < items.size(); ++i) {
            if (items[i].has_committed()) of[items[i].committed().name()].push_back(i);
        }
        const auto& bobs = of["bob"];
        const bank_evidence::Committed before = items[bobs[bobs.size() - 3]].committed();
        for (Item& item : items) {
            if (!item.has_account() || item.account().name() != "bob") continue;
            item.mutable_account()->set_statements(before.number());
            item.mutable_account()->set_statement_digest(statement_digest(before.statement()));
        }
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(bobs[bobs.size() - 1]));
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(bobs[bobs.size() - 2]));
    });
    CHECK(codes(bundle).contains("cut-mismatch"));
}

TEST_CASE("verify: a bank that changes what it holds of an account") {
    using Account = bank_evidence::Account;
    Told told;
    const std::pair<const char*, std::function<void(Account&)>> cases[] = {
        {"bad-books",
         [](Account& a) { a.mutable_totals()->set_balance(a.totals().balance() - 1); }},
        {"bad-books", [](Account& a) { a.mutable_totals()->set_deposits(1); }},
        {"bad-books", [](Account& a) { a.mutable_totals()->set_withdrawals(1); }},
        {"bad-books", [](Account& a) { a.mutable_totals()->set_opening(1); }},
        {"bad-books", [](Account& a) { a.mutable_totals()->set_carried(1); }},
        {"bad-books", [](Account& a) { a.mutable_totals()->set_dealings(1); }},
        {"bad-books", [](Account& a) { a.set_exited(true); }},
        {"broken-chain", [](Account& a) { a.set_statements(a.statements() - 1); }},
        {"broken-chain", [](Account& a) { a.set_statement_digest("x"); }},
        {"broken-chain", [](Account& a) { a.set_name("dave"); }},
    };
    for (const auto& [code, change] : cases) {
        CHECK(codes(told.changed_account(change)).contains(code));
    }
    // A correction by the operator, of an account that no process has, is no statement.
    CHECK(codes(told.changed_account([](Account& a) {
              a.mutable_totals()->set_balance(a.totals().balance() + 7);
              a.mutable_totals()->set_adjustments(a.totals().adjustments() + 7);
              a.add_corrections(a.totals().adjustments());
          })).empty());
    CHECK(verify(told.changed_account([](Account& a) { a.set_signing_key("x"); })).notes.size() ==
          1);
}

TEST_CASE("verify: a bank that changes, moves or makes up what happened") {
    Told told;
    const auto with_committed = [&](const std::function<void(bank_evidence::Committed&)>& change) {
        return codes(told.changed([&](std::vector<Item>& items) {
            size_t seen = 0;
            for (Item& item : items) {
                if (item.has_committed() && ++seen == 4) change(*item.mutable_committed());
            }
        }));
    };
    using Committed = bank_evidence::Committed;
    CHECK(with_committed([](Committed& c) { c.set_name("carol"); }).contains("bad-signature"));
    CHECK(with_committed([](Committed& c) { c.set_number(7); }).contains("broken-chain"));
    CHECK(with_committed([](Committed& c) {
              c.set_signing_key(std::string(32, 'x'));
          }).contains("bad-signature"));
    CHECK(with_committed([](Committed& c) {
              c.mutable_statement()->mutable_statement()->back() ^= 1;
          }).contains("bad-signature"));
    CHECK(with_committed([](Committed& c) { c.set_position(1); }).contains("broken-chain"));
    // One of a cut on its own.
    CHECK(with_committed([](Committed& c) {
              c.set_position(c.position() + 1);
          }).contains("cut-mismatch"));
    // A cohort that did not end, or not so, or another one.
    const auto with_end = [&](const std::function<void(std::vector<Item>&, size_t)>& change) {
        return codes(told.changed([&](std::vector<Item>& items) {
            for (size_t i = 0; i < items.size(); ++i) {
                if (items[i].has_cohort_end()) return change(items, i);
            }
        }));
    };
    CHECK_FALSE(with_end([](std::vector<Item>& items, size_t i) {
                    items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
                }).empty());
    CHECK_FALSE(with_end([](std::vector<Item>& items, size_t i) {
                    items[i].mutable_cohort_end()->set_position(1);
                }).empty());
    CHECK_FALSE(with_end([](std::vector<Item>& items, size_t i) {
                    items[i].mutable_cohort_end()->set_cohort_name("cohort-9");
                }).empty());
    CHECK(codes(told.changed([](std::vector<Item>& items) {
              items.push_back(items.back());
          })).size() > 0);
    CHECK(codes(told.changed([](std::vector<Item>& items) { items.push_back(items[0]); })) ==
          std::set<std::string>{"bad-file"});
    CHECK(codes(told.changed([](std::vector<Item>& items) { items.erase(items.begin()); })) ==
          std::set<std::string>{"bad-file"});
}

TEST_CASE("verify: statements that a customer signed and that do not add up") {
    // A bank that takes them is as much to blame.
    Told told;
    const std::string bundle = told.changed([&](std::vector<Item>& items) {
        for (Item& item : items) {
            if (!item.has_committed() || item.committed().number() != 2) continue;
            wire::Statement statement = *read_statement(item.committed().statement());
            statement.mutable_totals()->set_balance(statement.totals().balance() + 1);
            *item.mutable_committed()->mutable_statement() =
                told.sign(item.committed().name(), statement);
            return;
        }
    });
    CHECK(codes(bundle).contains("bad-books"));
}

TEST_CASE("verify: what is shown of a file is text") {
    Told told;
    const Answer answer =
        verify_answer(told.changed_account([](auto& a) { a.set_name("\x1b[2J\n"); }), "");
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.text.find('\x1b') == std::string::npos);
    CHECK(answer.text.find("?[2J?") != std::string::npos);
}

TEST_CASE("verify: the file is written where it overwrites nothing else, and not in clear") {
    EvidenceWorld world;
    const EvidenceFile file(*world.context, [] { return JobId(1); });
    CHECK(file.check("november.evidence").ok());
    CHECK(file.check("folder/november.evidence").ok());
    for (const char* path :
         {"data.csv", "", ".evidence", "x/.evidence", "x.evidence/", "evidence"}) {
        CHECK_FALSE(file.check(path).ok());
    }
    EvidenceWorld clear(true);
    const EvidenceFile none(*clear.context, [] { return JobId(1); });
    CHECK(none.check("november.evidence").error().code == "not-signed");
}
