// What a process of ours does first, and where its randomness comes from. For the mains.
#pragma once

#include <cstdint>
#include <span>

namespace p2pbank {

// Once, at the start of main: descriptors 0 to 2 are open (or a socket could become standard
// output), files are made for nobody else, a reader of our output that goes away does not end us,
// and memory is not spread over several heaps.
void prepare_process();

// A seed that nobody can guess, from the system.
uint64_t random_seed();
void random_bytes(std::span<unsigned char> out);

// Exit statuses of the programs besides 0 and 1.
inline constexpr int kExitUsage = 2;  // wrong usage, or what is needed to start is not there
inline constexpr int kExitDisk = 3;   // a write or sync failed: nobody knows what is durable

}  // namespace p2pbank
