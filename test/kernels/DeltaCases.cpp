//===- DeltaCases.cpp - Cases of convolutions, gates and head norms -------===//
#include "runtime/base/Numeric.h"
#include "runtime/reference/Delta.h"
#include "test/kernels/SequenceRows.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

constexpr DataType f32 = DataType::F32, f16 = DataType::F16,
                   bf16 = DataType::BF16;

struct ConvShape {
  int64_t slots, ring, channels, width, features;
};

/// A convolution with its state before a step and after it.
struct ConvData {
  ConvData(DataType type, DataType weightType, const ConvShape &s,
           const StepRows &step)
      : x(makeRandom(type, {step.total, s.features}, 2, 61)),
        weight(makeRandom(weightType, {s.channels, 1, s.width}, 1, 62)),
        before(makeRandom(type, {s.slots, s.ring, s.channels}, 2, 63)),
        sequences(step.makeSequences()) {
    // What no token of a sequence may see.
    for (const Row &row : step.rows)
      for (int64_t back = 1; back <= s.ring && row.count != 0; ++back) {
        int64_t position = row.position - back;
        int64_t ringRow = (position + s.ring * 2) % s.ring;
        if (position < 0 || back >= s.width)
          std::fill_n(
              &before.values[(row.slot * s.ring + ringRow) * s.channels],
              s.channels, INFINITY);
      }
    after = before;
  }

  reference::Convolution makeReference() {
    return {weight.values, weight.shape[2], after.values, after.shape[1],
            x.shape[1]};
  }

  Tensor x, weight, before, sequences, after;
};

} // namespace

static KernelCase makeCase(const char *family, const StepRows &step) {
  return {{family, family, {}, {}}, {}, {}, uint32_t(step.tokens()), 1};
}

static void addStore(KernelCase &c, ConvData &data, unsigned state) {
  c.addStateView(state, {data.after});
}

static KernelCase makeConv(DataType type, DataType weightType, ConvShape s,
                           StepRows step, bool stores) {
  KernelCase c =
      makeCase(stores ? "causal_conv1d_append" : "causal_conv1d", step);
  ConvData data(type, weightType, s, step);
  Tensor out = makeZeros(type, {step.total, s.channels});
  (void)reference::causalConv1d(data.x.values, data.makeReference(),
                                data.sequences.integers, type, out.values);
  c.addInput(data.x);
  c.addInput(data.weight);
  unsigned state = c.addInput(data.before);
  c.addInput(data.sequences);
  if (stores)
    addStore(c, data, state);
  c.addOutput({out, 4e-6, relativeTolerance(type)});
  return c;
}

static KernelCase makeConvAppend(DataType type, ConvShape s, StepRows step) {
  KernelCase c = makeCase("convolution_append", step);
  ConvData data(type, f32, s, step);
  Tensor out = makeZeros(type, {step.total, s.channels});
  (void)reference::causalConv1d(data.x.values, data.makeReference(),
                                data.sequences.integers, type, out.values);
  c.addInput(data.x);
  c.addInput(data.sequences);
  c.addState(data.before, {data.after});
  return c;
}

namespace {

struct GateData {
  GateData(DataType weightType, int64_t tokens, int64_t heads)
      : ba(makeRandom(f32, {tokens, 2 * heads}, 4, 64)),
        aLog(makeRandom(weightType, {heads}, 1, 65)),
        dtBias(makeRandom(weightType, {heads}, 1, 66)) {
    ba.values[0] = -200; // exp of the opposite overflows
    ba.values[heads] = 150;
    ba.values[heads + 1] = -150;
  }
  Tensor ba, aLog, dtBias;
};

} // namespace

static KernelCase makeGates(DataType weightType, int64_t tokens,
                            int64_t heads) {
  KernelCase c{
      {"delta_gates", "delta_gates", {}, {}}, {}, {}, uint32_t(tokens - 1), 1};
  GateData data(weightType, tokens, heads);
  Tensor decay = makeZeros(f32, {tokens, heads}), beta = decay;
  reference::deltaGates(data.ba.values, data.aLog.values, data.dtBias.values,
                        decay.values, beta.values);
  c.addInput(data.ba);
  c.addInput(data.aLog);
  c.addInput(data.dtBias);
  c.addOutput({decay, 1e-6, 1e-5, (tokens - 1) * heads});
  c.addOutput({beta, 1e-6, 1e-5, (tokens - 1) * heads});
  return c;
}

