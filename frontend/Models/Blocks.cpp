//===- Blocks.cpp - blocks that the families share ------------------------===//
#include "frontend/Models/Blocks.h"
#include "frontend/Models/RopeFrequencies.h"

#include <cmath>
#include <tuple>

using namespace mlir;
using namespace quern;

Blocks::Blocks(ModelBuilder &model, BlockStyle style)
    : model(model), style(style) {}

Value Blocks::embedding() {
  const ModelConfig &config = model.getConfig();
  FlatSymbolRefAttr weight =
      model.weight(style.prefix + "embed_tokens.weight",
                   {config.vocabSize, config.hiddenSize});
  return qwen::EmbeddingOp::create(
      model.getOpBuilder(), model.at(style.labels + "embed_tokens"),
      model.tokens(config.hiddenSize, model.getF32()),
      model.getInputs().tokenIds, weight);
}

Value Blocks::norm(Value x, const Twine &place, const Twine &label) {
  auto type = cast<RankedTensorType>(x.getType());
  FlatSymbolRefAttr weight =
      model.weight(style.prefix + place + ".weight", type.getShape().back());
  return qwen::RmsNormOp::create(
      model.getOpBuilder(), model.at(label),
      type.cloneWith(std::nullopt, model.getComputeType()), x, weight,
      model.getOpBuilder().getF64FloatAttr(model.getConfig().rmsNormEps),
      style.unitOffsetNorms ? model.getOpBuilder().getUnitAttr() : UnitAttr());
}

Value Blocks::ropeTable() {
  if (table)
    return table;
  const RopeConfig &rope = model.getConfig().rope;
  std::vector<float> frequencies = computeInverseFrequencies(rope);
  auto values = DenseElementsAttr::get(
      RankedTensorType::get(static_cast<int64_t>(frequencies.size()),
                            model.getF32()),
      llvm::ArrayRef(frequencies));
  table = qwen::RopeTableOp::create(
      model.getOpBuilder(), model.at("rotary_emb"),
      model.tokens(rope.rotaryDim, model.getF32()), model.getInputs().positions,
      values, model.getOpBuilder().getF64FloatAttr(rope.attentionFactor));
  return table;
}

Value Blocks::heads(Value normed, StringRef layer, StringRef name,
                    int64_t count) {
  int64_t headDim = model.getConfig().headDim;
  std::string place = (layer + ".self_attn." + name).str();
  Value features = buildLinear(model, normed, style.prefix + place + "_proj",
                               count * headDim, model.getComputeType());
  return splitHeads(features, count, place + "_heads");
}

Value Blocks::splitHeads(Value features, int64_t count, const Twine &label) {
  auto type = cast<RankedTensorType>(features.getType());
  int64_t headDim = type.getDimSize(1) / count;
  return qwen::SplitHeadsOp::create(
      model.getOpBuilder(), model.at(label),
      model.tokens({count, headDim}, type.getElementType()), features);
}

std::pair<Value, Value> Blocks::gatedQueries(Value normed, StringRef place) {
  const ModelConfig &config = model.getConfig();
  OpBuilder &builder = model.getOpBuilder();
  int64_t headDim = config.headDim;
  int64_t features = config.numAttentionHeads * headDim;
  Type element = model.getComputeType();
  // On disk the query and the gate of a head stand one behind the other.
  Attribute parts = builder.getDenseI64ArrayAttr({headDim, headDim});
  Attribute weight = model.weight(style.prefix + place + ".q_proj.weight",
                                  {2 * features, config.hiddenSize});
  Value both = qwen::LinearOp::create(
      builder, model.at(place + ".q_proj"), model.tokens(2 * features, element),
      normed, builder.getArrayAttr(weight), builder.getArrayAttr(parts));
  auto slice = [&](int64_t offset, const Twine &label) -> Value {
    return qwen::SliceFeaturesOp::create(builder, model.at(place + label),
                                         model.tokens(features, element), both,
                                         builder.getI64IntegerAttr(offset));
  };
  return {slice(0, ".queries"), slice(features, ".gate")};
}

Value Blocks::normAndRotate(Value heads, StringRef layer, StringRef name) {
  std::string place = (layer + ".self_attn." + name).str();
  Value normed = norm(heads, place + "_norm", place + "_norm");
  return qwen::RopeOp::create(model.getOpBuilder(), model.at(place + "_rope"),
                              normed.getType(), normed, ropeTable());
}

