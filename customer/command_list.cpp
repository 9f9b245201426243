#include "customer/command_list.h"

namespace p2pbank::customer {
namespace {

constexpr std::string_view kAccount = "Account";
constexpr std::string_view kTransfers = "Transfers and checkpoints";
constexpr std::string_view kCohort = "Cohort";
constexpr std::string_view kShop = "Shop";
constexpr std::string_view kPayments = "Services and bills";
constexpr std::string_view kLoans = "Loans";
constexpr std::string_view kPerson = "Person";
constexpr std::string_view kStaff = "For tellers and admins";
constexpr std::string_view kProgram = "Program";

constexpr CommandSpec kCommands[] = {
    {"open", "open <name> [<balance> [<ip_address> <port1> <port2>]]",
     "opens an account; the balance and this program's own address may be left out",
     "open alice 100", kAccount},
    {"deposit", "deposit <amount> [--note <text>]", "puts cash into the account",
     "deposit 100 --note \"birthday money\"", kAccount},
    {"withdrawal", "withdrawal <amount> [--note <text>]", "takes cash out of the account",
     "withdrawal 25.50", kAccount},
    {"balance", "balance", "the balance at this moment", "balance", kAccount},
    {"statement", "statement [--from <date>] [--to <date>] [--last <n>] [--csv|--json]",
     "what moved money in the account, with the balance after each line", "statement --last 10",
     kAccount},
    {"last", "last", "the newest line of the statement", "last", kAccount},
    {"history", "history", "what happened to the account, newest last", "history", kAccount},
    {"activity", "activity", "the same as the bank has it: pending, settled and rolled back",
     "activity", kAccount},
    {"close", "close [<name>]",
     "closes the account if it is empty, in no cohort and has no open loan", "close", kAccount},
    {"exit", "exit [<name>]", "closes the account and ends the program", "exit", kAccount},

    {"transfer", "transfer <amount> <receiver_name>", "sends money to a member of the cohort",
     "transfer 10 bob", kTransfers},
    {"lost-transfer", "lost-transfer <amount> <receiver_name>",
     "debits and loses the message on purpose; a rollback brings the money back",
     "lost-transfer 10 bob", kTransfers},
    {"checkpoint", "checkpoint",
     "takes a permanent checkpoint, together with all who have to take part", "checkpoint",
     kTransfers},
    {"rollback", "rollback", "goes back to the permanent checkpoint, together with all who have to",
     "rollback", kTransfers},

    {"new-cohort", "new-cohort <name> <number_of_customers>",
     "forms a cohort with others that the bank picks; <name> is the own name", "new-cohort alice 3",
     kCohort},
    {"delete-cohort", "delete-cohort <name> [--force]",
     "ends the cohort with a last checkpoint; --force: at its last cut, whoever answers",
     "delete-cohort alice", kCohort},
    {"peers", "peers", "the members of the cohort, what was sent and received", "peers", kCohort},
    {"status", "status", "name, cohort, epoch, what is under way", "status", kCohort},

    {"products", "products [--after <id>]", "what the shop sells; --after: the next page",
     "products --after lamp-1", kShop},
    {"search", "search <category>", "products of a category; a part of its name is enough",
     "search light", kShop},
    {"buy", "buy <product> <quantity>", "buys from the shop", "buy lamp-1 2", kShop},
    {"purchases", "purchases [<customer>|--product <id>]",
     "what was bought from this account; for tellers: by another customer, or of one product",
     "purchases", kShop},

    {"services", "services", "services that can be paid; each payment gives a token", "services",
     kPayments},
    {"bills", "bills", "billers that can be paid", "bills", kPayments},
    {"pay", "pay <biller> <amount>", "pays a service or a bill", "pay Electricity 150", kPayments},
    {"tokens", "tokens", "the tokens that were bought and have settled", "tokens", kPayments},

    {"loan", "loan <amount> <months>", "borrows from the bank, to be paid back month by month",
     "loan 10000 12", kLoans},
    {"loans", "loans", "the account's loans", "loans", kLoans},
    {"schedule", "schedule <loan>", "the instalments of a loan", "schedule 7", kLoans},
    {"repay", "repay <loan> <amount>", "pays back a part of a loan, or all of it", "repay 7 888.49",
     kLoans},

    {"register", "register <email>", "makes you known to the bank; asks for name and password",
     "register alice@example.org", kPerson},
    {"verify", "verify <code>", "proves the e-mail with the code that the bank has given out",
     "verify K7QM2XPA", kPerson},
    {"sign-in", "sign-in <email>", "signs in; asks for the password", "sign-in alice@example.org",
     kPerson},
    {"sign-out", "sign-out", "ends being signed in", "sign-out", kPerson},
    {"passwd", "passwd", "changes the password; asks for the old one and the new one", "passwd",
     kPerson},
    {"bind", "bind <name>",
     "gives one's own account this program's key; makes one without an owner one's own",
     "bind alice", kPerson},

    {"add-product", "add-product <id> <name> <price> <quantity> <category,category>",
     "adds a product to the shop", "add-product lamp-1 \"Desk lamp\" 249.99 10 home,light", kStaff},
    {"edit-product", "edit-product <id> [--name <name>] [--price <price>] [--categories <a,b>]",
     "changes a product; what was bought before keeps its price", "edit-product lamp-1 --price 199",
     kStaff},
    {"remove-product", "remove-product <id>", "takes a product out of the shop",
     "remove-product lamp-1", kStaff},
    {"restock", "restock <id> <quantity>", "adds to the stock of a product", "restock lamp-1 25",
     kStaff},
    {"report", "report [--from <date>] [--to <date>] [--csv|--json]",
     "customers, sales, stock, money and loans, of all time or of a period",
     "report --from 2026-11-01 --to 2026-11-30", kStaff},
    {"add-biller", "add-biller <name> service|bill", "adds a service or a biller (admins)",
     "add-biller Parking service", kStaff},
    {"remove-biller", "remove-biller <name>", "takes a service or a biller away (admins)",
     "remove-biller Parking", kStaff},
    {"people", "people", "everybody who has registered, with their roles (admins)", "people",
     kStaff},
    {"role", "role <email> customer|teller|admin", "says what a person may do (admins)",
     "role alice@example.org teller", kStaff},
    {"settings", "settings", "what the bank's operator can set, and what it is now", "settings",
     kStaff},
    {"set", "set <setting> <value>", "changes a setting (admins)", "set loan-rate 11.50", kStaff},
    {"refusals", "refusals", "who was refused what (admins)", "refusals", kStaff},

    {"menu", "menu", "everything here as numbered choices; at a terminal", "menu", kProgram},
    {"help", "help [<command>]", "this list; of one command with an example", "help deposit",
     kProgram},
    {"quit", "quit", "ends the program; the account stays", "quit", kProgram},
};

std::vector<MenuField> period() {
    return {{"From (as 2026-11-01)", true, "--from"}, {"To (as 2026-11-30)", true, "--to"}};
}

std::vector<MenuField> period_and_last() {
    std::vector<MenuField> fields = period();
    fields.push_back({"How many lines, the newest", true, "--last"});
    return fields;
}

MenuSection account_section() {
    return {"Account",
            {{"Balance", "balance"},
             {"Deposit", "deposit", {{"Amount"}, {"Note", true, "--note"}}, true},
             {"Withdrawal", "withdrawal", {{"Amount"}, {"Note", true, "--note"}}, true},
             {"Statement", "statement", period_and_last()},
             {"Last transaction", "last"},
             {"History", "history"},
             {"Activity, as the bank has it", "activity"},
             {"Open an account", "open", {{"Name"}, {"Opening balance", true}}},
             {"Close the empty account", "close"},
             {"Close the account and end the program", "exit", {}, true}}};
}

MenuSection payments_section() {
    return {"Services and bills",
            {{"Services", "services"},
             {"Bills", "bills"},
             {"Pay", "pay", {{"Service or biller"}, {"Amount"}}, true},
             {"Tokens", "tokens"}}};
}

MenuSection shop_section() {
    return {"Shop",
            {{"Products", "products", {{"After which id", true, "--after"}}},
             {"Search a category", "search", {{"Category, or a part of it"}}},
             {"Buy", "buy", {{"Id of the product"}, {"Quantity"}}, true},
             {"Purchases", "purchases"}}};
}

MenuSection loans_section() {
    return {"Loans",
            {{"Loans", "loans"},
             {"Borrow", "loan", {{"Amount"}, {"Months"}}, true},
             {"Schedule of a loan", "schedule", {{"Number of the loan"}}},
             {"Repay", "repay", {{"Number of the loan"}, {"Amount"}}, true}}};
}

MenuSection transfers_section() {
    return {
        "Transfers and checkpoints",
        {{"Transfer", "transfer", {{"Amount"}, {"Name of the receiver"}}, true},
         {"Transfer that gets lost", "lost-transfer", {{"Amount"}, {"Name of the receiver"}}, true},
         {"Checkpoint", "checkpoint"},
         {"Rollback", "rollback", {}, true}}};
}

MenuSection cohort_section() {
    return {"Cohort",
            {{"Status", "status"},
             {"Members", "peers"},
             {"Form a cohort", "new-cohort", {{"Own name"}, {"How many customers"}}},
             {"End the cohort", "delete-cohort", {{"Own name"}}}}};
}

MenuSection person_section() {
    return {"Person",
            {{"Register", "register", {{"E-mail"}}},
             {"Verify the e-mail", "verify", {{"Code"}}},
             {"Sign in", "sign-in", {{"E-mail"}}},
             {"Sign out", "sign-out"},
             {"Change the password", "passwd"},
             {"Bind this program's key to an account", "bind", {{"Name of the account"}}}}};
}

MenuSection staff_section() {
    return {"For tellers and admins",
            {{"Add a product",
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
             {"Purchases of a customer", "purchases", {{"Name"}}},
             {"Purchases of a product", "purchases", {{"Id", false, "--product"}}},
             {"Report", "report", period()},
             {"Add a service or biller", "add-biller", {{"Name"}, {"What it is: service or bill"}}},
             {"Remove a service or biller", "remove-biller", {{"Name"}}},
             {"Everybody who has registered", "people"},
             {"Change a role", "role", {{"E-mail"}, {"Role: customer, teller or admin"}}},
             {"Settings", "settings"},
             {"Change a setting", "set", {{"Setting"}, {"Value"}}},
             {"Refusals", "refusals"}}};
}

}  // namespace

CommandTable command_table() {
    return kCommands;
}

std::span<const std::string_view> commands_of_the_bank() {
    static constexpr std::string_view kVerbs[] = {"audit",  "cohorts", "customers", "export",
                                                  "import", "save",    "unbind"};
    return kVerbs;
}

std::vector<MenuSection> menu_sections() {
    return {account_section(), payments_section(),  shop_section(),   loans_section(),
            cohort_section(),  transfers_section(), person_section(), staff_section()};
}

}  // namespace p2pbank::customer
