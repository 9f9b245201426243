// Drives one node in the real world: sockets, commands, clock, disk. Knows neither bank nor
// customer. Made and run by main; one event loop on main's thread. What would make it wait is done
// on threads beside it, each made when it is first needed: one for the journal, one for the
// history, one for passwords and files.
//
// Each thing that happens, datagrams on a socket, command lines, a timer, is a turn: events for the
// node, then end_of_turn, then what the node said goes its way: records to the disk, and what had
// to wait for them when they are durable, everything else at once.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <termios.h>
#include <unistd.h>
#include <unordered_map>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include "common/core/node.h"
#include "common/runtime/append_file.h"
#include "common/runtime/clock.h"
#include "common/runtime/disk_thread.h"
#include "common/runtime/history_thread.h"
#include "common/runtime/line_reader.h"
#include "common/runtime/log.h"
#include "common/runtime/outbox.h"
#include "common/runtime/output.h"
#include "common/runtime/pcap_writer.h"
#include "common/runtime/secret_reader.h"
#include "common/runtime/store.h"
#include "common/runtime/terminal.h"
#include "common/runtime/trace_writer.h"
#include "common/runtime/udp_sockets.h"
#include "common/runtime/worker.h"

namespace p2pbank {

struct DriverOptions {
    std::string name;            // the node's name in traces, until it claims a store
    std::string prompt;          // at a terminal
    bool json = false;           // answers as JSON
    bool serve = false;          // the end of the input is not the end
    int output = STDOUT_FILENO;  // for answers
    std::string trace_file;      // empty: no trace
    std::string key_log;         // the keys of sessions go there; empty: nowhere
    std::string pcap;            // all datagrams in and out go there; empty: nowhere
    bool insecure = false;       // in clear: without an address, sockets are on loopback only
    std::string state_folder;    // where claim_store() makes its folders; empty: it does not
    std::string table_name;      // of the node's table in the store's folder; empty: it has none
    uint64_t journal_min_bytes = 1'024 * 1'024;  // a smaller journal is not worth replacing
    std::optional<SecretReader> secrets;         // where questions are answered; else: a terminal

    // Takes the descriptor of --password-fd, if one was given. Errors: usage.
    Result<void> take_passwords_from(std::optional<int> fd);
};

class Driver final : private Outside {
  public:
    Driver(DriverOptions options, LineReader& input, Log& log);
    ~Driver() override;

    // Opens the next socket: the first is Socket::bank, the second Socket::peer. Port 0 is one that
    // the system gives, ip 0 any address of this machine, or 127.0.0.1 where nothing is sealed.
    // Returns the port. Errors: port-taken, io-error.
    Result<uint16_t> bind(uint16_t port, uint32_t ip = 0);

    // The node's name in traces, until it claims a store. Requires that run() has not been called.
    void name(std::string name) { options_.name = std::move(name); }

    // What the node tells goes into this database from now on; it has everything up to the node's
    // history_position(). Requires that run() has not been called. Without it a Query fails.
    void keep_history(std::unique_ptr<HistoryDb> db);

    // Drives the node until its end; returns the exit status. The node has replayed the store's
    // journal; without a store it has to claim one before it persists anything. `ready` is
    // announced when the node can be reached.
    int run(Node& node, std::unique_ptr<Store> store, std::string_view ready);

  private:
    static constexpr size_t kMaxSockets = 2;

    // Outside: how effects are carried out
    void send_now(Socket from, Address to, std::string_view datagram) override;
    void answer_now(CommandId command, Outcome outcome, std::string text) override;
    void notice_now(Severity severity, const std::string& text) override;
    void trace_now(const std::string& line) override;
    void stop_now(int status) override;
    std::string format(const Answer& answer) const override;
    std::string format(const TraceEvent& event) const override;
    bool tracing_now() const override { return trace_.has_value(); }
    void start_job_now(JobId job, Job work) override;
    void ask_now(CommandId command, std::vector<Question> questions) override;
    void stop_announced() override { closing_ = node_stopped_ = true; }
    Result<void> claim_store_now(std::string_view name, const KeyBytes* secret) override;
    void log_key_now(uint32_t index, const KeyBytes& key) override;
    void release_store_now() override;

    // Turns
    template <class Events>
    void turn(Events events);
    void after_turn();
    void look_at_wall_clock();
    void on_socket(size_t socket);
    void on_timer();
    void on_signal(int signal);

