#include "tests/unit/faulty_storage.h"

#include <algorithm>
#include <functional>

#include "common/base/check.h"

namespace p2pbank::testing {
namespace {

constexpr size_t kSector = 512;

Error failed() {
    return {"io-error", "the disk of the test has failed"};
}

// The sector `at` of a file, filled with zeros where the file is shorter.
std::string sector_of(const std::string& bytes, size_t at) {
    std::string sector = at < bytes.size() ? bytes.substr(at, kSector) : std::string();
    sector.resize(kSector, '\0');
    return sector;
}

// `durable` with those changed sectors of `current` that keep(index) wants.
std::string merge(const std::string& durable, const std::string& current, size_t length,
                  const std::function<bool(size_t)>& keep) {
    std::string out;
    size_t index = 0;
    for (size_t at = 0; at < length; at += kSector) {
        const std::string before = sector_of(durable, at);
        const std::string after = sector_of(current, at);
        out += before != after && keep(index++) ? after : before;
    }
    out.resize(length);
    return out;
}

}  // namespace

class FaultyFile : public File {
  public:
    FaultyFile(FaultyStorage& storage, std::shared_ptr<FaultyStorage::Content> content)
        : storage_(storage), content_(std::move(content)) {}

    Result<uint64_t> size() override { return uint64_t{content_->current.size()}; }

    Result<std::string> read(uint64_t offset, size_t count) override {
        if (offset >= content_->current.size()) return std::string();
        return content_->current.substr(static_cast<size_t>(offset), count);
    }

    Result<void> write(uint64_t offset, std::string_view bytes) override {
        const bool good = storage_.may_go_on();
        const auto at = static_cast<size_t>(offset);
        if (content_->current.size() < at + bytes.size()) {
            content_->current.resize(at + bytes.size(), '\0');
        }
        content_->current.replace(at, bytes.size(), bytes);
        if (!good) return failed();
        return {};
    }

    Result<void> truncate(uint64_t size) override {
        if (!storage_.may_go_on()) return failed();
        content_->current.resize(static_cast<size_t>(size), '\0');
        return {};
    }

    Result<void> sync() override {
        if (!storage_.may_go_on()) return failed();
        content_->durable = content_->current;
        return {};
    }

  private:
    FaultyStorage& storage_;
    std::shared_ptr<FaultyStorage::Content> content_;
};

bool FaultyStorage::may_go_on() {
    if (calls_left_ == 0) return false;
    if (calls_left_ != UINT64_MAX) --calls_left_;
    return calls_left_ != 0;
}

Result<std::unique_ptr<File>> FaultyStorage::open(const std::string& name) {
    const auto at = names_.find(name);
    if (at == names_.end()) return Error{"not-found", name + ": there is no such file"};
    return std::unique_ptr<File>(new FaultyFile(*this, at->second));
}

Result<std::unique_ptr<File>> FaultyStorage::create(const std::string& name) {
    if (!may_go_on()) return failed();
    auto& content = names_[name];
    if (content) {
        content->current.clear();
    } else {
        content = std::make_shared<Content>();
        folder_changed();
    }
    return std::unique_ptr<File>(new FaultyFile(*this, content));
}

Result<void> FaultyStorage::rename(const std::string& from, const std::string& to) {
    const bool good = may_go_on();
    P2PBANK_CHECK(exists(from));
    names_[to] = names_[from];
    names_.erase(from);
    folder_changed();
    if (!good) return failed();
    return {};
}

Result<void> FaultyStorage::remove(const std::string& name) {
    const bool good = may_go_on();
    if (names_.erase(name) != 0) folder_changed();
    if (!good) return failed();
    return {};
}

Result<void> FaultyStorage::sync_folder() {
    if (!may_go_on()) return failed();
    durable_names_ = names_;
    unsynced_folder_.clear();
    return {};
}

void FaultyStorage::forget_unsynced_folder(Names kept) {
    names_ = std::move(kept);
    durable_names_ = names_;
    unsynced_folder_.clear();
    stop_failing();
}

void FaultyStorage::crash(Random& random) {
    const size_t steps = static_cast<size_t>(random.below(unsynced_folder_.size() + 1));
    forget_unsynced_folder(steps == 0 ? durable_names_ : unsynced_folder_[steps - 1]);
    for (auto& [name, content] : names_) {
        const size_t shorter = std::min(content->current.size(), content->durable.size());
        const size_t longer = std::max(content->current.size(), content->durable.size());
        size_t length = shorter;
        if (shorter != longer) {
            const uint64_t choice = random.below(3);
            if (choice == 1) length = longer;
            if (choice == 2) length = shorter + random.below(longer - shorter);
        }
        content->current = merge(content->durable, content->current, length,
                                 [&](size_t) { return random.one_in(2); });
        content->durable = content->current;
    }
}

void FaultyStorage::crash_keeping(const std::string& name, uint64_t kept) {
    forget_unsynced_folder(durable_names_);
    for (auto& file : names_) {
        Content& content = *file.second;
        const uint64_t wanted = file.first == name ? kept : 0;
        content.current =
            merge(content.durable, content.current, content.durable.size(),
                  [&](size_t index) { return index < 64 && (wanted >> index & 1) != 0; });
        content.durable = content.current;
    }
}

size_t FaultyStorage::unsynced_sectors(const std::string& name) const {
    const Content& content = *names_.at(name);
    size_t count = 0;
    merge(content.durable, content.current, content.current.size(), [&](size_t) {
        ++count;
        return true;
    });
    return count;
}

void FaultyStorage::set_content(const std::string& name, std::string content) {
    auto& file = names_[name];
    file = std::make_shared<Content>(Content{content, content});
    durable_names_[name] = file;
}

}  // namespace p2pbank::testing
