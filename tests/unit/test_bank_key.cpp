// How a customer comes to know the bank's key, and what it does when the bank has another one.
#include <doctest/doctest.h>

#include "tests/unit/cohort_world.h"

using namespace p2pbank;

namespace {

constexpr unsigned char kBankSeed = 2;
constexpr unsigned char kOtherSeed = 77;

secure::PublicKeys keys_of_seed(unsigned char seed) {
    return secure::Identity(seed_of(seed)).keys();
}

std::string fingerprint_of(unsigned char seed) {
    return secure::fingerprint(keys_of_seed(seed));
}

CustomerSettings remembering(unsigned char seed) {
    CustomerSettings settings = CustomerWorld::settings();
    settings.bank_keys = keys_of_seed(seed);
    return settings;
}

CustomerSettings pinned(const std::string& fingerprint) {
    CustomerSettings settings = CustomerWorld::settings();
    settings.bank_fingerprint = fingerprint;
    return settings;
}

const WriteFiles* written(const CustomerWorld& world) {
    for (const auto& job : world.effects.jobs) {
        if (const auto* work = std::get_if<WriteFiles>(&job.work)) return work;
    }
    return nullptr;
}

std::string hex(const std::string& bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += kDigits[static_cast<unsigned char>(c) >> 4U];
        text += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    return text;
}

}  // namespace

TEST_CASE("bank key: trusted on first use, shown and written down") {
    CustomerWorld world;
    world.open("alice");
    CHECK(world.key_requests == 2);  // two answers that say the same
    CHECK(world.noticed(fingerprint_of(kBankSeed)) == 1);
    const WriteFiles* work = written(world);
    REQUIRE(work != nullptr);
    CHECK(work->folder == "state/banks");
    REQUIRE(work->files.size() == 1);
    CHECK(work->files[0].first == "127.0.0.1_8600.key");
    CHECK(work->files[0].second == hex(secure::to_bytes(keys_of_seed(kBankSeed))) + "\n");
    CHECK(world.effects.claimed == "alice");
    CHECK(world.effects.claimed_secret == seed_of(42));
}

TEST_CASE("bank key: the bank counts as heard once it has shown its key") {
    for (const bool known : {false, true}) {
        CustomerWorld world(known ? remembering(kBankSeed) : CustomerWorld::settings());
        const auto not_heard = [&] {
            const Answer status = world.answer_to("status");
            return status.lines[0].find("not heard yet") != std::string::npos;
        };
        world.start();
        CHECK(not_heard());
        world.run(seconds(1));
        CHECK(not_heard() == known);  // nothing was asked of it
    }
}

TEST_CASE("bank key: a remembered one is used at once, and nobody is asked") {
    CustomerWorld world(remembering(kBankSeed));
    world.open("alice");
    world.run(seconds(60));
    CHECK(world.key_requests == 0);
    CHECK(written(world) == nullptr);
}

TEST_CASE("bank key: one that cannot be written down is told") {
    CustomerWorld world;
    world.start();
    world.run(seconds(1));
    REQUIRE(world.effects.jobs.size() == 1);
    JobResult failed;
    failed.outcome = Error{"io-error", "disk full"};
    world.job(world.effects.jobs[0].id, failed);
    CHECK(world.noticed("disk full") == 1);
}

TEST_CASE("bank key: the one with the given fingerprint is taken") {
    CustomerWorld world(pinned(fingerprint_of(kBankSeed)));
    world.open("alice");
    CHECK(written(world) != nullptr);
}

TEST_CASE("bank key: with a fingerprint no other key is taken") {
    CustomerWorld world(pinned(fingerprint_of(kOtherSeed)));
    world.start();
    const Answer answer = world.answer_to("open alice 100");
    CHECK(answer.code == "bank-key-changed");
    CHECK(answer.text.find(fingerprint_of(kOtherSeed)) != std::string::npos);
    CHECK(answer.text.find(fingerprint_of(kBankSeed)) != std::string::npos);
    world.run(seconds(30));
    CHECK(world.noticed(fingerprint_of(kBankSeed)) == 1);  // loudly, and once
    CHECK(world.bank().heard.empty());
    CHECK(written(world) == nullptr);
    CHECK(world.state().phase == customer::Phase::none);
    // It is asked again: when the right one answers, all is well.
    world.replace_bank(kOtherSeed, true);
    world.run(seconds(10));
    CHECK(world.answer_to("open alice 100").code.empty());
}

