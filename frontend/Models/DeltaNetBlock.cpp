//===- DeltaNetBlock.cpp - the gated delta net of a decoder layer ---------===//
//
// Formula sources: transformers, models/qwen3_next/modeling_qwen3_next.py and
// models/qwen3_5/modeling_qwen3_5.py.
//   q, k, v = silu(causal_conv1d(qkv(x)));
//   y = gated_delta_rule(l2_norm(q) / sqrt(Dk), l2_norm(k), v, gates(b, a));
//   out_proj(rms_norm(y) * silu(z)).
//
//===----------------------------------------------------------------------===//
#include "frontend/Models/Blocks.h"

#include <cmath>

using namespace mlir;
using namespace quern;

/// Tokens that the rings of a slot hold: those since the last fold, and of the
/// convolution's inputs those that may be taken back beside its width.
static constexpr int64_t deltaRing = 32;
static constexpr int64_t minConvolutionRing = 16;
static constexpr int64_t maxTakenBack = 8;

/// Inside the root, added to the sum of squares; a constant of the models.
static constexpr double l2Epsilon = 1e-6;

static int64_t keySize(const LinearAttentionConfig &linear) {
  return linear.numKeyHeads * linear.keyHeadDim;
}
static int64_t valueSize(const LinearAttentionConfig &linear) {
  return linear.numValueHeads * linear.valueHeadDim;
}

/// A product with weights whose rows are groups of `parts`.
static Value buildGrouped(ModelBuilder &model, Value x, StringRef label,
                          ArrayRef<Attribute> weights, ArrayRef<int64_t> parts,
                          int64_t outputs, Type element) {
  OpBuilder &builder = model.getOpBuilder();
  ArrayAttr lists;
  if (!parts.empty())
    lists = builder.getArrayAttr(builder.getDenseI64ArrayAttr(parts));
  return qwen::LinearOp::create(builder, model.at(label),
                                model.tokens(outputs, element), x,
                                builder.getArrayAttr(weights), lists);
}

Blocks::DeltaProjections Blocks::deltaProjections(Value normed,
                                                  StringRef place) {
  const ModelConfig &config = model.getConfig();
  const LinearAttentionConfig &linear = *config.linearAttention;
  int64_t keys = keySize(linear), values = valueSize(linear);
  int64_t heads = linear.numValueHeads, channels = 2 * keys + values;
  Type element = model.getComputeType(), f32 = model.getF32();
  auto weight = [&](StringRef name, int64_t rows) -> Attribute {
    return model.weight(style.prefix + place + "." + name + ".weight",
                        {rows, config.hiddenSize});
  };
  auto label = [&](StringRef name) { return (place + "." + name).str(); };
  if (config.family == ModelFamily::Qwen3Next) {
    // Rows per key head: q, k, and v and z of its value heads; b, a likewise.
    int64_t perKeyHead = heads / linear.numKeyHeads;
    int64_t part = perKeyHead * linear.valueHeadDim;
    Value row = buildGrouped(model, normed, label("in_proj_qkvz"),
                             weight("in_proj_qkvz", channels + values),
                             {linear.keyHeadDim, linear.keyHeadDim, part, part},
                             channels + values, element);
    Value ba = buildGrouped(model, normed, label("in_proj_ba"),
                            weight("in_proj_ba", 2 * heads),
                            {perKeyHead, perKeyHead}, 2 * heads, f32);
    return {row, row, channels, ba};
  }
  Value qkv =
      buildGrouped(model, normed, label("in_proj_qkv"),
                   weight("in_proj_qkv", channels), {}, channels, element);
  Value z = buildGrouped(model, normed, label("in_proj_z"),
                         weight("in_proj_z", values), {}, values, element);
  Attribute gates[] = {weight("in_proj_b", heads), weight("in_proj_a", heads)};
  Value ba = buildGrouped(model, normed, label("in_proj_ba"), gates, {},
                          2 * heads, f32);
  return {qkv, z, 0, ba};
}

