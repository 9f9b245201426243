// The references: the least that a machine has to do for the same effect, written as plainly as
// possible. Each runs for some time or some rounds in processes of its own and prints one line.
//
// Called by reference.cpp. Every function here ends its child processes before it returns.
#pragma once

#include <cstddef>
#include <string>

namespace p2pbank::bench {

// Requests and answers of kMessageBytes between two processes, `window` outstanding.
void ping_pong_blocking(size_t window, double seconds);
// The same where both ends wait with Asio and send at once.
void ping_pong_asio(size_t window, double seconds);

// Appends `records` records to a file in `folder` and syncs, again and again.
void append_and_sync(const std::string& folder, size_t records, double seconds);

// The sender makes requests durable and sends them; the receiver makes them durable and answers.
void durable_exchange(const std::string& folder, size_t window, double seconds);

// One process asks all others and waits for all, twice; with a folder, each process appends a
// record and syncs in each phase.
void two_phase_rounds(size_t processes, size_t rounds, const std::string& folder);

// Messages on a line that loses some: each datagram is sent again when its answer has not come
// within `floor_us`.
void resend_exchange(size_t window, double seconds, unsigned floor_us);

#ifdef P2PBANK_HAS_ENET
// The same over ENet, whose messages are sent again too, and packed.
void enet_exchange(size_t window, double seconds);
#endif

}  // namespace p2pbank::bench
