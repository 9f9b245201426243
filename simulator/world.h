// A simulated world: one bank and some customers, each on its own machine, a network between them,
// and one virtual clock. The nodes are the real ones.
//
// Used by scenarios, which steer it by hand, and by the random runner, which adds a workload and
// faults. Everything is derived from the seed and the calls: the same calls with the same seed give
// the same run, byte for byte. What must never happen is looked for after every event (oracles.h)
// and thrown as Violation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bank/bank.h"
#include "customer/customer.h"
#include "simulator/attacker.h"
#include "simulator/business_oracles.h"
#include "simulator/digest.h"
#include "simulator/machine.h"
#include "simulator/network.h"
#include "simulator/oracles.h"
#include "simulator/proof_history.h"
#include "simulator/schedule.h"
#include "simulator/story.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

struct Violation {
    std::string invariant;
    std::string text;
    TimePoint when{};
    std::string cause;  // what was going on: the datagram or the record that broke it
};

struct WorldSettings {
    uint64_t seed = 1;
    std::vector<StableMode> customers;  // a machine for each
    bool insecure = false;              // everything in clear
    std::optional<size_t>
        liar;         // this machine's customer lies; then nobody's state can be compared
    double lies = 0;  // how many of its messages, in [0, 1]
    NetworkFaults network;
    Duration least_disk = microseconds(100);
    Duration most_disk = milliseconds(1);
    double slow_disk = 0;
    double long_turns = 0;
    uint64_t replace_after_bytes = 256 * 1'024;
    Selection only_faults;
};

// A command that was typed, and what became of it.
struct Command {
    size_t machine = 0;
    std::string line;
    TimePoint typed{};
    std::optional<Answer> answer;
    TimePoint answered{};
    bool unanswered = false;  // the process ended first

    bool over() const { return answer.has_value() || unanswered; }
    bool success() const { return answer && answer->outcome == Outcome::success; }
    // "SUCCESS balance 950"; "unanswered"; empty while it waits.
    std::string first_line() const;
};

class World final : private Surroundings {
  public:
    static constexpr size_t kBank = 0;  // machine 0 is the bank's; customers follow

    // `story` may be null. Nothing runs yet.
    World(const WorldSettings& settings, Story* story);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() override;

    size_t machines() const { return machines_.size(); }
    Machine& machine(size_t index) { return *machines_[index]; }
    Address address(size_t index, Socket socket) const;
    StableMode mode(size_t index) const { return modes_[index]; }
    // For the next start.
    void set_mode(size_t index, StableMode mode) { modes_[index] = mode; }

    // Null while it does not run. The first requires index > 0.
    const Customer* customer(size_t index) const { return customers_[index]; }
    const Bank* bank() const { return bank_; }
    // A person edits the bank's table while the bank does not run. Requires that there is one.
    std::string table();
    void edit_table(const std::string& content);

    // The machine's wall clock is so much ahead of what is right, or behind, from now on.
    void set_clock(size_t index, Duration wrong_by);

    // What the machine's last process ended with; nothing if it crashed or has not ended yet.
    std::optional<int> last_status(size_t index) const { return last_status_[index]; }
    // The machine whose process has this account; nothing if none runs.
    std::optional<size_t> find(std::string_view account) const;

    // A node as the machine's next start would make it, before its first replay.
    std::unique_ptr<Node> node_like(size_t index) const;

    // Starts the program of a machine. A journal or a table that cannot be read is a violation.
    void start(size_t index);
    void start_all();

    // Types a line. The handle stays valid; what is typed at a dead machine is unanswered at once.
    CommandId type(size_t index, std::string line);
    const Command& command(CommandId id) const { return commands_[id.value() - 1]; }
    uint64_t commands_waiting() const { return waiting_; }
    // The oldest of them, and whose it is.
    std::string oldest_waiting() const;