Value Blocks::convolve(Value qkv, StringRef place) {
  const LinearAttentionConfig &linear = *model.getConfig().linearAttention;
  Type element = model.getComputeType();
  int64_t width = linear.convKernelDim;
  int64_t channels = 2 * keySize(linear) + valueSize(linear);
  int64_t ring = std::max<int64_t>(llvm::PowerOf2Ceil(width - 1 + maxTakenBack),
                                   minConvolutionRing);
  return qwen::CausalConv1dOp::create(
      model.getOpBuilder(), model.at(place + ".conv1d"),
      model.tokens(channels, element), qkv,
      model.weight(style.prefix + place + ".conv1d.weight",
                   {channels, 1, width}),
      model.state(place + ".conv_state", qwen::StateKind::Convolution,
                  {model.getNumSlots(), ring, channels}, element),
      model.getInputs().sequences);
}

Value Blocks::deltaRule(const DeltaProjections &in, StringRef place) {
  const LinearAttentionConfig &linear = *model.getConfig().linearAttention;
  OpBuilder &builder = model.getOpBuilder();
  Type f32 = model.getF32();
  int64_t slots = model.getNumSlots();
  int64_t keyHeads = linear.numKeyHeads, heads = linear.numValueHeads;
  int64_t keyDim = linear.keyHeadDim, valueDim = linear.valueHeadDim;
  int64_t keys = keySize(linear), values = valueSize(linear);
  auto at = [&](StringRef name) { return model.at(place + "." + name); };
  auto state = [&](StringRef name, qwen::StateKind kind,
                   ArrayRef<int64_t> shape) {
    return model.state(place + "." + name, kind, shape, f32);
  };
  std::string path = (style.prefix + place).str();
  Value y = convolve(in.qkv, place);
  auto part = [&](StringRef name, int64_t offset, int64_t size,
                  int64_t count) -> Value {
    Value features = qwen::SliceFeaturesOp::create(
        builder, at(name), model.tokens(size, model.getComputeType()), y,
        builder.getI64IntegerAttr(offset));
    return splitHeads(features, count, place + "." + name + "_heads");
  };
  auto unit = [&](Value x, StringRef label, double scale) -> Value {
    return qwen::L2NormOp::create(
        builder, at(label), model.tokens({keyHeads, keyDim}, f32), x,
        builder.getF64FloatAttr(l2Epsilon), builder.getF64FloatAttr(scale));
  };
  Value q = unit(part("q", 0, keys, keyHeads), "q_norm",
                 1 / std::sqrt(static_cast<double>(keyDim)));
  Value k = unit(part("k", keys, keys, keyHeads), "k_norm", 1);
  Value v = part("v", 2 * keys, values, heads);
  Type scalars = model.tokens(heads, f32);
  auto gates =
      qwen::DeltaGatesOp::create(builder, at("gates"), scalars, scalars, in.ba,
                                 model.weight(path + ".A_log", heads),
                                 model.weight(path + ".dt_bias", heads));
  return qwen::GatedDeltaRuleOp::create(
      builder, at("delta_rule"), v.getType(), q, k, v, gates.getDecay(),
      gates.getBeta(),
      state("recurrent_state", qwen::StateKind::Recurrent,
            {slots, heads, keyDim, valueDim}),
      state("delta_keys", qwen::StateKind::DeltaKeys,
            {slots, deltaRing, keyHeads, keyDim}),
      state("delta_updates", qwen::StateKind::DeltaUpdates,
            {slots, deltaRing, heads, valueDim}),
      state("delta_decays", qwen::StateKind::DeltaDecays,
            {slots, deltaRing, heads}),
      model.getInputs().sequences, IntegerAttr());
}

Value Blocks::linearAttention(Value normed, StringRef layer) {
  const ModelConfig &config = model.getConfig();
  const LinearAttentionConfig &linear = *config.linearAttention;
  OpBuilder &builder = model.getOpBuilder();
  std::string place = (layer + ".linear_attn").str();
  DeltaProjections in = deltaProjections(normed, place);
  Value y = deltaRule(in, place);
  // This norm multiplies by its weight in all families.
  y = qwen::GatedRmsNormOp::create(
      builder, model.at(place + ".norm"), y.getType(), y, in.z,
      model.weight(style.prefix + place + ".norm.weight", linear.valueHeadDim),
      builder.getF64FloatAttr(config.rmsNormEps),
      builder.getI64IntegerAttr(in.zOffset));
  Value merged = qwen::MergeHeadsOp::create(
      builder, model.at(place + ".merge_heads"),
      model.tokens(valueSize(linear), model.getComputeType()), y);
  return buildLinear(model, merged, style.prefix + place + ".out_proj",
                     config.hiddenSize, model.getComputeType());
}
