// Bits that flip at rest: a journal in which one did is refused, or is read as it was. Part of
// Machine.
#include "common/stable/frame.h"
#include "simulator/machine.h"

namespace p2pbank::simulator {
namespace {

struct Reading {
    Result<void> outcome;
    std::vector<std::string> records;
};

Reading read_journal(const std::string& content, uint64_t seed) {
    Tally ignored;
    Disk disk(seed, ignored);
    disk.put("journal", content);
    Reading out;
    const auto journal = Journal::open(disk, "journal", [&](std::string_view record) {
        out.records.emplace_back(record);
        return Result<void>();
    });
    if (!journal) out.outcome = journal.error();
    return out;
}

}  // namespace

std::optional<std::string> Machine::flipped_bit_unnoticed(uint64_t tries, Random& random) const {
    const auto content = disk_.read_durable(journal_file());
    if (running() || !content || content->empty()) return std::nullopt;
    const Reading whole = read_journal(*content, 1);
    if (!whole.outcome) return std::nullopt;  // what is wrong with it the next start finds
    for (uint64_t i = 0; i < tries; ++i) {
        std::string damaged = *content;
        // Most of a journal is zeros that were written ahead: there in one try of four.
        const size_t end = std::min(damaged.size(), content->find_last_not_of('\0') + 1);
        const uint64_t at = random.below(8 * (random.one_in(4) ? damaged.size() : end));
        char& byte = damaged[static_cast<size_t>(at / 8)];
        byte = static_cast<char>(byte ^ static_cast<char>(1 << at % 8));
        const Reading read = read_journal(damaged, 1);
        ++tally_.flips;
        if (!read.outcome) {
            ++tally_.flips_noticed;
            continue;
        }
        if (read.records != whole.records) {
            return settings_.label + ": with bit " + std::to_string(at) + " flipped, " +
                   std::to_string(read.records.size()) + " records are read instead of " +
                   std::to_string(whole.records.size());
        }
    }
    return std::nullopt;
}

}  // namespace p2pbank::simulator
