#include <doctest/doctest.h>

#include "bank/domain/billers.h"
#include "bank/domain/people.h"
#include "bank/domain/settings.h"

using namespace p2pbank;
using namespace p2pbank::bank;

TEST_CASE("people: an e-mail is kept in lower case, and is one") {
    CHECK(check_email("Ann.Lee+bank@Example.ORG").value() == "ann.lee+bank@example.org");
    CHECK(check_email("a@b-c.de").ok());
    for (const char* text : {"",
                             "ann",
                             "ann@",
                             "@example.org",
                             "ann@example",
                             "ann@@example.org",
                             "a@b@example.org",
                             ".ann@example.org",
                             "ann.@example.org",
                             "a..n@example.org",
                             "ann@-x.org",
                             "ann@x-.org",
                             "ann@x..org",
                             "ann@.org",
                             "ann@x.",
                             "an n@example.org",
                             "\"ann\"@example.org",
                             "ann@exa_mple.org",
                             "ann\n@example.org",
                             "\xC3\xA4@example.org"}) {
        CAPTURE(text);
        REQUIRE_FALSE(check_email(text).ok());
        CHECK(check_email(text).error().code == "bad-email");
    }
    CHECK(check_email(std::string(64, 'a') + "@example.org").ok());
    CHECK_FALSE(check_email(std::string(65, 'a') + "@example.org").ok());
    std::string longest = "a@";
    while (longest.size() < 250) longest += "abc.";
    CHECK(check_email(longest + "org").value().size() <= 254);
    CHECK_FALSE(check_email(longest + "abc.org").ok());
}

TEST_CASE("people: a password is long enough, one line, and not the e-mail") {
    CHECK(check_password("correct horse", "ann@example.org").ok());
    CHECK(check_password("\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8", "ann@example.org").ok());
    CHECK(check_password(std::string(256, 'x'), "ann@example.org").ok());
    for (const std::string& password :
         {std::string("1234567"), std::string(257, 'x'), std::string("Ann@Example.org"),
          std::string("two\nlines"), std::string("zero\0byte", 9)}) {
        const auto checked = check_password(password, "ann@example.org");
        REQUIRE_FALSE(checked.ok());
        CHECK(checked.error().code == "bad-password");
        CHECK(checked.error().message.find(password) == std::string::npos);
    }
}

TEST_CASE("people: roles are ordered, and read as they are printed") {
    for (const Role role : {Role::customer, Role::teller, Role::admin}) {
        CHECK(parse_role(to_string(role)).value() == role);
        CHECK(role_of(static_cast<uint32_t>(role)) == role);
    }
    CHECK(parse_role("root").error().code == "bad-role");
    CHECK(role_of(3) == Role::customer);
    CHECK(may(Role::admin, Role::teller));
    CHECK(may(Role::teller, Role::teller));
    CHECK_FALSE(may(Role::customer, Role::teller));
}

TEST_CASE("people: three slips are free, then each costs twice the time of the one before") {
    for (const uint32_t failures : {0U, 1U, 2U, 3U}) CHECK(delay_after(failures).count() == 0);
    CHECK(delay_after(4) == seconds(1));
    CHECK(delay_after(5) == seconds(2));
    CHECK(delay_after(13) == seconds(512));
    CHECK(delay_after(14) == seconds(900));
    CHECK(delay_after(UINT32_MAX) == seconds(900));
}

TEST_CASE("billers: ten of them to begin with, found whatever the case") {
    CHECK(default_billers().size() == 10);
    const Biller* found = find_biller(default_billers(), "eLECTRICITY");
    REQUIRE(found != nullptr);
    CHECK(found->name == "Electricity");
    CHECK(found->service);
    CHECK_FALSE(find_biller(default_billers(), "rent")->service);
    CHECK(find_biller(default_billers(), "Taxes") == nullptr);
    for (const Biller& biller : default_billers()) CHECK(check_biller_name(biller.name).ok());
    for (const char* name : {"", "7up", "a b", "-x", "x,y", "a23456789012345678901234567890123"}) {
        CAPTURE(name);
        CHECK(check_biller_name(name).error().code == "bad-biller");
    }
}

TEST_CASE("settings: each has its default, and gives back what it was set to") {
    Settings settings;
    for (const SettingSpec& spec : Settings::known()) {
        CAPTURE(spec.name);
        const std::string before = settings.get(spec.name);
        REQUIRE(settings.set(spec.name, spec.default_value).ok());
        CHECK(settings.get(spec.name) == before);
        CHECK(before == spec.default_value);
    }
    CHECK(settings.check("loan-rate", "7.5").value() == "7.50");
    CHECK(settings.check("currency", "R").value() == "R");
    CHECK(settings.check("currency", "\xE2\x82\xAC").ok());
    CHECK(settings.check("starting-balance", "1000000").ok());
    CHECK(settings.check("colour", "blue").error().code == "unknown-setting");
}

TEST_CASE("settings: what does not fit, alone or with the others, is refused") {
    const Settings settings;
    const std::pair<const char*, const char*> bad[] = {
        {"currency", "EURO5"}, {"currency", "\n"},        {"starting-balance", "-1"},
        {"loan-rate", "101"},  {"loan-rate", "1.234"},    {"loan-rate", "5%"},
        {"loan-rate", "1."},   {"loan-rate", ".5"},       {"loan-least", "0"},
        {"loan-most", "99"},   {"loan-least", "2000000"}, {"loan-most", "1000000000001"},
        {"loan-months", "0"},  {"loan-months", "601"},    {"loan-months", "1.5"},
        {"open-loans", "101"}, {"open-loans", ""},
    };
    for (const auto& pair : bad) {
        const std::string name = pair.first;
        const std::string value = pair.second;
        CAPTURE(name);
        CAPTURE(value);
        const auto checked = settings.check(name, value);
        REQUIRE_FALSE(checked.ok());
        CHECK(checked.error().code == "bad-setting");
    }
    // Restored one after another, in any order.
    Settings restored;
    CHECK(restored.set("loan-least", "5000000").ok());
    CHECK(restored.set("loan-most", "9000000").ok());
}
