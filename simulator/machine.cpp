#include "simulator/machine.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/stable/table.h"

namespace p2pbank::simulator {
namespace {

constexpr Duration kLongestTurn = microseconds(100);
constexpr Duration kSlowestDisk = milliseconds(300);
constexpr uint64_t kMostWakesAtOnce = 1'000;
constexpr std::string_view kCustomerJournal = "/journal";

}  // namespace

Machine::Machine(MachineSettings settings, Schedule& schedule, Tally& tally,
                 Surroundings& surroundings)
    : settings_(std::move(settings)),
      schedule_(schedule),
      tally_(tally),
      surroundings_(surroundings),
      random_(settings_.seed),
      disk_(random_.next(), tally) {}

std::string Machine::find_account() {
    if (!settings_.journal.empty()) return "";
    for (const std::string& file : disk_.list()) {
        if (file.ends_with(kCustomerJournal)) {
            return file.substr(0, file.size() - kCustomerJournal.size());
        }
    }
    return "";
}

std::string Machine::journal_file() const {
    if (!settings_.journal.empty()) return settings_.journal;
    return account_.empty() ? "" : account_ + std::string(kCustomerJournal);
}

Result<void> Machine::open_journal(Node& node) {
    std::vector<std::string> replayed;
    const auto replay = [&](std::string_view record) {
        replayed.emplace_back(record);
        return node.replay(record);
    };
    auto journal = Journal::open(disk_, journal_file(), replay);
    if (!journal) return journal.error();
    journal_ = std::move(journal).value();
    if (journal_->torn_bytes() > 0) ++tally_.torn_frames;
    check_replayed(std::move(replayed));
    return {};
}

void Machine::check_replayed(std::vector<std::string> replayed) {
    if (replayed != kept_ &&
        std::find(or_else_.begin(), or_else_.end(), replayed) == or_else_.end()) {
        surroundings_.violated("journal-keeps-whole-frames",
                               settings_.label + ": " + std::to_string(kept_.size()) +
                                   " records were durable, and the journal gives back " +
                                   std::to_string(replayed.size()) +
                                   " that are neither those nor those of the interrupted write");
    }
    if (replayed != kept_) {
        for (const std::string& record : interrupted_) surroundings_.made_durable(*this, record);
    }
    kept_ = std::move(replayed);
    or_else_.clear();
    interrupted_.clear();
}

std::vector<std::string> Machine::kept_with_job() const {
    if (!job_ || job_->abandoned || job_->batch.records.empty()) return kept_;
    if (job_->replacement) return *job_->replacement;
    std::vector<std::string> all = kept_;
    all.insert(all.end(), job_->batch.records.begin(), job_->batch.records.end());
    return all;
}

Result<void> Machine::start() {
    if (running()) return {};
    account_ = find_account();
    std::unique_ptr<Node> node = surroundings_.make_node(*this, account_, random_.next());
    if (!journal_file().empty()) {
        if (auto opened = open_journal(*node); !opened) {
            if (!disk_.is_off()) return opened;
            ++tally_.crashes_in_disk_work;
            disk_.crash();
            return {};  // it died while it was being started
        }
        if (!account_.empty() && kept_.empty()) {
            // It died before it had an account.
            release_store();
            node = surroundings_.make_node(*this, "", random_.next());
        }
    }
    if (auto ready = surroundings_.replayed(*this, *node); !ready) {
        journal_.reset();
        return ready;
    }
    node_ = std::move(node);
    ++life_;
    ++tally_.starts;
    surroundings_.started(*this);
    event([this](Node& started) { started.start(schedule_.now(), *this); });
    return {};
}

void Machine::end(std::optional<int> status) {
    if (!running()) return;
    if (!status && job_ && !job_->abandoned) {
        or_else_.push_back(kept_with_job());
        interrupted_ = std::move(job_->batch.records);
    }
    node_.reset();
    journal_.reset();
    ++life_;  // what was planned for this life finds another one
    turn_open_ = stopping_ = input_planned_ = crash_planned_ = false;
    effects_left_.reset();
    closing_.reset();
    wake_planned_.reset();
    wakes_at_once_ = 0;
    input_.clear();
    gathering_ = {};
    queue_.clear();
    job_.reset();
    next_batch_ = 1;
    barrier_ = durable_ = 0;
    // A process that ends on its own leaves the system's cache in order; a crash takes the power too.
    if (status) {
        disk_.disarm();
    } else {
        ++tally_.crashes;
        disk_.crash();
    }
    surroundings_.ended(*this, status);
}

void Machine::crash() { end(std::nullopt); }

void Machine::crash_after_effects(uint64_t effects, Duration within) {
    if (!running()) return;
    effects_left_ = effects;
    crash_planned_ = true;
    later(within, &Machine::crash_if_planned);
}

void Machine::crash_in_disk_work(uint64_t calls, Duration within) {
    disk_.cut_power_after(calls);
    if (!running()) return;
    crash_planned_ = true;
    later(within, &Machine::crash_if_planned);
}

void Machine::crash_if_planned() {
    if (crash_planned_) crash();
}

void Machine::quit() {
    if (!running() || stopping_) return;
    if (turn_open_) end_turn();
    if (!running()) return;
    stopping_ = true;
    closing_ = 0;
    go_on_closing();
}

// As often as there is nothing left to carry out.
void Machine::go_on_closing() {
    constexpr int kSteps = 2;
    while (running() && closing_ && settled()) {
        if (*closing_ == kSteps) {
            end(kQuit);
            return;
        }
        node_->on_close(schedule_.now(), (*closing_)++, *this);
        node_->end_of_turn(schedule_.now(), *this);
        surroundings_.touched(*this);
        drain();
        if (running()) start_job();
    }
}

void Machine::spare() {
    if (disk_.is_off() || closing_) crash();
    crash_planned_ = false;
    effects_left_.reset();
    disk_.disarm();
}

void Machine::wipe() {
    P2PBANK_CHECK(!running());
    for (const std::string& file : disk_.list()) static_cast<void>(disk_.remove(file));
    static_cast<void>(disk_.sync_folder());
    account_.clear();
    kept_.clear();
    or_else_.clear();
}

void Machine::later(Duration delay, void (Machine::*what)()) {
    schedule_.after(delay, [this, what, life = life_] {
        if (life == life_ && running()) (this->*what)();
    });
}

void Machine::deliver(Socket at, Address from, std::string_view bytes) {
    event([&](Node& node) { node.on_datagram(schedule_.now(), at, from, bytes, *this); });
}

void Machine::type(CommandId id, std::string line) {
    if (!running()) return;
    input_.emplace_back(id, std::move(line));
    if (input_planned_) return;
    input_planned_ = true;
    later(Duration(), &Machine::feed_input);
}

void Machine::feed_input() {
    input_planned_ = false;
    if (input_.empty() || stopping_ || !node_->wants_commands()) return;
    auto [id, line] = std::move(input_.front());
    input_.pop_front();
    event([&, id = id, &line = line](Node& node) {
        node.on_command(schedule_.now(), id, line, *this);
    });
}

void Machine::event(const std::function<void(Node&)>& what) {
    if (!running() || stopping_) return;
    what(*node_);
    if (!turn_open_) {
        turn_open_ = true;
        if (settings_.long_turns > 0 && random_.fraction() < settings_.long_turns) {
            const auto most = static_cast<uint64_t>(kLongestTurn.count());
            later(Duration(static_cast<int64_t>(random_.below(most))), &Machine::end_turn);
            return;
        }
        end_turn();
    }
}

void Machine::end_turn() {
    node_->end_of_turn(schedule_.now(), *this);
    turn_open_ = false;
    surroundings_.touched(*this);
    after_turn();
}

void Machine::after_turn() {
    drain();
    if (!running()) return;
    start_job();
    if (!running()) return;
    plan_wake();
    if (!input_.empty() && !input_planned_ && !stopping_ && node_->wants_commands()) {
        input_planned_ = true;
        later(Duration(), &Machine::feed_input);
    }
}

void Machine::plan_wake() {
    if (stopping_) return;
    const auto when = node_->next_wake();
    if (!when || (wake_planned_ && *wake_planned_ <= *when)) return;
    wake_planned_ = *when;
    schedule_.at(*when, [this, life = life_, at = *when] { wake(life, at); });
}

void Machine::wake(uint64_t life, TimePoint when) {
    if (life != life_ || !running() || wake_planned_ != when) return;
    wake_planned_.reset();
    const auto wanted = node_->next_wake();
    if (wanted && *wanted <= schedule_.now()) {
        wakes_at_once_ = last_wake_ == schedule_.now() ? wakes_at_once_ + 1 : 0;
        last_wake_ = schedule_.now();
        if (wakes_at_once_ > kMostWakesAtOnce) {
            surroundings_.violated("timers-move-on", settings_.label +
                                                         " wants to be woken again and again "
                                                         "at the same time");
        }
        event([this](Node& node) { node.on_timer(schedule_.now(), *this); });
    }
    if (running() && !turn_open_) plan_wake();
}

// Effects

void Machine::persist(std::string record) {
    if (!journal_) {
        surroundings_.violated("store-before-records",
                               settings_.label + " writes a record and has no journal");
    }
    surroundings_.persisted(*this, record);
    gathering_.records.push_back(std::move(record));
    barrier_ = next_batch_;
}

void Machine::publish_table(std::string content) {
    if (settings_.table.empty()) {
        surroundings_.violated("only-the-bank-has-a-table", settings_.label);
    }
    surroundings_.table_made(*this, content);
    gathering_.table = std::move(content);
    barrier_ = next_batch_;
}

void Machine::send(Socket from, Address to, std::string_view datagram) {
    hold(Datagram{from, to, std::string(datagram)});
}

void Machine::answer(CommandId command, Answer answer) {
    surroundings_.answer_made(*this, command, answer);
    hold(Reply{command, std::move(answer)});
}

void Machine::notice(Severity severity, std::string text) {
    hold(Notice{severity, std::move(text)});
}

void Machine::stop(int status) {
    stopping_ = true;
    hold(Stop{status});
}

bool Machine::tracing() const { return surroundings_.tracing(); }

void Machine::trace(TraceEvent event) { hold(Trace{schedule_.now(), std::move(event)}); }

Result<void> Machine::claim_store(std::string_view name) {
    if (journal_) surroundings_.violated("one-store", settings_.label + " claims a second store");
    const std::string file = std::string(name) + std::string(kCustomerJournal);
    if (disk_.has(file)) return Error{"state-exists", std::string(name) + " has a journal here"};
    auto journal = Journal::open(disk_, file, [](std::string_view) { return Result<void>(); });
    if (!journal) return Error{"state-unusable", journal.error().message};
    journal_ = std::move(journal).value();
    account_ = name;
    kept_.clear();
    or_else_.clear();
    return {};
}

void Machine::release_store() {
    if (!journal_) return;
    journal_.reset();
    static_cast<void>(disk_.remove(account_ + std::string(kCustomerJournal)));
    static_cast<void>(disk_.remove(account_ + std::string(kCustomerJournal) + ".new"));
    account_.clear();
    // Until the folder is synced a crash may bring them back.
    or_else_.push_back(kept_with_job());
    or_else_.push_back(std::move(kept_));
    kept_.clear();
    gathering_.records.clear();
    if (job_) job_->abandoned = true;
}

void Machine::hold(Effect effect) { queue_.push_back({barrier_, std::move(effect)}); }

void Machine::drain() {
    if (draining_) return;
    draining_ = true;
    const uint64_t life = life_;
    while (life == life_ && running() && !queue_.empty() && queue_.front().batch <= durable_) {
        // Traces do not count, or a run that is watched would be another run.
        const bool counts = !std::holds_alternative<Trace>(queue_.front().effect);
        if (effects_left_ && counts && (*effects_left_)-- == 0) {
            ++tally_.crashes_between_effects;
            crash();
            break;
        }
        Effect effect = std::move(queue_.front().effect);
        queue_.pop_front();
        carry_out(std::move(effect));
    }
    draining_ = false;
    if (life == life_ && running() && disk_.is_off()) {
        ++tally_.crashes_in_disk_work;
        crash();
    }
}

void Machine::carry_out(Effect effect) {
    if (auto* datagram = std::get_if<Datagram>(&effect)) {
        surroundings_.transmit(*this, datagram->from, datagram->to, datagram->bytes);
    } else if (auto* reply = std::get_if<Reply>(&effect)) {
        surroundings_.answered(*this, reply->command, reply->answer);
    } else if (auto* notice = std::get_if<Notice>(&effect)) {
        surroundings_.noticed(*this, notice->severity, notice->text);
    } else if (auto* trace = std::get_if<Trace>(&effect)) {
        surroundings_.traced(*this, trace->when, trace->event);
    } else if (auto* stop = std::get_if<Stop>(&effect)) {
        end(stop->status);
    }
}

// Disk work

void Machine::start_job() {
    if (job_ || turn_open_ || barrier_ != next_batch_) return;
    job_.emplace();
    job_->number = next_batch_++;
    job_->batch = std::exchange(gathering_, {});
    if (journal_ && !closing_ && !job_->batch.records.empty() &&
        journal_->bytes() > journal_->bytes_after_replace() + settings_.replace_after_bytes) {
        job_->replacement.emplace();
        node_->snapshot([&](std::string record) {
            job_->replacement->push_back(std::move(record));
        });
    }
    write_frame();
}

void Machine::write_frame() {
    if (!job_->replacement && !job_->batch.records.empty()) {
        P2PBANK_CHECK(journal_ != nullptr);
        if (disk_failed(journal_->append(job_->batch.records))) return;
    }
    later(disk_time(), &Machine::finish_frame);
}

void Machine::finish_frame() {
    if (!job_->abandoned && !job_->batch.records.empty()) {
        if (job_->replacement) {
            ++tally_.replacements;
            if (disk_failed(journal_->replace(*job_->replacement))) return;
            kept_ = std::move(*job_->replacement);
            job_->replacement.reset();
        } else {
            if (disk_failed(journal_->sync())) return;
            kept_.insert(kept_.end(), job_->batch.records.begin(), job_->batch.records.end());
        }
        const std::vector<std::string> records = std::exchange(job_->batch.records, {});
        for (const std::string& record : records) surroundings_.made_durable(*this, record);
    }
    if (job_->batch.table) {
        later(disk_time(), &Machine::finish_table);
    } else {
        finish_job();
    }
}

void Machine::finish_table() {
    if (disk_failed(replace_file(disk_, settings_.table, *job_->batch.table))) return;
    surroundings_.table_in_place(*this, *job_->batch.table);
    if (running()) finish_job();
}

void Machine::finish_job() {
    durable_ = job_->number;
    job_.reset();
    drain();
    if (running()) start_job();
    if (running()) go_on_closing();
}

bool Machine::disk_failed(const Result<void>& done) {
    if (done) return false;
    if (!disk_.is_off()) {
        surroundings_.violated("disk-works", settings_.label + ": " + done.error().message);
    }
    ++tally_.crashes_in_disk_work;
    crash();
    return true;
}

Duration Machine::disk_time() {
    if (settings_.slow_disk > 0 && random_.fraction() < settings_.slow_disk) {
        return Duration(static_cast<int64_t>(
            random_.below(static_cast<uint64_t>(kSlowestDisk.count()))));
    }
    const auto range = static_cast<uint64_t>((settings_.most_disk - settings_.least_disk).count());
    return settings_.least_disk + Duration(static_cast<int64_t>(random_.below(range + 1)));
}

void Machine::each_record(const std::function<void(const std::string&)>& take) const {
    for (const std::string& record : kept_with_job()) take(record);
    for (const std::string& record : gathering_.records) take(record);
}

}  // namespace p2pbank::simulator
