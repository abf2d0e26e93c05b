//===- DenseCases.cpp - Cases of the families that work on rows -----------===//
#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

using namespace quern;
using namespace quern::test;

namespace {

constexpr DataType floatTypes[] = {DataType::F32, DataType::F16,
                                   DataType::BF16};

} // namespace

static Expectation expectRows(Tensor tensor, uint32_t rows, double absolute) {
  int64_t perRow = 1;
  for (size_t i = 1; i != tensor.shape.size(); ++i)
    perRow *= tensor.shape[i];
  double relative = relativeTolerance(tensor.type);
  return {std::move(tensor), absolute, relative, rows * perRow};
}

static KernelCase makeEmbedding(DataType type, Encoding encoding, Tokens tokens,
                                int64_t hidden, int64_t vocabulary = 311) {
  KernelCase c{{"embedding", "embedding", {}, {}}, {}, {}, tokens.run, 1};
  Tensor ids = makeIntegers({tokens.total}, {});
  for (int64_t t = 0; t != tokens.total; ++t)
    ids.integers.push_back(static_cast<int32_t>((t * 97 + 310) % vocabulary));
  Tensor table = makeRandomWeight(type, encoding, {vocabulary, hidden}, 1, 1);
  Tensor out = makeZeros(DataType::F32, {tokens.total, hidden});
  (void)reference::embedding(ids.integers, table.values, vocabulary, hidden,
                             out.values);
  c.addInput(ids);
  c.addInput(table);
  c.addOutput(expectRows(out, tokens.run, 0));
  // A device may round scale * code + minimum once.
  c.expected.begin()->second.relative =
      encoding == Encoding::Q4Asymmetric ? 1e-6 : 0;
  c.expected.begin()->second.absolute =
      encoding == Encoding::Q4Asymmetric ? 1e-7 : 0;
  return c;
}

/// The same with the table in panels.
static KernelCase makePanelEmbedding(DataType type, Encoding encoding,
                                     Tokens tokens, int64_t hidden) {
  constexpr int64_t vocabulary = 312;
  KernelCase c = makeEmbedding(type, encoding, tokens, hidden, vocabulary);
  c.panelWeights = {1};
  return c;
}

static KernelCase makeSelectRows(int64_t tokens, int64_t rows, int64_t hidden) {
  KernelCase c{{"select_rows", "select_rows", {}, {}}, {}, {}, 0, 0};
  c.rows = static_cast<uint32_t>(rows);
  Tensor index = makeIntegers({rows}, {});
  for (int64_t r = 0; r != rows; ++r)
    index.integers.push_back(static_cast<int32_t>(tokens - 1 - r * 5 % tokens));
  Tensor x = makeRandom(DataType::F32, {tokens, hidden}, 1, 2);
  Tensor out = makeZeros(DataType::F32, {rows, hidden});
  (void)reference::selectRows(x.values, hidden, index.integers, out.values);
  c.addInput(x);
  c.addInput(index);
  c.addOutput({out});
  return c;
}

static KernelCase makeResidualAdd(DataType type, Tokens tokens,
                                  int64_t hidden) {
  KernelCase c{{"residual_add", "residual_add", {}, {}}, {}, {}, tokens.run, 1};
  Tensor a = makeRandom(DataType::F32, {tokens.total, hidden}, 4, 3);
  Tensor b = makeRandom(type, {tokens.total, hidden}, 1, 4);
  Tensor out = makeZeros(DataType::F32, {tokens.total, hidden});
  reference::residualAdd(a.values, b.values, out.values);
  c.addInput(a);
  c.addInput(b);
  c.addOutput(expectRows(out, tokens.run, 0));
  return c;
}

static KernelCase makeSwiglu(DataType type, Tokens tokens, int64_t features) {
  KernelCase c{{"swiglu", "swiglu", {}, {}}, {}, {}, tokens.run, 1};
  Tensor gate = makeRandom(type, {tokens.total, features}, 8, 5);
  gate.values[0] = 200; // exp of it overflows
  gate.values[1] = -200;
  Tensor up = makeRandom(type, {tokens.total, features}, 2, 6);
  Tensor out = makeZeros(type, {tokens.total, features});
  reference::swiglu(gate.values, up.values, type, out.values);
  c.addInput(gate);
  c.addInput(up);
  c.addOutput(expectRows(out, tokens.run, 1e-6));
  return c;
}

namespace {

struct NormShape {
  Tokens tokens;
  int64_t rowsPerToken, features;
};

} // namespace

