// The bank under fuzzing: datagrams in clear and sealed, lines at its console, records of its
// journal. After each event its books add up and no money has come or gone: what the customers'
// settled accounts have from its own accounts, these are short of. Sealed, one of those who talk
// with it says that it is alice, and has another key.
#include "tests/fuzz/bank_nodes.h"

#include <optional>

#include "bank/bank.h"
#include "bank/history/schema.h"
#include "common/base/check.h"
#include "common/base/words.h"
#include "common/core/statement.h"
#include "common/history/history_db.h"
#include "common/stable/table.h"
#include "tests/fuzz/messages.h"
#include "tests/fuzz/node_run.h"
#include "tests/fuzz/targets.h"

namespace p2pbank::fuzz {
namespace {

constexpr uint64_t kMostEvents = 64;
constexpr KeyBytes kBankSeed{2};

// Of the identities of those who talk with the bank.
KeyBytes seed_of(std::string_view name) {
    return KeyBytes{static_cast<unsigned char>(name.empty() ? 1 : name[0])};
}

BankSettings settings(bool sealed) {
    BankSettings made;
    made.seed = 1;
    made.wall_offset_us = kWallOffset;
    made.secret_seed[0] = 1;
    made.key_seed = kBankSeed;
    made.insecure = !sealed;
    return made;
}

// The journal; sealed, each account has a key.
std::vector<std::string> journal(bool sealed) {
    std::vector<std::string> records = bank_journal();
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
        if (!sealed) break;
        const secure::Identity identity(seed_of(name));
        bank_records::Record record;
        record.mutable_bound()->set_name(name);
        record.mutable_bound()->set_channel_key(secure::to_bytes(identity.keys().channel));
        record.mutable_bound()->set_signing_key(secure::to_bytes(identity.keys().signing));
        records.push_back(record.SerializeAsString());
    }
    return records;
}

// The history, of which nothing is done before somebody asks.
class History : public FactSink {
  public:
    void fact(uint64_t position, Fact fact) override {
        P2PBANK_CHECK(position >= position_);
        position_ = position;
        facts_.push_back(std::move(fact));
    }
    JobResult look_up(const Query& query) {
        if (!db_) {
            auto opened = HistoryDb::open(":memory:", bank::history_schema());
            P2PBANK_CHECK(opened.ok());
            db_ = std::move(opened).value();
        }
        P2PBANK_CHECK(db_->apply(facts_, position_).ok());
        facts_.clear();
        JobResult result;
        result.text = query.head;
        const auto asked = db_->query(query.query, query.values, [&](const Row& row) {
            if (query.format != nullptr) {
                query.format(row, result.text);
            } else {
                result.rows.push_back(row);
            }
        });
        P2PBANK_CHECK(asked.ok());
        return result;
    }

  private:
    std::vector<Fact> facts_;
    uint64_t position_ = 0;
    std::unique_ptr<HistoryDb> db_;
};

class BankRun {
  public:
    explicit BankRun(bool sealed)
        : sealed_(sealed),
          bank_(new Bank(settings(sealed))),
          run_(std::unique_ptr<Node>(bank_),
               sealed ? secure::Identity(kBankSeed).keys().channel : KeyBytes{}) {
        bank_->tell_history(&history_);
        run_.look_up = [this](const Query& query) { return history_.look_up(query); };
        run_.heard = [this](NodeRun::Friend& who, const wire::Datagram& datagram) {
            if (datagram.has_told() && datagram.told().session() != 0) {
                session_ = datagram.told().session();
                counter_ = 0;
            }
            remember(datagram, heard_[who.name]);
        };
        P2PBANK_CHECK(bank_->load_table(std::nullopt).ok());
        run_.start(journal(sealed));
        uint16_t port = 9'001;
        for (const char* name : {"alice", "bob", "carol", "dave", "", "mallory"}) {
            run_.add_friend(name, *name == '\0' ? 99 : 1, Socket::bank, {0x7f000001, port++},
                            seed_of(name));
        }
        if (sealed) {
            run_.add_friend("alice", 1, Socket::bank, {0x7f000001, port++}, seed_of("false"));
        }
        check();
    }

