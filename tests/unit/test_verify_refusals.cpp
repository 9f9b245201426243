// What `bank verify` refuses in a file: frames that hold nothing, what stands there twice, and
// statements of which none can have become permanent where it stands.
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sodium.h>

#include "common/base/limits.h"
#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;
using namespace p2pbank::bank;
using Texts = std::vector<std::string>;

namespace {

// A bundle that a bank writes by hand: what its customers have signed, where it likes.
struct Written {
    EvidenceWorld world;
    std::vector<Item> items;
    uint64_t position = 1'000;

    Written() {
        world.open("alice", 100'00);
        world.open("bob", 100'00);
        items.push_back(items_of(world.bundle())[0]);
        REQUIRE(items[0].has_head());
    }
    Signer& at(const std::string& name) { return world.at(name); }

    // The next statement of that account, in a cut of its own if nothing else is said.
    void commit(const std::string& name, const std::string& initiator, wire::OperationKind kind,
                bool same_cut = false) {
        Signer& signer = at(name);
        const OperationId id =
            initiator.empty() ? OperationId() : OperationId{initiator, 1, position};
        const wire::Statement statement = world.statement(signer, id, kind);
        const wire::SignedStatement signed_one = world.sign(name, statement);
        commit(name, signer, signed_one, statement.number(), same_cut);
        signer.number = statement.number();
        signer.digest = statement_digest(signed_one);
        signer.permanent.channels = signer.channels;
    }
    void commit(const std::string& name, const Signer& signer,
                const wire::SignedStatement& signed_one, uint64_t number, bool same_cut) {
        if (!same_cut) ++position;
        bank_evidence::Committed* committed = items.emplace_back().mutable_committed();
        committed->set_position(position);
        committed->set_name(name);
        committed->set_number(number);
        committed->set_signing_key(secure::to_bytes(signer.identity.keys().signing));
        *committed->mutable_statement() = signed_one;
    }
    void end(const std::string& cohort_name) {
        bank_evidence::CohortEnd* end = items.emplace_back().mutable_cohort_end();
        end->set_position(++position);
        end->set_cohort(1);
        end->set_cohort_name(cohort_name);
    }
    std::string bundle() const { return sealed(items, world.context->identity); }
    // Those with that code, of everything but where the bank says that the accounts stand.
    Texts problems(const std::string& code) const {
        Texts texts;
        for (const Problem& problem : verify(bundle()).problems) {
            const bool of_rows = problem.text.starts_with("the bank does not say where");
            if (problem.code == code && !of_rows) texts.push_back(problem.text);
        }
        return texts;
    }
};

std::string frame_of(const std::string& content) {
    std::string digest(crypto_generichash_BYTES, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                       reinterpret_cast<const unsigned char*>(content.data()), content.size(),
                       nullptr, 0);
    return std::string{static_cast<char>(content.size()), '\0', '\0', '\0'} + digest + content;
}

// The only problem with the file.
std::string problem_of(const std::string& bundle) {
    const VerifyReport report = verify(bundle);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].code == "bad-file");
    CHECK(report.bank.empty());
    CHECK(verify_answer(bundle, "").outcome == Outcome::failure);
    return report.problems[0].text;
}

}  // namespace

TEST_CASE("verify: a frame that holds nothing, or what no item is, is named with its place") {
    const Written written;
    std::string begin(kBundleMagic);
    append_item(begin, written.items[0]);
    const std::string place = " at byte " + std::to_string(begin.size());
    for (const std::string& content :
         {std::string(), std::string("\xff\xff\xff"), std::string("\x0a\x7f", 2),
          std::string("\xfa\x01\x00", 3)}) {
        std::string bundle = begin + frame_of(content);
        append_seal(bundle, written.world.context->identity);
        CHECK(problem_of(bundle) == "a frame without an item" + place);
    }
    std::string whole = begin;
    append_seal(whole, written.world.context->identity);
    REQUIRE(verify(whole).problems.empty());
    CHECK(problem_of(begin) == "no seal" + place);
    CHECK(problem_of(begin + std::string(10, '\1')) == "a frame that is cut off" + place);
    CHECK(problem_of(whole + whole) ==
          "something behind the seal at byte " + std::to_string(whole.size()));
    // Behind the seal there is nothing, however often it is asked for.
    auto reader = BundleReader::open(whole);
    REQUIRE(reader.ok());
    for (const bool is_there : {true, true, false, false}) {
        const auto next = reader.value().next();
        REQUIRE(next.ok());
        CHECK(next.value().has_value() == is_there);
    }
}

