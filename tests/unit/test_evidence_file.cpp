// `audit --evidence` when it cannot be written: one FAILURE, with what the audit says all the same.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "bank/evidence_file.h"
#include "common/base/limits.h"
#include "tests/unit/bank_world.h"
#include "tests/unit/bundle_helpers.h"

using namespace p2pbank;

namespace {

// The size of the statements, the ends of cohorts, the accusations, the statements, the file.
constexpr size_t kSteps = 5;

struct Writing {
    EvidenceWorld world;
    uint64_t jobs = 0;
    size_t answers = 0;
    Answer answer;
    bank::EvidenceFile file{*world.context, [this] { return JobId(++jobs); }};

    Writing() {
        world.open("alice", 100'00);
        Answer audit = success("audit balances 100");
        audit.line("alice 100");
        file.write("some.evidence", std::move(audit), [this](Answer given) {
            answer = std::move(given);
            ++answers;
        });
    }
    // The job under way, which ends so. False if there is none.
    std::optional<Job> step(Result<void> outcome, std::vector<Row> rows = {}) {
        if (world.effects.jobs.empty()) return std::nullopt;
        CHECK(answers == 0);
        auto started = std::exchange(world.effects.jobs, {});
        REQUIRE(started.size() == 1);
        JobResult result;
        result.outcome = std::move(outcome);
        result.rows = std::move(rows);
        if (const auto* query = std::get_if<Query>(&started[0].work)) result.text = query->head;
        REQUIRE(file.on_job(started[0].id, result));
        CHECK_FALSE(file.on_job(started[0].id, result));  // once
        return std::move(started[0].work);
    }
};

}  // namespace

TEST_CASE("evidence file: a step that fails ends it, and the audit is shown all the same") {
    for (size_t failing = 0; failing < kSteps; ++failing) {
        CAPTURE(failing);
        Writing writing;
        for (size_t i = 0; i < failing; ++i) {
            const auto job = writing.step({});
            REQUIRE(job);
            CHECK(std::holds_alternative<Query>(*job));
        }
        const auto job = writing.step(Error{"io-error", "the disk is gone"});
        REQUIRE(job);
        CHECK(std::holds_alternative<WriteFiles>(*job) == (failing + 1 == kSteps));
        CHECK(writing.answers == 1);
        CHECK(writing.answer.outcome == Outcome::failure);
        CHECK(writing.answer.code == "io-error");
        CHECK(writing.answer.text == "the disk is gone");
        CHECK(writing.answer.lines == std::vector<std::string>{"audit balances 100", "alice 100"});
        CHECK_FALSE(writing.step({}));
    }
    Writing writing;
    for (size_t i = 0; i + 1 < kSteps; ++i) REQUIRE(writing.step({}));
    const auto job = writing.step({});
    REQUIRE(job);
    CHECK(std::get<WriteFiles>(*job).folder == ".");
    CHECK(std::get<WriteFiles>(*job).files[0].first == "some.evidence");
    CHECK(writing.answers == 1);
    CHECK(writing.answer.text == "audit balances 100");
}

TEST_CASE("evidence file: more than a file can hold is refused before it is read") {
    constexpr auto kMost = static_cast<int64_t>(limits::kMaxEvidenceFileBytes);
    for (const bool fits : {true, false}) {
        Writing writing;
        // As they are in the database: in base 64, which is a third more.
        const int64_t bytes = fits ? kMost : kMost / 3 * 4 + 4;
        REQUIRE(writing.step({}, {Row{int64_t{1'000}, bytes}}));
        CHECK(writing.answers == (fits ? 0 : 1));
        CHECK(writing.world.effects.jobs.size() == (fits ? 1 : 0));
        if (fits) continue;
        CHECK(writing.answer.code == "limit");
        CHECK(writing.answer.text.find("too large for one file") != std::string::npos);
        CHECK(writing.answer.lines.size() == 2);
    }
}

TEST_CASE("evidence file: the console is told why there is none, and can ask again") {
    BankWorld world;
    const auto audit = [&](bool fails) {
        static uint64_t commands = 7'000;
        const CommandId id(++commands);
        world.bank().on_command(world.now, id, "audit --evidence x/some.evidence", world.effects);
        world.deliver();
        for (int i = 0; i < 20 && !world.effects.answers.contains(id); ++i) {
            world.pass(milliseconds(200));
            for (auto& job : std::exchange(world.effects.jobs, {})) {
                JobResult result;
                if (fails) result.outcome = Error{"io-error", "the disk is gone"};
                if (auto* query = std::get_if<Query>(&job.work)) result.text = query->head;
                world.bank().on_job(world.now, job.id, std::move(result), world.effects);
                world.deliver();
            }
        }
        REQUIRE(world.effects.answers.contains(id));
        return world.effects.answers.at(id);
    };
    const Answer failed = audit(true);
    CHECK(failed.code == "io-error");
    REQUIRE_FALSE(failed.lines.empty());
    CHECK(failed.lines[0].find("audit balances 0") == 0);
    CHECK(world.type("audit").outcome == Outcome::success);  // without evidence
    CHECK(world.effects.jobs.empty());
    CHECK(audit(false).outcome == Outcome::success);
    for (const char* line : {"audit --evidence", "audit x.evidence", "audit --evidence a b"}) {
        CHECK(world.type(line).code == "usage");
    }
    CHECK(world.type("audit --evidence data.csv").code == "bad-file");
}

TEST_CASE("evidence: an account has its own corrections there, and nobody else's") {
    EvidenceWorld world;
    for (const char* name : {"alice", "bob", "carol"}) world.open(name, 100'00);
    const auto edit = [&](const std::string& name, int64_t cents) {
        bank::State::Record record;
        record.mutable_edited()->set_name(name);
        record.mutable_edited()->set_correction(cents);
        record.mutable_edited()->set_ip(0x7f000001);
        record.mutable_edited()->set_port1(9'001);
        record.mutable_edited()->set_port2(9'002);
        world.context->commit(record);
    };
    edit("alice", 50'00);
    edit("alice", -20'00);
    edit("carol", 1'00);
    size_t accounts = 0;
    for (const Item& item : items_of(world.bundle())) {
        if (!item.has_account()) continue;
        ++accounts;
        CAPTURE(item.account().name());
        std::vector<Money> shown;
        for (const int64_t cents : item.account().corrections()) {
            shown.push_back(Money::from_cents(cents));
        }
        CHECK(shown == world.account(item.account().name()).all_corrections());
    }
    CHECK(accounts == 3);
}

TEST_CASE("evidence file: what stands beside the statements counts for its size too") {
    EvidenceWorld world;
    world.open("alice", 100'00);
    constexpr size_t kLargest = 64 * 1'024;
    bank::EvidenceFile file(
        *world.context, [jobs = uint64_t{0}]() mutable { return JobId(++jobs); }, kLargest);
    std::optional<Answer> answer;
    file.write("some.evidence", success("audit"), [&](Answer given) { answer = std::move(given); });
    for (int step = 0; step < 4; ++step) {
        REQUIRE(world.effects.jobs.size() == 1);
        auto job = std::move(world.effects.jobs[0]);
        world.effects.jobs.clear();
        JobResult result;
        result.text = std::get<Query>(job.work).head;
        if (step == 3) {
            // The statements take less than a file may hold; with their frames it is more.
            bank_evidence::Item large;
            large.mutable_committed()->mutable_statement()->set_statement(
                std::string(kLargest - result.text.size(), 'x'));
            bank::append_item(result.text, large);
            REQUIRE(result.text.size() > kLargest);
        }
        REQUIRE(file.on_job(job.id, result));
    }
    CHECK(world.effects.jobs.empty());  // nothing is written that `bank verify` does not read
    REQUIRE(answer.has_value());
    CHECK(answer->outcome == Outcome::failure);
    CHECK(answer->code == "limit");
}
