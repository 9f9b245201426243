#include "common/secure/cookies.h"

#include <algorithm>

#include "common/secure/bytes.h"
#include "common/secure/packets.h"
#include "common/secure/sessions.h"

namespace p2pbank::secure {
namespace {

constexpr Duration kWindow = seconds(1);
constexpr size_t kNonceAt = kHeaderBytes + sizeof(uint32_t);
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(kNonceAt + kNonceBytes + sizeof(Mac) + kTagBytes == kCookieBytes);
static_assert(sizeof(KeyBytes) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

KeyBytes labelled(std::string_view label, const KeyBytes& key) {
    KeyBytes out;
    blake2b(out, {}, {label, text_of(key)});
    return out;
}

Mac mac(std::string_view key, std::string_view text) {
    Mac out;
    blake2b(out, key, {text});
    return out;
}

std::string_view without_macs(std::string_view packet) {
    P2PBANK_CHECK(packet.size() >= kMacsBytes);
    return packet.substr(0, packet.size() - kMacsBytes);
}

std::string_view without_mac2(std::string_view packet) {
    return packet.substr(0, packet.size() - sizeof(Mac));
}

std::string_view mac2_of(std::string_view packet) {
    return packet.substr(packet.size() - sizeof(Mac));
}

}  // namespace

void add_macs(std::string& packet, const KeyBytes& receiver, const std::optional<Mac>& cookie) {
    packet += text_of(mac(text_of(labelled(kMac1Label, receiver)), packet));
    packet += text_of(cookie ? mac(text_of(*cookie), packet) : Mac());
}

Mac mac1_of(std::string_view packet) {
    Mac out;
    take(packet, without_macs(packet).size(), out);
    return out;
}

bool has_no_mac2(std::string_view packet) {
    return is_same(Mac(), mac2_of(packet).data());
}

std::optional<Mac> open_cookie(std::string_view packet, const KeyBytes& sender, const Mac& mac1) {
    if (packet.size() != kCookieBytes) return std::nullopt;
    const KeyBytes key = labelled(kCookieLabel, sender);
    Mac cookie;
    const std::string_view sealed = packet.substr(kNonceAt + kNonceBytes);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            cookie.data(), nullptr, nullptr, bytes_of(sealed), sealed.size(), mac1.data(),
            mac1.size(), bytes_of(packet) + kNonceAt, key.data()) != 0) {
        return std::nullopt;
    }
    return cookie;
}

Gatekeeper::Gatekeeper(const KeyBytes& own_public, KeyedRandom& random,
                       uint32_t handshakes_per_second)
    : random_(random),
      mac1_key_(labelled(kMac1Label, own_public)),
      cookie_key_(labelled(kCookieLabel, own_public)),
      limit_(handshakes_per_second) {
    random_.fill(share_key_);
}

Gatekeeper::~Gatekeeper() {
    wipe(secret_);
}

bool Gatekeeper::has_mac1(std::string_view packet) const {
    const Mac right = mac(text_of(mac1_key_), without_macs(packet));
    return is_same(right, packet.data() + without_macs(packet).size());
}

Mac Gatekeeper::cookie(TimePoint now, Address address) {
    if (!has_secret_ || now - secret_made_ >= kCookieLife) {
        random_.fill(secret_);
        secret_made_ = now;
        has_secret_ = true;
    }
    char bytes[sizeof address.ip + sizeof address.port];
    store(bytes, address.ip);
    store(bytes + sizeof address.ip, address.port);
    return mac(text_of(secret_), {bytes, sizeof bytes});
}

void Gatekeeper::turn_window(TimePoint now) {
    if (now - window_ < kWindow) return;
    // A second of too many is followed by one under load, in which they are counted again.
    under_load_ = now - window_ < 2 * kWindow && count_ > limit_;
    count_ = 0;
    window_ = now;
    shares_.fill(0);
}

uint16_t& Gatekeeper::share_of(uint32_t ip) {
    char bytes[sizeof ip];
    store(bytes, ip);
    unsigned char hash[crypto_shorthash_BYTES];
    static_assert(sizeof share_key_ == crypto_shorthash_KEYBYTES);
    crypto_shorthash(hash, bytes_of(std::string_view(bytes, sizeof bytes)), sizeof bytes,
                     share_key_.data());
    return shares_[(size_t(hash[0]) << 8U | hash[1]) % shares_.size()];
}

Gatekeeper::Verdict Gatekeeper::judge(TimePoint now, Address from, std::string_view packet) {
    turn_window(now);
    if (count_ < UINT32_MAX) ++count_;
    if (count_ > limit_) under_load_ = true;
    bool shown = false;
    if (!has_no_mac2(packet)) {
        const Mac own = cookie(now, from);
        const Mac right = mac(text_of(own), without_mac2(packet));
        shown = is_same(right, mac2_of(packet).data());
        if (!shown) return Verdict::show_cookie;  // one of an earlier secret, it may be
    }
    if (!under_load_) return shown ? Verdict::yes_with_cookie : Verdict::yes;
    if (!shown) return Verdict::show_cookie;
    uint16_t& share = share_of(from.ip);
    if (share >= kHandshakesPerIpPerSecond) return Verdict::no;
    ++share;
    return Verdict::yes_with_cookie;
}

std::string Gatekeeper::cookie_for(TimePoint now, Address to, uint32_t receiver_index,
                                   std::string_view packet) {
    std::string out(kCookieBytes, '\0');
    out[0] = 'P';
    out[1] = 'B';
    out[2] = static_cast<char>(kVersion);
    out[3] = static_cast<char>(PacketType::cookie);
    store(out.data() + kHeaderBytes, receiver_index);
    random_.fill({bytes_of(out) + kNonceAt, kNonceBytes});
    const Mac plain = cookie(now, to);
    const Mac answered = mac1_of(packet);
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        bytes_of(out) + kNonceAt + kNonceBytes, nullptr, plain.data(), plain.size(),
        answered.data(), answered.size(), nullptr, bytes_of(out) + kNonceAt, cookie_key_.data());
    return out;
}

bool Gatekeeper::is_under_load(TimePoint now) const {
    return under_load_ && now - window_ < 2 * kWindow;
}

}  // namespace p2pbank::secure
