// One target as a libFuzzer program; the build says which (P2PBANK_FUZZ_TARGET).
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    p2pbank::fuzz::P2PBANK_FUZZ_TARGET(std::string_view(reinterpret_cast<const char*>(data), size));
    return 0;
}
