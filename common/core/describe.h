// A few words about a datagram, for traces: "transfers 3-7", "vote yes alice/1.4".
#pragma once

#include <string>

#include "common/wire/messages.pb.h"

namespace p2pbank {

std::string describe(const wire::Datagram& datagram);

}  // namespace p2pbank
