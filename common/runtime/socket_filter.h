// A filter in the kernel for UDP sockets: drops what can be no packet of ours (common/secure/
// packets.h, common/wire/envelope.h) before it takes room in the socket's buffer or wakes the
// program. So a flood of garbage costs honest datagrams little.
//
// It is no protection in itself: whoever floods with what looks like packets gets through to the
// program, which has its own ways (common/secure/sessions.h). Both versions pass: a program that
// talks in clear and one that does not tell each other that they cannot talk.
#pragma once

namespace p2pbank {

// False where the system does not take it: then the program sees everything.
bool attach_filter(int socket);

}  // namespace p2pbank
