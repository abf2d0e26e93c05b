//===- EncodingTest.cpp - Encodings of quantised weights ------------------===//

#include "runtime/base/Encoding.h"

#include "runtime/base/Numeric.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

using namespace quern;

namespace {
class EncodingTest : public testing::TestWithParam<EncodingInfo> {
protected:
  /// What the group stands for.
  std::vector<float> roundTrip(const std::vector<float> &values) {
    std::vector<float> decoded(kGroupSize);
    decodeGroup(GetParam(), encodeGroup(GetParam(), values.data()),
                decoded.data());
    return decoded;
  }
};
} // namespace

static double squaredError(const std::vector<float> &a,
                           const std::vector<float> &b) {
  double error = 0;
  for (size_t i = 0; i != a.size(); ++i)
    error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return error;
}

/// Normally distributed, as weights are.
static std::vector<float> makeGroup(std::mt19937 &engine, float scale) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(kGroupSize);
  std::ranges::generate(values, [&] { return normal(engine); });
  return values;
}

TEST_P(EncodingTest, ErrorIsNoLargerThanThatOfTheLargestMagnitude) {
  const EncodingInfo &info = GetParam();
  std::mt19937 engine(1);
  double total = 0, plain = 0;
  for (int round = 0; round != 200; ++round) {
    std::vector<float> values = makeGroup(engine, 0.02f);
    auto [low, high] = std::ranges::minmax(values);
    float minimum = info.hasMinimum ? low : 0;
    float extreme = -low > high ? low : high;
    float scale = info.hasMinimum
                      ? (high - low) / float(info.highestCode())
                      : extreme / float(info.lowestCode() - info.zero);
    if (info.hasZeroPoint)
      minimum = scale * std::nearbyint(low / scale);
    std::vector<float> naive(kGroupSize);
    for (size_t i = 0; i != kGroupSize; ++i) {
      float code = std::nearbyint((values[i] - minimum) / scale);
      code = std::clamp(code, float(info.lowestCode() - info.zero),
                        float(info.highestCode() - info.zero));
      naive[i] = scale * code + minimum;
    }
    EncodedGroup group = encodeGroup(info, values.data());
    std::vector<float> decoded(kGroupSize);
    decodeGroup(info, group, decoded.data());
    double error = squaredError(values, decoded);
    EXPECT_NEAR(group.squaredError, error, 1e-3 * error);
    // The stored factors are f16, those of the comparison are not.
    EXPECT_LE(error, 1.02 * squaredError(values, naive));
    total += error;
    plain += squaredError(values, naive);
  }
  // Whole zero points leave fewer minima to choose from.
  double gain = info.bits > 4 ? 1.0 : info.hasZeroPoint ? 0.92 : 0.9;
  EXPECT_LT(total, gain * plain);
}

TEST_P(EncodingTest, SignalToNoiseIsThatOfItsBits) {
  std::mt19937 engine(2);
  double signal = 0, error = 0;
  for (int round = 0; round != 500; ++round) {
    std::vector<float> values = makeGroup(engine, 0.05f);
    error += squaredError(values, roundTrip(values));
    for (float value : values)
      signal += double(value) * value;
  }
  double decibels = 10 * std::log10(signal / error);
  EXPECT_GT(decibels, GetParam().bits > 4 ? 43 : 20);
  EXPECT_LT(decibels, GetParam().bits > 4 ? 50 : 26);
}

TEST_P(EncodingTest, MultiplesOfAScaleAreExact) {
  const EncodingInfo &info = GetParam();
  std::vector<float> values(kGroupSize);
  for (int i = 0; i != int(kGroupSize); ++i) {
    int count = 1 << info.bits;
    int code = info.lowestCode() + (i == 0   ? 0
                                    : i == 1 ? count - 1
                                             : i * 37 % count);
    // Zero is a code of encodings with a zero point.
    float minimum = info.hasZeroPoint ? -1.5f : info.hasMinimum ? 1.5f : 0;
    values[i] = 0.25f * float(code - info.zero) + minimum;
  }
  EXPECT_EQ(roundTrip(values), values);
}

TEST_P(EncodingTest, SpecialGroups) {
  std::vector<float> zeros(kGroupSize, 0.0f);
  EXPECT_EQ(roundTrip(zeros), zeros);
  // An outlier is kept, within half a step.
  std::vector<float> outlier(kGroupSize, 0.001f);
  outlier[7] = -12;
  EXPECT_NEAR(roundTrip(outlier)[7], -12, 0.5);
  for (float magnitude : {kMaxEncodedMagnitude, 1e-3f}) {
    std::vector<float> values(kGroupSize);
    for (size_t i = 0; i != kGroupSize; ++i)
      values[i] = (i % 2 ? -magnitude : magnitude) * float(i + 1) / kGroupSize;
    std::vector<float> decoded = roundTrip(values);
    for (size_t i = 0; i != kGroupSize; ++i)
      EXPECT_NEAR(decoded[i], values[i], magnitude / 6) << magnitude;
  }
  // Too small for a scale of f16: zero, not garbage.
  std::vector<float> tiny(kGroupSize, 1e-12f);
  for (float value : roundTrip(tiny))
    EXPECT_LE(std::fabs(value), 2e-12f);
}

