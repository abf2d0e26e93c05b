//===- LinearCases.cpp - Cases of linear ----------------------------------===//
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

struct LinearShape {
  int64_t tokens, inputs, outputs;
  uint32_t run; ///< Tokens of the run.
};

struct LinearTypes {
  DataType input, weight, output;
  Encoding encoding = Encoding::None;
};

} // namespace

/// Rows a0, b0, a1, b1, ...
static Tensor interleave(const Tensor &a, const Tensor &b) {
  Tensor mixed = makeZeros(a.type, {2 * a.shape[0], a.shape[1]});
  mixed.encoding = a.encoding;
  mixed.unrounded.resize(2 * a.unrounded.size());
  int64_t inputs = a.shape[1];
  for (auto part : {&Tensor::values, &Tensor::unrounded})
    for (size_t i = 0; i != (a.*part).size(); ++i) {
      size_t at = i / inputs * 2 * inputs + i % inputs;
      (mixed.*part)[at] = (a.*part)[i];
      (mixed.*part)[at + inputs] = (b.*part)[i];
    }
  return mixed;
}

static KernelCase makeLinear(LinearTypes types, LinearShape shape,
                             bool swiglu) {
  KernelCase c{{"linear", "linear", {}, {}}, {}, {}, shape.run, 1};
  c.request.config = {{"epilogue", std::string(swiglu ? "swiglu" : "none")},
                      {"count", std::string("tokens")}};
  double scale = 1 / std::sqrt(double(shape.inputs));
  std::vector<int64_t> matrix = {shape.outputs, shape.inputs};
  Tensor x = makeRandom(types.input, {shape.tokens, shape.inputs}, 2, 21);
  Tensor weight =
      makeRandomWeight(types.weight, types.encoding, matrix, scale, 22);
  Tensor out = makeZeros(types.output, {shape.tokens, shape.outputs});
  if (swiglu) {
    Tensor up =
        makeRandomWeight(types.weight, types.encoding, matrix, scale, 23);
    reference::linearSwiglu(
        x.values, shape.inputs, {weight.values, shape.outputs},
        {up.values, shape.outputs}, types.output, out.values);
    weight = interleave(weight, up);
  } else {
    reference::Matrix one{weight.values, shape.outputs};
    reference::linear(x.values, shape.inputs, {&one, 1}, types.output,
                      out.values);
  }
  c.addInput(x);
  c.addInput(weight);
  double relative = relativeTolerance(types.output);
  c.addOutput({out, 2e-6, relative, shape.run * shape.outputs});
  return c;
}

static void add(std::vector<NamedCase> &cases, LinearTypes types,
                LinearShape shape, bool swiglu = false) {
  std::string name = "linear_";
  name += swiglu ? "swiglu_" : "";
  name += typeName(types.input) + "_" +
          weightName(types.weight, types.encoding) + "_" +
          typeName(types.output) + "_T" + std::to_string(shape.tokens) + "of" +
          std::to_string(shape.run) + "_" + std::to_string(shape.inputs) + "x" +
          std::to_string(shape.outputs);
  cases.push_back(
      {name, "linear", [=] { return makeLinear(types, shape, swiglu); }});
}

/// The same with the weight in panels.
static void addPanels(std::vector<NamedCase> &cases, LinearTypes types,
                      LinearShape shape, bool swiglu = false) {
  add(cases, types, shape, swiglu);
  cases.back().name += "_panels";
  cases.back().make = [=] {
    KernelCase c = makeLinear(types, shape, swiglu);
    c.panelWeights = {1};
    return c;
  };
}