Value Blocks::selfAttention(Value normed, StringRef layer) {
  const ModelConfig &config = model.getConfig();
  const StepInputs &inputs = model.getInputs();
  OpBuilder &builder = model.getOpBuilder();
  std::string place = (layer + ".self_attn").str();
  ropeTable();
  Value q, gate;
  if (config.attnOutputGate) {
    std::tie(q, gate) = gatedQueries(normed, place);
    q = splitHeads(q, config.numAttentionHeads, place + ".q_heads");
  } else {
    q = heads(normed, layer, "q", config.numAttentionHeads);
  }
  Value k = heads(normed, layer, "k", config.numKeyValueHeads);
  Value v = heads(normed, layer, "v", config.numKeyValueHeads);
  q = normAndRotate(q, layer, "q");
  k = normAndRotate(k, layer, "k");
  FlatSymbolRefAttr keys =
      model.cache(place + ".k_cache", qwen::StateKind::KeyCache);
  FlatSymbolRefAttr values =
      model.cache(place + ".v_cache", qwen::StateKind::ValueCache);
  qwen::CacheAppendOp::create(builder, model.at(place + ".cache_append"), keys,
                              values, k, v, inputs.slots, inputs.positions,
                              inputs.pageTable);
  double scale = 1 / std::sqrt(static_cast<double>(config.headDim));
  Value mixed = qwen::AttentionOp::create(
      builder, model.at(place + ".attention"), q.getType(), q, keys, values,
      inputs.slots, inputs.positions, inputs.pageTable,
      builder.getF64FloatAttr(scale));
  Value merged = qwen::MergeHeadsOp::create(
      builder, model.at(place + ".merge_heads"),
      model.tokens(config.numAttentionHeads * config.headDim,
                   model.getComputeType()),
      mixed);
  if (gate)
    merged =
        qwen::SigmoidGateOp::create(builder, model.at(place + ".sigmoid_gate"),
                                    merged.getType(), merged, gate);
  return buildLinear(model, merged, style.prefix + place + ".o_proj",
                     config.hiddenSize, model.getComputeType());
}

Value Blocks::swigluMlp(Value normed, StringRef place,
                        int64_t intermediateSize) {
  Value gate = buildLinear(model, normed, style.prefix + place + ".gate_proj",
                           intermediateSize, model.getComputeType());
  Value up = buildLinear(model, normed, style.prefix + place + ".up_proj",
                         intermediateSize, model.getComputeType());
  Value gated =
      qwen::SwigluOp::create(model.getOpBuilder(), model.at(place + ".swiglu"),
                             gate.getType(), gate, up);
  return buildLinear(model, gated, style.prefix + place + ".down_proj",
                     model.getConfig().hiddenSize, model.getComputeType());
}

Value Blocks::mlp(Value normed, StringRef layer) {
  return swigluMlp(normed, (layer + ".mlp").str(),
                   model.getConfig().intermediateSize);
}

Value Blocks::feedForward(Value residual, StringRef layer,
                          bool isMixtureOfExperts) {
  std::string place = (layer + ".post_attention_layernorm").str();
  Value normed = norm(residual, place, place);
  if (isMixtureOfExperts)
    return addMixtureOfExperts(residual, normed, layer);
  return residualAdd(residual, mlp(normed, layer), layer + ".mlp.residual");
}

Value Blocks::residualAdd(Value residual, Value delta, const Twine &label) {
  return qwen::ResidualAddOp::create(model.getOpBuilder(), model.at(label),
                                     residual.getType(), residual, delta);
}

Value Blocks::decoderLayer(Value residual, StringRef layer, LayerType type,
                           bool isMixtureOfExperts) {
  std::string place = (layer + ".input_layernorm").str();
  Value normed = norm(residual, place, place);
  if (type == LayerType::LinearAttention)
    residual = residualAdd(residual, linearAttention(normed, layer),
                           layer + ".linear_attn.residual");
  else
    residual = residualAdd(residual, selfAttention(normed, layer),
                           layer + ".self_attn.residual");
  return feedForward(residual, layer, isMixtureOfExperts);
}

Value Blocks::selectRows(Value residual) {
  return qwen::SelectRowsOp::create(
      model.getOpBuilder(), model.at(style.labels + "select_rows"),
      residual.getType(), residual, model.getInputs().rows);
}

std::pair<Value, Value> Blocks::predict(Value normed) {
  const ModelConfig &config = model.getConfig();
  const StepInputs &inputs = model.getInputs();
  OpBuilder &builder = model.getOpBuilder();
  std::string embedding = (style.prefix + "embed_tokens.weight").str();
  int64_t shape[] = {config.vocabSize, config.hiddenSize};
  if (config.tieWordEmbeddings)
    model.skipTied("lm_head.weight", embedding, shape);
  Attribute weight = model.weight(
      config.tieWordEmbeddings ? StringRef(embedding) : "lm_head.weight",
      shape);
  Value logits =
      qwen::LinearOp::create(builder, model.at(style.labels + "lm_head"),
                             model.tokens(config.vocabSize, model.getF32()),
                             normed, builder.getArrayAttr(weight));
  Value chosen = qwen::SampleOp::create(
      builder, model.at(style.labels + "sample"), inputs.rows.getType(), logits,
      inputs.sampling, inputs.seen);
  return {logits, chosen};
}

void Blocks::head(Value residual) {
  auto [logits, chosen] = predict(norm(selectRows(residual), "norm", "norm"));
  SmallVector<Value> results = {logits, chosen};
  if (model.hasDraft())
    results.push_back(residual);
  model.finish(results);
}
