//===- Int8RowsTest.cpp - Rows of int8 codes, each with a scale -----------===//

#include "runtime/base/Int8Rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace quern;

static std::vector<float> makeValues(size_t count) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return normal(engine); });
  return values;
}

TEST(Int8Rows, CodesAreTheNearestOnes) {
  // Largest magnitude 254: a scale of 2. Ties go to even codes.
  std::vector<float> values = {254, -254, 1, 3, -1, -5, 0.9f, 1.1f};
  std::vector<int8_t> codes(values.size());
  EXPECT_EQ(encodeInt8Row(values, codes), 2);
  EXPECT_EQ(codes, (std::vector<int8_t>{127, -127, 0, 2, 0, -2, 0, 1}));
  roundToInt8Row(values);
  EXPECT_EQ(values, (std::vector<float>{254, -254, 0, 4, 0, -4, 0, 2}));
}

TEST(Int8Rows, ARowOfZerosHasScaleZero) {
  std::vector<float> values(16);
  std::vector<int8_t> codes(16, 1);
  EXPECT_EQ(encodeInt8Row(values, codes), 0);
  EXPECT_EQ(codes, std::vector<int8_t>(16));
}

TEST(Int8Rows, ErrorIsHalfAStep) {
  std::vector<float> values = makeValues(64 * 128);
  Int8Rows rows(1, 64, 128);
  std::vector<float> decoded = rows.decode(rows.encode(values));
  for (size_t row = 0; row != 64; ++row) {
    float largest = 0;
    for (size_t i = 0; i != 128; ++i)
      largest = std::max(largest, std::fabs(values[row * 128 + i]));
    for (size_t i = 0; i != 128; ++i)
      EXPECT_LE(std::fabs(values[row * 128 + i] - decoded[row * 128 + i]),
                largest / 254 * 1.0001f);
  }
}

TEST(Int8Rows, CodesThenScalesOfEachMatrix) {
  // Three rows of 16: 48 codes, 12 bytes of scales, 4 to fill the block.
  Int8Rows rows(2, 3, 16);
  EXPECT_EQ(rows.scaleOffset(), 48u);
  EXPECT_EQ(rows.blockBytes(), 64u);
  EXPECT_EQ(rows.bytes(), 128u);
  std::vector<float> values(96);
  values[5 * 16 + 2] = -127; // The last row of the second matrix.
  std::vector<std::byte> bytes = rows.encode(values);
  std::vector<std::byte> expected(128);
  expected[64 + 2 * 16 + 2] = std::byte(0x81);
  float one = 1;
  std::memcpy(&expected[64 + 48 + 2 * 4], &one, 4);
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(rows.decode(bytes), values);
}

TEST(Int8Rows, CountsUncheckedSizes) {
  constexpr uint64_t most = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(countInt8RowBytes(2, 3, 16), 128u);
  EXPECT_EQ(countInt8RowBytes(8, 32, 128), 8 * (32 * 128 + 32 * 4u));
  EXPECT_EQ(countInt8RowBytes(2, 3, 24), std::nullopt);
  EXPECT_EQ(countInt8RowBytes(1, most / 16, 16), std::nullopt);
  EXPECT_EQ(countInt8RowBytes(most / 64, 2, 16), std::nullopt);
  EXPECT_EQ(countInt8RowBytes(1, 1, most - 15), std::nullopt);
}
