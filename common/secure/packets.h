// What goes over the wire where nothing goes in clear: version 2. All numbers are little endian.
//
//     every packet     0  2  'P' 'B'
//                      2  1  version, 2
//                      3  1  type
//
//     1 initiation     4  4  the sender's index: where answers are to go
//                      8 32  ephemeral X25519 key          \.
//                     40 48  the sender's static key, sealed |  message 1 of Noise IK
//                     88 16  tag of an empty payload        /
//                    104 16  mac1
//                    120 16  mac2: zeros without a cookie
//     2 response       4  4  the sender's index
//                      8  4  the receiver's index
//                     12 32  ephemeral X25519 key          \  message 2 of Noise IK
//                     44 16  tag of an empty payload        /
//                     60 16  mac1
//                     76 16  mac2
//     3 cookie         4  4  the receiver's index
//                      8 24  nonce
//                     32 32  the cookie, sealed (XChaCha20-Poly1305)
//     4 sealed         4  4  the receiver's index
//                      8  8  counter, the nonce
//                     16 ..  a Datagram, sealed (ChaCha20-Poly1305, the 16 bytes before it are the
//                            associated data); empty to confirm a session
//     5 key request    4  8  nonce
//                     12 128 zeros, so that the answer is not larger
//     6 key answer     4  8  nonce of the request
//                     12 64  the public keys of whoever answers (common/secure/identity.h)
//                     76 64  their owner's signature on them
//     7 other mode     -     whoever answers so talks in clear only, or sealed only: a hint for
//                            people
//     8 no session     4  4  the index that nobody here knows: a hint to introduce oneself again
//
// A cookie is bound to the IP address and port that it was sent to. Nobody asks for one on a
// response: its mac2 is zeros.
//
// 3 and mac1, mac2 are those of WireGuard (Donenfeld, "WireGuard: Next Generation Kernel Network
// Tunnel", NDSS 2017, 5.3 and 5.4) with the labels below.
//
// Whoever receives a packet answers with no more bytes than it has, until a session shows that the
// address receives. 7 and 8 are not authenticated: nothing may follow from them but a notice, or an
// initiation that is due anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace p2pbank::secure {

inline constexpr unsigned char kVersion = 2;

enum class PacketType : unsigned char {
    initiation = 1,
    response = 2,
    cookie = 3,
    sealed = 4,
    key_request = 5,
    key_answer = 6,
    other_mode = 7,
    no_session = 8,
};

inline constexpr size_t kHeaderBytes = 4;
inline constexpr size_t kInitiationBytes = 136;
inline constexpr size_t kResponseBytes = 92;
inline constexpr size_t kCookieBytes = 64;
inline constexpr size_t kSealedHeaderBytes = 16;
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kSealedOverhead = kSealedHeaderBytes + kTagBytes;
inline constexpr size_t kKeyRequestBytes = 140;
inline constexpr size_t kKeyAnswerBytes = 140;
inline constexpr size_t kOtherModeBytes = 4;
inline constexpr size_t kNoSessionBytes = 8;
static_assert(kResponseBytes <= kInitiationBytes && kCookieBytes <= kResponseBytes &&
              kKeyAnswerBytes <= kKeyRequestBytes && kNoSessionBytes <= kSealedOverhead);

inline constexpr std::string_view kProtocolName = "Noise_IK_25519_ChaChaPoly_BLAKE2b";
inline constexpr std::string_view kPrologue = "p2pbank/2";
inline constexpr std::string_view kMac1Label = "mac1----";
inline constexpr std::string_view kCookieLabel = "cookie--";

// The type of a packet of this version; 0 for anything else. Says nothing of its length.
inline unsigned char type_of(std::string_view packet) {
    const bool ours = packet.size() >= kHeaderBytes && packet[0] == 'P' && packet[1] == 'B' &&
                      static_cast<unsigned char>(packet[2]) == kVersion;
    return ours ? static_cast<unsigned char>(packet[3]) : 0;
}

}  // namespace p2pbank::secure
