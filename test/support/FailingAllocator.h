//===- FailingAllocator.h - Make the n-th allocation fail --------*- C++
//-*-===//
//
// Link FailingAllocator.cpp into the test: it replaces operator new.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_SUPPORT_FAILINGALLOCATOR_H
#define QUERN_TEST_SUPPORT_FAILINGALLOCATOR_H

#include "runtime/base/Status.h"
#include "test/support/Expect.h"

#include <cstdint>

namespace quern::test {

/// While it lives, the n-th allocation (from 1) of this thread fails, and with
/// `persistent` all later ones too.
class FailingAllocation {
public:
  explicit FailingAllocation(uint64_t n, bool persistent = false);
  ~FailingAllocation();
  /// Whether an allocation has failed.
  bool hasFired() const;
};

/// Runs `body`, which returns a Status or Result, with the first, second, ...
/// allocation failing until none does: each time ResourceExhausted, and success
/// at the end. Returns the number of allocations.
template <typename Body>
uint64_t sweepAllocationFailures(Body body, bool persistent = false) {
  for (uint64_t n = 1; n < 1'000'000; ++n) {
    FailingAllocation failing(n, persistent);
    auto outcome = body();
    if (!failing.hasFired()) {
      EXPECT_TRUE(succeeds(outcome));
      return n - 1;
    }
    EXPECT_TRUE(failsWith(outcome, StatusCode::ResourceExhausted, ""))
        << "allocation " << n;
  }
  ADD_FAILURE() << "no end of allocations";
  return 0;
}

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_FAILINGALLOCATOR_H
