// Messages made from the bytes of a fuzz run: fields that fit together more often than chance would
// have it, so that a run gets past the first check. Names and numbers come from the few that the
// nodes under test know.
#pragma once

#include <string>

#include "common/wire/books.h"
#include "common/wire/messages.pb.h"
#include "tests/fuzz/input.h"

namespace p2pbank::fuzz {

// What was said to somebody, for answers that name it again.
struct Heard {
    wire::Ask ask;
    wire::Deal deal;
    wire::Command command;
    wire::OperationId operation;
    uint64_t probe = 0;
    uint64_t instance = 0;  // of the node
    uint64_t cohort = 0;
    uint64_t epoch = 0;
};
void remember(const wire::Datagram& datagram, Heard& heard);

std::string name_from(Input& in);
wire::OperationKind kind_from(Input& in);
void labels_from(Input& in, google::protobuf::RepeatedField<uint64_t>* out);
uint32_t deadline_from(Input& in);
void operation_from(Input& in, const Heard& heard, wire::OperationId* out);

// What an account may truthfully say of itself; its deposits are up to the input.
wire::Totals totals_from(Input& in, const Totals& known);

// A message that the bank might get from the account.
wire::Datagram to_bank(Input& in, const Heard& heard, const Totals& known);
// What a customer might get: from the bank, from a peer.
wire::Datagram from_bank(Input& in, const Heard& heard, const Totals& known);
wire::Datagram from_peer(Input& in, const Heard& heard);

}  // namespace p2pbank::fuzz
