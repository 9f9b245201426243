// A record of a journal that does not fit what came before it: nothing that the program wrote.
#pragma once

#include <string>

#include "common/base/result.h"

namespace p2pbank {

inline Error bad_record(const char* what) {
    return Error{"bad-record", std::string("a record does not fit: ") + what};
}

}  // namespace p2pbank
