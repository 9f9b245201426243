#include "bank/command_list.h"

namespace p2pbank::bank {
namespace {

constexpr std::string_view kAccounts = "Accounts";
constexpr std::string_view kCohorts = "Cohorts";
constexpr std::string_view kShop = "Shop";
constexpr std::string_view kPayments = "Services and bills";
constexpr std::string_view kLoans = "Loans";
constexpr std::string_view kPeople = "People";
constexpr std::string_view kBank = "Bank";
constexpr std::string_view kProgram = "Program";

constexpr CommandSpec kCommands[] = {
    {"open", "open <name> <balance> <ip_address> <port1> <port2>",
     "opens an account for the customer program that listens there",
     "open alice 100 127.0.0.1 9101 9102", kAccounts},
    {"close", "close <name>",
     "closes an account that is empty, in no cohort and without an open loan", "close alice",
     kAccounts},
    {"exit", "exit <name>", "closes an account that is in no cohort", "exit alice", kAccounts},
    {"unbind", "unbind <name> [--force]",
     "forgets an account's key, for the next program at its IP address; --force: always",
     "unbind alice", kAccounts},
    {"customers", "customers", "all accounts", "customers", kAccounts},
    {"statement", "statement <name> [--from <date>] [--to <date>] [--last <n>] [--csv|--json]",
     "what moved money in an account, with the balance after each line",
     "statement alice --from 2026-11-01 --to 2026-11-30", kAccounts},
    {"last", "last <name>", "the newest line of an account's statement", "last alice", kAccounts},
    {"activity", "activity <name>",
     "everything that happened to an account: pending, settled and rolled back", "activity alice",
     kAccounts},

    {"new-cohort", "new-cohort <name> <number_of_customers>",
     "forms a cohort of <name> and others picked at random", "new-cohort alice 3", kCohorts},
    {"delete-cohort", "delete-cohort <name> [--force]",
     "ends the cohort of <name> with a last checkpoint; --force: at its last cut",
     "delete-cohort alice", kCohorts},
    {"cohorts", "cohorts", "all cohorts and their members", "cohorts", kCohorts},

    {"products", "products [--after <id>]", "what the shop sells; --after: the next page",
     "products --after lamp-1", kShop},
    {"search", "search <category>", "products of a category; a part of its name is enough",
     "search light", kShop},
    {"add-product", "add-product <id> <name> <price> <quantity> <category,category>",
     "adds a product to the shop", "add-product lamp-1 \"Desk lamp\" 249.99 10 home,light", kShop},
    {"edit-product", "edit-product <id> [--name <name>] [--price <price>] [--categories <a,b>]",
     "changes a product; what was bought before keeps its price", "edit-product lamp-1 --price 199",
     kShop},
    {"remove-product", "remove-product <id>", "takes a product out of the shop",
     "remove-product lamp-1", kShop},
    {"restock", "restock <id> <quantity>", "adds to the stock of a product", "restock lamp-1 25",
     kShop},
    {"purchases", "purchases [<customer>|--product <id>]",
     "what was bought: by anybody, by one customer, or of one product",
     "purchases --product lamp-1", kShop},
    {"import", "import <file> [--replace]",
     "adds an inventory.csv or purchases.csv; --replace: also takes products that exist",
     "import data/inventory.csv", kShop},
    {"export", "export <folder>", "writes inventory.csv and purchases.csv", "export exports",
     kShop},
    {"save", "save <folder>", "writes inventory.txt and purchases.txt, for people to read",
     "save exports", kShop},

    {"services", "services", "services that can be paid; each payment gives a token", "services",
     kPayments},
    {"bills", "bills", "billers that can be paid", "bills", kPayments},
    {"add-biller", "add-biller <name> service|bill", "adds a service or a biller",
     "add-biller Parking service", kPayments},
    {"remove-biller", "remove-biller <name>", "takes a service or a biller away",
     "remove-biller Parking", kPayments},
    {"tokens", "tokens <name>", "the tokens that a customer has bought and that have settled",
     "tokens alice", kPayments},

    {"loans", "loans [<name>]", "all loans, or those of one customer", "loans alice", kLoans},
    {"schedule", "schedule <loan>", "the instalments of a loan", "schedule 7", kLoans},

    {"people", "people", "everybody who has registered, with their roles", "people", kPeople},
    {"role", "role <email> customer|teller|admin", "says what a person may do",
     "role alice@example.org teller", kPeople},
    {"refusals", "refusals", "who was refused what", "refusals", kPeople},

    {"audit", "audit [--evidence <file>]",
     "whether the money adds up, and who lied; --evidence: a file that proves it",
     "audit --evidence november.evidence", kBank},
    {"report", "report [--from <date>] [--to <date>] [--csv|--json]",
     "customers, sales, stock, money and loans, of all time or of a period",
     "report --from 2026-11-01 --to 2026-11-30", kBank},
    {"settings", "settings", "what the operator can set, and what it is now", "settings", kBank},
    {"set", "set <setting> <value>", "changes a setting", "set loan-rate 11.50", kBank},

    {"menu", "menu", "everything here as numbered choices; at a terminal", "menu", kProgram},
    {"help", "help [<command>]", "this list; of one command with an example", "help open",
     kProgram},
    {"quit", "quit", "ends the program; everything is kept", "quit", kProgram},
};

struct Access {
    std::string_view verb;
    Role least;
    Role for_another;  // where it asks about somebody else
};

// What is not here is for the console only.
constexpr Access kAccess[] = {
    {"register", Role::customer, Role::customer},
    {"verify", Role::customer, Role::customer},
    {"sign-in", Role::customer, Role::customer},
    {"sign-out", Role::customer, Role::customer},
    {"passwd", Role::customer, Role::customer},
    {"products", Role::customer, Role::customer},
    {"search", Role::customer, Role::customer},
    {"services", Role::customer, Role::customer},
    {"bills", Role::customer, Role::customer},
    {"close", Role::customer, Role::admin},
    {"bind", Role::customer, Role::admin},
    {"statement", Role::customer, Role::teller},
    {"last", Role::customer, Role::teller},
    {"activity", Role::customer, Role::teller},
    {"purchases", Role::customer, Role::teller},
    {"loans", Role::customer, Role::teller},
    {"schedule", Role::customer, Role::teller},
    // Whoever reads a token can use it.
    {"tokens", Role::customer, Role::admin},
    {"add-product", Role::teller, Role::teller},
    {"edit-product", Role::teller, Role::teller},
    {"remove-product", Role::teller, Role::teller},
    {"restock", Role::teller, Role::teller},
    {"report", Role::teller, Role::teller},
    {"settings", Role::teller, Role::teller},
    {"set", Role::admin, Role::admin},
    {"people", Role::admin, Role::admin},
    {"role", Role::admin, Role::admin},
    {"add-biller", Role::admin, Role::admin},
    {"remove-biller", Role::admin, Role::admin},
    {"refusals", Role::admin, Role::admin},
};

std::vector<MenuField> period() {
    return {{"From (as 2026-11-01)", true, "--from"}, {"To (as 2026-11-30)", true, "--to"}};
}

std::vector<MenuField> period_and_last() {
    std::vector<MenuField> fields = {{"Name"}};
    for (MenuField& field : period()) fields.push_back(std::move(field));
    fields.push_back({"How many lines, the newest", true, "--last"});
    return fields;
}

MenuSection accounts_section() {
    return {"Accounts",
            {{"All accounts", "customers"},
             {"Open an account",
              "open",
              {{"Name"},
               {"Opening balance"},
               {"Address of the customer's program"},
               {"Its port for the bank"},
               {"Its port for other customers"}}},
             {"Statement", "statement", period_and_last()},
             {"Last transaction", "last", {{"Name"}}},
             {"Activity", "activity", {{"Name"}}},
             {"Close an empty account", "close", {{"Name"}}},
             {"Close an account, whatever is in it", "exit", {{"Name"}}, true},
             {"Forget the key of an account", "unbind", {{"Name"}}, true}}};
}

MenuSection cohorts_section() {
    return {"Cohorts",
            {{"All cohorts", "cohorts"},
             {"Form a cohort", "new-cohort", {{"Name of the first"}, {"How many customers"}}},
             {"End a cohort", "delete-cohort", {{"Name of a member"}}}}};
}

MenuSection shop_section() {
    return {"Shop",
            {{"Products", "products", {{"After which id", true, "--after"}}},
             {"Search a category", "search", {{"Category, or a part of it"}}},
             {"Add a product",
              "add-product",
              {{"Id"}, {"Name"}, {"Price"}, {"Quantity"}, {"Categories, with commas between"}}},
             {"Change a product",
              "edit-product",
              {{"Id"},
               {"New name", true, "--name"},
               {"New price", true, "--price"},
               {"New categories", true, "--categories"}}},
             {"Remove a product", "remove-product", {{"Id"}}},
             {"Add to the stock", "restock", {{"Id"}, {"Quantity"}}},
             {"All purchases, or those of a customer", "purchases", {{"Name", true}}},
             {"Purchases of a product", "purchases", {{"Id", false, "--product"}}},
             {"Import from CSV", "import", {{"File"}}},
             {"Export as CSV", "export", {{"Folder"}}},
             {"Save as text", "save", {{"Folder"}}}}};
}

MenuSection payments_section() {
    return {"Services and bills",
            {{"Services", "services"},
             {"Bills", "bills"},
             {"Add", "add-biller", {{"Name"}, {"What it is: service or bill"}}},
             {"Remove", "remove-biller", {{"Name"}}},
             {"Tokens of a customer", "tokens", {{"Name"}}}}};
}

MenuSection loans_section() {
    return {"Loans",
            {{"All loans, or those of a customer", "loans", {{"Name", true}}},
             {"Schedule of a loan", "schedule", {{"Number of the loan"}}}}};
}

MenuSection people_section() {
    return {"People",
            {{"Everybody who has registered", "people"},
             {"Change a role", "role", {{"E-mail"}, {"Role: customer, teller or admin"}}},
             {"Refusals", "refusals"}}};
}

MenuSection bank_section() {
    return {"Bank",
            {{"Report", "report", period()},
             {"Audit", "audit"},
             {"Settings", "settings"},
             {"Change a setting", "set", {{"Setting"}, {"Value"}}}}};
}

}  // namespace

CommandTable command_table() {
    return kCommands;
}

std::span<const std::string_view> commands_of_customers() {
    static constexpr std::string_view kVerbs[] = {
        "deposit",  "withdrawal", "balance", "history",  "transfer", "lost-transfer", "checkpoint",
        "rollback", "peers",      "status",  "buy",      "pay",      "loan",          "repay",
        "register", "verify",     "sign-in", "sign-out", "passwd",   "bind"};
    return kVerbs;
}

std::optional<Role> least_role(std::string_view verb, Whose whose) {
    for (const Access& access : kAccess) {
        if (access.verb == verb) return whose == Whose::own ? access.least : access.for_another;
    }
    return std::nullopt;
}

std::vector<MenuSection> menu_sections() {
    return {accounts_section(), cohorts_section(), shop_section(), payments_section(),
            loans_section(),    people_section(),  bank_section()};
}

}  // namespace p2pbank::bank
