// Writes the first corpus: make_corpus FOLDER. What the fuzzers found since is beside it.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "bank/command_list.h"
#include "bank/records.pb.h"
#include "common/base/check.h"
#include "common/base/random.h"
#include "common/stable/journal.h"
#include "customer/command_list.h"
#include "tests/fuzz/bank_nodes.h"
#include "tests/fuzz/customer_nodes.h"
#include "tests/fuzz/messages.h"
#include "tests/unit/faulty_storage.h"

using namespace p2pbank;

namespace {

class Corpus {
  public:
    explicit Corpus(std::filesystem::path folder) : folder_(std::move(folder)) {}

    void add(const std::string& target, const std::string& bytes) {
        std::filesystem::create_directories(folder_ / target);
        const std::string name = "made-" + std::to_string(++counts_[target]);
        std::ofstream(folder_ / target / name, std::ios::binary) << bytes;
    }

  private:
    std::filesystem::path folder_;
    std::map<std::string, int> counts_;
};

std::string piece(const std::string& bytes) {
    std::string out;
    if (bytes.size() <= 250) {
        out += static_cast<char>(bytes.size());
    } else {
        out += '\xff';
        out += static_cast<char>(bytes.size() >> 8);
        out += static_cast<char>(bytes.size() & 255);
    }
    return out + bytes;
}

std::string pieces(char kind, const std::vector<std::string>& all) {
    std::string out(1, kind);
    for (const std::string& one : all) out += piece(one);
    return out;
}

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) out += static_cast<char>(value);
    return out;
}

std::string noise(Random& random, size_t count) {
    std::string out;
    while (out.size() < count) out += static_cast<char>(random.below(256));
    return out;
}

constexpr Totals kTotals{
    Money::from_cents(1'000'00), Money::from_cents(1'000'00), {}, {}, {}, {}, {}};

// Whole messages of all kinds, and choices by chance.
void messages(Corpus& corpus) {
    Random random(1);
    const fuzz::Heard heard;
    for (int file = 0; file < 12; ++file) {
        std::string to_bank;
        std::string to_customer = bytes({file % 5});
        for (int i = 0; i < 8; ++i) {
            const std::string chance = noise(random, 64);
            fuzz::Input in(chance);
            const auto one = fuzz::to_bank(in, heard, kTotals);
            to_bank += bytes({i, 1}) + piece(one.SerializeAsString());
            const auto two =
                i % 2 == 0 ? fuzz::from_bank(in, heard, kTotals) : fuzz::from_peer(in, heard);
            to_customer += bytes({i % 2 == 0 ? 0 : 5, 1}) + piece(two.SerializeAsString());
        }
        corpus.add("bank_messages", to_bank);
        corpus.add("bank_sealed", to_bank);
        corpus.add("customer_messages", to_customer);
        corpus.add("customer_sealed", to_customer);
        const std::string any = noise(random, 400);
        corpus.add("bank_messages", any);
        corpus.add("bank_sealed", any);
        corpus.add("customer_messages", bytes({file % 5}) + noise(random, 400));
        corpus.add("customer_sealed", bytes({file % 5}) + noise(random, 400));
    }
    // Ann signs in, and uses what she may.
    const std::string sign_in = bytes({2, 2, 5, 1, 2, 1, 1, 1}) + bytes({0, 4, 1});
    std::string staff = sign_in;
    for (int line = 6; line < 23; ++line) {
        staff += bytes({2, 2, line + 1, 1, line, 1}) + bytes({0, 4, 1});
    }
    const std::string other = bytes({4, 2, 9, 1, 0, 1, 1, 1, 0, 4, 1}) + sign_in +
                              bytes({2, 2, 7, 1, 5, 1, 1, 1, 0, 4, 1, 0, 4, 1});
    for (const char* target : {"bank_messages", "bank_sealed"}) {
        corpus.add(target, staff);
        corpus.add(target, other);
    }
    // Ann binds carol's account to the key of a process without one, and of one that lies.
    for (const int who : {4, 6}) {
        std::string bind = bytes({who, 2, 5, 1, 2, 1, 1, 1}) + bytes({0, 4, 1});
        bind += bytes({who, 2, 6, 1, 22, 1}) + bytes({who, 9, 1, 1, 0, 1, 7, 1, 2});
        corpus.add("bank_sealed", bind + bind);
    }
}

