//===- Moe.cpp - router, experts, gate of the shared expert ---------------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::reference;

/// The indices of the greatest of `logits`, descending.
static std::vector<int32_t> findGreatest(Floats logits, int64_t count) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto rank = [&](int32_t e) {
    return std::isnan(logits[e]) ? -INFINITY : logits[e];
  };
  std::ranges::stable_sort(
      order, [&](int32_t a, int32_t b) { return rank(a) > rank(b); });
  order.resize(count);
  return order;
}

void reference::router(Floats x, int64_t inputs, const Matrix &gate,
                       bool normalize, int64_t slots,
                       std::span<int32_t> experts, Output weights) {
  int64_t tokens = x.size() / inputs;
  std::vector<float> logits(tokens * gate.rows);
  linear(x, inputs, {&gate, 1}, DataType::F32, logits);
  for (int64_t t = 0; t < tokens; ++t) {
    Floats row = Floats(logits).subspan(t * gate.rows, gate.rows);
    std::vector<int32_t> chosen = findGreatest(row, slots);
    double greatest = row[chosen.front()], total = 0, kept = 0;
    for (float logit : row)
      total += std::exp(logit - greatest);
    for (int32_t e : chosen)
      kept += std::exp(row[e] - greatest);
    for (int64_t j = 0; j < slots; ++j) {
      experts[t * slots + j] = chosen[j];
      weights[t * slots + j] = static_cast<float>(
          std::exp(row[chosen[j]] - greatest) / (normalize ? kept : total));
    }
  }
}

/// Adds weight * expert(x) to sum; all for one token.
static void addExpert(Floats x, const Experts &experts, int64_t e, float weight,
                      DataType type, std::span<double> sum) {
  int64_t hidden = experts.hiddenSize, inner = experts.intermediateSize;
  Floats rows =
      experts.gateUp.subspan(e * 2 * inner * hidden, 2 * inner * hidden);
  Matrix gate = {rows.first(inner * hidden), inner};
  Matrix up = {rows.subspan(inner * hidden), inner};
  std::vector<float> gated(inner), product(hidden);
  linearSwiglu(x, hidden, gate, up, type, gated);
  if (experts.int8Activations)
    roundToCodes(gated);
  Matrix down = {experts.down.subspan(e * hidden * inner, hidden * inner),
                 hidden};
  linear(gated, inner, {&down, 1}, DataType::F32, product);
  for (int64_t n = 0; n < hidden; ++n)
    sum[n] += static_cast<double>(weight) * product[n];
}

Status reference::expertSum(Floats x, const ExpertChoice &choice,
                            const Experts &experts, DataType type, Output out) {
  int64_t hidden = experts.hiddenSize, slots = choice.slots;
  int64_t tokens = x.size() / hidden;
  std::vector<float> rounded;
  if (experts.int8Activations) {
    rounded.assign(x.begin(), x.end());
    roundToCodes(rounded);
    x = rounded;
  }
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<double> sum(hidden);
    for (int64_t j = 0; j < slots; ++j) {
      int32_t e = choice.experts[t * slots + j];
      if (e < 0 || e >= experts.count())
        return invalidArgument("token " + std::to_string(t) +
                               " chooses expert " + std::to_string(e) +
                               ", expected 0 to " +
                               std::to_string(experts.count() - 1));
      addExpert(x.subspan(t * hidden, hidden), experts, e,
                choice.weights[t * slots + j], type, sum);
    }
    for (int64_t n = 0; n < hidden; ++n)
      out[t * hidden + n] = roundTo(type, static_cast<float>(sum[n]));
  }
  return Status::ok();
}

void reference::scaleBySigmoid(Floats x, Floats gate, DataType type,
                               Output out) {
  size_t features = gate.empty() ? 0 : x.size() / gate.size();
  if (features == 0)
    return;
  for (size_t i = 0; i < out.size(); ++i) {
    double z = gate[i / features];
    out[i] = roundTo(type, static_cast<float>(x[i] / (1 + std::exp(-z))));
  }
}
