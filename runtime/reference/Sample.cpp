//===- Sample.cpp - from logits to tokens ---------------------------------===//
#include "runtime/reference/Reference.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

using namespace quern;
using namespace quern::reference;

namespace {
/// A row of the sampling tensor.
struct Parameters {
  explicit Parameters(Floats row)
      : temperature(row[0]), topK(row[1]), topP(row[2]), minP(row[3]),
        repetitionPenalty(row[4]), uniform(row[5]) {}

  float temperature, topK, topP, minP, repetitionPenalty, uniform;
};
} // namespace

static void penalise(std::span<float> logits, Integers seen, float penalty) {
  if (!(penalty > 0) || penalty == 1)
    return;
  for (size_t v = 0; v < logits.size(); ++v)
    if (static_cast<uint32_t>(seen[v / 32]) >> (v % 32) & 1)
      logits[v] = logits[v] > 0 ? logits[v] / penalty : logits[v] * penalty;
}

/// The lowest index of the greatest logit.
static int32_t argmax(Floats logits) {
  int32_t best = 0;
  for (size_t v = 1; v < logits.size(); ++v)
    if (logits[v] > logits[best])
      best = static_cast<int32_t>(v);
  return best;
}

/// The smallest logit that the three filters keep.
static float threshold(Floats logits, const Parameters &parameters) {
  std::vector<float> sorted(logits.begin(), logits.end());
  std::ranges::sort(sorted, std::greater());
  float highest = sorted.front();
  float lowest = sorted.back();
  if (parameters.topK >= 1 && parameters.topK < sorted.size())
    lowest = sorted[static_cast<size_t>(parameters.topK) - 1];
  if (parameters.topP < 1) {
    double total = 0, running = 0;
    for (float logit : sorted)
      if (logit >= lowest)
        total += std::exp(static_cast<double>(logit) - highest);
    for (float logit : sorted) {
      running += std::exp(static_cast<double>(logit) - highest);
      if (running >= parameters.topP * total) {
        lowest = std::max(lowest, logit);
        break;
      }
    }
  }
  if (parameters.minP > 0)
    lowest = std::max(lowest, highest + std::log(parameters.minP));
  return std::min(lowest, highest);
}

static int32_t sampleRow(std::vector<float> logits,
                         const Parameters &parameters, Integers seen) {
  penalise(logits, seen, parameters.repetitionPenalty);
  if (!(parameters.temperature > 0))
    return argmax(logits);
  for (float &logit : logits)
    logit /= parameters.temperature;
  float lowest = threshold(logits, parameters);
  double highest = *std::ranges::max_element(logits);
  double total = 0, running = 0;
  for (float logit : logits)
    if (logit >= lowest)
      total += std::exp(logit - highest);
  int32_t last = argmax(logits);
  for (size_t v = 0; v < logits.size(); ++v) {
    if (!(logits[v] >= lowest))
      continue;
    last = static_cast<int32_t>(v);
    running += std::exp(logits[v] - highest);
    if (running > parameters.uniform * total)
      return last;
  }
  return last;
}

void reference::sample(Floats logits, int64_t vocabSize, Floats sampling,
                       Integers seen, std::span<int32_t> tokens) {
  int64_t words = (vocabSize + 31) / 32;
  for (size_t r = 0; r < tokens.size(); ++r) {
    Floats row = logits.subspan(r * vocabSize, vocabSize);
    tokens[r] = sampleRow({row.begin(), row.end()},
                          Parameters(sampling.subspan(r * samplingParameters,
                                                      samplingParameters)),
                          seen.subspan(r * words, words));
  }
}
