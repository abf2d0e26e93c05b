//===- EncodeGroup.cpp - Rounding a group of weights ----------------------===//
//
// Candidates for the scale around the one that just fits the largest value: a
// smaller one clips it and rounds the others finer. For each, the codes are
// rounded, the factors that fit these codes best are computed by least squares
// and rounded to f16, and the error is measured with what will be stored.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Encoding.h"

#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace quern;

namespace {

/// Codes and factors under trial.
struct Trial {
  float codes[kGroupSize]; ///< Without the zero: code - zero, or code.
  float zero = 0;          ///< Of these codes, where a group has its own.
  uint16_t scale = 0, minimum = 0;
  float error = std::numeric_limits<float>::infinity();
};

} // namespace

/// Codes of scale and minimum, as whole numbers.
static void roundCodes(const float *values, float inverse, float minimum,
                       float lowest, float highest, float *codes) {
  // Adding and taking away 1.5 * 2^23 rounds to even, in vector registers too.
  constexpr float magic = 12582912;
  for (unsigned i = 0; i != kGroupSize; ++i) {
    float scaled = (values[i] - minimum) * inverse;
    scaled = std::min(std::max(scaled, lowest), highest);
    codes[i] = (scaled + magic) - magic;
  }
}

/// Sums of a group in a fixed order, eight at a time.
template <typename Term> static float sumTerms(Term term) {
  float sums[8] = {};
  for (unsigned i = 0; i != kGroupSize; i += 8)
    for (unsigned j = 0; j != 8; ++j)
      sums[j] += term(i + j);
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
         ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// Fits factors to the codes of `trial` and measures the error.
static void fitFactors(const EncodingInfo &info, const float *values,
                       Trial &trial) {
  const float *q = trial.codes;
  float qq = sumTerms([&](unsigned i) { return q[i] * q[i]; });
  float xq = sumTerms([&](unsigned i) { return values[i] * q[i]; });
  float scale = 0, minimum = 0;
  if (info.hasMinimum && !info.hasZeroPoint) {
    float sumQ = sumTerms([&](unsigned i) { return q[i]; });
    float sumX = sumTerms([&](unsigned i) { return values[i]; });
    float determinant = kGroupSize * qq - sumQ * sumQ;
    if (determinant > 0)
      scale = (kGroupSize * xq - sumQ * sumX) / determinant;
    minimum = (sumX - scale * sumQ) / kGroupSize;
  } else if (qq > 0) {
    scale = xq / qq;
  }
  trial.scale = floatToF16(scale);
  trial.minimum = floatToF16(info.hasZeroPoint ? trial.zero : minimum);
  scale = f16ToFloat(trial.scale);
  minimum = info.hasZeroPoint ? 0 : f16ToFloat(trial.minimum);
  trial.error = sumTerms([&](unsigned i) {
    float difference = values[i] - (scale * q[i] + minimum);
    return difference * difference;
  });
}

void quern::packCodes(const EncodingInfo &info, const uint8_t *codes,
                      EncodedGroup &group) {
  uint32_t mask = (1u << info.bits) - 1;
  unsigned perFour = 4 * info.codesPerWord();
  std::fill_n(group.words, info.wordsPerGroup(), 0u);
  for (unsigned i = 0; i != kGroupSize; ++i)
    group.words[i / perFour * 4 + i % 4] |= (codes[i] & mask)
                                            << (i % perFour / 4 * info.bits);
}

static EncodedGroup finish(const EncodingInfo &info, const Trial &trial) {
  EncodedGroup group;
  uint8_t codes[kGroupSize];
  int zero = info.hasMinimum ? static_cast<int>(trial.zero) : info.zero;
  for (unsigned i = 0; i != kGroupSize; ++i)
    codes[i] = static_cast<uint8_t>(static_cast<int>(trial.codes[i]) + zero);
  packCodes(info, codes, group);
  group.squaredError = trial.error;
  group.factors[0] = trial.scale;
  group.factors[1] = info.hasMinimum ? trial.minimum : 0;
  return group;
}

/// Rounds the codes of a trial, and with a zero point that one first: from
/// there on its codes are those of a symmetric group.
static void roundTrial(const EncodingInfo &info, const float *values,
                       float inverse, float minimum, Trial &trial) {
  int zero = info.hasMinimum ? 0 : info.zero;
  auto lowest = static_cast<float>(info.lowestCode() - zero);
  auto highest = static_cast<float>(info.highestCode() - zero);
  if (info.hasZeroPoint) {
    trial.zero = std::clamp(std::nearbyint(-minimum * inverse), 0.0f, highest);
    lowest -= trial.zero;
    highest -= trial.zero;
    minimum = 0;
  }
  roundCodes(values, inverse, minimum, lowest, highest, trial.codes);
}

/// The factor of all-equal codes: the values' best fit without a scale.
static Trial makeFlat(const EncodingInfo &info, const float *values) {
  Trial trial;
  std::fill_n(trial.codes, kGroupSize, 0.0f);
  fitFactors(info, values, trial);
  return trial;
}

EncodedGroup quern::encodeGroup(const EncodingInfo &info, const float *values) {
  Trial best = makeFlat(info, values);
  auto [low, high] = std::minmax_element(values, values + kGroupSize);
  // The value that takes the code furthest from zero, with its sign: a negative
  // scale is as good as a positive one.
  float extreme = -*low > *high ? *low : *high;
  int zero = info.hasMinimum ? 0 : info.zero;
  float minimum = info.hasMinimum ? *low : 0;
  float range = info.hasMinimum ? *high - *low : extreme;
  if (info.hasZeroPoint) {
    // Zero is one of the codes.
    minimum = std::min(minimum, 0.0f);
    range = std::max(*high, 0.0f) - minimum;
  }
  auto limit = static_cast<float>(
      (info.hasMinimum ? info.highestCode() : info.lowestCode()) - zero);
  if (range == 0)
    return finish(info, best);
  // Codes of many bits leave little to gain.
  int steps = info.bits > 4 ? 2 : 6;
  for (int step = -steps; step <= steps; ++step) {
    float inverse = (limit + static_cast<float>(step) * limit * 0.02f) / range;
    if (!std::isfinite(inverse))
      continue;
    Trial trial;
    roundTrial(info, values, inverse, minimum, trial);
    fitFactors(info, values, trial);
    // Round once more with what the fit gave.
    float scale = f16ToFloat(trial.scale);
    if (scale != 0 && std::isfinite(1 / scale)) {
      Trial refined;
      float fitted = !info.hasMinimum    ? 0
                     : info.hasZeroPoint ? -(scale * trial.zero)
                                         : f16ToFloat(trial.minimum);
      roundTrial(info, values, 1 / scale, fitted, refined);
      fitFactors(info, values, refined);
      if (refined.error < trial.error)
        trial = refined;
    }
    if (trial.error < best.error)
      best = trial;
  }
  return finish(info, best);
}
