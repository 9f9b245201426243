// Files of products and purchases at the console: what is taken as a whole, what is refused and
// changes nothing, and what is said when a file cannot be read or written.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/limits.h"
#include "common/stable/frame.h"
#include "tests/unit/bank_world.h"

using namespace p2pbank;

namespace {

const std::string kProducts = "id,name,price,quantity,categories\n";
const std::string kPurchases = "order,date,customer,product,quantity,amount,state\n";

// The bank's console, with the files that a test has.
struct Files {
    BankWorld world;
    uint64_t commands = 5'000;

    CommandId type(const std::string& line) {
        const CommandId id(++commands);
        world.bank().on_command(world.now, id, line, world.effects);
        world.deliver();
        return id;
    }
    // The job under way, which ends so.
    Job end_job(JobResult result) {
        auto jobs = std::exchange(world.effects.jobs, {});
        REQUIRE(jobs.size() == 1);
        world.bank().on_job(world.now, jobs[0].id, std::move(result), world.effects);
        world.deliver();
        return std::move(jobs[0].work);
    }
    Answer answer(CommandId id) {
        REQUIRE(world.effects.answers.contains(id));
        return world.effects.answers.at(id);
    }
    Answer import(const std::string& content, const std::string& options = "") {
        const CommandId id = type("import some.csv" + options);
        const Job job = end_job(JobResult{{}, content, false, {}});
        CHECK(std::get<ReadFile>(job).path == "some.csv");
        CHECK(std::get<ReadFile>(job).max_bytes == limits::kMaxImportBytes);
        return answer(id);
    }
    // Refused by this code, and nothing is changed.
    Answer refused(const std::string& content, const std::string& code,
                   const std::string& options = "") {
        const size_t records = world.effects.records.size();
        const Answer given = import(content, options);
        CHECK(given.outcome == Outcome::failure);
        CHECK(given.code == code);
        CHECK(given.text.find("some.csv") != std::string::npos);
        CHECK(world.effects.records.size() == records);
        return given;
    }
    const bank::Business& business() const { return world.state().business; }
};

Error no_disk() {
    return {"io-error", "the disk is gone"};
}

}  // namespace

