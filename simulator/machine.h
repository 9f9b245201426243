// One simulated machine: a disk, and at most one process on it, which is a real node (bank or
// customer) driven as common/runtime drives it.
//
// Order of effects. What a node asks for waits in a queue. Records gather in a batch, which is
// taken between turns and written as one frame of the real journal; a table in the batch is put in
// place after it. An effect is carried out when every batch that was gathering before it is
// durable. One batch is on its way to the disk at a time, and takes a time drawn from the seed.
//
// Jobs beside the loop are done one after the other, each in a time drawn from the seed, and go
// with the process. A password's hash is a stand-in for one that takes no work; files are in the
// disk's folder "files/", and the history is the world's. Who is asked types kTyped, whatever the
// question, or is no longer there; answers take longer than a job.
//
// Fault model. A process can die between any two effects, and at any call to its disk: the node,
// its queue, its unread input and what it had not answered are gone; the disk keeps what disk.h
// says. It is started again as a new node with a fresh seed, from the journal. A process whose disk
// fails ends with kDiskFailed, and its cache stays. A process can be stopped for a while (SIGSTOP):
// what comes meanwhile waits for it, in order, and its timers are late. Turns are of one event or,
// as the seed has it, of several within a tenth of a millisecond.
//
// Knows neither bank nor customer. Owned by the world, which implements Surroundings.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/random.h"
#include "common/core/node.h"
#include "common/stable/journal.h"
#include "simulator/disk.h"
#include "simulator/schedule.h"
#include "simulator/tally.h"

namespace p2pbank::simulator {

class Machine;

class Surroundings {
  public:
    virtual ~Surroundings() = default;
    // A node before its first replay. `name`: the account whose journal is about to be replayed.
    virtual std::unique_ptr<Node> make_node(Machine& machine, const std::string& name,
                                            uint64_t seed) = 0;
    // After the last replay, before start().
    virtual Result<void> replayed(Machine& machine, Node& node) = 0;
    // The node hands over a record, or makes an answer, in the middle of an event. It takes effect
    // later, or never.
    virtual void persisted(Machine& machine, std::string_view record) = 0;
    virtual void answer_made(Machine& machine, CommandId command, const Answer& answer) = 0;
    virtual void table_made(Machine& machine, const std::string& content) = 0;
    // Where the node's history goes; null: nowhere. And what it has of it, with all facts of what
    // the node said before.
    virtual FactSink* history_of(Machine& machine) = 0;
    virtual JobResult look_up(Machine& machine, const Query& query) = 0;
    // The record is on the disk for good.
    virtual void made_durable(Machine& machine, const std::string& record) = 0;
    // Effects, as they are carried out.
    virtual void transmit(Machine& machine, Socket from, Address to, std::string_view bytes) = 0;
    virtual void answered(Machine& machine, CommandId command, const Answer& answer) = 0;
    virtual void noticed(Machine& machine, Severity severity, const std::string& text) = 0;
    virtual void table_in_place(Machine& machine, const std::string& content) = 0;
    // A session has this key from now on.
    virtual void key_logged(Machine& machine, uint32_t index, const KeyBytes& key) = 0;
    virtual bool tracing() const = 0;
    virtual void traced(Machine& machine, const TraceEvent& event) = 0;
    virtual void started(Machine& machine) = 0;
    // The process has ended. `status`: nothing for a crash, Machine::kQuit after quit().
    virtual void ended(Machine& machine, std::optional<int> status) = 0;
    // The node has handled something; its state may have changed.
    virtual void touched(Machine& machine) = 0;
    // The system has done what it must never do. Does not return.
    [[noreturn]] virtual void violated(const std::string& invariant, const std::string& text) = 0;
};

struct MachineSettings {
    size_t index = 0;   // of the machine in its world
    std::string label;  // for stories: "bank", "host1"
    // The journal's file. Empty: under the name of the account, as a customer's.
    std::string journal;
    std::string table;  // the file of publish_table; empty if the node has none
    uint64_t seed = 0;
    Duration least_disk = microseconds(100);
    Duration most_disk = milliseconds(1);
    double slow_disk = 0;   // rate of disk work that takes up to 300 ms
    double long_turns = 0;  // rate of turns that take in more than one event
    uint64_t replace_after_bytes =
        256 * 1'024;  // of new frames; then a snapshot replaces the journal
};

class Machine final : private Effects {
  public:
    static constexpr int kQuit = -1;
    static constexpr int kDiskFailed = -2;
    static constexpr std::string_view kTyped = "correct horse battery staple";
    // Where ReadFile and WriteFiles find their files.
    static constexpr std::string_view kFiles = "files/";
    // A customer's journal is the account's name and this.
    static constexpr std::string_view kCustomerJournal = "/journal";
    // And the secret of its identity.
    static constexpr std::string_view kCustomerKey = "/key";

    Machine(MachineSettings settings, Schedule& schedule, Tally& tally, Surroundings& surroundings);
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine() override = default;

    size_t index() const { return settings_.index; }
    const std::string& label() const { return settings_.label; }
    bool running() const { return node_ != nullptr; }
    // Null while it does not run.
    Node* node() { return node_.get(); }
    const Node* node() const { return node_.get(); }
    Disk& disk() { return disk_; }
    // Goes up whenever the process is started or ends.
    uint64_t life() const { return life_; }
    // The account whose journal is on the disk; empty if there is none.
    const std::string& account() const { return account_; }

