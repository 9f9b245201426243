// What customers' programs may not ask of the bank, or ask in a wrong way: refused over the wire by
// a code, whatever the program itself would have let pass, and nothing is changed.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/wire/convert.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

using Words = std::vector<std::string>;
constexpr uint64_t kMostCents = static_cast<uint64_t>(limits::kMaxAmountUnits) * 100;

wire::Open honest_open(const Process& from, const std::string& name) {
    wire::Open open;
    open.set_name(name);
    open.set_balance(5'00);
    open.set_ip(from.address.ip);
    open.set_port1(from.address.port);
    open.set_port2(from.address.port + 100U);
    open.set_opener(from.opener);
    open.set_signing_key(from.signing());
    return open;
}

wire::Reply reply_to(BankWorld& world, Process& from, wire::Command command) {
    wire::Datagram message;
    command.set_request(++from.requests);
    *message.mutable_command() = std::move(command);
    for (const wire::Datagram& heard : world.say(from, message)) {
        if (heard.has_reply()) return heard.reply();
    }
    FAIL("no reply");
    return {};
}

std::string code_of(BankWorld& world, Process& from, const wire::Open& open) {
    wire::Command command;
    *command.mutable_open() = open;
    const wire::Reply reply = reply_to(world, from, std::move(command));
    CHECK(reply.success() == reply.code().empty());
    return reply.code();
}

// Alice has an account; kAnn has signed in at her program, with this role.
struct Visitor {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);

    explicit Visitor(const std::string& role = "") {
        REQUIRE(world.attach(alice, 1).has_value());
        if (role.empty()) return;
        world.sign_in(alice, kAnn);
        if (role != "customer") {
            REQUIRE(world.type("role " + std::string(kAnn) + " " + role).code.empty());
        }
    }
    std::string code(const Words& words) { return world.ask(alice, words).code; }
};

}  // namespace