    // Commands
    bool may_take_commands() const;
    void take_commands();
    void take_line(LineReader::Line line);
    void end_of_input();
    void print_answers();

    // At a terminal
    void run_terminal();
    void run_menu();
    void take_terminal_line(const std::optional<std::string>& line);
    void ask_at_terminal();
    bool ask_terminal() const { return terminal_ && !options_.secrets && !asked_.empty(); }
    bool wait_for_key();
    template <class Condition>
    void run_until(Condition condition);

    // Disk
    void give_to_disk();
    bool journal_worth_replacing(std::vector<std::string>& snapshot);
    bool history_holds_all();
    void on_disk_done();
    void finish(DiskJob& job);
    [[noreturn]] void end_at_once(const std::string& reason);

    // Jobs, the history, and what a person is asked
    void on_jobs_done();
    void answer_questions();
    void finish_question(Result<std::vector<Secret>> typed);
    bool beside_idle() const { return worker_.idle() && (!history_ || history_->idle()); }

    // Waiting, and the end
    void arm_timer();
    void arm_sockets();
    void arm_input();
    void arm_signals();
    bool overloaded() const;
    void end_if_done();
    bool close_node();
    int exit_status() const;
    // What somebody asked to be recorded
    Result<void> open_records();
    void flush_records();
    void record(size_t socket, Address other, bool received, std::string_view datagram);

    DriverOptions options_;
    LineReader& input_;
    Log& log_;
    Node* node_ = nullptr;
    std::unique_ptr<Store> store_;
    TimePoint now_;                              // of the turn
    int64_t wall_offset_us_ = wall_offset_us();  // as the node knows it, but for little

    asio::io_context context_{1};
    UdpSockets sockets_{context_};
    std::array<bool, kMaxSockets> socket_armed_ = {};
    asio::steady_timer timer_{context_};
    std::optional<TimePoint> timer_armed_for_;
    asio::signal_set signals_{context_};
    asio::posix::stream_descriptor input_wait_{context_};
    asio::posix::stream_descriptor output_wait_{context_};
    asio::steady_timer patience_{context_};

    Outbox outbox_{*this};
    uint64_t replace_above_ = 0;  // bytes of the journal
    std::optional<TraceWriter> trace_;
    std::optional<AppendFile> key_log_;
    std::optional<PcapWriter> pcap_;
    std::unordered_map<uint32_t, uint32_t> own_ips_;  // of this machine, towards others; for pcap_
    AnswerBook answers_;
    Output output_;
    std::unique_ptr<Terminal> terminal_;
    std::optional<termios> terminal_before_;
    bool colour_ = false;
    bool menu_wanted_ = false;

    struct Asked {
        CommandId command;
        std::vector<Question> questions;
        std::vector<Secret> typed;
    };
    std::deque<Asked> asked_;  // answered one after the other
    asio::posix::stream_descriptor secrets_wait_{context_};
    bool secrets_armed_ = false;

    bool replacing_ = false;  // the journal, as soon as the history has everything
    bool input_armed_ = false;
    bool input_ready_ = false;  // there may be something to read
    bool lines_left_ = false;   // read, and not taken yet
    bool input_ended_ = false;
    bool quitting_ = false;  // ends in spite of options_.serve
    bool output_armed_ = false;
    bool out_of_patience_ = false;  // with a reader of the answers that does not read
    bool closing_ = false;  // no more events for the node; what it said is still carried out
    bool signalled_ = false;
    bool node_stopped_ = false;  // by itself: it gets no events any more, on_close neither
    int close_step_ = 0;         // of Node::on_close, the next
    bool ended_ = false;
    int stop_status_ = 0;
    uint64_t drops_told_ = 0;

    Worker worker_;
    std::unique_ptr<HistoryThread> history_;
    DiskThread disk_;  // the last member: the first to go
};

template <class Condition>
void Driver::run_until(Condition condition) {
    while (!ended_ && !condition()) context_.run_one();
}

template <class Events>
void Driver::turn(Events events) {
    if (closing_) return;
    now_ = steady_now();
    look_at_wall_clock();
    events();
    take_commands();
    node_->end_of_turn(now_, outbox_);
    after_turn();
}

}  // namespace p2pbank