void lines(Corpus& corpus) {
    std::string all;
    for (const CommandSpec& command : bank::command_table()) {
        all += std::string(command.example) + "\n";
    }
    corpus.add("bank_lines", all);
    corpus.add("bank_lines",
               "edit-product mug --price 9.99 --name \"Blue mug\"\nproducts\n"
               "remove-product lamp-1\nset currency R\nset loan-rate 9.5\n"
               "restock mug 999999999\nadd-biller Parking service\nservices\n");
    corpus.add("bank_lines",
               "new-cohort carol 2\ncohorts\ndelete-cohort alice --force\n"
               "exit dave\naudit\nreport --csv\nrefusals\nrole ann@example.org\n");
    std::string own;
    for (const CommandSpec& command : customer::command_table()) {
        if (command.verb != "exit" && command.verb != "quit") {
            own += std::string(command.example) + "\n";
        }
    }
    for (int kind = 0; kind < 5; ++kind) corpus.add("customer_lines", bytes({kind + 50}) + own);
    corpus.add("customer_lines", "3 \ndeposit 5\ntransfer 3 bob\ncheckpoint\nrollback\n");
}

void records(Corpus& corpus) {
    corpus.add("bank_records", pieces(0, fuzz::bank_journal()));
    for (const std::string& record : fuzz::bank_journal()) {
        corpus.add("bank_records", pieces(1, {record}));
    }
    for (const StableMode mode : {StableMode::journal, StableMode::checkpoint}) {
        corpus.add("customer_records", pieces(0, fuzz::customer_journal(true, mode)));
        for (const std::string& record : fuzz::customer_journal(true, mode)) {
            corpus.add("customer_records", pieces(3, {record}));
        }
    }
}

// Records that no bank and no customer writes, each of which once was taken and led astray later.
void bad_bank_records(Corpus& corpus) {
    using bank_records::Record;
    const auto dealt = [](uint64_t order, wire::DealKind kind, const char* what, uint64_t quantity,
                          int64_t amount) {
        Record record;
        auto* deal = record.mutable_dealt();
        deal->set_account("dave");
        deal->set_accepted(true);
        deal->set_order(order);
        deal->set_kind(kind);
        deal->set_what(what);
        deal->set_quantity(quantity);
        deal->set_amount(amount);
        return record.SerializeAsString();
    };
    Record exited;
    exited.mutable_exited()->set_name("dave");
    const std::string end = exited.SerializeAsString();
    corpus.add("bank_records", pieces(1, {dealt(8, wire::DEAL_PURCHASE, "mug", 0, -1),
                                          dealt(9, wire::DEAL_PURCHASE, "mug", 0, -1), end}));
    corpus.add("bank_records", pieces(1, {dealt(8, wire::DEAL_REPAYMENT, "3", 0, INT64_MIN), end}));
    corpus.add("bank_records", pieces(1, {dealt(8, wire::DEAL_LOAN, "", 0, INT64_MIN), end}));
    Record account;
    auto* pending = account.mutable_accounts()->add_accounts();
    pending->set_name("zoe");
    auto* loan = pending->add_pending();
    loan->set_order(9);
    loan->set_kind(wire::DEAL_LOAN);
    loan->set_amount(100);
    exited.mutable_exited()->set_name("zoe");
    corpus.add("bank_records",
               pieces(0, {account.SerializeAsString(), exited.SerializeAsString()}));
    Record forming;
    auto* cohort = forming.mutable_cohort_forming();
    cohort->set_cohort(2);
    cohort->set_cohort_name("cohort-2");
    cohort->add_members("nobody");
    cohort->mutable_operation()->set_initiator("bank:cohort-2");
    Record decided;
    decided.mutable_decided()->mutable_operation()->set_initiator("bank:cohort-2");
    decided.mutable_decided()->set_kind(wire::OPERATION_JOIN);
    decided.mutable_decided()->set_commit(true);
    corpus.add("bank_records",
               pieces(1, {forming.SerializeAsString(), decided.SerializeAsString()}));
    Record late;
    late.set_at_ms(UINT64_MAX);
    late.mutable_started()->set_boots(9);
    corpus.add("bank_records", pieces(1, {late.SerializeAsString(), end}));
}

