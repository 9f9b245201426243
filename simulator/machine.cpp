#include "simulator/machine.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace p2pbank::simulator {
namespace {

constexpr Duration kLongestTurn = microseconds(100);
constexpr uint64_t kMostWakesAtOnce = 1'000;

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
    // A disk that failed may have kept the store of another account, which was given up: whoever
    // sits here starts the program with the one that they had.
    if (!account_.empty() && disk_.has(account_ + std::string(kCustomerJournal))) return account_;
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
    node->tell_history(surroundings_.history_of(*this));
    if (!journal_file().empty()) {
        if (auto opened = open_journal(*node); !opened) {
            journal_.reset();
            if (disk_.has_failed() && !disk_.is_off()) {
                disk_.forgive();
                return {};
            }
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
    if ((!status || *status == kDiskFailed) && job_ && !job_->abandoned) {
        or_else_.push_back(kept_with_job());
        interrupted_ = std::move(job_->batch.records);
    }
    node_.reset();
    journal_.reset();
    ++life_;  // what was planned for this life finds another one
    turn_open_ = stopping_ = input_planned_ = crash_planned_ = false;
    frozen_until_ = {};
    effects_left_.reset();
    closing_.reset();
    wake_planned_.reset();
    wakes_at_once_ = 0;
    input_.clear();
    gathering_ = {};
    queue_.clear();
    jobs_.clear();
    job_.reset();
    next_batch_ = 1;
    barrier_ = durable_ = 0;
    // A process that ends on its own leaves the system's cache in order; a crash takes the power
    // too.
    if (status) {
        disk_.disarm();
        disk_.forgive();
    } else {
        ++tally_.crashes;
        disk_.crash();
    }
    surroundings_.ended(*this, status);
}

void Machine::crash() {
    end(std::nullopt);
}

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

void Machine::fail_disk(uint64_t calls, Duration within) {
    disk_.fail_after(calls);
    later(within, &Machine::forgive_disk);
}

void Machine::forgive_disk() {
    disk_.forgive();
}

void Machine::freeze(Duration duration) {
    if (running()) frozen_until_ = schedule_.now() + duration;
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
        if (running()) start_disk_work();
    }
}

void Machine::spare() {
    if (disk_.is_off() || closing_) crash();
    crash_planned_ = false;
    effects_left_.reset();
    frozen_until_ = {};
    disk_.disarm();
    disk_.forgive();
}

void Machine::wipe() {
    P2PBANK_CHECK(!running());
    // The next one has a disk that works.
    disk_.disarm();
    disk_.forgive();
    for (const std::string& file : disk_.list()) static_cast<void>(disk_.remove(file));
    static_cast<void>(disk_.sync_folder());
    account_.clear();
    kept_.clear();
    or_else_.clear();
}

void Machine::later(Duration delay, void (Machine::*what)()) {
    schedule_.after(delay, [this, what, life = life_] {
        if (life != life_ || !running()) return;
        if (frozen()) return later(frozen_until_ - schedule_.now(), what);
        (this->*what)();
    });
}

void Machine::deliver(Socket at, Address from, std::string_view bytes) {
    if (frozen()) {
        schedule_.at(frozen_until_, [this, at, from, kept = std::string(bytes), life = life_] {
            if (life == life_) deliver(at, from, kept);
        });
        return;
    }
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
    start_disk_work();
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
    if (frozen()) {
        schedule_.at(frozen_until_, [this, life, when] { wake(life, when); });
        return;
    }
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

}  // namespace p2pbank::simulator
