// What must hold of the bank's business, each invariant with its name. Like the other oracles these
// only read, and trust no node: they keep their own books of deals from the facts that the bank
// tells its history, and of stock from the records that it writes. After a crash of the bank both
// go back to the newest record that was durable.
//
//   stock-adds-up           of each product: in stock + reserved + sold = what came in, and none is
//                           below zero
//   own-accounts-balance    the bank's own accounts have what its customers have settled, each what
//                           the settled deals amount to; with what is in transit all balances
//                           together are what was brought in and not taken out
//   settled-once            a deal is settled or cancelled, once, and only if it was accepted; what
//                           the bank counts as pending is what is neither
//   history-replays         after a crash the records tell the facts that they told before, at the
//                           same positions; positions never fall, and none is missing
//   deals-are-kept          a customer has what the bank has settled and cancelled: at its
//                           permanent checkpoint what is settled, live what is pending too, nowhere
//                           what is cancelled; what was answered as settled stays so, and what was
//                           answered as pending is cancelled only by a rollback or the end of a
//                           cohort
//   tokens-wait             nobody is told a token before its deal has settled; no two are the same
//   loans-stay-positive     what is outstanding of a loan is not below zero, and nobody pays more
//                           than ends it; no account is closed with an open loan
//
// Owned by the world.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bank/records.pb.h"
#include "bank/state.h"
#include "common/core/answer.h"
#include "common/core/history.h"
#include "common/core/jobs.h"
#include "customer/state.h"
#include "simulator/digest.h"

namespace p2pbank::simulator {

class Machine;
class World;

class BusinessOracles final : private FactSink {
  public:
    explicit BusinessOracles(World& world) : world_(world) {}

    // Where the bank's history goes. Asked for before each start of the bank.
    FactSink* history();
    // The bank has replayed its journal.
    void replayed(const Machine& bank);
    // The bank has applied a record, and hands it over.
    void persisted(std::string_view record);
    // One more record of the bank is on its disk for good.
    void made_durable() { ++durable_; }
    // Tokens; of everything else the simulated history knows nothing.
    JobResult look_up(const Query& query) const;

    void answer_made(CommandId command, const Answer& answer);
    void answered(CommandId command);

    // When nothing is under way.
    void check_rest();
    // And everybody has taken a checkpoint: no deal is pending.
    void check_all_settled() const;

    // How many deals there were, for those who want to know what a run was about.
    struct Count {
        uint64_t made = 0;
        uint64_t settled = 0;
        uint64_t cancelled = 0;
    };
    Count count() const;
    // Of deals that are settled: pieces of the product.
    uint64_t sold(const std::string& product) const;

  private:
    enum class Fate { pending, settled, cancelled };
    struct Order {
        std::string account;
        std::string kind;
        std::string what;
        uint64_t quantity = 0;
        int64_t amount = 0;  // as it changes the customer's balance
        std::string token;
        bool imported = false;
        Fate fate = Fate::pending;
        uint64_t made_at = 0;   // positions
        uint64_t ended_at = 0;  // 0: it is pending
    };
    struct Stock {
        uint64_t position;
        std::string product;
        int64_t came_in;
    };
    // What was answered with SUCCESS.
    struct Promise {
        bool settled;
        std::string account;
        Epoch epoch;
        CohortId cohort;
    };
    struct Told {
        uint64_t position;
        uint64_t hash;  // of all facts of that position
    };
    // Of the orders of one account, or product.
    struct Sums {
        int64_t settled = 0;
        int64_t pending = 0;
    };

    void fact(uint64_t position, Fact fact) override;
    void live_fact(uint64_t position, const Fact& fact);
    void deal_made(uint64_t position, const Row& row);
    void deal_ended(uint64_t position, const Row& row, Fate fate);
    void forget_after(uint64_t position);
    void count_in(const Order& order, int sign);

    void check_replayed_facts(uint64_t from, uint64_t upto);
    void change_stock(const bank_records::Record& record);
    void add_stock(const std::string& product, int64_t pieces);
    void check_books() const;
    void check_stock() const;
    void check_own_accounts() const;
    void check_pending() const;
    void check_loans(bool closing, const std::string& account) const;
    void check_customer(const customer::State& state) const;
    void check_promises() const;
    void check_tokens(std::string_view text) const;
    const bank::State& bank() const;
    [[noreturn]] void violated(const char* invariant, const std::string& text) const;

    World& world_;
    std::map<uint64_t, Order> orders_;
    std::map<std::string, Sums> by_account_;  // cents
    std::map<std::string, Sums> by_product_;  // pieces: settled is sold, pending is reserved
    std::map<std::string, Sums> by_own_account_;
    std::map<std::string, uint64_t> tokens_;
    std::vector<Stock> stock_;
    std::map<std::string, int64_t> came_in_;
    std::map<uint64_t, Promise> promises_;                            // by order
    std::map<CommandId, std::pair<uint64_t, Promise>> not_yet_seen_;  // answers on their way

    std::vector<Told> told_;
    std::vector<Told> told_again_;  // by a replay
    bool replaying_ = false;
    uint64_t durable_ = 0;   // records of the bank
    uint64_t position_ = 0;  // of the newest record that was persisted
};

}  // namespace p2pbank::simulator
