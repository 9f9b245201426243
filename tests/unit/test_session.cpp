#include <doctest/doctest.h>

#include "common/core/answer_wire.h"
#include "customer/bank_key.h"
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
        made.key_seed[0] = 4;
        return made;
    }

    PeopleBank bank;
    RecordedEffects effects;
    customer::Context context;
    customer::BankKey bank_key{context, [] { return JobId(1); }, [] {}};
    customer::Session session{context, bank_key};
    uint64_t commands = 0;

    Person() : context(settings()) {
        context.effects = &effects;
        context.courier.identify("alice", 5);
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
        bank::Origin origin;
        origin.address = {0x7f000001, 9'000};
        origin.name = context.courier.sender();
        origin.instance = context.courier.instance();
        origin.key = context.identity.keys().channel;
        return origin;
    }
    void register_ann() {
        REQUIRE(type({"register", kAnn}, {"Ann", kPassword, kPassword}).code.empty());
    }
    void sign_in() {
        register_ann();
        REQUIRE(type({"sign-in", "Ann@example.org"}, {kPassword}).code.empty());
    }
    template <class Request>
    std::string whose(const Request& request, const bank::Origin& origin) {
        const auto caller =
            bank.sign_in.caller_of(request.authority(), origin, bank::Repeats::refused);
        return caller ? caller.value().email : caller.error().code;
    }
};

}  // namespace

TEST_CASE("session: a person registers, verifies, signs in, changes the password, signs out") {
    Person ann;
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
    CHECK(ann.type({"register"}).code == "usage");
    CHECK(ann.type({"sign-in", kAnn, "hunter2"}).code == "usage");
    CHECK(ann.type({"sign-in", "ann"}).code == "bad-email");
    CHECK(ann.type({"sign-out"}).code == "not-signed-in");
    CHECK(ann.type({"passwd"}).code == "not-signed-in");
    CHECK(ann.type({"register", kAnn}, {"", kPassword, kPassword}).code == "bad-text");
    CHECK(ann.type({"register", kAnn}, {"\xff", kPassword, kPassword}).code == "bad-text");
    CHECK(ann.type({"sign-in", kAnn}, {std::string(257, 'x')}).code == "bad-password");
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

TEST_CASE("session: what is told and written down has no password in it") {
    Person ann;
    ann.sign_in();
    wire::Ask ask;
    REQUIRE(ann.prepare({"sign-in", kAnn}, {kPassword}, &ask).empty());
    CHECK(ask.secrets().password() == kPassword);
    for (const std::string& notice : ann.effects.notices) {
        CHECK(notice.find(kPassword) == std::string::npos);
    }
    CHECK(ann.effects.records.empty());
}

TEST_CASE("session: other requests name it, each counts once and only from its key") {
    Person ann;
    wire::Ask ask;
    ask.add_words("products");
    ann.session.authorize(&ask);
    CHECK_FALSE(ask.has_authority());
    ann.sign_in();
    const auto from = ann.from();
    auto stranger = from;
    stranger.key[0] ^= 1;
    ann.session.authorize(&ask);
    CHECK(ann.whose(ask, stranger) == "not-signed-in");
    CHECK(ann.whose(ask, from) == kAnn);
    CHECK(ann.whose(ask, from) == "repeated-request");

    wire::Deal deal;
    ann.session.authorize(&deal);
    wire::Open open;
    ann.session.authorize(&open);
    CHECK(ann.whose(open, from) == kAnn);
    CHECK(ann.whose(deal, from) == kAnn);  // late, but not twice
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
