#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/runtime/outbox.h"

using namespace p2pbank;

namespace {

// Writes down what is carried out.
class Recorder final : public Outside {
  public:
    std::vector<std::string> done;
    bool trace = true;
    bool announced = false;
    Outbox* finish_on_release = nullptr;

    void send_now(Socket, Address to, std::string_view datagram) override {
        done.push_back("send " + std::string(datagram) + " " + std::to_string(to.port));
    }
    void answer_now(CommandId command, Outcome, std::string text) override {
        done.push_back("answer " + std::to_string(command.value()) + " " + text);
    }
    void notice_now(Severity, const std::string& text) override {
        done.push_back("notice " + text);
    }
    void trace_now(const std::string& line) override { done.push_back("trace " + line); }
    void stop_now(int status) override { done.push_back("stop " + std::to_string(status)); }
    void start_job_now(JobId job, Job) override {
        done.push_back("job " + std::to_string(job.value()));
    }
    void ask_now(CommandId command, std::vector<Question>) override {
        done.push_back("ask " + std::to_string(command.value()));
    }
    std::string format(const Answer& answer) const override { return answer.text; }
    std::string format(const TraceEvent& event) const override { return std::string(event.kind); }
    bool tracing_now() const override { return trace; }
    void stop_announced() override { announced = true; }
    Result<void> claim_store_now(std::string_view, const KeyBytes*) override { return {}; }
    void release_store_now() override {}
    void log_key_now(uint32_t index, const KeyBytes& key) override {
        done.push_back("key " + std::to_string(index) + " " + std::to_string(key[0]));
    }
};

constexpr Address kPeer{0x7f000001, 9001};

}  // namespace

TEST_CASE("outbox: without a record before it an effect is carried out at once") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.send(Socket::peer, kPeer, "a");
    outbox.answer(CommandId(1), success("x"));
    CHECK(outside.done == std::vector<std::string>{"send a 9001", "answer 1 x"});
    CHECK(outbox.empty());
}

TEST_CASE("outbox: the key of a session is logged before the packet that it seals") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.persist("r1");
    outbox.send(Socket::peer, kPeer, "a");
    outbox.log_key(7, KeyBytes{5});
    CHECK(outside.done == std::vector<std::string>{"key 7 5"});
    outbox.durable(outbox.take_batch().number);
    CHECK(outside.done == std::vector<std::string>{"key 7 5", "send a 9001"});
}

TEST_CASE("outbox: what follows a record waits until it is durable, in order") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.send(Socket::peer, kPeer, "before");
    outbox.persist("r1");
    outbox.send(Socket::peer, kPeer, "after");
    outbox.answer(CommandId(1), success("x"));
    outbox.notice(Severity::info, "n");
    outbox.trace({"t", {}});
    outbox.stop(0);
    CHECK(outside.done == std::vector<std::string>{"send before 9001"});
    CHECK(outside.announced);
    CHECK(outbox.batch_waiting());

    const Outbox::Batch batch = outbox.take_batch();
    CHECK(batch.records == std::vector<std::string>{"r1"});
    CHECK_FALSE(outbox.empty());
    outbox.durable(batch.number);
    CHECK(outside.done == std::vector<std::string>{"send before 9001", "send after 9001",
                                                   "answer 1 x", "notice n", "trace t", "stop 0"});
    CHECK(outbox.empty());
    CHECK(outbox.bytes() == 0);
}

TEST_CASE("outbox: records that come while a batch is being written share the next one") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.persist("r1");
    outbox.send(Socket::peer, kPeer, "a");
    const Outbox::Batch first = outbox.take_batch();
    outbox.send(Socket::peer, kPeer, "b");  // needs only the first
    outbox.persist("r2");
    outbox.persist("r3");
    outbox.send(Socket::peer, kPeer, "c");
    outbox.durable(first.number);
    CHECK(outside.done == std::vector<std::string>{"send a 9001", "send b 9001"});
    const Outbox::Batch second = outbox.take_batch();
    CHECK(second.records == std::vector<std::string>{"r2", "r3"});
    outbox.durable(second.number);
    CHECK(outside.done.back() == "send c 9001");
}

TEST_CASE("outbox: an effect does not overtake one that waits") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.persist("r1");
    outbox.send(Socket::peer, kPeer, "a");
    const Outbox::Batch batch = outbox.take_batch();
    outbox.answer(CommandId(1), success("x"));
    CHECK(outside.done.empty());
    outbox.durable(batch.number);
    CHECK(outside.done == std::vector<std::string>{"send a 9001", "answer 1 x"});
}

TEST_CASE("outbox: of several tables in a batch the last one counts") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.publish_table("one");
    outbox.persist("r");
    outbox.publish_table("two");
    outbox.send(Socket::bank, kPeer, "a");
    const Outbox::Batch batch = outbox.take_batch();
    CHECK(batch.table == std::string("two"));
    CHECK(batch.records.size() == 1);
    CHECK(outside.done.empty());
    outbox.durable(batch.number);
    CHECK(outside.done.size() == 1);
}

TEST_CASE("outbox: records of a released store are dropped, and what waited goes on") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.persist("r");
    outbox.answer(CommandId(1), failure("name-taken", "x"));
    outbox.release_store();
    CHECK(outbox.batch_waiting());
    const Outbox::Batch batch = outbox.take_batch();
    CHECK(batch.records.empty());
    outbox.durable(batch.number);
    CHECK(outside.done.size() == 1);
}

TEST_CASE("outbox: a job waits for the records before it, a question does not") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.persist("r");
    outbox.start_job(JobId(1), ReadFile{"file", 1});
    outbox.ask(CommandId(2), {{"Password: ", true}});
    CHECK(outside.done == std::vector<std::string>{"ask 2"});
    outbox.durable(outbox.take_batch().number);
    CHECK(outside.done == std::vector<std::string>{"ask 2", "job 1"});
    CHECK(outbox.bytes() == 0);
}

TEST_CASE("outbox: facts go with the batch of the record that they follow from") {
    Recorder outside;
    Outbox outbox(outside);
    outbox.fact(1, {0, {std::string("a")}});
    outbox.persist("r1");
    const Outbox::Batch first = outbox.take_batch();
    CHECK(first.facts.size() == 1);
    outbox.persist("r2");
    CHECK(outbox.take_batch().facts.empty());
}