TEST_CASE("bank key: a fingerprint counts for more than what was remembered") {
    CustomerSettings settings = remembering(kOtherSeed);
    settings.bank_fingerprint = fingerprint_of(kBankSeed);
    CustomerWorld world(settings);
    world.open("alice");
    CHECK(world.noticed(fingerprint_of(kOtherSeed)) == 1);
    const WriteFiles* work = written(world);
    REQUIRE(work != nullptr);
    CHECK(work->files[0].second == hex(secure::to_bytes(keys_of_seed(kBankSeed))) + "\n");
}

TEST_CASE(
    "bank key: a bank with another key than the remembered one is refused, and not talked to") {
    CustomerWorld world(remembering(kOtherSeed));
    world.start();
    const Answer answer = world.answer_to("open alice 100");
    CHECK(answer.code == "bank-key-changed");
    CHECK(answer.text.find(fingerprint_of(kOtherSeed)) != std::string::npos);
    CHECK(answer.text.find(fingerprint_of(kBankSeed)) != std::string::npos);
    CHECK(answer.text.find("state/banks/127.0.0.1_8600.key") != std::string::npos);
    // Nobody is asked for a password that could not be sent.
    CHECK(world.answer_to("sign-in ann@example.org").code == "bank-key-changed");
    CHECK(world.effects.asked.empty());
    world.run(seconds(60));
    CHECK(world.noticed("another key") == 1);
    CHECK(world.bank().heard.empty());
    CHECK(world.effects.jobs.empty());
    // The right one is back.
    world.replace_bank(kOtherSeed, true);
    world.run(seconds(10));
    CHECK(world.answer_to("open alice 100").code.empty());
    CHECK(world.answer_to("status").text == "status alice");
}

TEST_CASE("bank key: it changes while the customer runs") {
    CustomerWorld world;
    world.open("alice");
    const int asked = world.key_requests;
    world.replace_bank(kOtherSeed, true);
    CHECK(world.answer_to("exit").code == "bank-key-changed");
    CHECK(world.key_requests > asked);
    CHECK(world.bank().heard.empty());
    CHECK(world.state().phase == customer::Phase::open);
    CHECK(world.noticed("another key") == 1);
}

TEST_CASE("bank key: a bank that is silent is unreachable, and no more") {
    CustomerWorld world(remembering(kBankSeed));
    world.start();
    world.bank().reachable = false;
    CHECK(world.answer_to("open alice 100").code == "bank-unreachable");
    CHECK(world.key_requests > 0);
    world.bank().reachable = true;
    world.run(seconds(5));
    CHECK(world.answer_to("open alice 100").code.empty());
}

