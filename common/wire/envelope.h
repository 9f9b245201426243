// What surrounds a message on the wire: 8 bytes, then the protobuf encoding of a Datagram.
//
//     0  2  'P' 'B'
//     2  1  version, 1
//     3  1  reserved, 0
//     4  4  CRC-32 (zlib) of all bytes after it, little endian
//
// A datagram whose envelope does not check is as good as lost.
#pragma once

#include <string>
#include <string_view>

#include "common/wire/messages.pb.h"

namespace p2pbank {

inline constexpr size_t kEnvelopeBytes = 8;

// Replaces `out` by the datagram's bytes. They may exceed limits::kMaxDatagramBytes; the caller
// looks.
void seal(const wire::Datagram& datagram, std::string& out);

// Parses `bytes` into `datagram`. False for anything that seal did not make.
bool unseal(std::string_view bytes, wire::Datagram& datagram);

}  // namespace p2pbank