    // Starts the program, as its user would after a crash: with the account that is on the disk.
    // Does nothing if it runs. A disk that fails meanwhile leaves it not running. Errors: what
    // opening the journal or reading the table says.
    Result<void> start();
    // The process dies now; or after so many more effects; or in its next disk work, after so many
    // calls. The latter two happen at the latest when `within` has passed. Disk work of a process
    // that does not run yet is that of its start.
    void crash();
    void crash_after_effects(uint64_t effects, Duration within);
    void crash_in_disk_work(uint64_t calls, Duration within);
    // The process is asked to end, as by `quit`: it carries out what it has said, and ends with
    // kQuit.
    void quit();
    // The disk fails once, after so many calls or never when `within` has passed.
    void fail_disk(uint64_t calls, Duration within);
    void freeze(Duration duration);
    // Takes back what all these have planned.
    void spare();
    // Whether each of `tries` flipped bits in the journal of a machine that does not run would be
    // noticed: reads a copy of it with one bit flipped. If not, says what happened instead.
    std::optional<std::string> flipped_bit_unnoticed(uint64_t tries, Random& random) const;
    // Removes the account from the disk of a machine that does not run.
    void wipe();

    void deliver(Socket at, Address from, std::string_view bytes);
    void type(CommandId id, std::string line);
    size_t unread() const { return input_.size(); }
    // Nothing is waiting for the disk, and no turn is open: all that happened is durable.
    bool settled() const {
        return !turn_open_ && queue_.empty() && !job_ && jobs_.empty() && gathering_.empty();
    }
    bool turn_open() const { return turn_open_; }

    // Calls take(record) for all records that are durable or on their way there, as a restart would
    // replay them if everything so far became durable.
    void each_record(const std::function<void(const std::string&)>& take) const;

    void set_slow_disk(double rate) { settings_.slow_disk = rate; }

  private:
    struct Datagram {
        Socket from;
        Address to;
        std::string bytes;
    };
    struct Reply {
        CommandId command;
        Answer answer;
    };
    struct Notice {
        Severity severity;
        std::string text;
    };
    struct Trace {
        TraceEvent event;
    };
    struct Stop {
        int status;
    };
    struct StartJob {
        JobId id;
        Job work;
    };
    using Effect = std::variant<Datagram, Reply, Notice, Trace, Stop, StartJob>;
    struct Waiting {
        uint64_t batch;  // carried out when this one is durable
        Effect effect;
    };
    struct Batch {
        std::vector<std::string> records;
        std::optional<std::string> table;
        bool empty() const { return records.empty() && !table; }
    };
    struct DiskWork {
        DiskWork() {}  // clang 14 does not find an implicit one for std::optional

        uint64_t number = 0;
        Batch batch;
        std::optional<std::vector<std::string>> replacement;
        bool abandoned = false;  // the store was released meanwhile
    };

    void persist(std::string record) override;
    void send(Socket from, Address to, std::string_view datagram) override;
    void answer(CommandId command, Answer answer) override;
    void notice(Severity severity, std::string text) override;
    void publish_table(std::string content) override;
    void start_job(JobId job, Job work) override;
    void ask(CommandId command, std::vector<Question> questions) override;
    Result<void> claim_store(std::string_view name, const KeyBytes* secret) override;
    void release_store() override;
    void stop(int status) override;
    void log_key(uint32_t index, const KeyBytes& key) override;
    bool tracing() const override;
    void trace(TraceEvent event) override;

    void hold(Effect effect);
    // Hands the node one event, in the open turn or a new one.
    void event(const std::function<void(Node&)>& what);
    void end_turn();
    void feed_input();
    void after_turn();
    void drain();
    void carry_out(Effect effect);
    void start_disk_work();
    void do_job();
    JobResult result_of(const Job& work);
    void write_frame();
    void finish_frame();
    void finish_table();
    void finish_job();
    // Dies if the power went; anything else that a disk says is wrong.
    bool disk_failed(const Result<void>& done);
    void plan_wake();
    void wake(uint64_t life, TimePoint when);
    void end(std::optional<int> status);
    Duration disk_time();
    // Runs `what` after `delay` unless the process has ended by then.
    void later(Duration delay, void (Machine::*what)());
    void crash_if_planned();
    void forgive_disk();
    bool frozen() const { return frozen_until_ > schedule_.now(); }
    void go_on_closing();
    Result<void> open_journal(Node& node);
    // What the journal holds if the job in progress is done.
    std::vector<std::string> kept_with_job() const;
    void check_replayed(std::vector<std::string> replayed);
    std::string journal_file() const;
    std::string find_account();

    MachineSettings settings_;
    Schedule& schedule_;
    Tally& tally_;
    Surroundings& surroundings_;
    Random random_;
    Disk disk_;

    std::unique_ptr<Node> node_;
    std::unique_ptr<Journal> journal_;
    std::string account_;
    uint64_t life_ = 0;
    bool turn_open_ = false;
    bool stopping_ = false;  // stop() was called: no more events
    bool draining_ = false;
    std::optional<int> closing_;            // the next step of on_close, after quit()
    std::optional<uint64_t> effects_left_;  // then it dies
    bool crash_planned_ = false;
    TimePoint frozen_until_{};
    std::deque<std::pair<CommandId, std::string>> input_;
    bool input_planned_ = false;
    std::optional<TimePoint> wake_planned_;
    TimePoint last_wake_{};
    uint64_t wakes_at_once_ = 0;

    Batch gathering_;
    uint64_t next_batch_ = 1;  // the number that gathering_ will have
    uint64_t barrier_ = 0;     // what comes now has to wait for this batch
    uint64_t durable_ = 0;
    std::deque<Waiting> queue_;
    std::optional<DiskWork> job_;
    std::deque<StartJob> jobs_;  // the first is under way

    // What the journal holds, and what it may hold instead after a crash: what was interrupted was
    // all done or not begun.
    std::vector<std::string> kept_;
    std::vector<std::vector<std::string>> or_else_;
    std::vector<std::string> interrupted_;  // the records of the write that a crash interrupted
};

}  // namespace p2pbank::simulator