TEST_CASE("verify: a bank without keys has signed nothing") {
    Written written;
    const bank_evidence::Head head = written.items[0].head();
    for (const char* key : {"", "short"}) {
        *written.items[0].mutable_head() = head;
        written.items[0].mutable_head()->set_channel_key(key);
        CHECK(problem_of(written.bundle()) == "the bank's keys are none");
        *written.items[0].mutable_head() = head;
        written.items[0].mutable_head()->set_signing_key(key);
        CHECK(problem_of(written.bundle()) == "the bank's keys are none");
    }
}

TEST_CASE("verify: what can be there only once is not taken twice") {
    const Written one;
    const auto twice = [&](const std::function<void(Item&)>& make) {
        Written written;
        make(written.items.emplace_back());
        make(written.items.emplace_back());
        return problem_of(written.bundle());
    };
    CHECK(twice([](Item& item) { item.mutable_cohort_end()->set_position(7); }) ==
          "the same thing twice");
    CHECK(twice([](Item& item) { item.mutable_accused()->set_position(7); }) ==
          "the same thing twice");
    CHECK(twice([&](Item& item) { item = one.items[0]; }) == "the same thing twice");
    CHECK(twice([](Item& item) { item.mutable_account()->set_name("alice"); }) ==
          "the account alice twice");
}

TEST_CASE("verify: many problems are counted, and not all are shown") {
    for (const size_t count : {size_t{100}, size_t{101}, size_t{250}}) {
        CAPTURE(count);
        Written written;
        for (size_t i = 0; i < count; ++i) {
            bank_evidence::Account* account = written.items.emplace_back().mutable_account();
            account->set_name("c" + std::to_string(i));
            account->set_statements(1);
        }
        const Answer answer = verify_answer(written.bundle(), "");
        CHECK(answer.code == "broken-chain");
        CHECK(answer.text ==
              "the bank says that c0 stands at statement 1, and 0 is the last that is here");
        // One is the text, and the last line is the bank's key.
        CHECK(answer.lines.size() == (count == 100 ? 100 : 101));
        CHECK(answer.lines[98].starts_with("broken-chain: the bank says that c99 stands"));
        if (count > 100) CHECK(answer.lines[99] == "and " + std::to_string(count - 100) + " more");
        CHECK(answer.lines.back().starts_with("the bank's key: "));
    }
}

TEST_CASE("verify: a file in which nobody has signed anything says that it shows nothing") {
    const Written written;
    const Answer answer = verify_answer(written.bundle(), "");
    CHECK(answer.outcome == Outcome::success);
    CHECK(answer.text == "verify statements 0 accounts 0");
    REQUIRE(answer.lines.size() == 2);
    CHECK(answer.lines[0] == "note: nothing is signed in it: it shows nothing");
}

