// What stands in for X25519 and Ed25519 in most runs of the simulator's program: hashes that have
// the properties which the protocol relies on, at a hundredth of the time, against an adversary who
// does not know them. Public keys are hashes of the secrets; what two share is a hash of both
// public keys; a signature is a hash of the public key and the message. The simulated attackers
// call what the honest call and guess no hash, so nothing is easier for them than with the real
// ones.
//
// Everything built of them is the real thing: Noise, cookies, sessions, rosters, statements. Only
// the programs of this folder have these, in place of libsodium's functions when they are linked
// (CMakeLists.txt, --wrap); no other program can.
#pragma once

namespace p2pbank::simulator {

// From now on, in this thread. Each thread begins with the real ones. Not during a run: the keys of
// one kind mean nothing to the other.
void use_ideal_primitives(bool ideal);

}  // namespace p2pbank::simulator