TEST_CASE("import: more products than a record has are one import, and are there after a restart") {
    Files files;
    constexpr int kMany = 1'300;
    std::string content = kProducts;
    for (int i = 0; i < kMany; ++i) {
        content += "p" + std::to_string(10'000 + i) + ",Lamp," + std::to_string(i + 1) + "," +
                   std::to_string(i) + ",home;light\n";
    }
    const Answer answer = files.import(content);
    CHECK(answer.text == "import products 1300 new 1300");
    CHECK(files.world.records(bank::State::Record::kProducts).size() == 3);
    for (const bool snapshot : {false, true}) {
        CHECK(files.business().products().size() == kMany);
        const bank::Product* last = files.business().find_product("p11299");
        REQUIRE(last != nullptr);
        CHECK(last->price == Money::from_cents(1'300'00));
        CHECK(last->quantity == 1'299);
        CHECK(last->categories == std::vector<std::string>{"home", "light"});
        CHECK(files.business().search("light", 2'000).size() == kMany);
        snapshot ? files.world.restart_from_snapshot() : files.world.restart();
    }
}

TEST_CASE("import: products that are there are taken from the file only when that is said") {
    Files files;
    REQUIRE(files.import(kProducts + "lamp,Lamp,2,5,home\n").code.empty());
    const std::string content = kProducts + "sofa,Sofa,9,1,home\nlamp,Lamp,3,7,home\n";
    files.refused(content, "bad-csv");
    CHECK(files.business().find_product("sofa") == nullptr);
    CHECK(files.import(content, " --replace").text == "import products 2 new 1");
    CHECK(files.business().find_product("lamp")->price == Money::from_cents(3'00));
    CHECK(files.business().find_product("lamp")->quantity == 7);
    CHECK(files.business().products().size() == 2);
}

TEST_CASE("import: a product of which purchases are pending keeps what is reserved") {
    Files files;
    REQUIRE(files.import(kProducts + "lamp,Lamp,2,5,home\n").code.empty());
    Process& alice = files.world.customer("alice", 1, 9'001);
    REQUIRE(files.world.attach(alice, 1).has_value());
    wire::Datagram message;
    message.set_epoch(1);
    wire::Deal* deal = message.mutable_deal();
    deal->set_number(1);
    deal->set_kind(wire::DEAL_PURCHASE);
    deal->set_what("lamp");
    deal->set_quantity(2);
    deal->set_amount(4'00);
    REQUIRE(files.world.say(alice, message)[0].deal_reply().accepted());
    files.refused(kProducts + "sofa,Sofa,9,1,home\nlamp,Lamp,3,7,home\n", "bad-csv", " --replace");
    CHECK(files.business().find_product("lamp")->quantity == 3);
    CHECK(files.business().find_product("sofa") == nullptr);
}

TEST_CASE("import: more purchases than a record has are one import, and are taken once") {
    Files files;
    REQUIRE(files.import(kProducts + "lamp,Lamp,2,5,home\n").code.empty());
    constexpr int kMany = 1'030;
    std::string content = kPurchases;
    for (int i = 1; i <= kMany; ++i) {
        content += std::to_string(i) + ",2026-01-02 03:04:05,alice,lamp,1,2,settled\n";
    }
    const uint64_t order = files.business().next_order();
    CHECK(files.import(content).text == "import purchases 1030");
    const auto records = files.world.records(bank::State::Record::kPastPurchases);
    REQUIRE(records.size() == 3);
    uint64_t next = order;
    for (const auto& record : records) {
        for (const auto& purchase : record.past_purchases().purchases()) {
            CHECK(purchase.order() == next);
            ++next;
        }
    }
    CHECK(next == order + kMany);
    for (const bool snapshot : {false, true}) {
        CHECK(files.business().next_order() == next);
        const Answer again = files.refused(content, "imported-already");
        CHECK(again.text.find("nothing was changed") != std::string::npos);
        CHECK(files.business().find_product("lamp")->quantity == 5);
        snapshot ? files.world.restart_from_snapshot() : files.world.restart();
    }
}

TEST_CASE("import: purchases that another system cannot have are refused with their line") {
    Files files;
    REQUIRE(files.import(kProducts + "lamp,Lamp,2,5,home\n").code.empty());
    const std::string good = "1,2026-01-02 03:04:05,alice,lamp,1,2,settled\n";
    for (const char* bad : {"2,2026-01-02 03:04:05,alice,sofa,1,2,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,2,pending\n",
                            "2,1969-12-31 23:59:59,alice,lamp,1,2,settled\n",
                            "2,2026-01-02 03:04:05,al ice,lamp,1,2,settled\n",
                            "2,2026-01-02 03:04:05,,lamp,1,2,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,0,2,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,0,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,-2,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,1000000000000001,settled\n",
                            "2,2026-01-02 24:00:00,alice,lamp,1,2,settled\n",
                            "2,2026-01-02 03:04,alice,lamp,1,2,settled\n",
                            "-2,2026-01-02 03:04:05,alice,lamp,1,2,settled\n",
                            "1234567890123456789,2026-01-02 03:04:05,alice,lamp,1,2,settled\n",
                            "1,2026-01-02 03:04:05,alice,lamp,1,2,settled\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,2,bought\n",
                            "2,2026-01-02 03:04:05,alice,lamp,1,2\n"}) {
        CAPTURE(std::string(bad));
        const Answer answer = files.refused(kPurchases + good + bad, "bad-csv");
        CHECK(answer.text.find("line 3") != std::string::npos);
    }
    CHECK(files.import(kPurchases + good).code.empty());
    CHECK(files.import(kPurchases + "2,1970-01-01 00:00:00,bob,lamp,1,2,cancelled\n").code.empty());
}

TEST_CASE("import: a file that is none, and one that cannot be read") {
    Files files;
    for (const char* head :
         {"", "\n", "id,name\n", "name,balance,ip_address,port1,port2\n", "\x01"}) {
        files.refused(std::string(head) + "lamp,Lamp,2,5,home\n", "bad-csv");
    }
    CHECK(files.import(kProducts).text == "import products 0 new 0");
    const size_t records = files.world.effects.records.size();
    for (const Error& error :
         {Error{"not-found", "some.csv is not there"}, Error{"too-large", "it is too large"}}) {
        const CommandId id = files.type("import some.csv");
        JobResult result;
        result.outcome = error;
        files.end_job(std::move(result));
        CHECK(files.answer(id).outcome == Outcome::failure);
        CHECK(files.answer(id).code == error.code);
        CHECK(files.answer(id).text == error.message);
    }
    CHECK(files.world.effects.records.size() == records);
    for (const char* line : {"import", "import a.csv b.csv", "import a.csv --replace x", "export",
                             "export a b", "save", "save a b"}) {
        CAPTURE(std::string(line));
        CHECK(files.answer(files.type(line)).code == "usage");
        CHECK(files.world.effects.jobs.empty());
    }
}

TEST_CASE("export: what this bank has told it does not take for news") {
    Files files;
    REQUIRE(files.import(kProducts + "lamp,Lamp,2,5,home\n").code.empty());
    const std::string told = kPurchases + "1,2026-01-02 03:04:05,alice,lamp,1,2,settled\n";
    for (int i = 0; i < 2; ++i) {
        const CommandId id = files.type("export folder");
        files.end_job(JobResult{{}, told, false, {}});
        const auto written = std::get<WriteFiles>(files.end_job({}));
        CHECK(written.folder == "folder");
        REQUIRE(written.files.size() == 2);
        CHECK(written.files[0] == std::pair<std::string, std::string>(
                                      "inventory.csv", kProducts + "lamp,Lamp,2,5,home\n"));
        CHECK(written.files[1] == std::pair<std::string, std::string>("purchases.csv", told));
        CHECK(files.answer(id).text == "export folder products 1");
        files.refused(told, "imported-already");
    }
    CHECK(files.world.records(bank::State::Record::kPastPurchases).size() == 1);
    // For people: nothing is remembered of it.
    const CommandId id = files.type("save folder");
    files.end_job(JobResult{{}, "ORDER\n", false, {}});
    const auto written = std::get<WriteFiles>(files.end_job({}));
    CHECK(written.files[0].first == "inventory.txt");
    CHECK(written.files[1].first == "purchases.txt");
    CHECK(files.answer(id).text == "save folder products 1");
    CHECK(files.world.records(bank::State::Record::kPastPurchases).size() == 1);
}

TEST_CASE("export: a history that cannot be read, and files that cannot be written") {
    for (const char* line : {"export folder", "save folder"}) {
        Files files;
        JobResult failed;
        failed.outcome = no_disk();
        CommandId id = files.type(line);
        files.end_job(std::move(failed));
        CHECK(files.answer(id).code == "io-error");
        CHECK(files.answer(id).text == "the disk is gone");
        CHECK(files.world.effects.jobs.empty());
        id = files.type(line);
        files.end_job({});
        failed = {};
        failed.outcome = no_disk();
        files.end_job(std::move(failed));
        CHECK(files.answer(id).code == "io-error");
        // The next one goes on as if nothing had been.
        id = files.type(line);
        files.end_job({});
        files.end_job({});
        CHECK(files.answer(id).outcome == Outcome::success);
    }
}

TEST_CASE("import: a file whose records do not fit into one frame of the journal is refused") {
    BankWorld world;
    const auto import = [&](const std::string& content) {
        static uint64_t commands = 9'000;
        const CommandId id(++commands);
        world.bank().on_command(world.now, id, "import some.csv", world.effects);
        REQUIRE(world.effects.jobs.size() == 1);
        auto jobs = std::exchange(world.effects.jobs, {});
        JobResult result;
        result.text = content;
        world.bank().on_job(world.now, jobs[0].id, std::move(result), world.effects);
        world.deliver();
        REQUIRE(world.effects.answers.contains(id));
        return world.effects.answers.at(id);
    };
    std::string categories;
    for (int i = 0; i < 16; ++i) {
        std::string one(limits::kMaxCategoryBytes, 'c');
        one[0] = static_cast<char>('a' + i);
        categories += (i == 0 ? "" : ";") + one;
    }
    const std::string product = std::string(32, 'p');
    REQUIRE(import("id,name,price,quantity,categories\n" + product + "," + std::string(100, 'n') +
                   ",1,1," + categories + "\n")
                .code.empty());
    // What one purchase takes in the journal.
    const std::string head = "order,date,customer,product,quantity,amount,state\n";
    const std::string row =
        ",2026-01-01 00:00:00,abcdefghijklmnopqrstuvwxyzabcdef," + product + ",1,1,settled\n";
    const size_t before = world.effects.records.size();
    REQUIRE(import(head + "1" + row).code.empty());
    REQUIRE(world.effects.records.size() == before + 1);
    const size_t each = world.effects.records.back().size() - 30;
    const size_t count = frame::kMaxPayloadBytes / each + 1;
    REQUIRE(count < limits::kMaxImportedPurchases);
    std::string content = head;
    content.reserve(count * 120);
    for (size_t i = 1; i <= count; ++i) content += std::to_string(i) + row;
    REQUIRE(content.size() < limits::kMaxImportBytes);
    const uint64_t order = world.state().business.next_order();
    const Answer answer = import(content);
    CHECK(answer.code == "limit");
    CHECK(world.effects.records.size() == before + 1);
    CHECK(world.state().business.next_order() == order);
}
