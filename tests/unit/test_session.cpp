#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/core/answer_wire.h"
#include "common/core/authority.h"
#include "customer/session.h"
#include "tests/unit/people_helpers.h"

using namespace p2pbank;

namespace {

using Words = std::vector<std::string>;

// A customer's end, and the bank's that answers it without a network between.
struct Person {
    static CustomerSettings settings() {
        CustomerSettings made;
        made.bank = {0x7f000001, 8'600};
        made.secret_seed[0] = 3;
        made.key_folder = "state/banks";
        return made;
    }

    PeopleBank bank;
    RecordedEffects effects;
    customer::Context context;
    uint64_t jobs = 0;
    customer::Session session{context, [this] { return JobId(++jobs); }};
    uint64_t commands = 0;

    explicit Person(const CustomerSettings& s = settings()) : context(s) {
        context.effects = &effects;
        context.courier.identify("alice", 5);
    }

    std::string bank_key() const {
        const KeyBytes& key = bank.sign_in.public_key();
        return {key.begin(), key.end()};
    }
    static std::vector<Secret> texts(const Words& typed) {
        std::vector<Secret> made;
        for (const std::string& text : typed) made.emplace_back(text);
        return made;
    }
    // Up to the Ask, or the code of the error.
    std::string prepare(const Words& words, const Words& typed, wire::Ask* ask) {
        const CommandId id(++commands);
        const auto questions = session.begin(id, words);
        if (!questions) return questions.error().code;
        if (!questions.value().empty()) {
            REQUIRE(questions.value().size() == typed.size());
            const auto checked = session.typed(id, texts(typed));
            if (!checked) return checked.error().code;
        }
        auto made = session.request(id);
        if (!made) return made.error().code;
        *ask = std::move(made).value();
        return "";
    }
    Answer type(const Words& words, const Words& typed = {}) {
        wire::Ask ask;
        const std::string code = prepare(words, typed, &ask);
        if (!code.empty()) {
            CHECK_FALSE(session.is_under_way(CommandId(commands)));
            return failure(code, "");
        }
        bank.told.clear();
        bank.sign_in.ask(from(), ask);
        bank.work();
        REQUIRE(bank.told.size() == 1);
        wire::Told told;
        told.set_nonce(ask.nonce());
        told.set_session(bank.told[0].session);
        to_wire(bank.told[0].answer, told.mutable_answer());
        const Answer answer = session.told(CommandId(commands), told);
        CHECK_FALSE(session.is_under_way(CommandId(commands)));
        return answer;
    }
    bank::Origin from() const {
        return {{0x7f000001, 9'000}, context.courier.sender(), context.courier.instance()};
    }
    void register_ann() {
        session.on_bank_key(bank_key());
        REQUIRE(type({"register", kAnn}, {"Ann", kPassword, kPassword}).code.empty());
    }
    void sign_in() {
        register_ann();
        REQUIRE(type({"sign-in", "Ann@example.org"}, {kPassword}).code.empty());
    }
    template <class Request>
    std::string whose(const Request& request, std::string_view text) {
        const auto caller =
            bank.sign_in.caller_of(request.authority(), text, bank::Repeats::refused);
        return caller ? caller.value().email : caller.error().code;
    }
};

}  // namespace

TEST_CASE("session: a person registers, verifies, signs in, changes the password, signs out") {
    Person ann;
    ann.session.on_bank_key(ann.bank_key());
    CHECK(ann.type({"register", kAnn}, {"Ann", kPassword, kPassword}).text ==
          "register " + std::string(kAnn));
    CHECK(ann.bank.person(kAnn).name == "Ann");
    CHECK_FALSE(ann.session.signed_in());
    CHECK(ann.type({"verify", ann.bank.person(kAnn).code}).code.empty());
    CHECK(ann.type({"sign-in", "ANN@example.org"}, {kPassword}).code.empty());
    CHECK(ann.session.signed_in());
    CHECK(ann.session.email() == kAnn);
    CHECK(ann.type({"passwd"}, {kPassword, "battery staple", "battery staple"}).code.empty());
    CHECK(ann.type({"sign-out"}).code.empty());
    CHECK_FALSE(ann.session.signed_in());
    CHECK(ann.session.email().empty());
    CHECK(ann.type({"sign-in", kAnn}, {kPassword}).code == "wrong-credentials");
    CHECK_FALSE(ann.session.signed_in());
    CHECK(ann.type({"sign-in", kAnn}, {"battery staple"}).code.empty());
}

TEST_CASE("session: passwords are asked for hidden, new ones twice") {
    Person ann;
    ann.sign_in();
    const auto hidden = [&](const Words& words) {
        const CommandId id(++ann.commands);
        const auto questions = ann.session.begin(id, words);
        REQUIRE(questions.ok());
        ann.session.gave_up(id);
        std::string shape;
        for (const Question& question : questions.value()) shape += question.hidden ? 'h' : 'v';
        return shape;
    };
    CHECK(hidden({"register", kAnn}) == "vhh");
    CHECK(hidden({"sign-in", kAnn}) == "h");
    CHECK(hidden({"passwd"}) == "hhh");
    CHECK(hidden({"verify", "ABCDEFGH"}).empty());
    CHECK(hidden({"sign-out"}).empty());
    CHECK_FALSE(customer::Session::handles("deposit"));
}

TEST_CASE("session: what is wrong is said before anything is sent") {
    Person ann;
    ann.session.on_bank_key(ann.bank_key());
    CHECK(ann.type({"register"}).code == "usage");
    CHECK(ann.type({"sign-in", kAnn, "hunter2"}).code == "usage");
    CHECK(ann.type({"sign-in", "ann"}).code == "bad-email");
    CHECK(ann.type({"sign-out"}).code == "not-signed-in");
    CHECK(ann.type({"passwd"}).code == "not-signed-in");
    CHECK(ann.type({"register", kAnn}, {"", kPassword, kPassword}).code == "bad-text");
    CHECK(ann.type({"register", kAnn}, {"Ann", "short", "short"}).code == "bad-password");
    CHECK(ann.type({"register", kAnn}, {"Ann", kPassword, "another one"}).code ==
          "passwords-differ");
    CHECK(ann.bank.told.empty());
}

TEST_CASE("session: nobody to ask, and the command is over") {
    Person ann;
    REQUIRE(ann.session.begin(CommandId(1), {"sign-in", kAnn}).ok());
    CHECK(ann.session.is_under_way(CommandId(1)));
    CHECK(ann.session.typed(CommandId(1), Error{"no-terminal", "why"}).error().code ==
          "no-terminal");
    CHECK_FALSE(ann.session.is_under_way(CommandId(1)));
    ann.session.gave_up(CommandId(1));
}

TEST_CASE("session: the bank's key is remembered at the first meeting") {
    Person ann;
    CHECK(ann.type({"sign-in", kAnn}, {kPassword}).code == "bank-unreachable");
    ann.session.on_bank_key("");
    ann.session.on_bank_key("no key");
    CHECK(ann.effects.jobs.empty());
    ann.session.on_bank_key(ann.bank_key());
    ann.session.on_bank_key(ann.bank_key());
    REQUIRE(ann.effects.jobs.size() == 1);
    const auto& work = std::get<WriteFiles>(ann.effects.jobs[0].work);
    CHECK(work.folder == "state/banks");
    REQUIRE(work.files.size() == 1);
    CHECK(work.files[0].first == "127.0.0.1_8600.key");
    CHECK(work.files[0].second == key_to_hex(ann.bank.sign_in.public_key()) + "\n");
    REQUIRE(ann.effects.notices.size() == 1);
    CHECK(ann.effects.notices[0].find(fingerprint(ann.bank.sign_in.public_key())) !=
          std::string::npos);
    CHECK(ann.session.on_job(JobId(1), JobResult()));
    CHECK_FALSE(ann.session.on_job(JobId(1), JobResult()));
    CHECK(ann.effects.notices.size() == 1);
}

TEST_CASE("session: a key that cannot be written down is told") {
    Person ann;
    ann.session.on_bank_key(ann.bank_key());
    JobResult failed;
    failed.outcome = Error{"io-error", "disk full"};
    CHECK(ann.session.on_job(JobId(1), failed));
    CHECK(ann.effects.notices.back().find("disk full") != std::string::npos);
}

TEST_CASE("session: a bank with another key than the remembered one gets no secret") {
    CustomerSettings settings = Person::settings();
    settings.bank_key = make_key_pair(KeyBytes{99}).public_key;
    Person ann(settings);
    ann.session.on_bank_key(ann.bank_key());
    ann.session.on_bank_key(ann.bank_key());
    REQUIRE(ann.effects.notices.size() == 1);
    CHECK(ann.effects.notices[0].find("state/banks/127.0.0.1_8600.key") != std::string::npos);
    CHECK(ann.effects.jobs.empty());
    CHECK(ann.type({"sign-in", kAnn}).code == "bank-key-changed");
    CHECK(ann.type({"register", kAnn}).code == "bank-key-changed");

    // Also when the other key shows only after the password was typed.
    Person bob(settings);
    REQUIRE(bob.session.begin(CommandId(1), {"sign-in", kAnn}).ok());
    REQUIRE(bob.session.typed(CommandId(1), Person::texts({kPassword})).ok());
    bob.session.on_bank_key(bob.bank_key());
    CHECK(bob.session.request(CommandId(1)).error().code == "bank-key-changed");
    CHECK_FALSE(bob.session.is_under_way(CommandId(1)));
    // The one that is remembered is shown again.
    bob.session.on_bank_key(std::string(settings.bank_key->begin(), settings.bank_key->end()));
    CHECK(bob.session.begin(CommandId(2), {"sign-in", kAnn}).ok());
}

TEST_CASE("session: the password is nowhere in what is sent and told") {
    Person ann;
    ann.sign_in();
    wire::Ask ask;
    REQUIRE(ann.prepare({"sign-in", kAnn}, {kPassword}, &ask).empty());
    CHECK(ask.SerializeAsString().find(kPassword) == std::string::npos);
    for (const std::string& notice : ann.effects.notices) {
        CHECK(notice.find(kPassword) == std::string::npos);
    }
    CHECK(ann.effects.records.empty());
}

TEST_CASE("session: other requests are signed for the bank, each once") {
    Person ann;
    wire::Ask ask;
    ask.add_words("products");
    ann.session.sign(&ask);
    CHECK_FALSE(ask.has_authority());
    ann.sign_in();
    const auto from = ann.from();
    ann.session.sign(&ask);
    CHECK(ann.whose(ask, signed_text(from.name, from.instance, ask)) == kAnn);
    CHECK(ann.whose(ask, signed_text(from.name, from.instance, ask)) == "repeated-request");

    wire::Deal deal;
    deal.set_what("apple");
    ann.session.sign(&deal);
    const uint64_t epoch = ann.context.state.epoch.value();
    CHECK(ann.whose(deal, signed_text(from.name, from.instance, epoch + 1, deal)) ==
          "not-signed-in");
    CHECK(ann.whose(deal, signed_text(from.name, from.instance, epoch, deal)) == kAnn);

    wire::Open open;
    open.set_name("alice");
    ann.session.sign(&open);
    CHECK(ann.whose(open, signed_text(from.name, from.instance, open)) == kAnn);
    CHECK(ann.whose(open, signed_text("bob", from.instance, open)) == "not-signed-in");
}

TEST_CASE("session: it is over when the bank no longer knows it") {
    Person ann;
    ann.sign_in();
    ann.session.refused("out-of-stock");
    CHECK(ann.session.signed_in());
    ann.session.refused("not-signed-in");
    CHECK_FALSE(ann.session.signed_in());

    REQUIRE(ann.type({"sign-in", kAnn}, {kPassword}).code.empty());
    ann.bank.context.now += std::chrono::hours(13);
    CHECK(ann.type({"sign-out"}).code == "not-signed-in");
    CHECK_FALSE(ann.session.signed_in());
}
