// Checks for what cannot happen. They stay on in release builds, because a bank that goes on after
// its own mistake loses money. Never used on bytes that came from outside the process.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace p2pbank {

[[noreturn]] inline void check_failed(const char* file, int line, const char* what) {
    std::fprintf(stderr, "%s:%d: internal check failed: %s\n", file, line, what);
    std::abort();
}

}  // namespace p2pbank

#define P2PBANK_CHECK(condition) \
    ((condition) ? void(0) : ::p2pbank::check_failed(__FILE__, __LINE__, #condition))
