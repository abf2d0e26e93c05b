//===- MoeCases.cpp - Cases around mixtures of experts --------------------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

static KernelCase makeRouter(Tokens tokens, int64_t experts, int64_t slots,
                             bool normalize) {
  KernelCase c{{"router", "router", {}, {}}, {}, {}, tokens.run, 1};
  c.request.config = {{"normalize", normalize}};
  // The logits are those of one-hot tokens, one for each expert.
  Tensor logits = makeRandom(DataType::F32, {tokens.total, experts}, 4, 51);
  for (int64_t t = 0; t != tokens.total; ++t) {
    float *row = &logits.values[t * experts];
    if (t % 3 == 1) // Equal ones.
      for (int64_t e = 0; e != experts; ++e)
        row[e] = std::round(row[e] / 2);
    if (t % 5 == 2) // All equal.
      std::fill_n(row, experts, 1.5f);
  }
  Tensor chosen = makeZeros(DataType::I32, {tokens.total, slots});
  Tensor weights = makeZeros(DataType::F32, {tokens.total, slots});
  Tensor one = {DataType::F32, {1}, {1}, {}};
  for (int64_t t = 0; t != tokens.total; ++t)
    reference::router(
        one.values, 1,
        {std::span(logits.values).subspan(t * experts, experts), experts},
        normalize, slots, std::span(chosen.integers).subspan(t * slots, slots),
        std::span(weights.values).subspan(t * slots, slots));
  c.addInput(logits);
  c.addOutput({chosen, 0, 0, tokens.run * slots});
  c.addOutput({weights, 1e-6, 1e-5, tokens.run * slots});
  return c;
}

static KernelCase makeExpertCombine(DataType type, Tokens tokens, int64_t slots,
                                    int64_t features) {
  KernelCase c{
      {"expert_combine", "expert_combine", {}, {}}, {}, {}, tokens.run, 1};
  Tensor products =
      makeRandom(DataType::F32, {tokens.total, slots, features}, 2, 58);
  Tensor weights = makeRandom(DataType::F32, {tokens.total, slots}, 1, 59);
  Tensor out = makeZeros(type, {tokens.total, features});
  for (int64_t i = 0; i != tokens.total * features; ++i) {
    double sum = 0;
    for (int64_t j = 0; j != slots; ++j)
      sum +=
          double(weights.values[i / features * slots + j]) *
          products.values[(i / features * slots + j) * features + i % features];
    out.values[i] = roundTo(type, float(sum));
  }
  c.addInput(products);
  c.addInput(weights);
  c.addOutput({out, 2e-6, relativeTolerance(type), tokens.run * features});
  return c;
}

static KernelCase makeScaleBySigmoid(DataType type, Tokens tokens,
                                     int64_t features) {
  KernelCase c{
      {"scale_by_sigmoid", "scale_by_sigmoid", {}, {}}, {}, {}, tokens.run, 1};
  Tensor x = makeRandom(type, {tokens.total, features}, 3, 56);
  Tensor gate = makeRandom(DataType::F32, {tokens.total, 1}, 8, 57);
  gate.values[0] = -200; // exp of the opposite overflows
  Tensor out = makeZeros(type, {tokens.total, features});
  reference::scaleBySigmoid(x.values, gate.values, type, out.values);
  c.addInput(x);
  c.addInput(gate);
  c.addOutput({out, 1e-6, relativeTolerance(type), tokens.run * features});
  return c;
}

static void addRouters(std::vector<NamedCase> &cases) {
  struct {
    Tokens tokens;
    int64_t experts, slots;
  } shapes[] = {{{1, 1}, 128, 8},   {{8, 5}, 8, 2},    {{41, 41}, 6, 3},
                {{33, 20}, 7, 7},   {{3, 3}, 512, 10}, {{2, 2}, 1, 1},
                {{600, 600}, 16, 2}};
  for (const auto &shape : shapes)
    for (bool normalize : {false, true})
      cases.push_back({std::string("router_") +
                           (normalize ? "normalize_" : "") + "T" +
                           std::to_string(shape.tokens.total) + "of" +
                           std::to_string(shape.tokens.run) + "_" +
                           std::to_string(shape.slots) + "of" +
                           std::to_string(shape.experts),
                       "router", [=] {
                         return makeRouter(shape.tokens, shape.experts,
                                           shape.slots, normalize);
                       }});
}

void test::addMoeCases(std::vector<NamedCase> &cases) {
  addRouters(cases);
  for (DataType type : {DataType::F32, DataType::F16, DataType::BF16})
    cases.push_back({"expert_combine_" + typeName(type), "expert_combine",
                     [=] { return makeExpertCombine(type, {41, 17}, 3, 96); }});
  for (DataType type : {DataType::F32, DataType::F16, DataType::BF16})
    cases.push_back({"scale_by_sigmoid_" + typeName(type), "scale_by_sigmoid",
                     [=] { return makeScaleBySigmoid(type, {41, 17}, 96); }});
}
