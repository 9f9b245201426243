// A log of session keys, for whoever watches a network on purpose: the Wireshark dissector
// (docs/wireshark.lua), the simulator, tests. One line for each direction of each session:
//
//     p2pbank-key 1f2e3d4c 64 hexadecimal digits
//
// that is, the receiver's index as it stands in packets (as one number), and the key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/secure/keyed_random.h"

namespace p2pbank::secure {

inline constexpr std::string_view kKeyLogWord = "p2pbank-key ";  // how a line begins

std::string key_log_line(uint32_t index, const KeyBytes& key);  // without a newline

// Opens sealed packets of others with the keys that it was given.
class KeyLog {
  public:
    void add(uint32_t index, const KeyBytes& key);
    // False for a line that is none.
    bool add_line(std::string_view line);
    // The Datagram inside a sealed packet; nothing for other packets and unknown keys. May be
    // empty.
    std::optional<std::string> open(std::string_view packet) const;
    // The packet with another content, under the same key and counter: for whoever plays a customer
    // that lies. Nothing where open gives nothing.
    std::optional<std::string> reseal(std::string_view packet, std::string_view plain) const;

  private:
    // The key that opens the packet, and what is in it; nullptr if there is none.
    const KeyBytes* find(std::string_view packet, std::string& plain) const;

    // Indices are random numbers of 32 bits: over many parties some come twice.
    std::unordered_map<uint32_t, std::vector<KeyBytes>> keys_;
};

}  // namespace p2pbank::secure