void bad_customer_records(Corpus& corpus) {
    using customer_records::Record;
    Record record;
    auto* snapshot = record.mutable_snapshot();
    snapshot->set_name("alice");
    snapshot->set_phase(2);
    snapshot->set_epoch(1);
    snapshot->set_tentative_activity(5);
    auto* operation = snapshot->mutable_operation();
    operation->mutable_id()->set_initiator("alice");
    operation->mutable_id()->set_epoch(1);
    operation->set_kind(wire::OPERATION_CHECKPOINT);
    corpus.add("customer_records", pieces(0, {record.SerializeAsString()}));
    snapshot->clear_operation();
    snapshot->clear_tentative_activity();
    snapshot->mutable_deal()->set_number(1);
    snapshot->mutable_deal()->set_amount(INT64_MIN);
    corpus.add("customer_records", pieces(0, {record.SerializeAsString()}));
}

// Times and amounts at the edge of what a message can hold, in what the bank keeps of activity.
void far_activity(Corpus& corpus) {
    wire::Datagram message;
    wire::Statement statement;
    statement.set_name("dave");
    statement.set_number(1);
    statement.set_epoch(1);
    to_wire(kTotals, statement.mutable_totals());
    for (const uint64_t at_ms : {UINT64_MAX, uint64_t(INT64_MAX)}) {
        wire::Activity* line = statement.add_activity();
        line->set_kind(1);
        line->set_at_ms(at_ms);
        line->set_amount(INT64_MIN);
        line->set_balance(INT64_MIN);
    }
    statement.set_activity_left_out(UINT64_MAX);
    message.mutable_command()->set_request(1);
    message.mutable_command()->mutable_exit()->mutable_statement()->set_statement(
        statement.SerializeAsString());
    const std::string said = bytes({3, 1}) + piece(message.SerializeAsString());
    corpus.add("bank_messages", said + bytes({0, 5}) + piece("activity dave") + bytes({0, 4, 1}) +
                                    bytes({0, 5}) + piece("statement dave") + bytes({0, 4, 1}));
}

