// A customer that types by itself: the real one, in the real driver, with one command more,
//
//     load <seconds> <window> <command ...>
//
// which gives that command to the customer again and again, `window` of them outstanding, and
// answers what it has measured. It shows what a transfer takes without the pipes, and without a
// second program that has to be woken for each answer. Answers to what it types are put into words
// and thrown away. An account cannot be resumed with it.
#include <optional>
#include <string>
#include <unordered_map>

#include <CLI/CLI.hpp>

#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/process.h"
#include "common/runtime/prompts.h"
#include "customer/customer.h"
#include "tests/bench/measure.h"

namespace p2pbank::bench {
namespace {

class SelfTyping final : public Node {
  public:
    explicit SelfTyping(CustomerSettings settings) : inner_(std::move(settings)) {}

    Result<void> replay(std::string_view record) override { return inner_.replay(record); }
    void start(TimePoint now, Effects& effects) override {
        Tap tap(*this, effects);
        inner_.start(now, tap);
    }
    void on_datagram(TimePoint now, Socket at, Address from, std::string_view datagram,
                     Effects& effects) override {
        Tap tap(*this, effects);
        inner_.on_datagram(now, at, from, datagram, tap);
    }
    void on_command(TimePoint now, CommandId id, std::string_view line, Effects& effects) override {
        Tap tap(*this, effects);
        if (line.starts_with("load ")) return begin(id, std::string(line.substr(5)));
        const CommandId inner = next_id();
        typed_by_others_[inner.value()] = id;
        inner_.on_command(now, inner, line, tap);
    }
    void on_timer(TimePoint now, Effects& effects) override {
        Tap tap(*this, effects);
        inner_.on_timer(now, tap);
    }
    void on_job(TimePoint now, JobId id, JobResult result, Effects& effects) override {
        Tap tap(*this, effects);
        inner_.on_job(now, id, std::move(result), tap);
    }
    void end_of_turn(TimePoint now, Effects& effects) override {
        Tap tap(*this, effects);
        if (load_) go_on(now, tap, effects);
        inner_.end_of_turn(now, tap);
    }
    std::optional<TimePoint> next_wake() const override { return inner_.next_wake(); }
    bool wants_commands() const override { return inner_.wants_commands(); }
    void snapshot(const std::function<void(std::string)>& take) const override {
        inner_.snapshot(take);
    }
    std::vector<std::string> complete(std::string_view) const override { return {}; }

  private:
    struct Load {
        CommandId command;
        std::string line;
        size_t window = 1;
        uint64_t end_ns = 0;
        Times times;
        std::unordered_map<uint64_t, uint64_t> outstanding;  // command id -> when it was typed
        std::string failure;
    };

    // Passes everything on but the answers to what was typed here.
    class Tap final : public Effects {
      public:
        Tap(SelfTyping& owner, Effects& outer) : owner_(owner), outer_(outer) {}
        void persist(std::string record) override { outer_.persist(std::move(record)); }
        void send(Socket from, Address to, std::string_view datagram) override {
            outer_.send(from, to, datagram);
        }
        void answer(CommandId command, Answer answer) override {
            const auto other = owner_.typed_by_others_.find(command.value());
            if (other == owner_.typed_by_others_.end()) return owner_.answered(command, answer);
            outer_.answer(other->second, std::move(answer));
            owner_.typed_by_others_.erase(other);
        }
        void notice(Severity severity, std::string text) override {
            outer_.notice(severity, std::move(text));
        }
        void publish_table(std::string content) override {
            outer_.publish_table(std::move(content));
        }
        void start_job(JobId job, Job work) override { outer_.start_job(job, std::move(work)); }
        void ask(CommandId command, std::vector<Question>) override {
            answer(command, failure("no-terminal", "nobody is asked here"));
        }
        Result<void> claim_store(std::string_view name, const KeyBytes* secret) override {
            return outer_.claim_store(name, secret);
        }
        void release_store() override { outer_.release_store(); }
        void stop(int status) override { outer_.stop(status); }
        void log_key(uint32_t index, const KeyBytes& key) override { outer_.log_key(index, key); }
        bool tracing() const override { return outer_.tracing(); }
        void trace(TraceEvent event) override { outer_.trace(std::move(event)); }

