// How the jobs that need no history are done (common/core/jobs.h has what each is and gives): one
// function for each, that blocks until it is done. Called on the worker thread.
#pragma once

#include "common/core/jobs.h"

namespace p2pbank {

JobResult carry_out(const HashPassword& job);
JobResult carry_out(const VerifyPassword& job);
JobResult carry_out(const ReadFile& job);
JobResult carry_out(const WriteFiles& job);

}  // namespace p2pbank
