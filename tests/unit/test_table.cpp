#include <rapidcheck.h>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/stable/table.h"

using namespace p2pbank;

namespace {

const std::string kHead = std::string(kTableHeader) + "\n";
const std::string kAlice = "alice,950.25,127.0.0.1,9001,9002,cohort-1,active\n";
const std::string kBob = "bob,0,10.0.0.2,9003,9004,,exited\n";

// "2 rows", or the error's message.
std::string outcome(const std::string& content) {
    const auto rows = parse_table(content);
    if (rows) return std::to_string(rows.value().size()) + " rows";
    CHECK(rows.error().code == "bad-csv");
    return rows.error().message;
}

// What is said about one row, which is the file's second line.
std::string row_outcome(const std::string& row) {
    return outcome(kHead + row);
}

bool says(const std::string& outcome_of_it, const std::string& part) {
    return outcome_of_it.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("table: rows are read as they stand") {
    const auto rows = parse_table(kHead + kAlice + kBob);
    REQUIRE(rows.ok());
    REQUIRE(rows.value().size() == 2);
    CHECK(rows.value()[0] ==
          TableRow{"alice", Money::from_cents(95'025), 0x7f000001, 9001, 9002, "cohort-1", false});
    CHECK(rows.value()[1] == TableRow{"bob", Money(), 0x0a000002, 9003, 9004, "", true});
    CHECK(outcome(kHead) == "0 rows");
}

TEST_CASE("table: rows are written as they are read") {
    const auto rows = parse_table(kHead + kAlice + kBob);
    std::string out;
    for (const TableRow& row : rows.value()) append_row(out, row);
    CHECK(out == kAlice + kBob);
}

TEST_CASE("table: what is harmless is accepted") {
    const std::string all = kHead + kAlice + kBob;
    std::string crlf;
    for (const char c : all) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    const auto plain = parse_table(all).value();
    CHECK(parse_table(crlf).value() == plain);
    CHECK(parse_table("\xef\xbb\xbf" + all).value() == plain);
    CHECK(parse_table(all.substr(0, all.size() - 1)).value() == plain);
    CHECK(parse_table(all + "\n\r\n  \n\n").value() == plain);
    CHECK(outcome(std::string(kTableHeader)) == "0 rows");
    CHECK(parse_table("\"name\",balance,ip_address,port1,port2,cohort,\"exit_state\"\n"
                      "\"alice\",\"950.25\",127.0.0.1,9001,9002,\"cohort-1\",active\n" +
                      kBob)
              .value() == plain);
    CHECK(parse_table(kHead + "bob,0,10.0.0.2,9003,9004,\"\",\"exited\"").value()[0] == plain[1]);
}

TEST_CASE("table: a wrong header is refused") {
    for (const std::string& content :
         {std::string(), std::string("\n"), kAlice, "\n" + kHead, " " + kHead,
          std::string("name,balance,ip_address,port1,port2,cohort\n"),
          std::string("name,balance,ip_address,port1,port2,cohort,exit_state,\n"),
          std::string("Name,balance,ip_address,port1,port2,cohort,exit_state\n"),
          std::string("balance,name,ip_address,port1,port2,cohort,exit_state\n"),
          std::string("name;balance;ip_address;port1;port2;cohort;exit_state\n"),
          std::string(",\"name,balance\",ip_address,port1,port2,cohort,exit_state\n"),
          std::string("\xff\xfen\0a\0", 6), std::string("\xef\xbb\xbf")}) {
        CAPTURE(content);
        CHECK(says(outcome(content), "line 1: "));
        CHECK(says(outcome(content), "; the first line must be name,balance,ip_address,"));
    }
}

TEST_CASE("table: a missing or an extra column is refused") {
    CHECK(says(row_outcome("alice,1,1.2.3.4,1,2,active\n"),
               "line 2: 6 columns instead of 7; write name,balance,"));
    CHECK(says(row_outcome("alice,1,1.2.3.4,1,2,,active,\n"), "line 2: 8 columns instead of 7"));
    CHECK(says(row_outcome("\"alice\",1,1.2.3.4,1,2,,active,\n"), "8 columns instead of 7"));
    CHECK(says(row_outcome("alice\n"), "1 columns instead of 7"));
    CHECK(says(row_outcome(std::string(100'000, ',')), "100001 columns instead of 7"));
}

TEST_CASE("table: a wrong value is refused with the line and the reason") {
    const auto with = [](const std::string& name, const std::string& balance, const std::string& ip,
                         const std::string& port1, const std::string& port2,
                         const std::string& cohort, const std::string& state) {
        return outcome(kHead + kAlice + name + "," + balance + "," + ip + "," + port1 + "," +
                       port2 + "," + cohort + "," + state + "\n");
    };
    CHECK(with("bob", "1", "1.2.3.4", "1", "2", "", "active") == "2 rows");
    CHECK(says(with("", "1", "1.2.3.4", "1", "2", "", "active"), "line 3: '' is not a name"));
    CHECK(says(with(" bob", "1", "1.2.3.4", "1", "2", "", "active"), "' bob' is not a name"));
    CHECK(says(with("bank", "1", "1.2.3.4", "1", "2", "", "active"), "choose another name"));
    CHECK(says(with("bob", "-1", "1.2.3.4", "1", "2", "", "active"),
               "line 3: the balance '-1' is negative; write zero or more"));
    CHECK(says(with("bob", "1", "1.2.3", "1", "2", "", "active"), "not an IPv4 address"));
    CHECK(says(with("bob", "1", "1.2.3.4", "0", "2", "", "active"), "line 3: port1: '0' is not"));
    CHECK(says(with("bob", "1", "1.2.3.4", "1", "70000", "", "active"), "port2: '70000' is not"));
    CHECK(says(with("bob", "1", "1.2.3.4", "1", "2", "9", "active"), "cohort: '9' is not a name"));
    CHECK(says(with("bob", "1", "1.2.3.4", "1", "2", "", "Active"),
               "exit_state is 'Active'; write active or exited"));
    CHECK(says(with("bob", "1", "1.2.3.4", "1", "2", "", "act\rive"), "exit_state is 'act?ive'"));
    CHECK(says(with("alice", "1", "1.2.3.4", "1", "2", "", "active"),
               "line 3: the name 'alice' is taken by line 2; each account has one row"));
}

TEST_CASE("table: balances are exact up to what 64 bits hold") {
    const auto balance = [](const std::string& text) -> std::string {
        const auto rows = parse_table(kHead + "bob," + text + ",1.2.3.4,1,2,,active\n");
        return rows ? std::to_string(rows.value()[0].balance.cents()) : rows.error().message;
    };
    CHECK(balance("0") == "0");
    CHECK(balance("0.00") == "0");
    CHECK(balance("0.5") == "50");
    CHECK(balance("950.25") == "95025");
    CHECK(balance("92233720368547758.07") == "9223372036854775807");
    CHECK(says(balance("92233720368547758.08"), "is too large; the most is 92233720368547758.07"));
    CHECK(says(balance("92233720368547759"), "is too large"));
    CHECK(says(balance("9223372036854775807"), "is too large"));
    CHECK(says(balance(std::string(200, '9')), "is too large"));
    for (const char* text :
         {"", ".", ".5", "1.", "1.234", "1e3", "+1", "1 ", "0x1", "1.2.3", "nan"}) {
        CAPTURE(text);
        CHECK(says(balance(text), "is not an amount; write digits"));
    }
    CHECK(says(balance("--1"), "is negative"));
}

TEST_CASE("table: quotes are read after RFC 4180 or refused") {
    CHECK(says(row_outcome("\"ali\nce\",1,1.2.3.4,1,2,,active\n"),
               "line 2: a quoted field does not end on this line"));
    CHECK(says(row_outcome("alice,1,1.2.3.4,1,2,,\"active"), "does not end on this line"));
    CHECK(says(row_outcome("\"alice\"x,1,1.2.3.4,1,2,,active\n"), "text follows a closing quote"));
    CHECK(says(row_outcome("al\"ice,1,1.2.3.4,1,2,,active\n"), "in the middle of a field"));
    CHECK(says(row_outcome("\"a,b\",1,1.2.3.4,1,2,,active\n"), "'a,b' is not a name"));
    CHECK(says(row_outcome("\"a\"\"b\",1,1.2.3.4,1,2,,active\n"), "'a\"b' is not a name"));
}

TEST_CASE("table: an empty line between rows is refused, and lines are counted from 1") {
    CHECK(outcome(kHead + kAlice + "\n" + kBob) == "line 3: the line is empty; remove it");
    CHECK(outcome(kHead + kAlice + " \r\n" + kBob) == "line 3: the line is empty; remove it");
    CHECK(says(outcome(kHead + kAlice + kBob + "\r\rx\r"), "line 4: "));
    std::string many = kHead;
    for (int i = 0; i < 3'000; ++i) many += "c" + std::to_string(i) + ",1,1.2.3.4,1,2,,active\n";
    CHECK(outcome(many) == "3000 rows");
    CHECK(says(outcome(many + "c1234,1,1.2.3.4,1,2,,active\n"),
               "line 3002: the name 'c1234' is taken by line 1236"));
}

TEST_CASE("table: what is written is read as the same rows") {
    CHECK(rc::check("rows, written and read", [] {
        const auto name = rc::gen::map(
            rc::gen::pair(rc::gen::elementOf(std::string("abcXYZ")),
                          rc::gen::resize(31, rc::gen::container<std::string>(
                                                  rc::gen::elementOf(std::string("az09_-"))))),
            [](const std::pair<char, std::string>& parts) {
                return parts.first + parts.second.substr(0, 31);
            });
        const auto row = rc::gen::map(
            rc::gen::tuple(
                name, rc::gen::inRange<int64_t>(0, INT64_MAX),
                rc::gen::inRange<uint32_t>(1, 0xe0000000U), rc::gen::inRange<uint16_t>(1, 65'535),
                rc::gen::inRange<uint16_t>(1, 65'535),
                rc::gen::oneOf(rc::gen::just(std::string()), name), rc::gen::arbitrary<bool>()),
            [](const auto& parts) {
                return TableRow{std::get<0>(parts), Money::from_cents(std::get<1>(parts)),
                                std::get<2>(parts), std::get<3>(parts),
                                std::get<4>(parts), std::get<5>(parts),
                                std::get<6>(parts)};
            });
        const auto rows = *rc::gen::uniqueBy<std::vector<TableRow>>(
            row, [](const TableRow& r) { return r.name; });
        std::string content = kHead;
        for (const TableRow& r : rows) append_row(content, r);
        const auto again = parse_table(content);
        RC_ASSERT(again.ok());
        RC_ASSERT(again.value() == rows);
    }));
}

TEST_CASE("table: any bytes are read or refused, and never crash") {
    Random random(1);
    const std::string good = kHead + kAlice + kBob;
    const std::string alphabet("\",\n\r.0a- \0\xef\xff", 12);
    size_t accepted = 0;
    for (int i = 0; i < 60'000; ++i) {
        std::string content = good;
        for (uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
            const size_t at = random.below(content.size());
            const char byte = random.one_in(8) ? static_cast<char>(random.below(256))
                                               : alphabet[random.below(alphabet.size())];
            switch (random.below(4)) {
                case 0:
                    content.insert(at, 1, byte);
                    break;
                case 1:
                    content.erase(at, 1 + random.below(5));
                    break;
                case 2:
                    content.insert(at, content.substr(random.below(content.size()), 20));
                    break;
                default:
                    content[at] = byte;
            }
            if (content.empty()) content = good;
        }
        const auto rows = parse_table(content);
        if (!rows) {
            CHECK(says(rows.error().message, "line "));
            continue;
        }
        ++accepted;
        for (const TableRow& row : rows.value()) CHECK_FALSE(row.balance.is_negative());
    }
    CHECK(accepted > 0);
}