TEST_CASE("bank refusals: an account that cannot be, of a program that did not look itself") {
    BankWorld world;
    Process& alice = world.add("", 1, 9'001);
    const size_t records = world.effects.records.size();
    const auto code = [&](auto change) {
        wire::Open open = honest_open(alice, "alice");
        change(open);
        return code_of(world, alice, open);
    };
    for (const std::string name :
         {"", "9lives", "a b", "al/ice", "..", "a\nb", "abcdefghijklmnopqrstuvwxyzabcdefg", "bank",
          "Bank", "BANK", "bAnK"}) {
        CAPTURE(name);
        CHECK(code([&](wire::Open& open) { open.set_name(name); }) == "bad-name");
    }
    for (const uint64_t cents : {kMostCents + 1, uint64_t{INT64_MAX}, UINT64_MAX}) {
        CHECK(code([&](wire::Open& open) { open.set_balance(cents); }) == "bad-amount");
    }
    // Of no machine: nobody, everybody, a group.
    for (const uint32_t ip : {0U, 0xffffffffU, 0xe0000001U}) {
        CHECK(code([&](wire::Open& open) { open.set_ip(ip); }) == "bad-address");
    }
    for (const uint32_t port : {0U, 65'536U, UINT32_MAX}) {
        CHECK(code([&](wire::Open& open) { open.set_port1(port); }) == "bad-port");
        CHECK(code([&](wire::Open& open) { open.set_port2(port); }) == "bad-port");
    }
    CHECK(code([](wire::Open& open) { open.set_port2(open.port1()); }) == "bad-port");
    CHECK_FALSE(code([](wire::Open& open) { open.clear_signing_key(); }).empty());
    CHECK_FALSE(code([](wire::Open& open) { open.set_signing_key("short"); }).empty());
    CHECK(code([](wire::Open& open) {
              open.mutable_authority()->set_session(77);
              open.mutable_authority()->set_counter(1);
          }) == "not-signed-in");
    CHECK(world.effects.records.size() == records);
    CHECK(code([](wire::Open& open) { open.set_name("banker"); }).empty());
    CHECK(world.account("banker").totals.opening == Money::from_cents(5'00));
}

TEST_CASE("bank refusals: a closed account asks for nothing but its own end") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    REQUIRE(world.attach(alice, 1).has_value());
    wire::Command two;
    two.mutable_new_cohort()->set_size(2);
    CHECK(reply_to(world, alice, two).code() == "too-few");
    for (const uint32_t size : {0U, 1U, 1'025U, UINT32_MAX}) {
        two.mutable_new_cohort()->set_size(size);
        CHECK(reply_to(world, alice, two).code() == "bad-count");
    }
    wire::Command end;
    end.mutable_delete_cohort();
    CHECK(reply_to(world, alice, end).code() == "not-in-cohort");

    Process& bob = world.customer("bob", 2, 9'002);
    bank::State::Record exited;
    exited.mutable_exited()->set_name("bob");
    to_wire(world.account("bob").totals, exited.mutable_exited()->mutable_totals());
    std::vector<std::string> records = world.effects.records;
    records.push_back(exited.SerializeAsString());
    world.start(records);
    REQUIRE(world.account("bob").exited);
    two.mutable_new_cohort()->set_size(2);
    CHECK(reply_to(world, bob, two).code() == "exited");
    CHECK(reply_to(world, bob, end).code() == "exited");
    // Its name is not free again.
    Process& carol = world.add("", 3, 9'003);
    CHECK(code_of(world, carol, honest_open(carol, "bob")) == "name-taken");
    CHECK(code_of(world, carol, honest_open(carol, "carol")).empty());
}

TEST_CASE("bank refusals: an address that cannot be is not taken over from an attachment") {
    BankWorld world;
    Process& alice = world.customer("alice", 1, 9'001);
    REQUIRE(world.attach(alice, 1).has_value());
    const Address before = world.account("alice").bank_side();
    const uint64_t port2 = world.account("alice").port2;
    const auto attach = [&](auto change) {
        wire::Datagram message = BankWorld::attach_message(alice);
        message.set_epoch(2);  // news, which would be written down
        change(*message.mutable_attach());
        world.say(alice, message);
    };
    attach([](wire::Attach& said) { said.set_ip(0); });
    attach([](wire::Attach& said) { said.set_ip(0xffffffff); });
    attach([](wire::Attach& said) { said.set_port1(0); });
    attach([](wire::Attach& said) { said.set_port1(65'536); });
    attach([](wire::Attach& said) { said.set_port2(0); });
    attach([](wire::Attach& said) { said.set_port2(UINT32_MAX); });
    attach([](wire::Attach& said) { said.set_opener(0); });
    attach([](wire::Attach& said) { said.set_opener(8); });
    CHECK(world.account("alice").bank_side() == before);
    CHECK(world.account("alice").port2 == port2);
    CHECK(world.account("alice").epoch == 1);
    attach([](wire::Attach&) {});
    CHECK(world.account("alice").epoch == 2);
}

TEST_CASE("bank refusals: what is no command of the counter") {
    Visitor counter("admin");
    CHECK(counter.code({}) == "usage");
    CHECK(counter.code({""}) == "not-allowed");
    CHECK(counter.code({"frobnicate"}) == "not-allowed");
    // Of the console alone, or of the customer's own program.
    for (const char* verb : {"audit", "import", "export", "save", "unbind", "customers", "cohorts",
                             "open", "exit", "new-cohort", "transfer", "help", "quit"}) {
        CAPTURE(verb);
        const std::string code = counter.code({verb});
        CHECK((code == "not-allowed" || code == "unknown-command"));
    }
}

TEST_CASE("bank refusals: a command with too few words, too many, or an option that it has not") {
    const std::vector<Words> all{{"products", "x"},
                                 {"products", "--after"},
                                 {"products", "--after", "a", "--after", "b"},
                                 {"products", "--before", "a"},
                                 {"search"},
                                 {"search", "a", "b"},
                                 {"search", " "},
                                 {"add-product", "a", "b", "1", "1"},
                                 {"edit-product"},
                                 {"edit-product", "a"},
                                 {"edit-product", "a", "b", "--price", "1"},
                                 {"edit-product", "a", "--price"},
                                 {"edit-product", "a", "--size", "1"},
                                 {"remove-product"},
                                 {"remove-product", "a", "b"},
                                 {"restock", "a"},
                                 {"restock", "a", "1", "1"},
                                 {"services", "x"},
                                 {"bills", "x"},
                                 {"add-biller", "x"},
                                 {"add-biller", "x", "charity"},
                                 {"remove-biller"},
                                 {"remove-biller", "x", "y"},
                                 {"settings", "x"},
                                 {"set", "currency"},
                                 {"set", "currency", "a", "b"},
                                 {"purchases", "--before"},
                                 {"purchases", "alice", "bob"},
                                 {"purchases", "alice", "--product", "lamp"},
                                 {"purchases", "--since", "7"},
                                 {"tokens", "alice", "bob"},
                                 {"tokens", "--order"},
                                 {"tokens", "--pin", "7"},
                                 {"loans", "alice", "bob"},
                                 {"schedule"},
                                 {"schedule", "1", "2"},
                                 {"statement", "--from"},
                                 {"statement", "--for", "2026-01-01"},
                                 {"statement", "alice", "bob"},
                                 {"last"},
                                 {"last", "alice", "bob"},
                                 {"activity", "alice", "bob"},
                                 {"refusals", "x"},
                                 {"report", "x"},
                                 {"report", "--csv", "--json"},
                                 {"report", "--to"},
                                 {"report", "--xml"},
                                 {"people", "x"},
                                 {"people", "--after"},
                                 {"role"},
                                 {"role", "a@example.org"},
                                 {"passwd", "x"},
                                 {"sign-out", "x"},
                                 {"register"},
                                 {"register", "a@example.org", "x"},
                                 {"verify"},
                                 {"verify", "a", "b"},
                                 {"sign-in"},
                                 {"sign-in", "a@example.org", "x"},
                                 {"bind"},
                                 {"bind", "alice", "bob"}};
    Visitor counter("admin");
    const size_t products = counter.world.state().business.products().size();
    const size_t billers = counter.world.state().business.billers().size();
    for (const Words& words : all) {
        std::string line;
        for (const std::string& word : words) line += word + " ";
        CAPTURE(line);
        CHECK(counter.code(words) == "usage");
    }
    CHECK(counter.world.state().business.products().size() == products);
    CHECK(counter.world.state().business.billers().size() == billers);
}

TEST_CASE("bank refusals: numbers that are none") {
    Visitor counter("admin");
    for (const char* text : {"", "0", "-1", "+1", "1.0", "1e3", "x", "9999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(counter.code({"purchases", "--before", text}).empty());
        CHECK_FALSE(counter.code({"tokens", "--order", text}).empty());
        CHECK_FALSE(counter.code({"schedule", text}).empty());
        CHECK_FALSE(counter.code({"restock", "lamp", text}).empty());
        CHECK_FALSE(counter.code({"add-product", "lamp", "Lamp", "2", text, "home"}).empty());
    }
    for (const char* text : {"", "0", "-1", "1e3", "x", "1.001", "1000000000000000000"}) {
        CAPTURE(text);
        CHECK_FALSE(counter.code({"add-product", "lamp", "Lamp", text, "1", "home"}).empty());
    }
    CHECK(counter.world.state().business.products().empty());
    CHECK(counter.code({"add-product", "lamp", "Lamp", "2", "1", "home"}).empty());
    CHECK(counter.code({"edit-product", "lamp", "--name", "\x01"}) != "");
    CHECK(counter.code({"edit-product", "lamp", "--price", "-2"}) != "");
    CHECK(counter.code({"edit-product", "lamp", "--categories", ""}) != "");
    const bank::Product* lamp = counter.world.state().business.find_product("lamp");
    REQUIRE(lamp != nullptr);
    CHECK(lamp->name == "Lamp");
    CHECK(lamp->price == Money::from_cents(2'00));
    CHECK(lamp->quantity == 1);
}

TEST_CASE("bank refusals: who has not signed in, and who may not") {
    for (const char* role : {"", "customer"}) {
        Visitor counter(role);
        const std::string code = *role == '\0' ? "not-signed-in" : "not-allowed";
        for (const Words& words :
             std::vector<Words>{{"add-product", "lamp", "Lamp", "2", "1", "home"},
                                {"edit-product", "lamp", "--price", "1"},
                                {"remove-product", "lamp"},
                                {"restock", "lamp", "1"},
                                {"add-biller", "Golf", "bill"},
                                {"remove-biller", "Gym"},
                                {"set", "loan-rate", "0.01"},
                                {"refusals"},
                                {"report"},
                                {"people"},
                                {"role", kAnn, "admin"}}) {
            CAPTURE(words[0]);
            CHECK(counter.code(words) == code);
        }
        if (*role == '\0') {
            CHECK(counter.code({"bind", "alice"}) == "not-signed-in");
            CHECK(counter.code({"passwd"}) == "not-signed-in");
            CHECK(counter.code({"sign-out"}) == "not-signed-in");
        }
        CHECK(counter.world.state().business.products().empty());
        CHECK(find_biller(counter.world.state().business.billers(), "Gym") != nullptr);
    }
}

TEST_CASE("bank refusals: what has to be typed, and was not sent") {
    Visitor counter("customer");
    CHECK(counter.code({"register", "b@example.org"}) == "bad-secrets");
    CHECK(counter.code({"sign-in", kAnn}) == "bad-secrets");
    CHECK(counter.code({"passwd"}) == "bad-secrets");
    wire::Secrets secrets;
    secrets.set_name("Bob");
    secrets.set_password("short");
    CHECK(counter.world.ask(counter.alice, {"register", "b@example.org"}, &secrets).code ==
          "bad-password");
    secrets.set_password(kPassword);
    secrets.set_new_password("short");
    CHECK(counter.world.ask(counter.alice, {"passwd"}, &secrets).code == "bad-password");
    CHECK(counter.world.ask(counter.alice, {"register", "no address"}, &secrets).code ==
          "bad-email");
    CHECK(counter.world.ask(counter.alice, {"sign-in", "no address"}, &secrets).code ==
          "bad-email");
    CHECK(counter.world.state().business.people().find("b@example.org") == nullptr);
}

TEST_CASE("bank refusals: lines at the console that are none") {
    Visitor counter;
    BankWorld& world = counter.world;
    CHECK(world.type("search \"home").code == "usage");
    CHECK(world.type("register a@example.org").code == "usage");
    CHECK(world.type("sign-in a@example.org").code == "usage");
    CHECK(world.type("statement").code == "usage");
    CHECK(world.type("statement nobody").code == "unknown-customer");
    CHECK(world.type("last nobody").code == "unknown-customer");
    CHECK(world.type("add-biller SHOP bill").code == "bad-biller");
    CHECK(world.type("add-biller loans service").code == "bad-biller");
    CHECK(world.type("add-biller wATER bill").code == "biller-exists");
    CHECK(world.type("remove-biller nobody").code == "unknown-biller");
}

TEST_CASE("bank refusals: more products than a page are told page by page") {
    Visitor counter;
    BankWorld& world = counter.world;
    const size_t many = limits::kRowsOnPage + 7;
    for (size_t i = 0; i < many; ++i) {
        const std::string id = "p" + std::to_string(1'000 + i);
        REQUIRE(world.type("add-product " + id + " P 1 1 home").code.empty());
    }
    const Answer first = world.ask(counter.alice, {"products"});
    CHECK(first.text == "products " + std::to_string(many));
    REQUIRE_FALSE(first.lines.empty());
    const std::string last = "p" + std::to_string(1'000 + limits::kRowsOnPage - 1);
    CHECK(first.lines.back() == "and more: `products --after " + last + "`");
    const Answer second = world.ask(counter.alice, {"products", "--after", last});
    CHECK(second.lines.size() == 1 + 7);
    const Answer found = world.ask(counter.alice, {"search", "HOME"});
    CHECK(found.text == "search " + std::to_string(limits::kRowsOnPage) + " or more");
    CHECK(found.lines.back() == "and more: search for a longer part of the category");
    CHECK(world.ask(counter.alice, {"products", "--after", "zzz"}).lines.empty());
}

TEST_CASE("bank refusals: no biller is called as an account of the bank's own") {
    BankWorld world;
    for (const char* name : {"shop", "SHOP", "loans", "Loans", "unclaimed", "Unclaimed"}) {
        CAPTURE(std::string(name));
        CHECK(world.type("add-biller " + std::string(name) + " bill").code == "bad-biller");
    }
}

TEST_CASE("bank: a new row with more than an account can hold is refused with its line") {
    const std::string header = "name,balance,ip_address,port1,port2,cohort,exit_state\n";
    const auto loads = [&](const std::string& balance) {
        Bank bank{BankSettings{7}};
        const std::string table = header + "alice," + balance + ",127.0.0.1,9001,9002,,active\n";
        const auto loaded = bank.load_table(table);
        if (!loaded) CHECK(loaded.error().message.find("line 2") != std::string::npos);
        return loaded.ok();
    };
    CHECK(loads(to_string(kMaxTotal)));
    CHECK_FALSE(loads(to_string(must_add(kMaxTotal, Money::from_cents(1)))));
    CHECK_FALSE(loads("92233720368547758.07"));
}
