// How the driver carries out effects, and what it has to do with the disk.
#include <algorithm>
#include <unistd.h>

#include "common/base/check.h"
#include "common/runtime/clock.h"
#include "common/runtime/driver.h"
#include "common/runtime/process.h"

namespace p2pbank {
namespace {

constexpr uint64_t kReplaceFactor = 4;  // a journal this much larger than its content is replaced

}  // namespace

void Driver::send_now(Socket from, Address to, std::string_view datagram) {
    const auto socket = static_cast<size_t>(from);
    if (pcap_) record(socket, to, false, datagram);
    sockets_.queue(socket, to, datagram);
}

void Driver::answer_now(CommandId command, Outcome outcome, std::string text) {
    answers_.put(command, outcome, std::move(text));
}

void Driver::notice_now(Severity severity, const std::string& text) {
    log_.notice(severity, text);
}

void Driver::stop_now(int status) {
    stop_status_ = status;
}

std::string Driver::format(const Answer& answer) const {
    if (options_.json) return to_json(answer);
    // Answers are never coloured: programs read terminals, too.
    return terminal_ ? to_screen(answer, false) : to_lines(answer);
}

std::string Driver::format(const TraceEvent& event) const {
    return TraceWriter::format(wall_clock_us(), options_.name, event);
}

Result<void> Driver::claim_store_now(std::string_view name, const KeyBytes* secret) {
    P2PBANK_CHECK(!store_);
    if (options_.state_folder.empty()) {
        return Error{"state-unusable", "this program keeps no state of accounts"};
    }
    Result<std::unique_ptr<Store>> store = Store::claim(options_.state_folder, name, secret);
    if (!store) return store.error();
    store_ = std::move(store).value();
    options_.name = name;
    return {};
}

void Driver::release_store_now() {
    P2PBANK_CHECK(store_);
    if (std::optional<DiskJob> job = disk_.wait()) finish(*job);
    Store::remove(std::move(store_));
}

void Driver::give_to_disk() {
    if (!disk_.idle()) return;
    std::vector<std::string> snapshot;
    const bool replace = !closing_ && journal_worth_replacing(snapshot);
    if (!replace && !outbox_.batch_waiting()) return;
    Outbox::Batch batch = outbox_.take_batch();
    DiskJob job;
    job.number = batch.number;
    job.records = std::move(batch.records);
    job.table = std::move(batch.table);
    job.table_name = options_.table_name;
    job.facts = std::move(batch.facts);
    job.position = node_->history_position();
    if (replace) job.replacement = std::move(snapshot);
    if (store_) {
        job.journal = &store_->journal();
        job.storage = &store_->storage();
    }
    P2PBANK_CHECK(store_ || (job.records.empty() && !job.table));
    disk_.submit(std::move(job));
}

// Between turns, so the snapshot stands for everything that the node has said so far, what is still
// gathering for the disk included. What it leaves out is told by the history alone: that must have
// all of it first.
bool Driver::journal_worth_replacing(std::vector<std::string>& snapshot) {
    if (!store_ || (!replacing_ && store_->journal().bytes() <= replace_above_)) return false;
    if (replacing_ && !history_holds_all()) return false;
    uint64_t bytes = 0;
    node_->snapshot([&](std::string record) {
        bytes += record.size();
        snapshot.push_back(std::move(record));
    });
    replace_above_ = std::max(options_.journal_min_bytes, kReplaceFactor * bytes);
    if (store_->journal().bytes() <= replace_above_) {
        replacing_ = false;
        return false;
    }
    // From here on nothing more is taken in, so that the history reaches the node.
    replacing_ = history_ != nullptr && !history_holds_all();
    return !replacing_;
}

// All facts of what the node has said, and a position that says so.
bool Driver::history_holds_all() {
    if (outbox_.batch_waiting() || !history_->idle()) return false;
    history_->apply({}, node_->history_position());
    if (history_->written() == history_->position()) return true;
    history_->catch_up();
    return false;
}

void Driver::on_disk_done() {
    std::optional<DiskJob> job = disk_.collect();
    if (!job) return;  // release_store_now() was faster
    give_to_disk();    // the disk first: what follows takes less time than it does
    finish(*job);
    after_turn();
}

void Driver::finish(DiskJob& job) {
    if (trace_ && !job.records.empty()) {
        trace_->write(
            format(TraceEvent{"durable", {{"records", std::to_string(job.records.size())}}}));
    }
    // Before what waited: a query among it is to see these facts.
    if (history_) history_->apply(std::move(job.facts), job.position);
    outbox_.durable(job.number);
}

// On the thread that failed. Nothing that waited for it may go out, so the loop is not asked.
void Driver::end_at_once(const std::string& reason) {
    const std::string text = "\n" + options_.name + " stopped at once, " + reason + "\n";
    if (terminal_before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*terminal_before_);
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(kExitDisk);
}

}  // namespace p2pbank
