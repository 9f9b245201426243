#include "simulator/disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace p2pbank::simulator {
namespace {

constexpr uint64_t kSector = 512;

size_t sectors_of(size_t bytes) {
    return static_cast<size_t>((bytes + kSector - 1) / kSector);
}

// Copies one sector; what `from` does not have is zero. Requires that `to` reaches into the sector.
void copy_sector(const std::string& from, std::string& to, size_t sector) {
    const size_t begin = sector * kSector;
    const size_t end = std::min<size_t>(begin + kSector, to.size());
    const size_t have = std::min(end, std::max(begin, from.size()));
    std::memcpy(to.data() + begin, from.data() + begin, have - begin);
    std::memset(to.data() + have, 0, end - have);
}

}  // namespace

class Disk::OpenFile final : public File {
  public:
    OpenFile(Disk& disk, std::string name, std::shared_ptr<Inode> inode)
        : disk_(disk), name_(std::move(name)), inode_(std::move(inode)) {}

    Result<uint64_t> size() override { return uint64_t{inode_->now.size()}; }

    Result<std::string> read(uint64_t offset, size_t count) override {
        if (disk_.off_) return no_power(name_);
        if (offset >= inode_->now.size()) return std::string();
        return inode_->now.substr(static_cast<size_t>(offset), count);
    }

    Result<void> write(uint64_t offset, std::string_view bytes) override {
        const Fate fate = disk_.spend();
        if (fate == Fate::no_power) return no_power(name_);
        if (fate == Fate::fails) {
            const uint64_t some = offset + disk_.random_.below(bytes.size() + 1);
            const uint64_t end = std::max(offset, some / kSector * kSector);
            bytes = bytes.substr(0, static_cast<size_t>(end - offset));
        }
        std::string& now = inode_->now;
        const size_t at = static_cast<size_t>(offset);
        const size_t old_size = now.size();
        if (at + bytes.size() > old_size) now.resize(at + bytes.size(), '\0');
        std::memcpy(now.data() + at, bytes.data(), bytes.size());
        inode_->mark(std::min<uint64_t>(offset, old_size), offset + bytes.size());
        return outcome(fate);
    }

    Result<void> truncate(uint64_t size) override {
        const Fate fate = disk_.spend();
        if (fate == Fate::no_power) return no_power(name_);
        if (fate == Fate::fails) return failure(name_);
        const size_t old_size = inode_->now.size();
        inode_->now.resize(static_cast<size_t>(size), '\0');
        inode_->mark(std::min<uint64_t>(size, old_size), std::max<uint64_t>(size, old_size));
        return outcome(fate);
    }

    Result<void> sync() override {
        const Fate fate = disk_.spend();
        if (fate == Fate::fails) {
            inode_->half_sync(disk_.random_);
            return failure(name_);
        }
        if (fate != Fate::done) return no_power(name_);
        ++disk_.tally_.syncs;
        inode_->sync();
        return {};
    }

  private:
    Result<void> outcome(Fate fate) const {
        if (fate == Fate::power_goes) return no_power(name_);
        if (fate == Fate::fails) return failure(name_);
        return {};
    }

    Disk& disk_;
    std::string name_;
    std::shared_ptr<Inode> inode_;
};

void Disk::Inode::mark(uint64_t from, uint64_t to) {
    if (from >= to) return;
    const size_t first = static_cast<size_t>(from / kSector);
    const size_t last = static_cast<size_t>((to - 1) / kSector);
    if (dirty.size() <= last) dirty.resize(last + 1);
    std::fill(dirty.begin() + static_cast<std::ptrdiff_t>(first),
              dirty.begin() + static_cast<std::ptrdiff_t>(last) + 1, true);
}

void Disk::Inode::sync() {
    durable.resize(now.size(), '\0');
    const size_t count = std::min(dirty.size(), sectors_of(now.size()));
    for (size_t i = 0; i < count; ++i) {
        if (dirty[i]) copy_sector(now, durable, i);
    }
    dirty.clear();
}

void Disk::Inode::half_sync(Random& random) {
    durable.resize(now.size(), '\0');
    for (size_t i = 0; i < std::min(dirty.size(), sectors_of(now.size())); ++i) {
        if (dirty[i] && random.one_in(2)) copy_sector(now, durable, i);
    }
    dirty.clear();
    forgotten = true;
}

bool Disk::Inode::is_clean() const {
    return dirty.empty() && !forgotten && now.size() == durable.size();
}