static KernelCase makeRMSNorm(DataType input, DataType type,
                              DataType weightType, NormShape shape,
                              bool unitOffset) {
  int64_t rows = shape.tokens.total * shape.rowsPerToken;
  KernelCase c{{"rms_norm", "rms_norm", {}, {}}, {}, {}, shape.tokens.run, 1};
  c.request.config = {{"epsilon", 1e-6}, {"unit_offset", unitOffset}};
  if (shape.rowsPerToken != 1)
    c.request.config["rows_per_token"] = shape.rowsPerToken;
  std::vector<int64_t> dims = {rows, shape.features};
  if (shape.rowsPerToken != 1)
    dims = {shape.tokens.total, shape.rowsPerToken, shape.features};
  // Small values make epsilon matter.
  Tensor x = makeRandom(input, dims, 2e-3, 7);
  Tensor weight = makeRandom(weightType, {shape.features}, 1, 8);
  Tensor out = makeZeros(type, dims);
  reference::rmsNorm(x.values, {weight.values, 1e-6, unitOffset}, type,
                     out.values);
  c.addInput(x);
  c.addInput(weight);
  c.addOutput(expectRows(out, shape.tokens.run, 1e-6));
  return c;
}

static KernelCase makeAddRMSNorm(DataType type, DataType weightType,
                                 Tokens tokens, int64_t hidden) {
  KernelCase c{{"add_rms_norm", "add_rms_norm", {}, {}}, {}, {}, tokens.run, 1};
  c.request.config = {{"epsilon", 1e-5}, {"unit_offset", false}};
  Tensor residual = makeRandom(DataType::F32, {tokens.total, hidden}, 3, 9);
  Tensor delta = makeRandom(type, {tokens.total, hidden}, 1, 10);
  Tensor weight = makeRandom(weightType, {hidden}, 1, 11);
  Tensor sum = makeZeros(DataType::F32, {tokens.total, hidden});
  Tensor out = makeZeros(type, {tokens.total, hidden});
  reference::addRmsNorm(residual.values, delta.values,
                        {weight.values, 1e-5, false}, type, sum.values,
                        out.values);
  c.addInput(residual);
  c.addInput(delta);
  c.addInput(weight);
  c.addOutput(expectRows(sum, tokens.run, 0));
  c.addOutput(expectRows(out, tokens.run, 1e-6));
  return c;
}

static std::string shapeName(Tokens tokens, int64_t features) {
  return "T" + std::to_string(tokens.total) + "of" +
         std::to_string(tokens.run) + "x" + std::to_string(features);
}

void test::addDenseCases(std::vector<NamedCase> &cases) {
  constexpr Tokens steps[] = {{1, 1}, {8, 8}, {41, 17}};
  for (DataType type : floatTypes) {
    std::string suffix = "_" + typeName(type) + "_";
    for (Tokens tokens : steps)
      for (int64_t features : {64, 96, 1024}) {
        std::string name = suffix + shapeName(tokens, features);
        cases.push_back({"embedding" + name, "embedding", [=] {
                           return makeEmbedding(type, Encoding::None, tokens,
                                                features);
                         }});
        cases.push_back({"embedding_panels" + name, "embedding", [=] {
                           return makePanelEmbedding(type, Encoding::None,
                                                     tokens, features);
                         }});
        cases.push_back({"residual_add" + name, "residual_add", [=] {
                           return makeResidualAdd(type, tokens, features);
                         }});
        cases.push_back({"swiglu" + name, "swiglu",
                         [=] { return makeSwiglu(type, tokens, features); }});
        cases.push_back({"rms_norm" + name, "rms_norm", [=] {
                           return makeRMSNorm(DataType::F32, type, type,
                                              {tokens, 1, features}, false);
                         }});
        cases.push_back({"add_rms_norm" + name, "add_rms_norm", [=] {
                           return makeAddRMSNorm(type, DataType::BF16, tokens,
                                                 features);
                         }});
      }
    cases.push_back({"rms_norm_heads" + suffix + "7x3x16", "rms_norm", [=] {
                       return makeRMSNorm(type, type, DataType::BF16,
                                          {{7, 7}, 3, 16}, true);
                     }});
    cases.push_back({"rms_norm_heads" + suffix + "2x16x128", "rms_norm", [=] {
                       return makeRMSNorm(type, type, DataType::F32,
                                          {{2, 2}, 16, 128}, false);
                     }});
  }
  for (const EncodingInfo &info : getEncodings())
    for (Tokens tokens : steps)
      for (int64_t features : {64, 96, 1024}) {
        std::string name = weightName(DataType::F32, info.encoding) + "_" +
                           shapeName(tokens, features);
        Encoding encoding = info.encoding;
        cases.push_back({"embedding_" + name, "embedding", [=] {
                           return makeEmbedding(DataType::F32, encoding, tokens,
                                                features);
                         }});
        cases.push_back({"embedding_panels_" + name, "embedding", [=] {
                           return makePanelEmbedding(DataType::F32, encoding,
                                                     tokens, features);
                         }});
      }
  cases.push_back({"select_rows_512x8x1024", "select_rows",
                   [] { return makeSelectRows(512, 8, 1024); }});
  cases.push_back({"select_rows_7x3x96", "select_rows",
                   [] { return makeSelectRows(7, 3, 96); }});
}
