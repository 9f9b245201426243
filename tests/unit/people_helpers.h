// A bank at which people sign in, with jobs that are done when a test says so and hashes that cost
// nothing, for tests of both ends.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "bank/sign_in.h"
#include "tests/unit/recorded_effects.h"

namespace p2pbank {

// Hashes by writing "hash of " in front.
inline JobResult done(const Job& job) {
    JobResult result;
    if (const auto* hash = std::get_if<HashPassword>(&job)) {
        result.text = "hash of " + std::string(hash->password.view());
    } else if (const auto* verify = std::get_if<VerifyPassword>(&job)) {
        result.matches = verify->hash == "hash of " + std::string(verify->password.view());
    }
    return result;
}

struct PeopleBank {
    struct Told {
        bank::Origin to;
        uint64_t nonce = 0;
        Answer answer;
        uint64_t session = 0;
    };

    static BankSettings settings() {
        BankSettings made;
        made.seed = 1;
        made.secret_seed[0] = 1;
        made.key_seed[0] = 2;
        return made;
    }

    bank::Context context{settings()};
    RecordedEffects effects;
    uint64_t jobs = 0;
    std::vector<Told> told;
    bank::SignIn sign_in{
        context, [this] { return JobId(++jobs); },
        [this](const bank::Origin& to, uint64_t nonce, Answer answer, uint64_t session) {
            told.push_back({to, nonce, std::move(answer), session});
        }};

    PeopleBank() { context.effects = &effects; }
    PeopleBank(const PeopleBank&) = delete;

    // Does the jobs that were started, and those that follow from them.
    void work() {
        while (!effects.jobs.empty()) {
            auto job = std::move(effects.jobs.front());
            effects.jobs.erase(effects.jobs.begin());
            REQUIRE(sign_in.on_job(job.id, done(job.work)));
        }
    }
    const bank::Person& person(const std::string& email) const {
        const bank::Person* found = context.state.business.people().find(email);
        REQUIRE(found != nullptr);
        return *found;
    }
    // The bank was stopped and started again: what is in its journal.
    void replay(const std::vector<std::string>& records) {
        for (const std::string& bytes : records) {
            bank::State::Record record;
            REQUIRE(record.ParseFromString(bytes));
            REQUIRE(context.state.apply(record).ok());
        }
    }
};

inline constexpr const char* kAnn = "ann@example.org";
inline constexpr const char* kPassword = "correct horse";

// What a person's program does, by hand, and the bank that it does it with.
struct Counter : PeopleBank {
    using Words = std::vector<std::string>;

    bank::Origin from{{0x7f000001, 9'000}, "alice", 3, KeyBytes{7}, true};
    uint64_t next_nonce = 1'000;
    uint64_t session = 0;
    uint64_t counter = 0;

    wire::Ask words(const Words& all) {
        wire::Ask ask;
        ask.set_nonce(next_nonce++);
        for (const std::string& word : all) ask.add_words(word);
        return ask;
    }
    // register or sign-in
    wire::Ask with_password(const Words& all, const std::string& password) {
        wire::Ask ask = words(all);
        ask.mutable_secrets()->set_name("Ann");
        ask.mutable_secrets()->set_password(password);
        return ask;
    }
    wire::Ask signed_in(const Words& all) {
        wire::Ask ask = words(all);
        ask.mutable_authority()->set_session(session);
        ask.mutable_authority()->set_counter(++counter);
        return ask;
    }
    wire::Ask passwd(const std::string& old_one, const std::string& new_one) {
        wire::Ask ask = signed_in({"passwd"});
        ask.mutable_secrets()->set_password(old_one);
        ask.mutable_secrets()->set_new_password(new_one);
        return ask;
    }
    Answer send(const wire::Ask& ask) {
        told.clear();
        sign_in.ask(from, ask);
        work();
        REQUIRE(told.size() == 1);
        CHECK(told[0].nonce == ask.nonce());
        CHECK(told[0].to.address == from.address);
        if (told[0].session != 0) {
            session = told[0].session;
            counter = 0;
        }
        return told[0].answer;
    }
    std::string code(const wire::Ask& ask) { return send(ask).code; }
    Answer sign_in_as(const std::string& email, const std::string& password = kPassword) {
        return send(with_password({"sign-in", email}, password));
    }
    void add(const std::string& email) {
        REQUIRE(code(with_password({"register", email}, kPassword)).empty());
        REQUIRE(code(words({"verify", person(email).code})).empty());
    }
    // What the log and the journal hold.
    bool is_written_anywhere(const std::string& text) const {
        const auto has = [&](const std::string& line) {
            return line.find(text) != std::string::npos;
        };
        return std::any_of(effects.records.begin(), effects.records.end(), has) ||
               std::any_of(effects.notices.begin(), effects.notices.end(), has);
    }
};

}  // namespace p2pbank
