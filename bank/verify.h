// `bank verify FILE`: checks a bundle of evidence (bank/evidence.proto) without the bank: every
// signature, that each account's statements follow each other and add up, that both ends of every
// channel match at every cut, that the bank's own figures follow from them; and judges every
// accusation again. Pure functions over bytes: reading the file is for the program.
//
// What it cannot see: whether the bank has left out the newest statements of everybody. A customer
// can: it knows the number and the digest of its own newest statement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bank/ledger.h"
#include "common/core/answer.h"

namespace p2pbank::bank {

struct VerifyReport {
    std::string bank;  // fingerprint of the bank whose seal it is; empty if it has none
    uint64_t statements = 0;
    uint64_t accounts = 0;
    std::vector<Problem> problems;         // beside Ledger's: bad-file; none: the bundle holds
    std::vector<std::string> accusations;  // that hold: "bob lied: denies transfer 5 ..."
    std::vector<std::string> notes;
    std::vector<std::string>
        former;  // fingerprints of the bank's other keys that statements are to
};
VerifyReport verify(std::string_view bundle);

// SUCCESS verify statements N accounts M, or FAILURE with the first problem; further lines are the
// other problems, accusations and notes, and the bank's fingerprint. `bank_key`: the fingerprint
// that it has to have, as it was typed, or empty. Errors beside those of the problems: bad-key (not
// a fingerprint), other-bank.
Answer verify_answer(std::string_view bundle, std::string_view bank_key);

}  // namespace p2pbank::bank