TEST_CASE("bank key: answers that nobody asked for change nothing") {
    CustomerWorld world;
    world.bank().reachable = false;
    world.start();
    world.run(seconds(1));
    REQUIRE(world.key_requests > 0);
    const secure::Identity mallory(seed_of(kOtherSeed));
    for (uint64_t nonce = 0; nonce < 100; ++nonce) {
        const std::string forged = secure::key_answer(secure::key_request(nonce), mallory);
        world.datagram(Socket::bank, kBankAt, forged);
    }
    CHECK(world.effects.jobs.empty());
    CHECK(world.noticed("remembered") == 0);
    // The right nonce, and another address.
    const std::string genuine = secure::key_answer(world.last_key_request, mallory);
    const int asked = world.key_requests;
    world.datagram(Socket::bank, {0x7f000001, 8'601}, genuine);
    CHECK(world.effects.jobs.empty());
    CHECK(world.key_requests == asked);  // one from the bank would be asked about again
    world.bank().reachable = true;
    world.run(seconds(6));
    CHECK(world.noticed(fingerprint_of(kBankSeed)) == 1);
    // The old nonce is worth nothing any more.
    world.datagram(Socket::bank, kBankAt, genuine);
    CHECK(world.noticed(secure::fingerprint(mallory.keys())) == 0);
    CHECK(world.effects.jobs.size() == 1);
}

TEST_CASE("bank key: an answer that was damaged on its way does no harm") {
    for (const bool known : {false, true}) {
        for (size_t at = 12; at < secure::kKeyAnswerBytes; at += 7) {
            CustomerWorld world(known ? remembering(kBankSeed) : CustomerWorld::settings());
            int damaged = 0;
            world.damage = [&](std::string& bytes) {
                if (bytes.size() == secure::kKeyAnswerBytes && damaged++ == 0) bytes[at] ^= 4;
            };
            world.start();
            if (known) world.bank().reachable = false;
            world.run(seconds(4));
            world.bank().reachable = true;
            world.run(seconds(10));
            CHECK(world.answer_to("open alice 100").code.empty());
            CHECK(world.noticed("another key") == 0);
        }
    }
}

TEST_CASE("bank key: a bank in the other mode is told apart from one that is silent") {
    for (const bool insecure : {false, true}) {
        CustomerSettings settings = CustomerWorld::settings();
        settings.insecure = insecure;
        if (!insecure) settings.bank_keys = keys_of_seed(kBankSeed);
        CustomerWorld world(settings);
        world.replace_bank(kBankSeed, insecure);
        world.start();
        const Answer answer = world.answer_to("open alice 100");
        CHECK(answer.code == "other-mode");
        CHECK(answer.text.find(insecure ? "runs without --insecure" : "runs with --insecure") !=
              std::string::npos);
        world.run(seconds(30));
        CHECK(world.noticed("--insecure") == 1);
        CHECK(world.bank().heard.empty());
        world.replace_bank(kBankSeed, !insecure);
        world.run(seconds(10));
        CHECK(world.answer_to("open alice 100").code.empty());
    }
}

TEST_CASE("bank key: the hint of the other mode is also given to who does not know the key yet") {
    CustomerWorld world;
    world.replace_bank(kBankSeed, false);
    world.start();
    CHECK(world.answer_to("open alice 100").code == "other-mode");
}

// What is declared names the bank by its key, so without it a checkpoint has to wait.
TEST_CASE("bank key: a checkpoint waits for it, and fails only when it does not come") {
    CohortWorld cohort;
    CustomerSettings lost = CohortWorld::settings();  // the file with the bank's key is lost
    lost.name = "alice";
    lost.secret_seed = seed_of(60);
    cohort.world.bank().reachable = false;
    cohort.world.restart(lost);
    cohort.world.run(customer::timing::kFindsOut + milliseconds(100));
    const CommandId early = cohort.world.type("checkpoint");
    cohort.world.run(seconds(1));
    CHECK_FALSE(cohort.world.effects.answers.contains(early));
    cohort.world.bank().reachable = true;
    cohort.world.run(seconds(5));
    REQUIRE(cohort.world.effects.answers.contains(early));
    CHECK(cohort.world.effects.answers.at(early).outcome == Outcome::success);

    cohort.world.bank().reachable = false;
    lost.secret_seed = seed_of(61);
    cohort.world.restart(lost);
    const Answer never = cohort.world.answer_to("checkpoint");
    CHECK(never.outcome == Outcome::failure);
    CHECK(never.code == "bank-unreachable");
}

TEST_CASE("bank key: in clear there is none") {
    CustomerSettings settings = CustomerWorld::settings();
    settings.insecure = true;
    CustomerWorld world(settings);
    world.open("alice");
    CHECK(world.key_requests == 0);
    CHECK(world.effects.jobs.empty());
    CHECK(world.effects.claimed == "alice");
    CHECK_FALSE(world.effects.claimed_secret.has_value());
    CHECK(world.answer_to("bind alice").code == "not-allowed");
}

TEST_CASE("bank key: what comes from the bank's address with another key is not the bank's") {
    CustomerWorld world(remembering(kBankSeed));
    world.open("alice");
    world.replace_bank(kOtherSeed, true);
    wire::Datagram message;
    message.mutable_exit_order()->set_nonce(9);
    CHECK_FALSE(world.say(world.bank(), message));
    world.run(seconds(5));
    CHECK(world.state().phase == customer::Phase::open);
}
