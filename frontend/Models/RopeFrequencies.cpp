//===- RopeFrequencies.cpp - inverse frequencies of a config --------------===//
#include "frontend/Models/RopeFrequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace quern;

/// The dimension that turns `rotations` times within the original context.
static double correctionDim(const RopeConfig &rope, double rotations) {
  return rope.rotaryDim *
         std::log(rope.originalMaxPositionEmbeddings /
                  (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(rope.theta));
}

/// YaRN: fast dimensions keep their frequency, slow ones are divided by the
/// factor, a ramp lies between.
static void applyYarn(const RopeConfig &rope, std::vector<float> &frequencies,
                      const std::vector<float> &periods) {
  double low = correctionDim(rope, rope.betaFast);
  double high = correctionDim(rope, rope.betaSlow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(rope.rotaryDim - 1));
  if (low == high)
    high += 0.001;
  for (size_t j = 0; j < frequencies.size(); ++j) {
    float ramp = (static_cast<float>(j) - static_cast<float>(low)) /
                 static_cast<float>(high - low);
    float kept = 1 - std::clamp(ramp, 0.0f, 1.0f);
    float slowed = 1 / (static_cast<float>(rope.factor) * periods[j]);
    frequencies[j] = slowed * (1 - kept) + frequencies[j] * kept;
  }
}

std::vector<float> quern::computeInverseFrequencies(const RopeConfig &rope) {
  size_t count = rope.rotaryDim / 2;
  std::vector<float> periods(count), frequencies(count);
  for (size_t j = 0; j < count; ++j) {
    float exponent =
        static_cast<float>(2 * j) / static_cast<float>(rope.rotaryDim);
    periods[j] =
        static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
    frequencies[j] = 1 / periods[j];
  }
  if (rope.type == RopeType::Yarn)
    applyYarn(rope, frequencies, periods);
  return frequencies;
}
