//===- CheckedMathTest.cpp ------------------------------------------------===//

#include "runtime/base/CheckedMath.h"

#include <array>
#include <gtest/gtest.h>

using namespace quern;

static constexpr uint64_t most = UINT64_MAX;

TEST(CheckedMath, AddAndMultiply) {
  EXPECT_EQ(checkedAdd<uint64_t>(most - 1, 1), most);
  EXPECT_FALSE(checkedAdd<uint64_t>(most, 1));
  EXPECT_FALSE(checkedAdd<int32_t>(INT32_MIN, -1));
  EXPECT_EQ(checkedMul<uint64_t>(most, 1), most);
  EXPECT_FALSE(checkedMul<uint64_t>(most / 2 + 1, 2));
  EXPECT_FALSE(checkedMul<int64_t>(INT64_MIN, -1));
}

TEST(CheckedMath, Align) {
  EXPECT_EQ(checkedAlign<uint64_t>(0, 4096), 0u);
  EXPECT_EQ(checkedAlign<uint64_t>(1, 4096), 4096u);
  EXPECT_EQ(checkedAlign<uint64_t>(4096, 4096), 4096u);
  EXPECT_EQ(checkedAlign<uint64_t>(most, 1), most);
  EXPECT_FALSE(checkedAlign<uint64_t>(most, 2));
  EXPECT_FALSE(checkedAlign<uint64_t>(8, 0));
  EXPECT_FALSE(checkedAlign<uint64_t>(8, 3));
}

TEST(CheckedMath, ProductOverflowsEvenBeforeAZero) {
  std::array<int64_t, 3> dims = {INT64_MAX, 2, 0};
  EXPECT_FALSE(checkedProduct(std::span<const int64_t>(dims)));
  std::array<int64_t, 3> small = {2, 0, 5};
  EXPECT_EQ(checkedProduct(std::span<const int64_t>(small)), 0);
  EXPECT_EQ(checkedProduct(std::span<const int64_t>()), 1);
}

TEST(CheckedMath, RangeInsideDoesNotWrap) {
  EXPECT_TRUE(rangeInside(0, 0, 0));
  EXPECT_TRUE(rangeInside(3, 5, 8));
  EXPECT_FALSE(rangeInside(3, 6, 8));
  EXPECT_FALSE(rangeInside(9, 0, 8));
  EXPECT_FALSE(rangeInside(most, 2, 8));
  EXPECT_FALSE(rangeInside(2, most, 8));
}

TEST(CheckedMath, Cast) {
  EXPECT_EQ(checkedCast<uint8_t>(255), 255);
  EXPECT_FALSE(checkedCast<uint8_t>(256));
  EXPECT_FALSE(checkedCast<uint32_t>(-1));
}
