// A bank in the middle of its work, as the records of its journal: four accounts, two of them in a
// cohort, goods, people, a loan, deals that are pending. Used by the targets and by make_corpus.
#pragma once

#include <string>
#include <vector>

namespace p2pbank::fuzz {

const std::vector<std::string>& bank_journal();

}  // namespace p2pbank::fuzz