    // One event. False if nothing is left to happen.
    bool step();
    // Runs until the condition holds, looked at after each event. False if it does not hold when
    // `within` has passed.
    bool run_until(const std::function<bool()>& condition, Duration within);
    void run_for(Duration duration);

    TimePoint now() const { return schedule_.now(); }
    // Microseconds since 1970, as the machine's newest process has it.
    int64_t wall_us(size_t index) const;
    Schedule& schedule() { return schedule_; }
    FaultGate& gate() { return gate_; }
    const FaultGate& gate() const { return gate_; }
    Attacker& attacker() { return attacker_; }
    Network& network() { return network_; }
    Tally& tally() { return tally_; }
    Oracles& oracles() { return *oracles_; }
    BusinessOracles& business() { return business_; }
    const ProofHistory& proofs() const { return proofs_; }
    const BusinessOracles& business() const { return business_; }
    // The same for two runs that were the same.
    uint64_t digest() const { return digest_.value(); }

    // For stories: the account's name, or the machine's.
    std::string who(size_t index) const;
    void tell(size_t index, std::string_view what);

    [[noreturn]] void violated(const std::string& invariant, const std::string& text) override;

  private:
    std::unique_ptr<Node> make_node(Machine& machine, const std::string& name,
                                    uint64_t seed) override;
    Result<void> replayed(Machine& machine, Node& node) override;
    void persisted(Machine& machine, std::string_view record) override;
    void transmit(Machine& machine, Socket from, Address to, std::string_view bytes) override;
    FactSink* history_of(Machine& machine) override;
    JobResult look_up(Machine& machine, const Query& query) override;
    void made_durable(Machine& machine, const std::string& record) override;
    void answer_made(Machine& machine, CommandId command, const Answer& answer) override;
    void answered(Machine& machine, CommandId command, const Answer& answer) override;
    void noticed(Machine& machine, Severity severity, const std::string& text) override;
    void table_made(Machine& machine, const std::string& content) override;
    void table_in_place(Machine& machine, const std::string& content) override;
    void key_logged(Machine& machine, uint32_t index, const KeyBytes& key) override;
    bool tracing() const override { return story_ != nullptr && story_->wanted(); }
    void traced(Machine& machine, const TraceEvent& event) override;
    void started(Machine& machine) override;
    void ended(Machine& machine, std::optional<int> status) override;
    void touched(Machine& machine) override;

    std::string cause() const;
    void note_record(const Machine& machine, std::string_view record);
    void count_work(std::string_view bank_record);
    KeyBytes key_seed_of(size_t index, const std::string& name, uint64_t seed) const;
    std::unique_ptr<Node> build(size_t index, const std::string& name, uint64_t seed) const;
    void arrive(const Packet& packet);
    void happened(const Packet& packet, Fault kind);
    MachineSettings machine_settings(const WorldSettings& settings, size_t index);

    Schedule schedule_;
    Tally tally_;
    Story* story_;
    bool insecure_;
    std::optional<size_t> liar_;
    double lies_;
    Random random_;
    FaultGate gate_;
    Network network_;
    Attacker attacker_;
    Digest digest_;
    std::vector<std::unique_ptr<Machine>> machines_;
    std::vector<StableMode> modes_;
    std::vector<std::optional<int>> last_status_;
    std::vector<Duration> clock_wrong_by_;  // by machine
    std::vector<Customer*> customers_;      // by machine; null where none runs
    Bank* bank_ = nullptr;
    std::vector<Command> commands_;
    uint64_t waiting_ = 0;
    std::vector<size_t> touched_;
    // Of the event under way, for a violation: the datagram that came, and the newest record that
    // was written or became durable, each with its machine.
    std::optional<size_t> arrived_at_;
    Packet arrived_;
    std::optional<size_t> recorded_at_;
    std::string record_;
    std::unique_ptr<Oracles> oracles_;
    BusinessOracles business_;
    ProofHistory proofs_;  // of a world with a liar
};

}  // namespace p2pbank::simulator
