// What this customer declares to the bank when it settles and when it closes its account, signed:
// common/core/statement.h. Each names the one before it that became permanent, so that none can be
// left out, and none put in later.
//
// A statement is made once and kept in the journal with what it is about, so that it is the same
// bytes whenever it is sent.
#pragma once

#include "common/core/statement.h"
#include "customer/context.h"

namespace p2pbank::customer {

// False while the bank's key is not known: nothing can be declared to it then. Always true in
// clear.
bool can_declare(const Context& context);

// What the account amounts to now, for an operation whose tentative checkpoint is taken now, or,
// with an empty id and no kind, at the end of the account. Requires can_declare().
wire::SignedStatement declare(const Context& context, const OperationId& id,
                              wire::OperationKind kind);

// The transfers since the permanent checkpoint, 32 bytes of BLAKE2b (common/core/digest.h): for
// each peer with any, in the order of their names: the name; how many were sent, and the label and
// the cents of each, labels rising, those of `lost-transfer` too; how many were received, and
// likewise.
std::string transfers_since_checkpoint(const State& state);

// Says how far the account's state is: its epoch and its statements, each with what is in doubt,
// which the bank may have committed. The bank binds no key to an old copy.
void say_how_far(const State& state, wire::Ask& bind);

}  // namespace p2pbank::customer
