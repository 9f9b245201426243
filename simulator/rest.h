// Whether a world has come to rest: every command answered, every operation ended, every transfer
// that was sent acknowledged, nobody held up, nothing left to tell. Only reads.
#pragma once

#include <string>

#include "simulator/world.h"

namespace p2pbank::simulator {

// What is still under way, in words; empty if nothing is. A process that has ended on its own, or
// an account that never had one, is not waited for.
std::string unfinished(const World& world);

}  // namespace p2pbank::simulator
