#include "common/stable/journal.h"

#include <algorithm>
#include <span>

#include "common/base/check.h"
#include "common/stable/frame.h"

namespace p2pbank {
namespace {

constexpr uint64_t kKiB = 1'024;
constexpr uint64_t kFirstFileBytes = 64 * kKiB;  // small: a machine may run a thousand customers
constexpr uint64_t kMostZerosAhead = 1'024 * kKiB;
constexpr uint64_t kReplacedFramePayload = 1'024 * kKiB;
constexpr size_t kReadBytes = 4 * 1'024 * 1'024;

// The length that a file is given when it has to hold `bytes`: doubling, then in steps.
uint64_t file_length_for(uint64_t bytes) {
    uint64_t length = kFirstFileBytes;
    while (length < bytes && length < kMostZerosAhead) length *= 2;
    if (length >= bytes) return length;
    return (bytes + kMostZerosAhead - 1) / kMostZerosAhead * kMostZerosAhead;
}

Result<void> write_zeros(File& file, uint64_t from, uint64_t to) {
    const std::string zeros(static_cast<size_t>(std::min(to - from, kMostZerosAhead)), '\0');
    while (from < to) {
        const auto count = std::min<uint64_t>(to - from, zeros.size());
        const std::string_view part = std::string_view(zeros).substr(0, static_cast<size_t>(count));
        if (auto done = file.write(from, part); !done) return done;
        from += count;
    }
    return {};
}

// Reads a file from front to back in large pieces.
class Reader {
  public:
    Reader(File& file, uint64_t size) : file_(file), size_(size) {}

    // The bytes from `offset` (size at most), fewer than `count` only at the end of the file. Valid
    // until the next call.
    Result<std::string_view> view(uint64_t offset, size_t count) {
        if (offset < start_ || offset + count > start_ + held_.size()) {
            const uint64_t most = std::min<uint64_t>(std::max(count, kReadBytes), size_ - offset);
            held_.clear();
            auto bytes = file_.read(offset, static_cast<size_t>(most));
            if (!bytes) return bytes.error();
            held_ = std::move(bytes).value();
            start_ = offset;
        }
        return std::string_view(held_).substr(static_cast<size_t>(offset - start_), count);
    }

