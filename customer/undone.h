// What money goes when an account goes back to a checkpoint: for notices.
#pragma once

#include <string>

#include "customer/state.h"

namespace p2pbank::customer {

// "sent 5 to bob, received 3 from carol, deposited 10": what is in the live state and not in
// `cut`, a checkpoint of the same cohort. At most a few peers are named. Empty if nothing is, or if
// what is live means nothing (State::restore_due).
std::string undone_since(const State& state, const Checkpoint& cut);

}  // namespace p2pbank::customer