void test::addLinearCases(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  constexpr LinearTypes all[] = {
      {f32, f32, f32},    {f32, f16, f32},   {f32, bf16, f32},
      {f16, f16, f16},    {f16, bf16, f16},  {f16, f16, f32},
      {bf16, bf16, bf16}, {bf16, f32, bf16}, {bf16, bf16, f32}};
  for (LinearTypes types : all) {
    for (bool swiglu : {false, true}) {
      add(cases, types, {1, 64, 96, 1}, swiglu);
      add(cases, types, {7, 96, 64, 7}, swiglu);
      add(cases, types, {8, 72, 40, 3}, swiglu);
      add(cases, types, {41, 96, 104, 41}, swiglu);
      add(cases, types, {64, 64, 64, 33}, swiglu);
    }
  }
  for (LinearTypes types : all)
    for (bool swiglu : {false, true}) {
      addPanels(cases, types, {1, 64, 96, 1}, swiglu);
      addPanels(cases, types, {7, 72, 48, 7}, swiglu);
      addPanels(cases, types, {41, 96, 104, 33}, swiglu);
    }
  for (int64_t tokens : {2, 3, 4, 5, 6, 8, 12, 13})
    addPanels(cases, {f32, bf16, f32}, {tokens, 64, 152, uint32_t(tokens)});
  // Tiles of 16 tokens and 16 rows.
  for (bool swiglu : {false, true}) {
    addPanels(cases, {f32, bf16, f32}, {16, 96, 80, 16}, swiglu);
    addPanels(cases, {f32, bf16, f32}, {64, 64, 48, 33}, swiglu);
    addPanels(cases, {f32, bf16, bf16}, {130, 32, 592, 130}, swiglu);
    addPanels(cases, {bf16, bf16, bf16}, {75, 96, 112, 75}, swiglu);
  }
  addPanels(cases, {f32, bf16, f32}, {512, 1024, 1024, 512});
  addPanels(cases, {f32, bf16, f32}, {20, 9728, 32, 20});
  addPanels(cases, {bf16, bf16, f32}, {40, 1024, 64, 37});
  // Real sizes.
  add(cases, {f32, bf16, f32}, {1, 1024, 3072, 1});
  add(cases, {f32, bf16, f32}, {1, 1024, 3072, 1}, true);
  add(cases, {f32, bf16, f32}, {8, 1024, 3072, 8});
  add(cases, {f32, bf16, f32}, {8, 3072, 1024, 8});
  add(cases, {f32, bf16, f32}, {512, 1024, 1024, 512});
  add(cases, {f16, bf16, f16}, {512, 1024, 512, 500}, true);
  // Vocabularies of any size.
  for (int64_t tokens : {1, 8, 41}) {
    add(cases, {f32, bf16, f32}, {tokens, 64, 311, uint32_t(tokens)});
    add(cases, {bf16, f32, f32}, {tokens, 96, 317, uint32_t(tokens)});
  }
}

void test::addEncodedCases(std::vector<NamedCase> &cases) {
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                     bf16 = DataType::BF16;
  for (const EncodingInfo &info : getEncodings()) {
    for (auto [input, output] : {std::pair(f32, f32), {f16, f16}, {bf16, bf16}})
      for (bool swiglu : {false, true}) {
        LinearTypes types = {input, f32, output, info.encoding};
        add(cases, types, {1, 64, 96, 1}, swiglu);
        add(cases, types, {7, 96, 64, 7}, swiglu);
        add(cases, types, {8, 160, 40, 3}, swiglu);
        add(cases, types, {41, 96, 104, 41}, swiglu);
        add(cases, types, {64, 64, 64, 33}, swiglu);
      }
    LinearTypes types = {f32, f32, f32, info.encoding};
    add(cases, types, {1, 1024, 3072, 1});
    add(cases, types, {8, 1024, 3072, 8}, true);
    add(cases, types, {512, 1024, 512, 500});
    for (int64_t tokens : {1, 8, 41}) {
      add(cases, types, {tokens, 64, 311, uint32_t(tokens)});
      add(cases, {bf16, f32, f32, info.encoding},
          {tokens, 96, 317, uint32_t(tokens)});
    }
  }
}
