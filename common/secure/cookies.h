// What stands before a handshake, so that it costs little to refuse one: mac1, which only who knows
// the receiver's key can make, and mac2, which only who receives at its address can make (a cookie
// was sent there). As in WireGuard (common/secure/packets.h says where they stand).
//
// Used by common/secure/sessions.cpp only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/secure/keyed_random.h"

namespace p2pbank::secure {

using Mac = std::array<unsigned char, 16>;
inline constexpr size_t kMacsBytes = 2 * sizeof(Mac);

// Appends mac1 for the receiver's key, and mac2 if there is a cookie, zeros otherwise.
void add_macs(std::string& packet, const KeyBytes& receiver, const std::optional<Mac>& cookie);
// The mac1 of a handshake packet. Requires kMacsBytes bytes or more.
Mac mac1_of(std::string_view packet);
// Mac2 is all zeros.
bool has_no_mac2(std::string_view packet);

// The cookie in a cookie packet of `sender`, which answers the packet with that mac1.
std::optional<Mac> open_cookie(std::string_view packet, const KeyBytes& sender, const Mac& mac1);

// Whose initiations are looked at. Counts them; under load it wants cookies.
class Gatekeeper {
  public:
    // `random` outlives this object.
    Gatekeeper(const KeyBytes& own_public, KeyedRandom& random, uint32_t handshakes_per_second);
    ~Gatekeeper();
    Gatekeeper(const Gatekeeper&) = delete;
    Gatekeeper& operator=(const Gatekeeper&) = delete;

    // Requires kMacsBytes bytes or more, here and below.
    bool has_mac1(std::string_view packet) const;
    // An initiation whose mac1 is right: may it cost a handshake's work?
    enum class Verdict {
        yes,
        yes_with_cookie,
        show_cookie,  // send it one, and nothing more
        no,           // its IP address has had its share
    };
    Verdict judge(TimePoint now, Address from, std::string_view packet);
    // The cookie packet that answers `packet`.
    std::string cookie_for(TimePoint now, Address to, uint32_t receiver_index,
                           std::string_view packet);
    bool is_under_load(TimePoint now) const;

  private:
    void turn_window(TimePoint now);
    Mac cookie(TimePoint now, Address address);
    uint16_t& share_of(uint32_t ip);

    KeyedRandom& random_;
    KeyBytes mac1_key_{};
    KeyBytes cookie_key_{};
    KeyBytes secret_{};  // of the cookies
    TimePoint secret_made_{};
    bool has_secret_ = false;

    // Initiations in the second that began at window_, and of each IP address (of each place that a
    // keyed hash gives it: the memory is fixed).
    uint32_t limit_;
    uint32_t count_ = 0;
    bool under_load_ = false;
    TimePoint window_{};
    std::array<unsigned char, 16> share_key_{};
    std::array<uint16_t, 4'096> shares_{};
};

}  // namespace p2pbank::secure
