// An answer of the bank on its way to the customer who passed the command on.
#pragma once

#include "common/core/answer.h"
#include "common/wire/messages.pb.h"

namespace p2pbank {

// Of the lines and of the rows of each table at most limits::kMaxReplyLines; what is left out is
// said in a last line.
void to_wire(const Answer& answer, wire::AnswerText* out);
Answer from_wire(const wire::AnswerText& in);

}  // namespace p2pbank