void files(Corpus& corpus) {
    testing::FaultyStorage storage;
    auto journal = Journal::open(storage, "j", [](std::string_view) { return Result<void>(); });
    P2PBANK_CHECK(journal.ok());
    P2PBANK_CHECK(journal.value()->append({"one", "two"}).ok() && journal.value()->sync().ok());
    P2PBANK_CHECK(journal.value()->append({"three"}).ok() && journal.value()->sync().ok());
    corpus.add("journal_file", bytes({1}) + storage.content("j").substr(0, 1'024));
    corpus.add("journal_file", bytes({0, 3, 2, 1, 'a', 0, 1, 3, 'x', 'y', 'z', 2, 0, 0, 40}));
    corpus.add("journal_file", bytes({0, 2, 1, 1, 'a', 1, 1, 'b', 40, 0, 30, 1, 0, 60, 255}));
    const auto csv = [&](int kind, const char* content) {
        corpus.add("csv_files", bytes({kind}) + content);
    };
    csv(0,
        "name,balance,ip_address,port1,port2,cohort,exit_state\n"
        "alice,100.50,127.0.0.1,9001,9002,cohort-1,active\n"
        "\"bob\",0,10.0.0.1,1,65535,,exited\r\n");
    csv(1,
        "id,name,price,quantity,categories\nmug,\"Mug, blue\",9.99,10,Kitchen;Gifts\n"
        "lamp-1,'=1+1,249.99,0,light\n");
    csv(2,
        "order,date,customer,product,quantity,amount,state\n"
        "1,2026-11-21 09:30:00,alice,mug,2,19.98,settled\n2,2026-11-21,bob,mug,1,9.99,pending\n");
}

// Who acts, and what he does: step() in fuzz_handshake.cpp has the numbers.
void handshakes(Corpus& corpus) {
    constexpr int kIntroduce = 0, kTalk = 1, kDeliver = 3, kLose = 5, kRepeat = 6, kChange = 7;
    constexpr int kMakeUp = 8, kWait = 9, kRestart = 10, kRefuse = 11;
    const std::string meet = bytes({0, kIntroduce, 0, kDeliver, 0, kDeliver, 0, kDeliver});
    const std::string talk = bytes({0, kTalk, 1, kTalk, 0, kDeliver, 0, kDeliver});
    const std::string later = bytes({0, kWait, 205, 0, 250});
    corpus.add("handshake", meet + talk + talk);
    corpus.add("handshake", bytes({0, kIntroduce, 1, kIntroduce}) + meet + meet + talk);
    corpus.add("handshake", meet + talk + bytes({1, kRestart}) + talk + later + meet + talk);
    corpus.add("handshake", meet + bytes({0, kTalk, 0, kLose}) + talk + bytes({1, kRefuse}) + talk +
                                bytes({1, kRefuse}) + meet + talk);
    std::string repeated = meet + talk;
    for (int i = 0; i < 8; ++i) repeated += bytes({0, kRepeat, i, i, i});
    corpus.add("handshake", repeated + bytes({0, kRestart, 1, kRestart}) + repeated);
    std::string flipped = bytes({0, kIntroduce});
    for (int i = 0; i < 136; i += 5) {
        flipped += bytes({1, kChange, 0, 0, 1, i, i, 1, 1});
        flipped += bytes({1, kChange, 1, 1, 2, i, 0, i / 2, 255, 1, 1});
    }
    corpus.add("handshake", flipped + meet + flipped + talk);
    for (int type = 0; type < 10; ++type) {
        std::string made = meet;
        for (const size_t size : {0, 4, 8, 28, 60, 88, 132}) {
            made += bytes({type % 2, kMakeUp, 0}) + piece(std::string(size, char(type))) +
                    bytes({1, type, int(size % 5), 1, 1, 1});
        }
        corpus.add("handshake", made + talk);
    }
    Random random(5);
    for (int file = 0; file < 6; ++file) {
        corpus.add("handshake", meet + talk + noise(random, 600));
    }
}

void text(Corpus& corpus) {
    const auto add = [&](int kind, const char* content) {
        corpus.add("text", bytes({kind}) + content);
    };
    add(0, "add-product lamp-1 \"Desk \\\"big\\\" lamp\" 249.99 10 home,light --x=\"a b\" \"\"");
    add(1, "M\xc3\xbcller \xd0\x96 =1+1 '@x \xe4\xb8\xad \xf0\x9f\x98\x80");
    add(1, "=SUM(A1)\xe2\x80\xae \x01 \xff");
    add(2, "2026-11-21 09:30:00");
    add(2, "2024-02-29");
    add(3, "1000000.50");
    add(3, "127.0.0.1:8500");
    add(3, "Ann.Example@example.org");
    add(4,
        "withdrawl 5 \"\x01"
        "1000.50");
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: make_corpus FOLDER\n";
        return 2;
    }
    Corpus corpus(arguments[1]);
    messages(corpus);
    lines(corpus);
    records(corpus);
    bad_bank_records(corpus);
    bad_customer_records(corpus);
    far_activity(corpus);
    files(corpus);
    handshakes(corpus);
    text(corpus);
}
