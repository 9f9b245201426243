#include "common/runtime/driver.h"

#include <algorithm>
#include <csignal>
#include <unistd.h>

#include <asio/post.hpp>

#include "common/base/check.h"
#include "common/base/names.h"
#include "common/runtime/clock.h"
#include "common/runtime/process.h"

namespace p2pbank {
namespace {

// Beyond this nothing more is taken in until the disk has caught up.
constexpr size_t kMostBytesHeldBack = 32 * 1'024 * 1'024;
constexpr size_t kMostBytesOfFacts = 64 * 1'024 * 1'024;  // that wait for the history
constexpr size_t kMostBytesUnprinted = 1'024 * 1'024;
constexpr size_t kCommandsPerTurn = 128;  // so that datagrams have their turn too
constexpr std::chrono::seconds kPatienceWithReader{2};

bool is_ignored(int signal) {
    struct sigaction action = {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Driver::Driver(DriverOptions options, LineReader& input, Log& log)
    : options_(std::move(options)),
      input_(input),
      log_(log),
      output_(options_.output),
      worker_([this] { asio::post(context_, [this] { on_jobs_done(); }); }),
      disk_([this] { asio::post(context_, [this] { on_disk_done(); }); },
            [this](const Error& error) {
                end_at_once("because nobody knows what is on the disk now: " + error.message);
            }) {}

Driver::~Driver() {
    log_.show_with(nullptr);
    // These belong to others.
    if (input_wait_.is_open()) input_wait_.release();
    if (output_wait_.is_open()) output_wait_.release();
    if (secrets_wait_.is_open()) secrets_wait_.release();
}

Result<uint16_t> Driver::bind(uint16_t port, uint32_t ip) {
    P2PBANK_CHECK(sockets_.count() < kMaxSockets);
    constexpr uint32_t kLoopback = 0x7f000001;
    return sockets_.bind(port, ip == 0 && options_.insecure ? kLoopback : ip);
}

int Driver::run(Node& node, std::unique_ptr<Store> store, std::string_view ready) {
    node_ = &node;
    store_ = std::move(store);
    replace_above_ = options_.journal_min_bytes;
    if (auto opened = open_records(); !opened) {
        log_.always(Severity::error, opened.error().message);
        return kExitUsage;
    }
    asio::error_code ignored;  // what cannot be waited for is found out when it is used
    if (!input_.always_ready()) input_wait_.assign(input_.fd(), ignored);
    output_wait_.assign(output_.fd(), ignored);
    if (options_.secrets) secrets_wait_.assign(options_.secrets->fd(), ignored);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        if (!is_ignored(signal)) signals_.add(signal, ignored);
    }
    if (store_ && store_->journal().torn_bytes() > 0) {
        log_.notice(Severity::warning,
                    "the program was ended while it wrote: cut off the unfinished last " +
                        std::to_string(store_->journal().torn_bytes()) + " bytes of the journal");
    }
    log_.always(Severity::info, ready);
    if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {
        terminal_before_.emplace();
        ::tcgetattr(STDIN_FILENO, &*terminal_before_);
        terminal_ = std::make_unique<Terminal>(
            options_.prompt, input_.fd(),
            Terminal::Hooks{[this] { return wait_for_key(); },
                            [this](std::string_view line) { return node_->complete(line); }});
        colour_ = Terminal::has_colour();
        log_.show_with([this](std::string_view text) { terminal_->show(text); });
        signals_.add(SIGWINCH, ignored);
        signals_.add(SIGCONT, ignored);
    }
    arm_signals();
    if (history_) node_->tell_history(&outbox_);
    turn([&] { node_->start(now_, outbox_); });
    if (terminal_) {
        run_terminal();
    } else if (!ended_) {
        context_.run();
    }
    return exit_status();
}

// It is set now and then, and goes on while the machine sleeps. What it drifts in between, and how
// long it takes to read both clocks, does not matter.
void Driver::look_at_wall_clock() {
    constexpr Duration kMatters = seconds(1);
    const int64_t offset = wall_offset_us();
    if (std::abs(offset - wall_offset_us_) < kMatters.count()) return;
    wall_offset_us_ = offset;
    node_->set_wall_offset(offset);
}

void Driver::after_turn() {
    give_to_disk();
    sockets_.flush();
    if (sockets_.dropped() != drops_told_ && log_.debugging()) {
        drops_told_ = sockets_.dropped();
        log_.debug(std::to_string(drops_told_) + " datagrams so far were not taken by the system");
    }
    flush_records();
    print_answers();
    arm_timer();
    arm_sockets();
    arm_input();
    end_if_done();
}

void Driver::on_socket(size_t socket) {
    socket_armed_[socket] = false;
    turn([&] {
        for (const UdpSockets::Received& datagram : sockets_.receive(socket)) {
            if (closing_) break;
            if (pcap_) record(socket, datagram.from, true, datagram.bytes);
            node_->on_datagram(now_, static_cast<Socket>(socket), datagram.from, datagram.bytes,
                               outbox_);
        }
    });
}

void Driver::on_timer() {
    timer_armed_for_.reset();
    const std::optional<TimePoint> wake = node_->next_wake();
    if (wake && *wake <= steady_now()) {
        turn([&] { node_->on_timer(now_, outbox_); });
    } else {
        arm_timer();
    }
}

void Driver::on_signal(int signal) {
    arm_signals();
    if (signal == SIGWINCH) return terminal_->window_changed();
    if (signal == SIGCONT) return terminal_->continued();
    if (signalled_) ::_exit(128 + signal);  // asked twice: whatever we wait for, it does not come
    signalled_ = closing_ = true;
    patience_.expires_after(kPatienceWithReader);
    patience_.async_wait([this](const asio::error_code& error) {
        if (error) return;
        out_of_patience_ = true;
        end_if_done();
    });
    end_if_done();
}

bool Driver::overloaded() const {
    return replacing_ || outbox_.bytes() > kMostBytesHeldBack ||
           (history_ && history_->bytes() > kMostBytesOfFacts);
}

bool Driver::may_take_commands() const {
    return !closing_ && !input_ended_ && node_->wants_commands() && !overloaded() &&
           output_.kept().size() < kMostBytesUnprinted;
}

void Driver::take_commands() {
    if (terminal_) return;
    for (size_t taken = 0; taken < kCommandsPerTurn && may_take_commands();) {
        if (const std::optional<LineReader::Line> line = input_.next()) {
            lines_left_ = true;
            ++taken;
            take_line(*line);
        } else {
            lines_left_ = false;
            if (input_.at_end()) return end_of_input();
            if (!std::exchange(input_ready_, false) || !input_.fill()) return;
        }
    }
}

void Driver::take_line(LineReader::Line line) {
    if (line.too_long) {
        const CommandId id = answers_.open();
        outbox_.answer(id, failure("usage", "a line has at most " +
                                                std::to_string(limits::kMaxLineBytes) + " bytes"));
        return;
    }
    const size_t first = line.text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line.text[first] == '#') return;
    const std::string_view text = line.text.substr(first);
    const CommandId id = answers_.open();
    const size_t word_end = std::min(text.find_first_of(" \t\r"), text.size());
    const std::string_view verb = text.substr(0, word_end);
    // Without a terminal the node says why there is no menu.
    const bool is_menu = terminal_ && verb == "menu" && !node_->menu().empty();
    if (verb != "quit" && !is_menu) {
        node_->on_command(now_, id, text, outbox_);
    } else if (text.find_first_not_of(" \t\r", word_end) != std::string_view::npos) {
        outbox_.answer(id, failure("usage", "write: " + std::string(verb)));
    } else if (is_menu) {
        menu_wanted_ = true;
        outbox_.answer(id, success("menu"));
    } else {
        quitting_ = input_ended_ = true;
        outbox_.answer(id, success("quit"));
    }
}

void Driver::end_of_input() {
    input_ended_ = true;
}

void Driver::print_answers() {
    answers_.move_to(output_);
    if (terminal_) {
        if (!output_.empty()) terminal_->show(output_.kept());
        output_.drop();
        return;
    }
    if (output_.empty()) return;
    const bool all = output_.flush();
    if (output_.broken() && !input_ended_) end_of_input();
    if (all || output_armed_) return;
    output_armed_ = true;
    output_wait_.async_wait(asio::posix::stream_descriptor::wait_write,
                            [this](const asio::error_code&) {
                                output_armed_ = false;
                                if (ended_) return;
                                print_answers();
                                arm_input();
                                end_if_done();
                            });
}

// A timer that is set again for every message costs more than one that now and then rings too
// early: it is only ever set to an earlier time.
void Driver::arm_timer() {
    if (closing_) return;
    const std::optional<TimePoint> wake = node_->next_wake();
    if (!wake || (timer_armed_for_ && *timer_armed_for_ <= *wake)) return;
    timer_armed_for_ = wake;
    timer_.expires_at(to_steady(*wake));
    timer_.async_wait([this](const asio::error_code& error) {
        if (!error && !closing_) on_timer();
    });
}

void Driver::arm_sockets() {
    if (closing_ || overloaded()) return;
    for (size_t i = 0; i < sockets_.count(); ++i) {
        if (std::exchange(socket_armed_[i], true)) continue;
        sockets_.wait_readable(i, [this, i] { on_socket(i); });
    }
}

void Driver::arm_input() {
    if (terminal_ || input_armed_ || !may_take_commands()) return;
    const auto ready = [this](const asio::error_code& error = {}) {
        input_armed_ = false;
        input_ready_ = true;
        if (error) end_of_input();
        turn([] {});
    };
    input_armed_ = true;
    if (lines_left_ || input_.at_end() || input_.always_ready()) {
        asio::post(context_, ready);
    } else {
        input_wait_.async_wait(asio::posix::stream_descriptor::wait_read, ready);
    }
}

void Driver::arm_signals() {
    signals_.async_wait([this](const asio::error_code& error, int signal) {
        if (!error) on_signal(signal);
    });
}

void Driver::end_if_done() {
    if (ended_) return;
    if (input_ended_ && (quitting_ || !options_.serve) && answers_.outstanding() == 0) {
        closing_ = true;
    }
    if (!closing_ || !disk_.idle() || !outbox_.empty() || !beside_idle()) return;
    if (!close_node()) return;
    while (const std::optional<CommandId> id = answers_.first_unanswered()) {
        answer_now(*id, Outcome::unknown, format(unknown("no answer before the program ended")));
    }
    flush_records();
    print_answers();
    if (!output_.empty() && !out_of_patience_) return;
    ended_ = true;
    context_.stop();
}

// True when the node has nothing more to carry out.
bool Driver::close_node() {
    constexpr int kSteps = 2;
    while (close_step_ < kSteps && !node_stopped_) {
        now_ = steady_now();
        node_->on_close(now_, close_step_++, outbox_);
        node_->end_of_turn(now_, outbox_);
        give_to_disk();
        sockets_.flush();
        if (!disk_.idle() || !outbox_.empty() || !beside_idle()) return false;
    }
    return true;
}

int Driver::exit_status() const {
    if (stop_status_ != 0) return stop_status_;
    if (!output_.empty()) return 1;  // nobody has read them
    return terminal_before_ || answers_.all_succeeded() ? 0 : 1;
}

}  // namespace p2pbank