static KernelCase makeInputs(DataType type, DataType weightType,
                             reference::DeltaShape d, int64_t ring,
                             StepRows step, bool stores) {
  KernelCase c =
      makeCase(stores ? "delta_inputs_append" : "delta_inputs", step);
  c.request.config = {{"epsilon", 1e-6}};
  int64_t channels = 2 * d.keyHeads * d.keyDim + d.valueHeads * d.valueDim;
  ConvShape s = {3, ring, channels, 4, channels + 24};
  ConvData data(type, weightType, s, step);
  GateData gates(weightType, step.total, d.valueHeads);
  Tensor q = makeZeros(f32, {step.total, d.keyHeads, d.keyDim}), k = q;
  Tensor v = makeZeros(type, {step.total, d.valueHeads, d.valueDim});
  Tensor decay = makeZeros(f32, {step.total, d.valueHeads}), beta = decay;
  (void)reference::deltaInputs(
      {d, data.x.values, gates.ba.values, data.makeReference(),
       gates.aLog.values, gates.dtBias.values, 1e-6},
      data.sequences.integers, type,
      {q.values, k.values, v.values, decay.values, beta.values});
  for (Tensor *input :
       {&data.x, &gates.ba, &data.weight, &gates.aLog, &gates.dtBias})
    c.addInput(*input);
  unsigned state = c.addInput(data.before);
  c.addInput(data.sequences);
  if (stores)
    addStore(c, data, state);
  c.addOutput({q, 2e-6, 1e-5});
  c.addOutput({k, 2e-6, 1e-5});
  c.addOutput({v, 4e-6, relativeTolerance(type)});
  c.addOutput({decay, 1e-6, 1e-5, step.tokens() * d.valueHeads});
  c.addOutput({beta, 1e-6, 1e-5, step.tokens() * d.valueHeads});
  return c;
}

static KernelCase makeL2Norm(DataType type, int64_t tokens, int64_t heads,
                             int64_t dim) {
  KernelCase c{{"l2_norm", "l2_norm", {}, {}}, {}, {}, uint32_t(tokens), 1};
  c.request.config = {{"epsilon", 1e-6}, {"scale", 0.25}};
  Tensor x = makeRandom(type, {tokens, heads, dim}, 2, 67);
  std::fill_n(x.values.begin(), dim, 0.0f);
  Tensor out = makeZeros(f32, x.shape);
  reference::l2Norm(x.values, dim, 1e-6, 0.25, out.values);
  c.addInput(x);
  c.addOutput({out, 1e-7, 4e-6});
  return c;
}

static KernelCase makeGatedNorm(DataType type, DataType weightType,
                                int64_t heads, int64_t dim, int64_t offset) {
  constexpr int64_t tokens = 5;
  KernelCase c{{"gated_rms_norm", "gated_rms_norm", {}, {}}, {}, {}, 4, 1};
  c.request.config = {{"epsilon", 1e-6}, {"gate_offset", offset}};
  Tensor x = makeRandom(type, {tokens, heads, dim}, 2, 68);
  Tensor gate =
      makeRandom(type, {tokens, offset + heads * dim + offset / 2}, 4, 69);
  Tensor weight = makeRandom(weightType, {dim}, 2, 70);
  Tensor out = makeZeros(type, x.shape);
  reference::gatedRmsNorm(x.values, {weight.values, 1e-6, false},
                          {gate.values, gate.shape[1], offset}, type,
                          out.values);
  c.addInput(x);
  c.addInput(gate);
  c.addInput(weight);
  c.addOutput({out, 2e-6, relativeTolerance(type), 4 * heads * dim});
  return c;
}

static KernelCase makeSigmoidGate(DataType type) {
  KernelCase c{{"sigmoid_gate", "sigmoid_gate", {}, {}}, {}, {}, 3, 1};
  Tensor x = makeRandom(type, {4, 96}, 3, 71);
  Tensor gate = makeRandom(type, {4, 96}, 8, 72);
  gate.values[0] = -200;
  Tensor out = makeZeros(type, x.shape);
  reference::sigmoidGate(x.values, {gate.values, 96}, type, out.values);
  c.addInput(x);
  c.addInput(gate);
  c.addOutput({out, 1e-6, relativeTolerance(type), 3 * 96});
  return c;
}

static KernelCase makeSlice(DataType type, int64_t features, int64_t offset,
                            int64_t width) {
  KernelCase c{{"slice_features", "slice_features", {}, {}}, {}, {}, 4, 1};
  c.request.config = {{"offset", offset}};
  Tensor x = makeRandom(type, {5, features}, 3, 73);
  Tensor out = makeZeros(type, {5, width});
  for (int64_t i = 0; i != 5 * width; ++i)
    out.values[i] = x.values[i / width * features + offset + i % width];
  c.addInput(x);
  c.addOutput({out, 0, 0, 4 * width});
  return c;
}

static KernelCase makeConcat(DataType type, int64_t first, int64_t second) {
  KernelCase c{{"concat_features", "concat_features", {}, {}}, {}, {}, 4, 1};
  Tensor a = makeRandom(type, {5, first}, 3, 74);
  Tensor b = makeRandom(type, {5, second}, 3, 75);
  Tensor out = makeZeros(type, {5, first + second});
  for (int64_t t = 0; t != 5; ++t) {
    std::copy_n(&a.values[t * first], first, &out.values[t * (first + second)]);
    std::copy_n(&b.values[t * second], second,
                &out.values[t * (first + second) + first]);
  }
  c.addInput(a);
  c.addInput(b);
  c.addOutput({out, 0, 0, 4 * (first + second)});
  return c;
}

