// One sealed packet (common/secure/packets.h): ChaCha20-Poly1305 under the key of its direction,
// the counter as nonce, the header as associated data. Whose key that is, and whether the counter
// is new, is for the caller. Used by sessions.cpp and key_log.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/secure/keyed_random.h"

namespace p2pbank::secure {

// Replaces the content of `packet`. Allocates nothing if it had so much room before.
void seal_packet(const KeyBytes& key, uint32_t receiver_index, uint64_t counter,
                 std::string_view plain, std::string& packet);

// Replaces the content of `plain`. False if the packet is not genuine; `plain` is then of no use.
// Requires a packet of kSealedOverhead bytes or more.
bool open_packet(const KeyBytes& key, std::string_view packet, std::string& plain);

}  // namespace p2pbank::secure
