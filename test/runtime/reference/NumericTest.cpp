//===- NumericTest.cpp - conversions of 16-bit floats ---------------------===//
#include "runtime/base/Numeric.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace quern;

constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Numeric, Bf16RoundsToNearestEven) {
  EXPECT_EQ(floatToBf16(1.0f), 0x3F80);
  // Half way between 1 and 1 + 2^-7: to the even one below; above it: up.
  EXPECT_EQ(floatToBf16(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(floatToBf16(1.0f + 0x1p-8f + 0x1p-20f), 0x3F81);
  EXPECT_EQ(floatToBf16(1.0f + 3 * 0x1p-8f), 0x3F82);
  EXPECT_EQ(floatToBf16(-2.5f), 0xC020);
  EXPECT_EQ(floatToBf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(floatToBf16(-infinity), 0xFF80);
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(std::nanf("")))));
  // A NaN whose payload lies in the low bits must not become infinity.
  EXPECT_TRUE(
      std::isnan(bf16ToFloat(floatToBf16(std::bit_cast<float>(0x7F800001u)))));
}

TEST(Numeric, F16RoundsToNearestEven) {
  EXPECT_EQ(floatToF16(1.0f), 0x3C00);
  EXPECT_EQ(floatToF16(-0.0f), 0x8000);
  EXPECT_EQ(floatToF16(1.0f + 0x1p-11f), 0x3C00);
  EXPECT_EQ(floatToF16(1.0f + 3 * 0x1p-11f), 0x3C02);
  EXPECT_EQ(floatToF16(65504.0f), 0x7BFF);
  EXPECT_EQ(floatToF16(65519.996f), 0x7BFF);
  EXPECT_EQ(floatToF16(65520.0f), 0x7C00);
  EXPECT_EQ(floatToF16(1e10f), 0x7C00);
  EXPECT_EQ(floatToF16(-infinity), 0xFC00);
  EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(std::nanf("")))));
}

TEST(Numeric, F16Subnormals) {
  EXPECT_EQ(floatToF16(0x1p-14f), 0x0400);
  EXPECT_EQ(floatToF16(0x1p-24f), 0x0001);
  EXPECT_EQ(floatToF16(0x1p-25f), 0x0000); // tie with zero
  EXPECT_EQ(floatToF16(0x1.8p-25f), 0x0001);
  EXPECT_EQ(floatToF16(0x1.ffcp-15f + 0x1p-25f), 0x0400); // rounds to normal
  EXPECT_EQ(floatToF16(1e-40f), 0x0000);
  EXPECT_EQ(f16ToFloat(0x8001), -0x1p-24f);
}

TEST(Numeric, EverySixteenBitValueSurvives) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    uint16_t half = static_cast<uint16_t>(bits);
    if (!std::isnan(bf16ToFloat(half))) {
      EXPECT_EQ(floatToBf16(bf16ToFloat(half)), half);
    }
    if (!std::isnan(f16ToFloat(half))) {
      EXPECT_EQ(floatToF16(f16ToFloat(half)), half);
    }
  }
}

TEST(Numeric, RoundTo) {
  EXPECT_EQ(roundTo(DataType::F32, 1.001f), 1.001f);
  EXPECT_EQ(roundTo(DataType::BF16, 1.001f), 1.0f);
  EXPECT_EQ(roundTo(DataType::F16, 1.001f), 1.0009765625f);
}
