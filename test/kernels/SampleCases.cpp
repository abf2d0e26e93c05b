//===- SampleCases.cpp - Cases of sample ----------------------------------===//
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace quern;
using namespace quern::test;

namespace {

/// A sampling row without the random number.
struct Parameters {
  float temperature = 0, topK = 0, topP = 1, minP = 0, penalty = 1;
};

struct SampleInputs {
  int64_t rows, vocabulary;
  Tensor logits, sampling, seen;
};

} // namespace

static SampleInputs makeInputs(int64_t rows, int64_t vocabulary,
                               const Parameters &parameters) {
  SampleInputs in{rows, vocabulary, {}, {}, {}};
  int64_t words = (vocabulary + 31) / 32;
  in.logits = makeRandom(DataType::F32, {rows, vocabulary}, 6, 41);
  in.sampling = makeZeros(DataType::F32, {rows, 8});
  in.seen = makeZeros(DataType::I32, {rows, words});
  for (int64_t r = 0; r != rows; ++r) {
    const float row[] = {
        parameters.temperature, parameters.topK,
        parameters.topP,        parameters.minP,
        parameters.penalty,     (static_cast<float>(r) + 0.37f) / rows};
    std::copy(std::begin(row), std::end(row),
              in.sampling.values.begin() + r * 8);
  }
  for (size_t i = 0; i != in.seen.integers.size(); ++i)
    in.seen.integers[i] = static_cast<int32_t>(i * 2654435761u);
  return in;
}

static KernelCase finish(const SampleInputs &in) {
  KernelCase c{{"sample", "sample", {}, {}}, {}, {}, 0, 0};
  c.rows = static_cast<uint32_t>(in.rows);
  Tensor tokens = makeZeros(DataType::I32, {in.rows});
  reference::sample(in.logits.values, in.vocabulary, in.sampling.values,
                    in.seen.integers, tokens.integers);
  c.addInput(in.logits);
  c.addInput(in.sampling);
  c.addInput(in.seen);
  c.addOutput({tokens});
  return c;
}

static KernelCase makeSample(int64_t rows, int64_t vocabulary,
                             const Parameters &parameters) {
  return finish(makeInputs(rows, vocabulary, parameters));
}

/// Equal maxima: the lowest index wins.
static KernelCase makeTies() {
  SampleInputs in = makeInputs(2, 311, {});
  for (int64_t v : {300, 17, 18, 120})
    in.logits.values[v] = 7;
  in.logits.values[311] = in.logits.values[2 * 311 - 1] = 8;
  return finish(in);
}

/// Rows that have no answer, greedy or not.
static KernelCase makeInvalid(float temperature) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  SampleInputs in = makeInputs(4, 512, {temperature});
  in.logits.values[512 + 300] = std::numeric_limits<float>::quiet_NaN();
  in.logits.values[2 * 512 + 7] = infinity;
  std::fill(in.logits.values.begin() + 3 * 512, in.logits.values.end(),
            -infinity);
  KernelCase c = finish(in);
  for (int row : {1, 2, 3})
    c.expected.begin()->second.tensor.integers[row] = -1;
  return c;
}

void test::addSampleCases(std::vector<NamedCase> &cases) {
  auto add = [&](std::string name, Parameters parameters) {
    for (int64_t vocabulary : {311, 512})
      cases.push_back({"sample_" + name + "_" + std::to_string(vocabulary),
                       "sample",
                       [=] { return makeSample(8, vocabulary, parameters); }});
  };
  add("greedy", {});
  add("greedy_penalty", {0, 0, 1, 0, 1.7f});
  add("temperature", {1.3f, 0, 1, 0, 1});
  add("penalty", {0.8f, 0, 1, 0, 1.3f});
  add("top_k", {1, 20, 1, 0, 1});
  add("top_k_1", {1, 1, 1, 0, 1});
  add("top_k_all", {1, 1000, 1, 0, 1});
  add("top_p", {1.1f, 0, 0.8f, 0, 1});
  add("top_p_0", {1, 0, 0, 0, 1});
  add("min_p", {1, 0, 1, 0.05f, 1});
  add("all", {0.7f, 20, 0.95f, 0.02f, 1.1f});
  auto addLarge = [&](std::string name, Parameters parameters) {
    cases.push_back({"sample_" + name + "_151936", "sample",
                     [=] { return makeSample(2, 151936, parameters); }});
  };
  addLarge("temperature", {0.7f, 0, 1, 0, 1});
  addLarge("penalty", {0.7f, 0, 1, 0, 1.05f});
  addLarge("top_k", {0.7f, 20, 1, 0, 1});
  addLarge("top_p", {0.7f, 0, 0.95f, 0, 1});
  addLarge("min_p", {0.7f, 0, 1, 0.01f, 1});
  addLarge("all", {0.7f, 20, 0.95f, 0.01f, 1.05f});
  cases.push_back({"sample_greedy_151936", "sample",
                   [] { return makeSample(1, 151936, {}); }});
  cases.push_back({"sample_ties", "sample", makeTies});
  cases.push_back({"sample_invalid", "sample", [] { return makeInvalid(0); }});
  cases.push_back(
      {"sample_invalid_random", "sample", [] { return makeInvalid(1); }});
}