      private:
        SelfTyping& owner_;
        Effects& outer_;
    };

    CommandId next_id() { return CommandId(++last_id_); }

    void begin(CommandId id, const std::string& words) {
        size_t at = 0;
        size_t width = 0;
        load_.emplace();
        load_->command = id;
        const double seconds = std::stod(words, &at);
        load_->window = std::stoul(words.substr(at), &width);
        load_->line = words.substr(at + width + 1);
        load_->times.start();
        load_->end_ns = now_ns() + static_cast<uint64_t>(seconds * 1e9);
    }

    void go_on(TimePoint now, Tap& tap, Effects& effects) {
        const uint64_t at = now_ns();
        while (load_->failure.empty() && at < load_->end_ns &&
               load_->outstanding.size() < load_->window) {
            const CommandId id = next_id();
            load_->outstanding[id.value()] = at;
            inner_.on_command(now, id, load_->line, tap);
        }
        if (!load_->outstanding.empty()) return;
        effects.answer(load_->command, load_->failure.empty()
                                           ? success("load " + load_->times.json())
                                           : failure("usage", load_->failure));
        load_.reset();
    }

    void answered(CommandId id, const Answer& answer) {
        const std::string text = to_lines(answer);
        const auto typed = load_->outstanding.find(id.value());
        load_->times.add(now_ns() - typed->second);
        load_->outstanding.erase(typed);
        if (answer.outcome != Outcome::success && load_->failure.empty()) load_->failure = text;
    }

    Customer inner_;
    uint64_t last_id_ = 0;
    std::unordered_map<uint64_t, CommandId> typed_by_others_;  // inner id -> the driver's
    std::optional<Load> load_;
};

int run(const std::string& bank, bool checkpoint_mode, DriverOptions options) {
    Log log("customer", "info");
    LineReader input(STDIN_FILENO);
    CustomerSettings settings;
    settings.insecure = options.insecure;
    settings.key_folder = options.state_folder + "/banks";
    Driver driver(std::move(options), input, log);
    const Result<uint16_t> port1 = driver.bind(0);
    const Result<uint16_t> port2 = driver.bind(0);
    const Result<Address> address = parse_address_or_localhost(bank);
    if (!port1 || !port2 || !address) return kExitUsage;
    settings.bank = address.value();
    settings.own_ip = address.value().ip;
    settings.port1 = port1.value();
    settings.port2 = port2.value();
    settings.stable = checkpoint_mode ? StableMode::checkpoint : StableMode::journal;
    settings.seed = random_seed();
    settings.wall_offset_us = wall_offset_us();
    random_bytes(settings.secret_seed);
    random_bytes(settings.key_seed);
    SelfTyping node(settings);
    return driver.run(
        node, nullptr,
        "ready on ports " + std::to_string(port1.value()) + " " + std::to_string(port2.value()));
}

}  // namespace
}  // namespace p2pbank::bench

int main(int argc, char** argv) {
    p2pbank::prepare_process();
    CLI::App app("A customer on this machine that types by itself: load <seconds> <window> <line>");
    std::string bank;
    std::string stable = "journal";
    p2pbank::DriverOptions options;
    options.name = "customer";
    app.add_option("--bank", bank)->required();
    app.add_option("--state", options.state_folder)->required();
    app.add_option("--stable", stable)->check(CLI::IsMember({"journal", "checkpoint"}));
    app.add_flag("--insecure", options.insecure);
    CLI11_PARSE(app, argc, argv);
    return p2pbank::bench::run(bank, stable == "checkpoint", std::move(options));
}