/// New sequences, continued ones, a used slot that starts again, positions
/// around the end of the ring, an unused row, fewer tokens than the program
/// has room for.
static const std::pair<const char *, StepRows> shortSteps[] = {
    {"one", {{{1, 1, 37, 0, 0}}, 1}},
    {"new", {{{2, 1, 0, 0, 0}}, 1}},
    {"verify", {{{0, 5, 14, 0, 0}}, 8}},
    {"ragged",
     {{{2, 1, 2, 0, 0}, {0, 4, 0, 0, 0}, {0, 0, 9, 0, 0}, {1, 2, 31, 0, 0}},
      8}}};
static const std::pair<const char *, StepRows> longSteps[] = {
    {"chunk", {{{1, 41, 23, 0, 2}}, 48}},
    {"ragged",
     {{{2, 19, 0, 0, 2}, {0, 1, 5, 0, 2}, {1, 0, 0, 0, 0}, {1, 16, 100, 0, 2}},
      37}}};

static void addConvolutions(std::vector<NamedCase> &cases) {
  constexpr std::pair<DataType, DataType> types[] = {
      {f32, bf16}, {f16, f16}, {bf16, f32}};
  for (auto [type, weightType] : types) {
    std::string suffix = "_" + typeName(type) + "_" + typeName(weightType);
    for (const auto &[name, step] : shortSteps)
      cases.push_back({"causal_conv1d_append_" + std::string(name) + suffix,
                       "causal_conv1d_append", [=] {
                         return makeConv(type, weightType, {3, 16, 112, 4, 136},
                                         step, true);
                       }});
    for (const auto &[name, step] : longSteps) {
      cases.push_back(
          {"causal_conv1d_" + std::string(name) + suffix, "causal_conv1d", [=] {
             return makeConv(type, weightType, {3, 16, 112, 4, 112}, step,
                             false);
           }});
      cases.push_back(
          {"convolution_append_" + std::string(name) + suffix,
           "convolution_append",
           [=] { return makeConvAppend(type, {3, 16, 112, 4, 136}, step); }});
    }
  }
  cases.push_back({"causal_conv1d_append_width2", "causal_conv1d_append", [] {
                     return makeConv(f32, f32, {3, 3, 8, 2, 8},
                                     {{{1, 2, 7, 0, 0}}, 2}, true);
                   }});
}

static void addInputs(std::vector<NamedCase> &cases) {
  struct {
    const char *name;
    reference::DeltaShape shape;
    DataType type, weightType;
  } models[] = {{"16_32x128", {16, 32, 128, 128}, bf16, bf16},
                {"2_6x16x24", {2, 6, 16, 24}, f32, bf16},
                {"2_2x16", {2, 2, 16, 16}, f16, f32},
                {"1_4x32x16", {1, 4, 32, 16}, bf16, f32}};
  for (const auto &model : models) {
    for (const auto &[name, step] : shortSteps)
      cases.push_back(
          {std::string("delta_inputs_append_") + model.name + "_" + name,
           "delta_inputs_append", [=] {
             return makeInputs(model.type, model.weightType, model.shape, 16,
                               step, true);
           }});
    for (const auto &[name, step] : longSteps)
      cases.push_back({std::string("delta_inputs_") + model.name + "_" + name,
                       "delta_inputs", [=] {
                         return makeInputs(model.type, model.weightType,
                                           model.shape, 16, step, false);
                       }});
  }
  for (DataType type : {f32, f16, bf16})
    for (int64_t heads : {4, 6, 32})
      cases.push_back(
          {"delta_gates_" + typeName(type) + "_" + std::to_string(heads),
           "delta_gates", [=] { return makeGates(type, 7, heads); }});
}

void test::addDeltaCases(std::vector<NamedCase> &cases) {
  addConvolutions(cases);
  addInputs(cases);
  for (DataType type : {f32, f16, bf16}) {
    std::string name = typeName(type);
    cases.push_back({"l2_norm_16x128_" + name, "l2_norm",
                     [=] { return makeL2Norm(type, 3, 16, 128); }});
    cases.push_back({"l2_norm_3x24_" + name, "l2_norm",
                     [=] { return makeL2Norm(type, 5, 3, 24); }});
    cases.push_back({"gated_rms_norm_32x128_" + name, "gated_rms_norm",
                     [=] { return makeGatedNorm(type, f32, 32, 128, 64); }});
    cases.push_back({"gated_rms_norm_6x24_" + name, "gated_rms_norm",
                     [=] { return makeGatedNorm(type, bf16, 6, 24, 16); }});
    cases.push_back({"gated_rms_norm_1x512_" + name, "gated_rms_norm",
                     [=] { return makeGatedNorm(type, bf16, 1, 512, 0); }});
    cases.push_back({"sigmoid_gate_" + name, "sigmoid_gate",
                     [=] { return makeSigmoidGate(type); }});
    cases.push_back({"slice_features_" + name, "slice_features",
                     [=] { return makeSlice(type, 96, 16, 40); }});
    cases.push_back({"concat_features_" + name, "concat_features",
                     [=] { return makeConcat(type, 40, 64); }});
  }
}
