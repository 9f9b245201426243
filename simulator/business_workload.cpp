// What people type about the bank's business: at the counter, in the shop, at the bank's console.
// Part of Workload.
#include <iterator>

#include "bank/domain/inventory_files.h"
#include "simulator/workload.h"

namespace p2pbank::simulator {
namespace {

constexpr const char* kProducts[] = {"apple", "lamp-1", "tea", "yacht"};
constexpr const char* kBillers[] = {"Electricity", "Water", "Rent", "netflix", "Parking"};
constexpr const char* kEmails[] = {"ann@example.org", "Ben@example.org", "cy@example.org"};

const char* const kSilly[] = {
    "buy",
    "buy apple",
    "buy apple 0",
    "buy apple -1",
    "buy apple 1.5",
    "buy apple 99999999999999999999",
    "buy apple 1000000000",
    "buy pear 1",
    "buy yacht 1000000000",
    "pay",
    "pay Rent 0",
    "pay Rent 1.005",
    "pay nobody 5",
    "pay shop 5",
    "pay loans 5",
    "pay Water 1000000000000000.01",
    "loan 5",
    "loan 0 5",
    "loan 5 0",
    "loan 99999999999 12",
    "loan 100 601",
    "repay 1",
    "repay nothing 5",
    "repay 0 5",
    "repay 18446744073709551616 1",
    "products --after",
    "search",
    "search \"\"",
    "search \"unfinished",
    "tokens alice",
    "statement --from yesterday",
    "statement --last 0",
    "activity alice",
    "deposit 1 --note",
    "deposit 1 --note \"a\x01b\"",
    "register",
    "register nobody",
    "verify 123456",
    "sign-in ghost@example.org",
    "role ann@example.org admin",
    "add-product x X 1 1 a",
    "import inventory.csv",
    "set loan-rate 5",
    "people",
    "refusals",
};

const char* const kSillyAtConsole[] = {
    "add-product",
    "add-product apple Apple 1 1 fruit",
    "add-product pear Pear 0 1 fruit",
    "add-product pear Pear 1 -1 fruit",
    "add-product pear Pear 1 1.5 fruit",
    "add-product pear Pear 1 1 ,",
    "add-product pear Pear 1 1 fruit,fruit",
    "add-product pear Pear 999999999999999999999 1 fruit",
    "edit-product apple",
    "edit-product apple --price 0",
    "edit-product pear --price 1",
    "restock apple 0",
    "restock pear 5",
    "restock apple 1000000000",
    "remove-product pear",
    "add-biller shop service",
    "add-biller Rent bill",
    "add-biller loans bill",
    "remove-biller Nobody",
    "set currency toolong",
    "set nothing 1",
    "set loan-rate -1",
    "import nowhere.csv",
    "buy apple 1",
    "role ghost@example.org admin",
    "statement nobody",
    "tokens",
    "schedule 0",
};

template <size_t N>
std::string any_of(Random& random, const char* const (&of)[N]) {
    return of[static_cast<size_t>(random.below(N))];
}

}  // namespace

void Workload::stock_shop() {
    const auto type = [&](const std::string& line) { world_.type(World::kBank, line); };
    for (const char* product : kProducts) {
        type(std::string("add-product ") + product + " \"A " + product + "\" " + amount() + " " +
             std::to_string(random_.below(random_.one_in(3) ? 4 : 40)) + " all,\"" + product +
             " things\"");
    }
    type("set loan-least 0.01");
    if (random_.one_in(2)) type("set open-loans 50");
}

void Workload::deal(size_t machine) {
    const auto type = [&](const std::string& line) { world_.type(machine, line); };
    if (random_.one_in(8)) return rush();
    switch (random_.below(10)) {
        case 0:
            return type(any_of(random_, kSilly));
        case 1:
        case 2:
            return type("pay " + any_of(random_, kBillers) + " " + amount());
        case 3:
            return type("loan " + amount() + " " + std::to_string(1 + random_.below(24)));
        case 4:
        case 5: {
            const auto loan = any_loan(machine);
            if (loan) return type("repay " + std::to_string(*loan) + " " + amount());
            break;
        }
        default:
            break;
    }
    const uint64_t times = random_.one_in(5) ? 1 + random_.below(4) : 1;
    for (uint64_t i = 0; i < times; ++i) {
        type("buy " + any_of(random_, kProducts) + " " + std::to_string(1 + random_.below(4)));
    }
}

// All want more than half of what is left of a product: each is told that it is there, and one gets
// it.
void Workload::rush() {
    if (world_.bank() == nullptr) return;
    const std::string product = any_of(random_, kProducts);
    const bank::Product* found = world_.bank()->state().business.find_product(product);
    if (found == nullptr || found->quantity == 0) return;
    const std::string line = "buy " + product + " " + std::to_string(found->quantity / 2 + 1);
    for (size_t i = World::kBank + 1; i < world_.machines(); ++i) {
        const Customer* customer = world_.customer(i);
        if (customer == nullptr || customer->state().phase != customer::Phase::open) continue;
        if (world_.machine(i).unread() < kMostUnread) world_.type(i, line);
    }
}

// Mostly one of its own, if it has any.
std::optional<uint64_t> Workload::any_loan(size_t machine) {
    if (world_.bank() == nullptr) return std::nullopt;
    const auto& business = world_.bank()->state().business;
    const auto& own = business.deals_of(world_.who(machine)).loans;
    if (own.empty() && random_.one_in(4) && !business.loans().empty()) {
        return business.loans().begin()->first;
    }
    if (own.empty()) return std::nullopt;
    return own[static_cast<size_t>(random_.below(own.size()))];
}

void Workload::ask_bank(size_t machine) {
    static const char* const kQuestions[] = {"products", "search thing", "purchases",
                                             "services", "bills",        "tokens",
                                             "loans",    "statement",    "statement --last 3 --csv",
                                             "last",     "history",      "activity",
                                             "report",   "settings"};
    const auto loan = any_loan(machine);
    if (loan && random_.one_in(8)) {
        world_.type(machine, "schedule " + std::to_string(*loan));
    } else {
        world_.type(machine, any_of(random_, kQuestions));
    }
}

void Workload::person(size_t machine) {
    const std::string email = any_of(random_, kEmails);
    const auto type = [&](const std::string& line) { world_.type(machine, line); };
    switch (random_.below(8)) {
        case 0:
        case 1:
            return type("register " + email);
        case 2: {
            if (world_.bank() == nullptr) return;
            for (const auto& [known, who] : world_.bank()->state().business.people().all()) {
                if (!who.code.empty()) return type("verify " + who.code);
            }
            return;
        }
        case 3:
        case 4:
            return type("sign-in " + email);
        case 5:
            return type("sign-out");
        case 6:
            return type("passwd");
        default:
            // As it is for a teller.
            return type("restock " + any_of(random_, kProducts) + " 1");
    }
}

void Workload::at_counter() {
    if (world_.machine(World::kBank).unread() >= kMostUnread) return;
    const auto type = [&](const std::string& line) { world_.type(World::kBank, line); };
    const std::string product = any_of(random_, kProducts);
    switch (random_.below(16)) {
        case 0:
            return type("add-product " + product + " \"New " + product + "\" " + amount() + " " +
                        std::to_string(random_.below(20)) + " all,new");
        case 1:
            return type("edit-product " + product + " --price " + amount());
        case 2:
            return type("edit-product " + product + " --name \"Better " + product +
                        "\" --categories all,better");
        case 3:
        case 4:
            return type("restock " + product + " " + std::to_string(1 + random_.below(20)));
        case 5:
            return type("remove-product " + product);
        case 6:
            return type(random_.one_in(2) ? "add-biller Parking service" : "remove-biller Parking");
        case 7:
            return type("set loan-rate " + std::to_string(random_.below(40)));
        case 8:
            return type("role " + any_of(random_, kEmails) +
                        (random_.one_in(3) ? " customer" : " teller"));
        case 9:
            return type("statement " + any_name() + " --last 5");
        case 10:
            return type("tokens " + any_name());
        case 11:
            return import_files();
        case 12:
            return type(random_.one_in(2) ? "export out" : "save out");
        case 13: {
            static const char* const kQuestions[] = {
                "report", "loans", "purchases", "products", "people", "refusals", "settings",
            };
            return type(any_of(random_, kQuestions));
        }
        default:
            return type(any_of(random_, kSillyAtConsole));
    }
}

// Now and then with a line that is wrong: then nothing of the file may count.
void Workload::import_files() {
    std::string content;
    if (random_.one_in(2)) {
        content = std::string(bank::kInventoryHeader) + "\n";
        for (const char* product : kProducts) {
            if (random_.one_in(2)) continue;
            content += std::string(product) + ",Imported," + amount() + "," +
                       std::to_string(random_.below(30)) + ",all;imported\n";
        }
        if (random_.one_in(3)) content += "apple,Twice,1,-1,all\n";
    } else {
        content = std::string(bank::kPurchasesHeader) + "\n";
        content += "1,2020-02-29," + any_name() + "," + any_of(random_, kProducts) + ",2," +
                   amount() + ",settled\n";
        if (random_.one_in(3)) content += "2,2020-02-30,nobody,nothing,0,0,pending\n";
    }
    world_.machine(World::kBank).disk().put(std::string(Machine::kFiles) + "in.csv", content);
    world_.type(World::kBank, "import in.csv");
}

}  // namespace p2pbank::simulator
