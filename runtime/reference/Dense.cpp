//===- Dense.cpp - embedding, norms, products, gated units ----------------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::reference;

Status reference::embedding(Integers ids, Floats table, int64_t vocabSize,
                            int64_t hiddenSize, Output out) {
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] < 0 || ids[t] >= vocabSize)
      return invalidArgument("token " + std::to_string(t) + " has id " +
                             std::to_string(ids[t]) + ", expected 0 to " +
                             std::to_string(vocabSize - 1));
    std::ranges::copy(table.subspan(ids[t] * hiddenSize, hiddenSize),
                      out.begin() + t * hiddenSize);
  }
  return Status::ok();
}

void reference::rmsNorm(Floats x, const Norm &norm, DataType type, Output out) {
  size_t features = norm.weight.size();
  assert(x.size() % features == 0 && out.size() == x.size());
  for (size_t begin = 0; begin < x.size(); begin += features) {
    double squares = 0;
    for (size_t i = 0; i < features; ++i)
      squares += static_cast<double>(x[begin + i]) * x[begin + i];
    double factor = 1 / std::sqrt(squares / features + norm.epsilon);
    for (size_t i = 0; i < features; ++i) {
      double weight = norm.weight[i] + (norm.unitOffset ? 1.0 : 0.0);
      out[begin + i] =
          roundTo(type, static_cast<float>(x[begin + i] * factor * weight));
    }
  }
}

void reference::residualAdd(Floats residual, Floats delta, Output out) {
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = residual[i] + delta[i];
}

void reference::addRmsNorm(Floats residual, Floats delta, const Norm &norm,
                           DataType type, Output sum, Output normed) {
  residualAdd(residual, delta, sum);
  rmsNorm(sum, norm, type, normed);
}

void reference::linear(Floats x, int64_t inputs,
                       std::span<const Matrix> weights, DataType type,
                       Output out) {
  size_t next = 0;
  for (size_t begin = 0; begin < x.size(); begin += inputs)
    for (const Matrix &weight : weights)
      for (int64_t n = 0; n < weight.rows; ++n) {
        const float *row = weight.values.data() + n * inputs;
        double sum = 0;
        for (int64_t k = 0; k < inputs; ++k)
          sum += static_cast<double>(x[begin + k]) * row[k];
        out[next++] = roundTo(type, static_cast<float>(sum));
      }
  assert(next == out.size());
}

void reference::swiglu(Floats gate, Floats up, DataType type, Output out) {
  for (size_t i = 0; i < out.size(); ++i) {
    double z = gate[i];
    out[i] = roundTo(type, static_cast<float>(z / (1 + std::exp(-z)) * up[i]));
  }
}

void reference::linearSwiglu(Floats x, int64_t inputs, const Matrix &gate,
                             const Matrix &up, DataType type, Output out) {
  std::vector<float> gated(out.size()), raised(out.size());
  linear(x, inputs, {&gate, 1}, DataType::F32, gated);
  linear(x, inputs, {&up, 1}, DataType::F32, raised);
  swiglu(gated, raised, type, out);
}

Status reference::selectRows(Floats x, int64_t features, Integers rows,
                             Output out) {
  int64_t tokens = x.size() / features;
  for (size_t r = 0; r < rows.size(); ++r) {
    if (rows[r] < 0 || rows[r] >= tokens)
      return invalidArgument("row " + std::to_string(r) + " selects token " +
                             std::to_string(rows[r]) + " of " +
                             std::to_string(tokens));
    std::ranges::copy(x.subspan(rows[r] * features, features),
                      out.begin() + r * features);
  }
  return Status::ok();
}