TEST_P(EncodingTest, MatricesByRows) {
  const EncodingInfo &info = GetParam();
  constexpr uint64_t rows = 11, columns = 96;
  EncodedMatrix matrix(info.encoding, rows, columns);
  EXPECT_EQ(matrix.wordBytes(), rows * columns * info.bits / 8);
  // 16 rows, for the last three of 11 stand with five that there are not.
  EXPECT_EQ(matrix.factorBytes(), 16 * 3 * 2 * info.factorsPerGroup());
  EXPECT_EQ(countEncodedBytes(info.encoding, rows, columns), matrix.bytes());
  std::mt19937 engine(3);
  std::vector<float> values;
  while (values.size() != rows * columns)
    for (float value : makeGroup(engine, 0.1f))
      values.push_back(value);
  std::vector<std::byte> encoded = matrix.encode(values);
  ASSERT_EQ(encoded.size(), matrix.bytes());
  std::vector<float> decoded = matrix.decode(encoded);
  for (size_t begin = 0; begin != values.size(); begin += kGroupSize) {
    std::vector<float> group(values.begin() + begin,
                             values.begin() + begin + kGroupSize);
    EXPECT_EQ(roundTrip(group),
              std::vector<float>(decoded.begin() + begin,
                                 decoded.begin() + begin + kGroupSize));
  }
  // The scale of row 9, group 2 is where the description says.
  uint16_t scale;
  uint64_t at = ((1 * 3 + 2) * info.factorsPerGroup()) * 8 + 1;
  std::memcpy(&scale, encoded.data() + matrix.wordBytes() + 2 * at, 2);
  EXPECT_EQ(scale, encodeGroup(info, &values[9 * columns + 64]).factors[0]);
}

INSTANTIATE_TEST_SUITE_P(All, EncodingTest,
                         testing::ValuesIn(getEncodings().begin(),
                                           getEncodings().end()),
                         [](const auto &info) {
                           std::string name(info.param.name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Encodings, Table) {
  EXPECT_EQ(findEncoding("q5"), nullptr);
  EXPECT_EQ(findEncoding("int8")->bitsPerWeight(), 8.5);
  EXPECT_EQ(findEncoding("q4")->bitsPerWeight(), 4.5);
  EXPECT_EQ(findEncoding("q4-asymmetric")->bitsPerWeight(), 5);
  for (const EncodingInfo &info : getEncodings()) {
    EXPECT_EQ(&getEncodingInfo(info.encoding), &info);
    EXPECT_EQ(findEncoding(info.name), &info);
  }
}

TEST(Encodings, ZeroPointsAreExact) {
  // 11 bits of a scale times 4 of a zero point are more than f16 holds.
  const EncodingInfo &info = getEncodingInfo(Encoding::Q4ZeroPoint);
  EncodedGroup group;
  group.factors[0] = 0x23FF;
  group.factors[1] = floatToF16(13);
  for (unsigned word = 0; word != 4; ++word)
    group.words[word] = 0x76543210;
  std::vector<float> values(kGroupSize);
  decodeGroup(info, group, values.data());
  for (size_t i = 0; i != kGroupSize; ++i)
    EXPECT_EQ(values[i], f16ToFloat(0x23FF) * (float(i / 4) - 13)) << i;
  // Numbers on one side of zero have a zero point at the end of the codes.
  std::vector<float> positive(kGroupSize, 15 * 0.0625f);
  decodeGroup(info, encodeGroup(info, positive.data()), values.data());
  EXPECT_EQ(values, positive);
}

TEST(Encodings, OrderOfCodes) {
  // Element 4 * i + j of a four of words is code i of word j.
  EncodedGroup group;
  group.factors[0] = floatToF16(1);
  group.words[2] = 0x21u << 4; // codes 1 and 2 of word 2
  std::vector<float> values(kGroupSize);
  decodeGroup(getEncodingInfo(Encoding::Q4), group, values.data());
  for (size_t i = 0; i != kGroupSize; ++i)
    EXPECT_EQ(values[i], i == 6 ? 1 - 8 : i == 10 ? 2 - 8 : -8) << i;
  group.words[2] = 0;
  group.words[5] = 0x80u << 8; // code 1 of word 1 of the second four
  decodeGroup(getEncodingInfo(Encoding::Int8), group, values.data());
  for (size_t i = 0; i != kGroupSize; ++i)
    EXPECT_EQ(values[i], i == 16 + 4 + 1 ? -128 : 0) << i;
}

TEST(Encodings, UncheckedSizes) {
  EXPECT_EQ(countEncodedBytes(Encoding::None, 4, 32), std::nullopt);
  EXPECT_EQ(countEncodedBytes(Encoding::Q4, 4, 33), std::nullopt);
  uint64_t huge = ~uint64_t(0);
  EXPECT_EQ(countEncodedBytes(Encoding::Q4, huge, 32), std::nullopt);
  EXPECT_EQ(countEncodedBytes(Encoding::Int8, 1, huge - 31), std::nullopt);
  EXPECT_EQ(countEncodedBytes(Encoding::Int8, huge / 64, 64), std::nullopt);
}
