//===- IntegerCases.cpp - Cases of products of int8 activations -----------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

struct IntegerShape {
  int64_t tokens, inputs, outputs;
  uint32_t run;          ///< Tokens of the run.
  bool swiglu = false;   ///< Then with twice as many weight rows.
  bool inPanels = false; ///< The weight.
};

/// Activations and what the reference makes of them.
struct Activations {
  Tensor x, codes, factors;
};

} // namespace

/// Makes groups of very different size, and some of zeros. Values in the middle
/// between two codes become 0: devices divide with errors of their own.
static void shapeGroup(DataType type, size_t number, float *values) {
  float largest = 0;
  for (unsigned i = 0; i != kGroupSize; ++i) {
    float scaled = std::ldexp(values[i], -int(number % 5) * 3);
    values[i] = number % 7 == 3 ? 0 : roundTo(type, scaled);
    largest = std::max(largest, std::fabs(values[i]));
  }
  for (unsigned i = 0; i != kGroupSize && largest > 0; ++i) {
    float code = std::fabs(values[i]) * 127 / largest;
    if (std::fabs(code - std::floor(code) - 0.5f) < 1e-3f)
      values[i] = 0;
  }
}

static Activations makeActivations(DataType type, unsigned bits, int64_t tokens,
                                   int64_t inputs) {
  Activations a{makeRandom(type, {tokens, inputs}, 2, 31),
                makeZeros(DataType::I32, {tokens, inputs / 4}),
                makeZeros(DataType::F32, {tokens, inputs / kGroupSize, 2})};
  for (size_t i = 0; i < a.x.values.size(); i += kGroupSize)
    shapeGroup(type, i / kGroupSize, &a.x.values[i]);
  reference::quantizeActivations(a.x.values, bits, a.codes.integers,
                                 a.factors.values);
  return a;
}

static KernelCase makeQuantize(DataType type, unsigned bits, int64_t tokens,
                               int64_t inputs, uint32_t run) {
  KernelCase c{
      {"quantize_activations", "quantize_activations", {}, {}}, {}, {}, run, 1};
  c.request.config = {{"weight_bits", int64_t(bits)},
                      {"count", std::string("tokens")}};
  Activations a = makeActivations(type, bits, tokens, inputs);
  c.addInput(a.x);
  c.addOutput({a.codes, 0, 0, run * inputs / 4});
  c.addOutput({a.factors, 0, 1e-6, int64_t(run) * inputs / kGroupSize * 2});
  return c;
}

/// Rows a0, b0, a1, b1, ... of values that are still to be encoded.
static Tensor interleaveRows(const Tensor &a, const Tensor &b) {
  Tensor mixed = a;
  mixed.shape[0] *= 2;
  mixed.unrounded.resize(2 * a.unrounded.size());
  int64_t inputs = a.shape[1];
  for (size_t i = 0; i != a.unrounded.size(); ++i) {
    size_t at = i / inputs * 2 * inputs + i % inputs;
    mixed.unrounded[at] = a.unrounded[i];
    mixed.unrounded[at + inputs] = b.unrounded[i];
  }
  return mixed;
}

static KernelCase makeIntegerLinear(Encoding encoding, DataType output,
                                    IntegerShape shape) {
  KernelCase c{
      {"integer_linear", "integer_linear", {}, {}}, {}, {}, shape.run, 1};
  c.request.config = {
      {"epilogue", std::string(shape.swiglu ? "swiglu" : "none")},
      {"count", std::string("tokens")}};
  double scale = 1 / std::sqrt(double(shape.inputs));
  unsigned bits = getEncodingInfo(encoding).bits;
  Activations a =
      makeActivations(DataType::F32, bits, shape.tokens, shape.inputs);
  std::vector<float> x(a.x.values.size());
  reference::dequantizeActivations(a.codes.integers, a.factors.values, bits, x);
  std::vector<int64_t> matrix = {shape.outputs, shape.inputs};
  Tensor weight = makeRandomWeight(DataType::F32, encoding, matrix, scale, 32);
  Tensor out = makeZeros(output, {shape.tokens, shape.outputs});
  if (shape.swiglu) {
    Tensor up = makeRandomWeight(DataType::F32, encoding, matrix, scale, 33);
    reference::linearSwiglu(x, shape.inputs, {weight.values, shape.outputs},
                            {up.values, shape.outputs}, output, out.values);
    weight = interleaveRows(weight, up);
  } else {
    reference::Matrix one{weight.values, shape.outputs};
    reference::linear(x, shape.inputs, {&one, 1}, output, out.values);
  }
  c.addInput(a.codes);
  c.addInput(a.factors);
  unsigned argument = c.addInput(weight);
  if (shape.inPanels)
    c.panelWeights = {argument};
  c.addOutput(
      {out, 2e-6, relativeTolerance(output), shape.run * shape.outputs});
  return c;
}

static void add(std::vector<NamedCase> &cases, Encoding encoding,
                DataType output, IntegerShape shape) {
  std::string name = "integer_linear_";
  name += shape.swiglu ? "swiglu_" : "";
  name += weightName(DataType::F32, encoding) + "_" + typeName(output) + "_T" +
          std::to_string(shape.tokens) + "of" + std::to_string(shape.run) +
          "_" + std::to_string(shape.inputs) + "x" +
          std::to_string(shape.outputs);
  name += shape.inPanels ? "_panels" : "";
  cases.push_back({name, "integer_linear",
                   [=] { return makeIntegerLinear(encoding, output, shape); }});
}

void test::addIntegerCases(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  for (DataType type : {f32, f16, bf16})
    for (unsigned bits : {4u, 8u})
      for (int64_t inputs : {32, 96, 1024}) {
        std::string name = "quantize_activations_" + typeName(type) + "_" +
                           std::to_string(bits) + "bits_" +
                           std::to_string(inputs);
        cases.push_back({name, "quantize_activations", [=] {
                           return makeQuantize(type, bits, 5, inputs, 4);
                         }});
      }
  for (const EncodingInfo &info : getEncodings()) {
    for (DataType output : {f32, f16, bf16})
      for (bool swiglu : {false, true})
        for (bool inPanels : {false, true}) {
          Encoding encoding = info.encoding;
          add(cases, encoding, output, {1, 64, 96, 1, swiglu, inPanels});
          add(cases, encoding, output, {7, 96, 48, 7, swiglu, inPanels});
          add(cases, encoding, output, {41, 160, 104, 33, swiglu, inPanels});
        }
    for (int64_t tokens : {2, 3, 4, 5, 8, 13})
      add(cases, info.encoding, f32,
          {tokens, 64, 152, uint32_t(tokens), false, true});
    // Tiles of 16 tokens and 16 rows.
    for (bool swiglu : {false, true}) {
      add(cases, info.encoding, f32, {16, 96, 80, 16, swiglu, true});
      add(cases, info.encoding, f32, {64, 64, 48, 33, swiglu, true});
      add(cases, info.encoding, bf16, {150, 32, 96, 150, swiglu, true});
    }
    // Rows that make no panels.
    for (int64_t tokens : {1, 41})
      add(cases, info.encoding, f32, {tokens, 64, 311, uint32_t(tokens)});
    add(cases, info.encoding, f32, {1, 3072, 1024, 1, false, true});
  }
}
