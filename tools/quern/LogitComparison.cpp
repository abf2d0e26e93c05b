//===- LogitComparison.cpp - How far two models' logits are apart ---------===//

#include "tools/quern/LogitComparison.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace quern::tool;

/// log(sum(exp(x)))
static double logSumExp(std::span<const float> logits) {
  double most = *std::ranges::max_element(logits), sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - most);
  return most + std::log(sum);
}

void LogitComparison::add(std::span<const float> reference,
                          std::span<const float> other, int32_t next) {
  double p = logSumExp(reference), q = logSumExp(other), divergence = 0;
  for (size_t i = 0; i != reference.size(); ++i) {
    double logP = reference[i] - p, logQ = other[i] - q;
    divergence += std::exp(logP) * (logP - logQ);
  }
  // Rounding can take it below zero, which it never is.
  divergences.push_back(std::max(divergence, 0.0));
  agreements += std::ranges::max_element(reference) - reference.begin() ==
                std::ranges::max_element(other) - other.begin();
  if (next < 0)
    return;
  ++predicted;
  referenceLoss += p - reference[static_cast<size_t>(next)];
  otherLoss += q - other[static_cast<size_t>(next)];
}

LogitComparison::Summary LogitComparison::summarize() const {
  Summary summary;
  summary.positions = divergences.size();
  if (divergences.empty())
    return summary;
  std::vector<double> sorted = divergences;
  std::ranges::sort(sorted);
  auto count = static_cast<double>(sorted.size());
  summary.meanDivergence = std::reduce(sorted.begin(), sorted.end()) / count;
  summary.medianDivergence = sorted[sorted.size() / 2];
  summary.highDivergence = sorted[sorted.size() * 99 / 100];
  summary.maxDivergence = sorted.back();
  summary.topAgreement = static_cast<double>(agreements) / count;
  if (predicted != 0) {
    auto tokens = static_cast<double>(predicted);
    summary.referencePerplexity = std::exp(referenceLoss / tokens);
    summary.otherPerplexity = std::exp(otherLoss / tokens);
  }
  return summary;
}
