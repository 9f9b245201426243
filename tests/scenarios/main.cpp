#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "simulator/world.h"

REGISTER_EXCEPTION_TRANSLATOR(p2pbank::simulator::Violation& violation) {
    return doctest::String((violation.invariant + ": " + violation.text).c_str());
}