void Disk::Inode::crash(Random& random, Tally& tally) {
    if (is_clean()) return;
    std::string left = durable;
    left.resize(random.one_in(2) ? now.size() : durable.size(), '\0');
    // Mostly a coin for each sector; now and then all of them or none.
    const uint64_t keep_of_8 = random.one_in(3) ? 8 * random.below(2) : random.below(9);
    const size_t count = std::min(dirty.size(), sectors_of(left.size()));
    for (size_t i = 0; i < count; ++i) {
        if (!dirty[i]) continue;
        if (random.below(8) < keep_of_8) {
            copy_sector(now, left, i);
            ++tally.sectors_kept;
        } else {
            ++tally.sectors_dropped;
        }
    }
    now = durable = std::move(left);
    dirty.clear();
    forgotten = false;
}

Disk::Fate Disk::spend() {
    if (off_) return Fate::no_power;
    if (fuse_ && (*fuse_)-- == 0) {
        fuse_.reset();
        off_ = true;
        return Fate::power_goes;
    }
    if (failure_ && (*failure_)-- == 0) {
        failure_.reset();
        failed_ = true;
        ++tally_.disk_errors;
        return Fate::fails;
    }
    return Fate::done;
}

Error Disk::no_power(const std::string& name) {
    return {"io-error", name + ": no power"};
}

Error Disk::failure(const std::string& name) {
    return {"io-error", name + ": input/output error"};
}

Result<std::unique_ptr<File>> Disk::open(const std::string& name) {
    if (off_) return no_power(name);
    const auto found = names_.find(name);
    if (found == names_.end()) return Error{"not-found", name + ": there is no such file"};
    return std::unique_ptr<File>(new OpenFile(*this, name, found->second));
}

Result<std::unique_ptr<File>> Disk::create(const std::string& name) {
    const auto found = names_.find(name);
    if (found != names_.end()) {
        std::unique_ptr<File> file(new OpenFile(*this, name, found->second));
        if (auto done = file->truncate(0); !done) return done.error();
        return file;
    }
    const Fate fate = spend();
    if (fate == Fate::no_power) return no_power(name);
    if (fate == Fate::fails) return failure(name);
    auto inode = std::make_shared<Inode>();
    change({name, inode, ""});
    if (fate == Fate::power_goes) return no_power(name);
    return std::unique_ptr<File>(new OpenFile(*this, name, std::move(inode)));
}

Result<void> Disk::rename(const std::string& from, const std::string& to) {
    const auto found = names_.find(from);
    if (found == names_.end()) return Error{"not-found", from + ": there is no such file"};
    const Fate fate = spend();
    if (fate == Fate::no_power) return no_power(from);
    if (fate == Fate::fails) return failure(from);
    change({to, found->second, from});
    if (fate == Fate::power_goes) return no_power(from);
    return {};
}

Result<void> Disk::remove(const std::string& name) {
    if (!names_.contains(name)) {
        if (off_) return no_power(name);
        return {};
    }
    const Fate fate = spend();
    if (fate == Fate::no_power) return no_power(name);
    if (fate == Fate::fails) return failure(name);
    change({"", nullptr, name});
    if (fate == Fate::power_goes) return no_power(name);
    return {};
}

Result<void> Disk::sync_folder() {
    const Fate fate = spend();
    if (fate == Fate::fails) return failure("the folder");
    if (fate != Fate::done) return no_power("the folder");
    ++tally_.syncs;
    durable_names_ = names_;
    unsynced_.clear();
    return {};
}

void Disk::apply(const FolderChange& what, std::map<std::string, std::shared_ptr<Inode>>& to) {
    if (!what.gone.empty()) to.erase(what.gone);
    if (what.inode) to[what.name] = what.inode;
}

void Disk::change(FolderChange what) {
    apply(what, names_);
    unsynced_.push_back(std::move(what));
}

std::vector<std::string> Disk::list() const {
    std::vector<std::string> out;
    for (const auto& entry : names_) out.push_back(entry.first);
    return out;
}

std::optional<std::string> Disk::read_all(const std::string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) return std::nullopt;
    return found->second->now;
}

std::optional<std::string> Disk::read_durable(const std::string& name) const {
    const auto found = durable_names_.find(name);
    if (found == durable_names_.end()) return std::nullopt;
    return found->second->durable;
}

void Disk::put(const std::string& name, std::string content) {
    auto inode = std::make_shared<Inode>();
    inode->now = inode->durable = std::move(content);
    names_[name] = durable_names_[name] = std::move(inode);
}

void Disk::crash() {
    const size_t survive = static_cast<size_t>(random_.below(unsynced_.size() + 1));
    for (size_t i = 0; i < survive; ++i) apply(unsynced_[i], durable_names_);
    unsynced_.clear();
    names_ = durable_names_;
    for (auto& [name, inode] : names_) inode->crash(random_, tally_);
    fuse_.reset();
    off_ = false;
    forgive();
}

}  // namespace p2pbank::simulator