  private:
    File& file_;
    uint64_t size_;
    uint64_t start_ = 0;
    std::string held_;
};

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(Storage& storage, std::string name,
                                               const Replay& replay) {
    std::unique_ptr<Journal> journal(new Journal(storage, std::move(name)));
    auto file = storage.open(journal->name_);
    if (!file) {
        if (file.error().code != "not-found") return file.error();
        if (auto made = journal->replace({}); !made) return made.error();
        return journal;
    }
    journal->file_ = std::move(file).value();
    if (auto done = journal->recover(replay); !done) return done.error();
    // Left by a crash in the middle of replace().
    if (auto done = storage.remove(journal->name_ + ".new"); !done) return done.error();
    // If only the process died, the last frame or the last replacement was read, but it need not be
    // on the disk yet; and others will rely on what has been replayed.
    if (auto done = journal->write_end_again(); !done) return done.error();
    if (auto done = storage.sync_folder(); !done) return done.error();
    return journal;
}

Result<void> Journal::recover(const Replay& replay) {
    const auto size = file_->size();
    if (!size) return size.error();
    Reader reader(*file_, size.value());
    const auto start = reader.view(0, frame::kFileHeaderBytes);
    if (!start) return start.error();
    if (const auto damage = frame::file_header_damage(start.value())) return damaged(0, *damage);

    end_ = last_frame_ = frame::kFileHeaderBytes;
    sequence_ = 1;
    std::string scratch;
    for (;;) {
        const auto head = reader.view(end_, frame::kHeaderBytes);
        if (!head) return head.error();
        const auto header = frame::decode_header(head.value());
        // What the header claims is not read before it is known that the file can hold it.
        if (!header || header->sequence != sequence_ ||
            header->frame_bytes() > size.value() - end_) {
            break;
        }
        const auto body =
            reader.view(end_ + frame::kHeaderBytes, static_cast<size_t>(header->body_bytes()));
        if (!body) return body.error();
        if (!frame::body_is_good(*header, body.value())) break;
        auto taken = replay_payload(frame::unmask(*header, body.value(), scratch), replay);
        if (!taken) return taken;
        last_frame_ = end_;
        end_ += header->frame_bytes();
        ++sequence_;
    }
    return cut_off_tail(size.value());
}

Result<void> Journal::replay_payload(std::string_view payload, const Replay& replay) const {
    while (!payload.empty()) {
        const auto record = frame::take_record(payload);
        if (!record) return damaged(end_, "the frame's records do not fill it");
        if (auto taken = replay(*record); !taken) {
            return Error{taken.error().code, name_ + ", frame at offset " + std::to_string(end_) +
                                                 ": " + taken.error().message};
        }
    }
    return {};
}

Result<void> Journal::cut_off_tail(uint64_t size) {
    const uint64_t count = size > end_ ? size - end_ : 0;
    const auto tail = file_->read(end_, static_cast<size_t>(count));
    if (!tail) return tail.error();
    const auto verdict = frame::judge_tail(tail.value(), end_, sequence_);
    if (verdict.kind == frame::Tail::Kind::damaged) return damaged(end_, verdict.reason);
    if (verdict.kind == frame::Tail::Kind::torn) {
        // A crash in here leaves a frame that is torn again.
        torn_ = verdict.bytes;
        if (auto done = write_zeros(*file_, end_, end_ + torn_); !done) return done;
    }
    prepared_ = std::max(size, end_);
    base_ = end_;
    return {};
}

// A sync that failed in an earlier run may have left pages that can be read, are not on the disk,
// and are taken for clean: no sync brings them there. Whoever saw it fail stopped, so they are of
// the last frame or behind it.
Result<void> Journal::write_end_again() {
    const auto bytes = file_->read(last_frame_, static_cast<size_t>(prepared_ - last_frame_));
    if (!bytes) return bytes.error();
    if (auto done = file_->write(last_frame_, bytes.value()); !done) return done;
    return file_->sync();
}

Error Journal::damaged(uint64_t offset, const std::string& reason) const {
    return {"damaged-journal", name_ + " is damaged at offset " + std::to_string(offset) + ": " +
                                   reason +
                                   ". It has been left alone: restore it from a copy, or move it "
                                   "away if what it holds may be lost"};
}

Error Journal::earlier_failure() const {
    return {"io-error", name_ + ": an earlier write failed, and nobody knows what is on the disk"};
}

Result<void> Journal::append(const std::vector<std::string>& records) {
    if (failed_) return earlier_failure();
    P2PBANK_CHECK(!unsynced_);
    if (records.empty()) return {};
    failed_ = true;  // until it has succeeded
    const std::string bytes = frame::encode(end_, sequence_, records);
    if (end_ + bytes.size() > prepared_) {
        const uint64_t length = file_length_for(end_ + bytes.size());
        if (auto done = write_zeros(*file_, prepared_, length); !done) return done;
        if (auto done = file_->sync(); !done) return done;
        prepared_ = length;
    }
    if (auto done = file_->write(end_, bytes); !done) return done;
    end_ += bytes.size();
    ++sequence_;
    unsynced_ = true;
    failed_ = false;
    return {};
}

Result<void> Journal::sync() {
    if (failed_) return earlier_failure();
    if (!unsynced_) return {};
    failed_ = true;
    if (auto done = file_->sync(); !done) return done;
    unsynced_ = false;
    failed_ = false;
    return {};
}

Result<void> Journal::replace(const std::vector<std::string>& records) {
    if (failed_) return earlier_failure();
    P2PBANK_CHECK(!unsynced_);
    failed_ = true;
    const std::string new_name = name_ + ".new";
    auto created = storage_.create(new_name);
    if (!created) return created.error();
    std::unique_ptr<File> file = std::move(created).value();
    if (auto done = file->write(0, frame::file_header()); !done) return done;

    uint64_t end = frame::kFileHeaderBytes;
    uint64_t sequence = 1;
    std::span<const std::string> rest = records;
    while (!rest.empty()) {
        // The step is the rename, so the records may be spread over many frames.
        uint64_t payload = 0;
        size_t count = 0;
        do {
            payload += frame::record_bytes(rest[count++]);
        } while (count < rest.size() &&
                 payload + frame::record_bytes(rest[count]) <= kReplacedFramePayload);
        const std::string bytes = frame::encode(end, sequence, rest.first(count));
        if (auto done = file->write(end, bytes); !done) return done;
        end += bytes.size();
        ++sequence;
        rest = rest.subspan(count);
    }
    const uint64_t length = file_length_for(end);
    if (auto done = write_zeros(*file, end, length); !done) return done;
    if (auto done = file->sync(); !done) return done;
    if (auto done = storage_.rename(new_name, name_); !done) return done;
    if (auto done = storage_.sync_folder(); !done) return done;
    file_ = std::move(file);
    sequence_ = sequence;
    end_ = base_ = end;
    prepared_ = length;
    failed_ = false;
    return {};
}

}  // namespace p2pbank
