// Where the order of effects is kept: what follows a record waits here until the record is durable.
// Knows no socket, no file and no thread: effects are carried out through Outside. Owned by the
// driver; used on the loop's thread only.
//
// Records and tables gather in a batch. The driver takes the batch between turns, makes it durable
// as one, and says so with durable(); then everything that waited for it is carried out, in order.
// While nothing waits, an effect is carried out at once.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/core/effects.h"

namespace p2pbank {

// The outbox's way out; implemented by the driver.
class Outside {
  public:
    virtual ~Outside() = default;
    virtual void send_now(Socket from, Address to, std::string_view datagram) = 0;
    virtual void answer_now(CommandId command, Outcome outcome, std::string text) = 0;
    virtual void notice_now(Severity severity, const std::string& text) = 0;
    virtual void trace_now(const std::string& line) = 0;
    virtual void stop_now(int status) = 0;
    virtual void start_job_now(JobId job, Job work) = 0;

    // Not held back: called while the node is at work.
    virtual std::string format(const Answer& answer) const = 0;
    virtual std::string format(const TraceEvent& event) const = 0;
    virtual bool tracing_now() const = 0;
    virtual void ask_now(CommandId command, std::vector<Question> questions) = 0;
    virtual void stop_announced() = 0;  // stop() was called; stop_now() follows in its order
    virtual Result<void> claim_store_now(std::string_view name, const KeyBytes* secret) = 0;
    virtual void release_store_now() = 0;  // no batch may be on its way to the disk afterwards
    virtual void log_key_now(uint32_t index, const KeyBytes& key) = 0;
};

class Outbox final : public Effects, public FactSink {
  public:
    struct Batch {
        uint64_t number = 0;
        std::vector<std::string> records;
        std::optional<std::string> table;  // the last one of the batch: each is a whole
        std::vector<Fact> facts;           // for the history, when the records are durable
    };

    explicit Outbox(Outside& outside) : outside_(outside) {}

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
    bool tracing() const override { return outside_.tracing_now(); }
    void trace(TraceEvent event) override;
    void fact(uint64_t position, Fact fact) override;

    // True if something waits for the batch that is gathering.
    bool batch_waiting() const { return barrier_ == next_batch_; }
    // Only between turns, or a turn's records would be torn apart. May be empty. Batches become
    // durable in the order in which they are taken.
    Batch take_batch();
    // All batches up to `number` are durable.
    void durable(uint64_t number);

    // Nothing is held back and nothing gathers.
    bool empty() const { return waiting_.empty() && !batch_waiting(); }
    // Bytes held back and gathering, about.
    size_t bytes() const { return bytes_waiting_ + bytes_gathering_; }

  private:
    struct Datagram {
        Socket from;
        Address to;
        std::string bytes;
    };
    struct Reply {
        CommandId command;
        Outcome outcome;
        std::string text;
    };
    struct Notice {
        Severity severity;
        std::string text;
    };
    struct TraceLine {
        std::string text;
    };
    struct Stop {
        int status;
    };
    struct StartJob {
        JobId job;
        Job work;
    };
    using Effect = std::variant<Datagram, Reply, Notice, TraceLine, Stop, StartJob>;
    struct Waiting {
        uint64_t batch;  // carried out when this one is durable
        Effect effect;
    };

    bool free_to_go() const { return waiting_.empty() && barrier_ <= durable_; }
    void hold(Effect effect);
    void carry_out(Effect effect);
    static size_t size_of(const Effect& effect);
    static size_t size_of(const Job& job);

    Outside& outside_;
    Batch gathering_;
    uint64_t next_batch_ = 1;  // the number that gathering_ will have
    uint64_t barrier_ = 0;     // what comes now has to wait for this batch
    uint64_t durable_ = 0;
    std::deque<Waiting> waiting_;
    size_t bytes_waiting_ = 0;
    size_t bytes_gathering_ = 0;
};

}  // namespace p2pbank
