#include "common/core/introductions.h"

#include <algorithm>

#include <sodium.h>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/random.h"

namespace p2pbank {
namespace {

constexpr Duration kFirstHelloPause = milliseconds(50);
constexpr Duration kLastHelloPause = seconds(5);

}  // namespace

Introductions::Introductions(uint64_t seed) {
    Random random(seed);
    for (unsigned char& byte : secret_) byte = static_cast<unsigned char>(random.below(256));
}

uint64_t Introductions::cookie_for(Address address) const {
    unsigned char bytes[6];
    for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<unsigned char>(address.ip >> (8 * i));
    bytes[4] = static_cast<unsigned char>(address.port & 255);
    bytes[5] = static_cast<unsigned char>(address.port >> 8);
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, bytes, sizeof bytes, secret_);
    uint64_t cookie = 0;
    for (const unsigned char byte : out) cookie = cookie << 8 | byte;
    return cookie == 0 ? 1 : cookie;  // 0 in a Hello means: none
}

Introductions::Acquaintance& Introductions::acquaintance(Address address) {
    const auto found = acquaintances_.find(address);
    if (found != acquaintances_.end()) return found->second;
    if (acquaintances_.size() >= limits::kMaxAddressesKnown) {
        // Whoever is forgotten introduces itself again.
        if (unproven_.empty()) {
            acquaintances_.erase(acquaintances_.begin());
        } else {
            acquaintances_.erase(unproven_.front());
            unproven_.pop_front();
        }
    }
    Acquaintance& fresh = acquaintances_[address];
    fresh.hello_pause = kFirstHelloPause;
    fresh.age = unproven_.insert(unproven_.end(), address);
    return fresh;
}

// Against as many bytes as came from there. A Hello that the node sends of its own accord, to an
// address that its user or the bank gave it, is no answer and does not count.
bool Introductions::may_answer(Acquaintance& known) {
    if (known.proven) return true;
    if (known.answered_bytes + kHelloBytes > known.bytes_in) return false;
    known.answered_bytes += kHelloBytes;
    return true;
}

bool Introductions::is_proven(Address address) const {
    const auto found = acquaintances_.find(address);
    return found != acquaintances_.end() && found->second.proven;
}

void Introductions::trust(Address address) {
    Acquaintance& known = acquaintance(address);
    if (known.proven) return;
    known.proven = true;
    unproven_.erase(known.age);
}

wire::Hello Introductions::hello_for(Address to, uint64_t echo, bool need_echo) const {
    wire::Hello hello;
    hello.set_cookie(cookie_for(to));
    hello.set_echo(echo);
    hello.set_need_echo(need_echo);
    return hello;
}

void Introductions::pad(wire::Hello& hello, size_t bare) {
    const size_t head = bare + 2;  // the padding's tag and length
    P2PBANK_CHECK(head <= kHelloBytes);
    hello.set_padding(std::string(kHelloBytes - head, '\0'));
}

std::optional<wire::Hello> Introductions::introduce(TimePoint now, Address to) {
    Acquaintance& known = acquaintance(to);
    if (now < known.next_hello) return std::nullopt;
    known.next_hello = now + known.hello_pause;
    known.hello_pause = std::min(kLastHelloPause, known.hello_pause * 2);
    return hello_for(to, 0, true);
}

std::optional<wire::Hello> Introductions::heard(Address from, size_t bytes) {
    Acquaintance& known = acquaintance(from);
    known.bytes_in += bytes;
    if (!may_answer(known)) return std::nullopt;
    return hello_for(from, 0, true);
}

Introductions::Greeted Introductions::greeted(Address from, const wire::Hello& hello,
                                              size_t bytes) {
    Acquaintance& known = acquaintance(from);
    if (!known.proven) known.bytes_in += bytes;
    Greeted greeted;
    if (!known.proven && hello.echo() != 0 && hello.echo() == cookie_for(from)) {
        known.proven = true;
        unproven_.erase(known.age);
        greeted.introduced = true;
    }
    if (hello.need_echo() && may_answer(known)) {
        greeted.answer = hello_for(from, hello.cookie(), !known.proven);
    }
    return greeted;
}

}  // namespace p2pbank
