// What a run counts: each fault as it fires, and what the nodes got done in spite of it. Plain
// data, owned by the world and written by the injectors.
#pragma once

#include <cstdint>
#include <string>

namespace p2pbank::simulator {

struct Tally {
    // Network
    uint64_t sent = 0;
    uint64_t delivered = 0;
    uint64_t lost = 0;
    uint64_t duplicated = 0;
    uint64_t late = 0;  // duplicates that come much later
    uint64_t delayed = 0;
    uint64_t corrupted = 0;
    uint64_t truncated = 0;
    uint64_t partitions = 0;
    uint64_t cut = 0;  // datagrams that a partition swallowed
    uint64_t clogs = 0;
    uint64_t clogged = 0;  // datagrams that waited for the end of one
    uint64_t dead = 0;     // datagrams to a process that was not running
    uint64_t attacks = 0;  // packets that somebody else put into the network

    // Processes and disks
    uint64_t starts = 0;
    uint64_t crashes = 0;
    uint64_t crashes_between_effects = 0;
    uint64_t crashes_in_disk_work = 0;
    uint64_t syncs = 0;
    uint64_t replacements = 0;
    uint64_t sectors_dropped = 0;
    uint64_t sectors_kept = 0;
    uint64_t torn_frames = 0;
    uint64_t disk_errors = 0;
    uint64_t freezes = 0;
    uint64_t clock_jumps = 0;
    uint64_t flips = 0;          // bits of a journal at rest, in a copy
    uint64_t flips_noticed = 0;  // the others changed nothing

    // Work
    uint64_t commands = 0;
    uint64_t successes = 0;
    uint64_t failures = 0;
    uint64_t unknowns = 0;
    uint64_t unanswered = 0;  // the process died first
    uint64_t commits = 0;
    uint64_t aborts = 0;
    uint64_t deals = 0;  // with the bank, accepted
    uint64_t deals_refused = 0;
    uint64_t deals_settled = 0;
    uint64_t deals_cancelled = 0;

    void add(const Tally& other);
};

// Of all kinds together.
uint64_t faults_in(const Tally& tally);

// A few indented lines for people.
std::string to_text(const Tally& tally);

}  // namespace p2pbank::simulator
