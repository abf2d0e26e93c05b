//===- RopeFrequenciesTest.cpp - inverse frequencies of a config ----------===//
#include "frontend/Models/RopeFrequencies.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace quern;

TEST(RopeFrequencies, PowersOfTheta) {
  RopeConfig rope;
  rope.theta = 10000;
  rope.rotaryDim = 8;
  std::vector<float> found = computeInverseFrequencies(rope);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], 1.0f);
  EXPECT_FLOAT_EQ(found[1], 0.1f);
  EXPECT_FLOAT_EQ(found[2], 0.01f);
  EXPECT_FLOAT_EQ(found[3], 0.001f);
}

static RopeConfig yarn() {
  RopeConfig rope;
  rope.type = RopeType::Yarn;
  rope.theta = 10000;
  rope.rotaryDim = 32;
  rope.factor = 4;
  rope.originalMaxPositionEmbeddings = 64;
  return rope;
}

TEST(RopeFrequencies, YarnRampsFromKeptToDivided) {
  // The borders of the ramp are max(floor(-1.99), 0) = 0 and ceil(4.03) = 5;
  // values from a computation in double.
  const double expected[] = {
      1.0,  0.4779901264117968,   0.22135943621178655, 0.09780536755214077,
      0.04, 0.014058533129758728, 0.007905694150420948};
  std::vector<float> found = computeInverseFrequencies(yarn());
  ASSERT_EQ(found.size(), 16u);
  for (size_t j = 0; j < std::size(expected); ++j)
    EXPECT_NEAR(found[j], expected[j], expected[j] * 3e-7) << j;
  EXPECT_NEAR(found[15], 4.445698525097307e-05, 1e-11);
}

TEST(RopeFrequencies, YarnWithoutTruncation) {
  RopeConfig rope = yarn();
  rope.truncate = false;
  // Ramp from 0 to 4.032: j = 1 lies 0.24802 of the way.
  double kept = std::pow(10000.0, -1.0 / 16);
  EXPECT_NEAR(computeInverseFrequencies(rope)[1], kept * (1 - 0.248016 * 0.75),
              1e-6);
}

TEST(RopeFrequencies, YarnWithCollapsedRamp) {
  RopeConfig rope = yarn();
  // Both borders are dimension 0: no division by zero.
  rope.originalMaxPositionEmbeddings = 1;
  for (float frequency : computeInverseFrequencies(rope))
    EXPECT_TRUE(std::isfinite(frequency));
}