TEST_CASE("verify: statements of a kind that cannot follow are found, whoever has signed them") {
    constexpr auto kJoin = wire::OPERATION_JOIN;
    constexpr auto kFreeze = wire::OPERATION_FREEZE;
    constexpr auto kCheckpoint = wire::OPERATION_CHECKPOINT;
    constexpr auto kLast = wire::OPERATION_NONE;
    struct Step {
        const char* initiator;
        wire::OperationKind kind;
        uint64_t cohort;
    };
    const std::pair<std::vector<Step>, const char*> cases[] = {
        {{{"", kLast, 0}, {"alice", kCheckpoint, 0}},
         "statement 2 of alice comes behind the end of the account"},
        {{{"bank:one", kJoin, 0}, {"bank:two", kJoin, 0}},
         "statement 2 of alice joins a cohort from within another one"},
        {{{"bob", kJoin, 0}}, "statement 1 of alice joins a cohort that the bank did not form"},
        {{{"bank:one", kFreeze, 0}},
         "statement 1 of alice is the last of a cohort that the account is not in"},
        {{{"bank:one", kJoin, 0}, {"bank:two", kFreeze, 1}},
         "statement 2 of alice is the last of a cohort that the account is not in"},
        {{{"alice", kCheckpoint, 7}},
         "statement 1 of alice is of another cohort than the account was in"},
        {{{"bank:one", kJoin, 0}, {"alice", kCheckpoint, 0}},
         "statement 2 of alice is of another cohort than the account was in"},
        {{{"bank:one", kJoin, 0}, {"alice", kCheckpoint, 1}, {"alice", kCheckpoint, 2}},
         "statement 3 of alice is of another cohort than the account was in"},
        {{{"alice", wire::OPERATION_ROLLBACK, 0}}, "statement 1 of alice is of no known kind"},
        {{{"bank:one", kJoin, 0}, {"", kLast, 1}},
         "statement 2 of alice closes the account within a cohort"},
    };
    for (const auto& one : cases) {
        const std::string text = one.second;
        CAPTURE(text);
        Written written;
        for (const Step& step : one.first) {
            written.at("alice").cohort = step.cohort;
            written.commit("alice", step.initiator, step.kind);
        }
        const Texts problems = written.problems("bad-books");
        CHECK(std::find(problems.begin(), problems.end(), text) != problems.end());
    }
    // And what can follow is no problem.
    Written written;
    written.commit("alice", "alice", kCheckpoint);
    written.commit("alice", "bank:one", kJoin);
    written.at("alice").cohort = 1;
    written.commit("alice", "alice", kCheckpoint);
    written.commit("alice", "bank:one", kFreeze);
    written.end("one");
    written.at("alice").cohort = 0;
    written.commit("alice", "", kLast);
    CHECK(written.problems("bad-books").empty());
    CHECK(written.problems("broken-chain").empty());
    CHECK(written.problems("cut-mismatch").empty());
}

TEST_CASE("verify: one cut is of one operation, and has one statement of each") {
    Written written;
    written.commit("alice", "alice", wire::OPERATION_CHECKPOINT);
    written.commit("bob", "bob", wire::OPERATION_CHECKPOINT, true);
    CHECK(written.problems("cut-mismatch") ==
          Texts{"bob and alice are in one cut with statements for different operations"});
    Written again;
    again.commit("alice", "alice", wire::OPERATION_CHECKPOINT);
    again.commit("alice", "alice", wire::OPERATION_CHECKPOINT, true);
    CHECK(again.problems("broken-chain") == Texts{"two statements of alice in one cut"});
}

TEST_CASE("verify: transfers are with members of the own cohort, at every cut") {
    Written written;
    written.commit("alice", "bank:one", wire::OPERATION_JOIN);
    written.at("alice").cohort = 1;
    Channel& channel = written.at("alice").channels["bob"];
    channel.sent_last = Label(1);
    channel.sent_sum = Money::from_cents(5'00);
    written.at("alice").totals.balance = Money::from_cents(95'00);
    written.commit("alice", "alice", wire::OPERATION_CHECKPOINT);
    CHECK(written.problems("cut-mismatch") ==
          Texts{"statement 2 of alice has transfers with bob, who is not in its cohort"});
}

TEST_CASE(
    "verify: a cohort of which nothing is there, or of more than there can be, does not end") {
    Written written;
    written.end("one");
    CHECK(written.problems("broken-chain") ==
          Texts{"the end of one, of which nothing else is there"});
    for (const size_t members : {limits::kMaxCohort, limits::kMaxCohort + 1}) {
        Written large;
        // One key may sign for all: that is no concern of who reads the books.
        Signer one("alice", 9);
        one.totals.opening = one.totals.balance = Money::from_cents(1'00);
        for (size_t i = 0; i < members; ++i) {
            one.name = "c" + std::to_string(i);
            const auto signed_one = sign_statement(
                &one.identity,
                large.world.statement(one, {"bank:large", 1, 1}, wire::OPERATION_JOIN));
            large.commit(one.name, one, signed_one, 1, i > 0);
        }
        large.end("large");
        const Texts expected = members > limits::kMaxCohort
                                   ? Texts{"large has more members than a cohort can have"}
                                   : Texts{};
        CHECK(large.problems("bad-books") == expected);
    }
}
