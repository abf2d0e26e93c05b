//===- AllocationTest.cpp - Out of memory while a bundle is read ----------===//

#include "runtime/base/Fault.h"
#include "test/runtime/bundle/BundleTest.h"

#include <cstdlib>
#include <new>

using namespace quern;
using namespace quern::test;

/// Allocations of this thread that still succeed; negative: all.
static thread_local long allocationsLeft = -1;

static void *allocate(size_t size) {
  if (allocationsLeft == 0)
    throw std::bad_alloc();
  if (allocationsLeft > 0)
    --allocationsLeft;
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}

// These replace the ones of the whole test binary.
void *operator new(size_t size) { return allocate(size); }
void *operator new[](size_t size) { return allocate(size); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }

namespace {
class AllocationTest : public BundleTest {};
} // namespace

// F8: the n-th allocation fails, for every n.
TEST_F(AllocationTest, EachAllocationFails) {
  ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  for (bool map : {true, false}) {
    BundleOptions options;
    options.mapWeights = map;
    options.verifyWeights = true;
    long count = 0;
    for (;; ++count) {
      ASSERT_LT(count, 100000);
      allocationsLeft = count;
      Result<Bundle> bundle = Bundle::open(path, options);
      allocationsLeft = -1;
      if (bundle.isOk())
        break;
      EXPECT_EQ(bundle.getStatus().getCode(), StatusCode::ResourceExhausted)
          << bundle.getStatus().getMessage();
    }
    EXPECT_GT(count, 10);
  }
}

// F8: large allocations name their size.
TEST_F(AllocationTest, LargeAllocationsNameTheirSize) {
  ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  BundleOptions options;
  options.mapWeights = false;
  options.verifyWeights = true;
  int failures = 0;
  for (uint64_t call = 1;; ++call) {
    FaultPlan plan;
    plan[FaultPoint::Allocate] = {FaultKind::Fail, call, 1, ENOMEM};
    ScopedFaultPlan installed(plan);
    Result<Bundle> bundle = Bundle::open(path, options);
    if (bundle.isOk())
      break;
    ++failures;
    EXPECT_EQ(bundle.getStatus().getCode(), StatusCode::ResourceExhausted);
    EXPECT_NE(bundle.getStatus().getMessage().find("cannot allocate "),
              std::string::npos);
  }
  EXPECT_GE(failures, 6);
}

// F8: the weights cannot be mapped.
TEST_F(AllocationTest, MappingFails) {
  ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  FaultPlan plan;
  plan[FaultPoint::Map] = {FaultKind::Fail, 1, 1, ENOMEM};
  ScopedFaultPlan installed(plan);
  expectFailure({}, StatusCode::ResourceExhausted, "cannot map");
}

// F12: reads fail or come in pieces.
TEST_F(AllocationTest, ReadsFailOrAreShort) {
  ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  for (uint64_t call = 1;; ++call) {
    FaultPlan plan;
    plan[FaultPoint::Read] = {FaultKind::Fail, call, 1, EIO};
    ScopedFaultPlan installed(plan);
    Result<Bundle> bundle = Bundle::open(path);
    if (bundle.isOk())
      break;
    EXPECT_EQ(bundle.getStatus().getCode(), StatusCode::IoError);
    EXPECT_NE(bundle.getStatus().getMessage().find("cannot read at byte"),
              std::string::npos);
  }
  FaultPlan plan;
  plan[FaultPoint::Read] = {FaultKind::Short, 1, UINT64_MAX, 0};
  ScopedFaultPlan installed(plan);
  EXPECT_TRUE(Bundle::open(path).isOk());
}