    void event(Input& in) {
        NodeRun::Friend& who = run_.friend_at(in.below(sealed_ ? 7 : 6));
        switch (in.below(10)) {
            case 0:
                run_.bytes(Socket::bank, {0x7f000001, static_cast<uint16_t>(8'999 + in.below(8))},
                           in.piece());
                break;
            case 1: {
                wire::Datagram message;
                const std::string_view bytes = in.piece();
                if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) break;
                run_.say(who, std::move(message));
                break;
            }
            case 2:
                run_.say(who, ask(in, who));
                break;
            case 3:
                run_.wait(milliseconds(1) * (1 << in.below(16)));
                break;
            case 4:
                run_.end_job(in);
                break;
            case 5:
                run_.type(in.piece());
                break;
            default: {
                const bank::Account* account = bank_->state().find(who.name);
                wire::Datagram message =
                    to_bank(in, heard_[who.name], account == nullptr ? Totals() : account->totals);
                if (message.has_deal() && in.coin()) authorize(message.mutable_deal());
                if (message.has_settle()) {
                    complete(who, *message.mutable_settle()->mutable_statement());
                }
                if (message.command().has_exit()) {
                    complete(who, *message.mutable_command()->mutable_exit()->mutable_statement());
                }
                if (message.has_attach()) {
                    message.mutable_attach()->set_signing_key(signing_key(who));
                }
                if (message.command().has_open()) {
                    message.mutable_command()->mutable_open()->set_signing_key(signing_key(who));
                }
                run_.say(who, std::move(message));
            }
        }
        check();
    }
    void type(std::string_view line, Input& in) {
        run_.type(line);
        run_.end_job(in);
        check();
    }
    void settle_down() { run_.wait(seconds(30)); }

    // The journal gives the same state again, and so does what would replace it.
    void finish(std::string_view input) {
        // A fuzzer that has found the password out types it openly.
        if (input.find(kPassword) == std::string_view::npos) run_.check_secrets();
        Bank again(settings(sealed_));
        for (const std::string& record : run_.effects().records) {
            P2PBANK_CHECK(again.replay(record).ok());
        }
        const auto expected = snapshot_of(*bank_);
        P2PBANK_CHECK(snapshot_of(again) == expected);
        Bank short_one(settings(sealed_));
        for (const std::string& record : expected) P2PBANK_CHECK(short_one.replay(record).ok());
        P2PBANK_CHECK(snapshot_of(short_one) == expected);
        for (const std::string& table : run_.effects().tables) {
            P2PBANK_CHECK(parse_table(table).ok());
        }
    }
    bool stopped() const { return run_.stopped(); }

  private:
    wire::Datagram ask(Input& in, const NodeRun::Friend& who) {
        constexpr const char* kLines[] = {"register zoe@example.org",
                                          "verify ABCD-EFGH",
                                          "sign-in ann@example.org",
                                          "sign-in bob@example.org",
                                          "sign-out",
                                          "passwd",
                                          "people",
                                          "products",
                                          "tokens",
                                          "add-product pen Pen 1 5 office",
                                          "set loan-rate 9",
                                          "role bob@example.org teller",
                                          "report --csv",
                                          "statement carol",
                                          "last",
                                          "activity",
                                          "purchases --product mug",
                                          "loans",
                                          "schedule 3",
                                          "close",
                                          "refusals",
                                          "edit-product mug --price 3",
                                          "bind carol"};
        wire::Datagram message;
        wire::Ask* made = message.mutable_ask();
        made->set_nonce(in.number() + 1);
        const std::string line = in.below(4) == 0 ? std::string(in.piece()) : in.pick(kLines);
        if (auto words = split_quoted(line)) {
            for (const std::string& word : words.value()) made->add_words(word);
        }
        const std::string verb = made->words_size() > 0 ? made->words(0) : "";
        if (verb == "register" || verb == "sign-in" || verb == "passwd") {
            wire::Secrets* secrets = made->mutable_secrets();
            secrets->set_name("Ann");
            secrets->set_password(in.below(4) == 0 ? "wrong password" : kPassword);
            secrets->set_new_password(kPassword);
            if (in.below(8) == 0) secrets->set_name(std::string(in.piece()));
        }
        if (in.below(8) != 0) authorize(made);
        made->set_signing_key(signing_key(who));
        return message;
    }
    template <class Request>
    void authorize(Request* request) {
        request->mutable_authority()->set_session(session_);
        request->mutable_authority()->set_counter(++counter_);
    }
    static std::string signing_key(const NodeRun::Friend& who) {
        return secure::to_bytes(who.identity.keys().signing);
    }
    // Puts in whose statement it is and signs it, as the account's process does; and where the
    // input has not said otherwise, what it follows.
    void complete(const NodeRun::Friend& who, wire::SignedStatement& out) const {
        auto statement = read_statement(out);
        if (!statement) return;
        const bank::Account* account = bank_->state().find(who.name);
        statement->set_name(who.name);
        if (sealed_) {
            statement->set_bank(secure::to_bytes(secure::Identity(kBankSeed).keys().signing));
        }
        if (account != nullptr && statement->number() == 1 && statement->previous().empty()) {
            statement->set_number(account->statements() + 1);
            statement->set_previous(account->statement_digest());
        }
        out = sign_statement(sealed_ ? &who.identity : nullptr, *statement);
    }

    void check() const {
        const bank::State& state = bank_->state();
        MoneyTotal sum = state.business.own_total();
        for (const bank::Account& account : state.accounts()) {
            P2PBANK_CHECK(adds_up(account.totals, account.channels()));
            sum += account.totals.dealings;
            MoneyTotal pending;
            for (const auto& deal : state.business.deals_of(account.name).pending) {
                pending += deal.amount;
            }
            P2PBANK_CHECK(pending == state.business.pending_sum(account.name));
        }
        const auto unclaimed = state.business.own_accounts().find("unclaimed");
        if (unclaimed != state.business.own_accounts().end()) sum -= unclaimed->second;
        P2PBANK_CHECK(sum.is_zero());
        for (const auto& [id, product] : state.business.products()) {
            P2PBANK_CHECK(product.quantity <= limits::kMaxStockHeld);
        }
    }

    bool sealed_;
    History history_;
    Bank* bank_;
    NodeRun run_;
    std::map<std::string, Heard> heard_;
    uint64_t session_ = 0;
    uint64_t counter_ = 0;
};

}  // namespace

namespace {

void messages(std::string_view input, bool sealed) {
    Input in(input);
    BankRun run(sealed);
    for (uint64_t events = 0; !in.empty() && !run.stopped() && events < kMostEvents; ++events) {
        run.event(in);
    }
    run.finish(input);
}

}  // namespace

void bank_messages(std::string_view input) {
    messages(input, false);
}

void bank_sealed(std::string_view input) {
    messages(input, true);
}

void bank_lines(std::string_view input) {
    Input in(input);
    BankRun run(true);
    Input choices(input);
    for (uint64_t lines = 0; !in.empty() && !run.stopped() && lines < kMostEvents; ++lines) {
        run.type(in.line(), choices);
    }
    run.settle_down();
    run.finish(input);
}

void bank_records(std::string_view input) {
    Input in(input);
    Bank bank(settings(true));
    if (in.coin()) {
        for (const std::string& record : journal(true)) P2PBANK_CHECK(bank.replay(record).ok());
    }
    while (!in.empty()) {
        if (!bank.replay(in.piece())) return;
    }
    const auto records = snapshot_of(bank);
    Bank again(settings(true));
    for (const std::string& record : records) P2PBANK_CHECK(again.replay(record).ok());
    NodeRun run(std::make_unique<Bank>(settings(true)));
    run.start(records);
    run.type("audit");
    run.type("customers");
    run.type("products");
    run.type("loans");
    run.wait(seconds(1));
}

}  // namespace p2pbank::fuzz
