// A customer in the middle of its work, as the records of its journal: alice, with or without a
// cohort, with transfers sent and received. Used by the targets and by make_corpus.
#pragma once

#include <string>
#include <vector>

#include "customer/state.h"

namespace p2pbank::fuzz {

std::vector<std::string> customer_journal(bool in_cohort, StableMode mode);

}  // namespace p2pbank::fuzz
