//===- CountAllocations.h - How often operator new is called ----*- C++ -*-===//
//
// Linking CountAllocations.cpp replaces the global operator new by one that
// counts and can fail.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H
#define QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H

#include "test/support/ForwardingDevice.h"

#include <cstdint>

namespace quern::test {

/// Calls of operator new in this thread that were not inside of an
/// UncountedDevice.
uint64_t countAllocations();

/// The n-th counted call from now throws bad_alloc; 0: none does.
void failAllocation(uint64_t n);

/// While one lives, calls in its thread are neither counted nor fail.
struct AllocationPause {
  AllocationPause();
  ~AllocationPause();
};

/// Forwards to another device; what that allocates (the null device does) is
/// neither counted nor fails.
using UncountedDevice = ForwardingDevice<AllocationPause>;

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H
